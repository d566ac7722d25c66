"""Commands about cases: validate, forecast, allocate, generate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.common import CasePath, Date
from planner.commands.console import Console, counted
from planner.commands.outcome import refuse
from planner.problems import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from planner.case import Case

TableOut = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="F", help=".csv, .csv.gz or .parquet  [CSV on stdout]", show_default=False),
]


def validate(
    console: Console,
    case: CasePath,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also print the tree and what was read.")] = False,
    date: Date = None,
) -> None:
    """Say everything that is wrong with a case, at once.

    The meter files are read as soon as nothing is wrong with the tables.

    \b
    Example: planner validate data/riverside -v
    """
    from planner.case import read_case
    from planner.commands.meters import overview
    from planner.meters import read_meters

    read = read_case(case, date)
    metered = read_meters(read) if len(read.meters) else None
    rows = {name: len(table) for name, table in read.tables.items() if len(table)}
    reports = metered.reports if metered else ()
    of_files = [f"{report.file}: {note}" for report in reports for note in report.notes] if verbose else []
    console.notes([*read.notes, *of_files], most=len(read.notes) + len(of_files) if verbose else 5)
    text = _case_in_words(read)
    if verbose:
        text += "\n\n" + "\n".join(f"{count:>9,} rows  {name}" for name, count in rows.items())
        text += "\n\n" + overview(reports) if reports else ""
        text += "\n\n" + _tree(read)
    told: dict[str, Any] = {"valid": True, "problems": [], "rows": rows, "notes": list(read.notes)}
    told["readings"] = len(metered.table) if metered else 0
    if console.json:
        told |= {"name": read.settings.name, "delivery_date": read.settings.delivery_date, "case_sha256": read.sha256}
    console.result(text, told)


def _case_in_words(case: Case) -> str:
    kinds = case.nodes["kind"].value_counts()
    places = f"{counted(int(kinds.get('unit', 0)), 'unit')} in {counted(int(kinds.get('building', 0)), 'building')}"
    what = places if len(case.nodes) else counted(case.orders["order_id"].nunique(), "order")
    if case.settings.delivery_date is None:
        return f"{case.settings.name} is valid: {what}; no delivery date is set"
    return f"{case.settings.name} is valid: {what}, {case.settings.delivery_date} in {case.grid.settled} intervals"


def _tree(case: Case) -> str:
    from planner.hierarchy import drawing

    return drawing(case.graph) if len(case.nodes) else "no nodes: an order book"


def forecast(console: Console, case: CasePath, out: TableOut = None, date: Date = None) -> None:
    """Forecast every metered load and plant.

    \b
    Example: planner forecast data/riverside -o tomorrow.csv
    """
    import pandas as pd

    from planner.case import read_case
    from planner.forecast import forecast as make_forecast
    from planner.meters import read_meters

    read = read_case(case, date)
    found = make_forecast(read, read_meters(read))
    starts = pd.DatetimeIndex(read.grid.starts).tz_convert(read.settings.timezone)
    parts = [
        pd.DataFrame(
            {"kind": kind, "asset": asset, "interval": range(1, len(kwh) + 1), "start": starts, "energy_kwh": kwh}
        )
        for kind, series in (("load", found.load_kwh), ("plant", found.plant_kwh))
        for asset, kwh in sorted(series.items())
    ]
    if not parts:
        raise refuse("has no metered load or plant", "meters.csv names the meters", case.name)
    console.notes(found.notes)
    error = found.errors["wape"].median()
    console.note(f"{len(parts):,} series; median error on held-back days {error:.0%} of the energy")
    _table(console, pd.concat(parts, ignore_index=True).round({"energy_kwh": 6}), out)


def allocate(console: Console, case: CasePath, out: TableOut = None, date: Date = None) -> None:
    """Share the contracted supply by the case's policy.

    Gives what each unit is entitled to, in the form of allocations.csv.

    \b
    Example: planner allocate data/riverside -o allocations.csv
    """
    from planner.case import read_case
    from planner.forecast import forecast as make_forecast
    from planner.meters import read_meters
    from planner.preparation import allocations

    read = read_case(case, date)
    tomorrow = make_forecast(read, read_meters(read)) if len(read.meters) else None
    table = allocations(read, tomorrow).drop(columns="interval")
    _table(console, table.assign(start=table["start"].dt.tz_convert(read.settings.timezone)), out)


def _table(console: Console, table: pd.DataFrame, out: Path | None) -> None:
    """A table to a file, or to stdout as CSV (as rows with --json)."""
    from planner.export import table_text, write_table

    if out is None:
        rows = table.astype({"start": str}).to_dict("records") if console.json else None
        console.result(table_text(table).rstrip("\n"), rows)
        return
    try:
        write_table(table, out)
    except ValueError as error:
        raise refuse(str(error), "end it in .csv, .csv.gz or .parquet", out.name) from None
    console.result(f"{out}: {len(table):,} rows", {"written": str(out), "rows": len(table)})


def generate(
    console: Console,
    units: Annotated[int, typer.Option(metavar="N", help="Units of the city.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="CASE", help="A new folder.", show_default=False)],
    units_per_building: Annotated[int, typer.Option(metavar="N", help="At most.")] = 50,
    interval_minutes: Annotated[int, typer.Option(metavar="M", help="15, 30 or 60.")] = 60,
    days: Annotated[int, typer.Option(metavar="N", help="Delivery days in the tables.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed writes the same files.")] = 1,
    date: Date = None,
) -> None:
    """Write a synthetic city with every kind of asset.

    \b
    Example: planner generate --units 1000 --interval-minutes 15 -o cases/city
    """
    from planner.case import as_date
    from planner.generate import generate as write_city

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise refuse("is taken", "use -o with a new folder", out.name)
    options: dict[str, Any] = {"delivery_date": as_date(date)} if date else {}
    try:
        write_city(out, units, units_per_building, interval_minutes, days, seed, **options)
    except InvalidInput:
        raise
    except ValueError as error:
        raise refuse(str(error), "planner generate --help") from None
    console.result(f"{out}: {counted(units, 'unit')}", {"case": str(out), "units": units})


COMMANDS = {"validate": validate, "forecast": forecast, "allocate": allocate, "generate": generate}
