"""Commands that compare: what-if."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.common import CasePath
from planner.commands.console import Console, table_in_words
from planner.commands.outcome import Exit, refuse
from planner.commands.runs import safe_name, verdict

if TYPE_CHECKING:
    from planner.case import Case
    from planner.scenario import Comparison, Scenario

BASE = "as it is"
MONEY = ("cost", "savings")
HEAD = {
    "cost": "cost",
    "savings": "savings",
    "peak_import_kw": "peak import kW",
    "import_kwh": "import kWh",
    "export_kwh": "export kWh",
    "mean_price_per_mwh": "mean price",
}


def what_if(
    console: Console,
    case: CasePath,
    scenarios: Annotated[
        Path, typer.Argument(metavar="SCENARIOS.toml", help="Tables [[scenario]] of edits.", show_default=False)
    ],
    dates: Annotated[
        str | None,
        typer.Option(metavar="A..B", help="Delivery days, both ends included.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Runs  [runs/<case>-<scenarios>]", show_default=False),
    ] = None,
    gap: Annotated[
        float | None, typer.Option(metavar="G", help="Relative gap to stop at, as 0.001.", show_default=False)
    ] = None,
) -> int:
    """Change a case, clear it again, and compare.

    The case as it is comes first, then every scenario of the file; each is audited like any other run.

    \b
    Example: planner what-if data/riverside scenarios.toml --gap 0.01 -o runs/what-if
    """
    from planner.case import read_case
    from planner.scenario import compare, dates_between, read_scenarios

    edits = read_scenarios(scenarios)
    days = dates_between(dates) if dates else None
    read = read_case(case, days[0] if days else None)
    if gap is not None:
        read = read.with_(solver={"gap_relative": gap})
    if BASE in (scenario.name for scenario in edits):
        raise refuse("a scenario may not have this name", "it stands for the case itself", f"{scenarios.name}: {BASE}")
    folder = out or Path("runs") / f"{safe_name(read.settings.name)}-{safe_name(scenarios.stem)}"
    cases: dict[str, Case | Scenario] = {BASE: read, **{scenario.name: scenario for scenario in edits}}
    found = compare(cases, out=folder, dates=days, tell=console.progress)
    rows = found.table.reset_index().to_dict("records")
    console.result(_in_words(found), {"runs": str(folder), "scenarios": rows})
    return _worst(console, found.folder, read.settings.solver.gap_relative)


def _in_words(found: Comparison) -> str:
    """A row per scenario; the change to the first in brackets, ~ where it may be nothing but the gaps."""
    rows = [("scenario", *(f"{HEAD[m]} {found.currency}" if m in MONEY else HEAD[m] for m in HEAD), "gap")]
    for name, row in found.table.to_dict("index").items():
        first = name == found.scenarios[0]
        cells = (_cell(row, measure, first) for measure in HEAD)
        rows.append((str(name), *cells, f"{row['gap_relative']:.2%}"))
    return f"{table_in_words(rows)}\n(change to '{found.scenarios[0]}'; ~ not significant, within the gaps of both)"


def _cell(row: dict[Any, Any], measure: str, first: bool) -> str:
    value = f"{row[measure]:,.2f}"
    about = "~" if row[f"{measure}_note"] else ""
    return value if first else f"{value} ({about}{row[f'{measure}_change']:+,.2f})"


def _worst(console: Console, folder: Path, asked: float) -> int:
    """The exit code of several runs: a failed audit of any, else a wide gap of any."""
    from planner.ledger import read_run

    runs = [read_run(path.parent) for path in sorted(folder.rglob("certificate.json"))]
    codes = {verdict(console, run, asked) for run in runs}
    return next((code for code in (Exit.NOT_CLEAN, Exit.WIDE_GAP) if code in codes), Exit.DONE)


COMMANDS = {"what-if": what_if}
