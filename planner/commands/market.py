"""The command for order books."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.common import CasePath, Date
from planner.commands.console import Console, counted, table_in_words
from planner.commands.outcome import Exit
from planner.commands.runs import default_run

if TYPE_CHECKING:
    from planner.orderbook import MarketRun


def market(
    console: Console,
    case: CasePath,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="RUN", help="The run folder  [runs/<case>-<date>]", show_default=False),
    ] = None,
    pricing: Annotated[
        str | None,
        typer.Option(
            metavar="RULE,…",
            help="no_pab, fixed_integers, convex_hull, pay_as_bid; several by commas.",
            show_default=False,
        ),
    ] = None,
    date: Date = None,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", metavar="S", help="Seconds to stop after.", show_default=False)
    ] = None,
    gap: Annotated[
        float | None, typer.Option(metavar="G", help="Relative gap to stop at  [0: proven]", show_default=False)
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Also draw every curve into curves.pdf.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace RUN if it is a run.")] = False,
) -> int:
    """Clear an order book: orders, lines and neighbours, no buildings.

    Steps, blocks, linked families, exclusive groups and scalable complex orders, under one pricing rule or several.

    \b
    Example: planner market data/cases/k18 -o runs/k18 --pricing no_pab,convex_hull
    """
    from planner.case import read_case
    from planner.orderbook import NoAnswerError
    from planner.orderbook import market as clear_market
    from planner.orderbook.market import MarketRun
    from planner.report import write_report

    read = read_case(case, date)
    folder = out or default_run(read)
    console.notes(read.notes)
    rules = [name.strip() for name in pricing.split(",")] if pricing else None
    asked: Any = rules[0] if rules and len(rules) == 1 else rules
    try:
        found = clear_market(read, asked, folder, time_limit, gap, force=force, tell=console.progress)
    except NoAnswerError as late:
        console.error(str(late))
        return Exit.NO_ANSWER
    runs = [found] if isinstance(found, MarketRun) else list(found.values())
    if plot:
        console.progress("drawing")
        _draw(runs)
    console.progress("writing the report")
    write_report(folder)
    console.result(_told(runs), {"run": str(folder), "rules": {run.rule: run.certificate for run in runs}})
    return _verdict(console, runs, gap or 0.0)


def _draw(runs: list[MarketRun]) -> None:
    from planner.report.orderbook import write_curves

    for run in runs:
        write_curves(run)


def _zones(run: MarketRun) -> str:
    """The trader's table."""
    table = run.table()
    cells = [
        list(map(str, table.columns)),
        *([_cell(value) for value in row] for row in table.itertuples(index=False)),
    ]
    return table_in_words(cells)


def _cell(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _told(runs: list[MarketRun]) -> str:
    """One line a rule."""
    rows = [("rule", "welfare", "gap", "price", "traded kWh", "missed by rejected", "make-whole", "audit")]
    for run in runs:
        told, price = run.certificate, run.prices["price_per_mwh"].dropna()
        rows.append(
            (
                run.rule,
                f"{told['welfare']:,.2f}",
                f"{told['gap_relative']:.2%}",
                f"{price.min():g} to {price.max():g}" if len(price) else "none",
                f"{told['volume_kwh']:,.0f}",
                counted(len(told["paradoxically_rejected"]), "order"),
                f"{told['make_whole']:,.2f}",
                "clean" if not run.audit["violations"] else counted(len(run.audit["violations"]), "violation"),
            )
        )
    parts = [table_in_words(rows), *(f"{run.rule}\n{_zones(run)}" for run in runs), f"run  {runs[0].run}"]
    return "\n\n".join(parts)


def _verdict(console: Console, runs: list[MarketRun], asked: float) -> int:
    if runs[0].audit["violations"]:
        found = counted(len(runs[0].audit["violations"]), "violation")
        console.error(f"the audit found {found}", f"planner audit {runs[0].run}")
        return Exit.NOT_CLEAN
    wide = [run for run in runs if run.certificate["gap_relative"] > asked + 1e-9]
    if wide:
        gaps = ", ".join(f"{run.rule} {run.certificate['gap_relative']:.4%}" for run in wide)
        console.error(f"the gap is above the {asked:.4%} asked for: {gaps}", "give it more time (--time-limit)")
        return Exit.WIDE_GAP
    return Exit.DONE


COMMANDS = {"market": market}
