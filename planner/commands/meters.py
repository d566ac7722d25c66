"""Commands about files of others: ingest meter exports, prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.commands.console import Console, counted, table_in_words
from planner.commands.outcome import refuse
from planner.problems import InvalidInput

if TYPE_CHECKING:
    from planner.meters import FileReport


def ingest(
    console: Console,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Meter exports, or folders of them.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="The long table: .parquet, .csv, .csv.gz.", show_default=False),
    ] = None,
    format: Annotated[
        str | None, typer.Option(metavar="F", help="Name of the format  [detected]", show_default=False)
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="Z", help="Of stamps that do not say it.", show_default=False)
    ] = None,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Leave out what is wrong, and list it.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="All that was found in each file.")] = False,
) -> None:
    """Read meter exports into one long table.

    The format of every file is detected and reported.

    \b
    Example: planner ingest exports --timezone Europe/Stockholm -o history.parquet
    """
    from planner.export import write_table
    from planner.meters import files_in
    from planner.meters import ingest as read_exports

    files = [path for path, _ in files_in(paths)]
    if not files:
        raise refuse("holds no file", "name the folder of the exports", ", ".join(path.name for path in paths))
    _refuse_out(out, files)
    metered = read_exports(paths, None, format, timezone, keep_going)
    if metered.problems and metered.table.empty:
        raise InvalidInput(metered.problems)
    if metered.problems:
        console.problems(metered.problems, "warning")
    if out is not None:
        write_table(metered.table, out)
    text = "\n".join(map(str, metered.reports)) if verbose else overview(metered.reports)
    rows = f"{len(metered.table):,} readings" + (f" in {out}" if out else "; nothing was written, use -o")
    found = [asdict(report) for report in metered.reports]
    console.result(f"{text}\n{rows}", {"readings": len(metered.table), "written": str(out or ""), "files": found})


def prices(
    console: Console,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="ENTSO-E XML, or CSV: start, price.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="grid.csv", help="What to write.", show_default=False)],
    zone: Annotated[str, typer.Option(metavar="Z", help="The zone's id  [as in FILE]", show_default=False)] = "",
    interval_minutes: Annotated[
        int | None, typer.Option(metavar="M", help="Repeat longer intervals: 15, 30, 60.", show_default=False)
    ] = None,
    timezone: Annotated[str, typer.Option(metavar="Z", help="Of the starts that are written.")] = "UTC",
) -> None:
    """Turn published day-ahead prices into grid.csv.

    One price is written for import and for export: change the columns where they differ.

    \b
    Example: planner prices day_ahead.xml --zone city --interval-minutes 15 -o grid.csv
    """
    from planner.export import write_table
    from planner.prices import read_prices
    from planner.timegrid import zone as known_zone

    _refuse_out(out, [file])
    if interval_minutes not in (None, 15, 30, 60):
        raise refuse("--interval-minutes is 15, 30 or 60")
    try:
        known_zone(timezone)
    except ValueError as error:
        raise refuse(str(error), "write it as Europe/Stockholm") from None
    table = read_prices(file, zone, interval_minutes, timezone)
    write_table(table, out)
    console.result(f"{len(table):,} prices in {out}", {"prices": len(table), "written": str(out)})


def _refuse_out(out: Path | None, paths: Sequence[Path]) -> None:
    """Before anything is read: a name that cannot be written, or an export about to be replaced by its own table."""
    if out is None:
        return
    if not out.name.endswith((".parquet", ".csv", ".csv.gz")):
        raise refuse("is neither .parquet nor .csv nor .csv.gz", "the ending of OUT says what is written", out.name)
    if out.resolve() in {path.resolve() for path in paths}:
        raise refuse("is also one of the exports", "use -o with another file", out.name)


def overview(reports: Sequence[FileReport]) -> str:
    """One line a file."""
    head = ("file", "format", "meters", "read", "used", "rejected", "found")
    return table_in_words([head, *(_row(report) for report in reports)])


def _row(report: FileReport) -> tuple[str, ...]:
    kinds = sorted({finding.what for finding in report.findings})
    found = ", ".join(f"{sum(f.count for f in report.findings if f.what == kind):,} x {kind}" for kind in kinds)
    changes = f"{counted(len(report.clock_changes), 'clock change')}" if report.clock_changes else ""
    numbers = (len(report.meters), report.rows_read, report.rows_used, report.rows_rejected)
    words = ", ".join(part for part in (found, changes) if part)
    return (report.file, report.format or "not recognised", *(f"{number:,}" for number in numbers), words)


COMMANDS = {"ingest": ingest, "prices": prices}
