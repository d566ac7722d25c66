"""C1: every row of every series stands in an interval of the civil day, beside the start that is its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import numpy as np
import numpy.typing as npt

from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.grid import Grid
from planner.audit.table import DamagedFileError, MissingFileError, Table

SHOWN_PER_FILE = 3
OF_MARKET = ("prices", "positions", "exchange", "flows", "settlement", "offers")
OF_BUILDING = ("units", "position", "dispatch", "trades", "settlement", "statements")


def check_run(run: Evidence, found: Findings) -> None:
    """C1: the number of intervals claimed, the terms of every case, and the intervals of the market's tables."""
    grid = run.grid
    try:
        stated = run.certificate.get("intervals"), run.certificate.get("delivery_date")
    except MissingFileError:
        stated = (grid.settled, grid.day.isoformat())
    for name, value, right in zip(
        ("intervals", "delivery_date"), stated, (grid.settled, grid.day.isoformat()), strict=True
    ):
        if value != right:
            found.add("C1", "certificate.json", f"{name} are not those of the civil day", value, right, name=name)
    for folder in run.holders:
        if run.path(f"{folder}/case").is_dir() and (terms := run.terms_of(folder)) != run.terms:
            what = "its case says other terms than the first"
            found.add("C1", f"{folder}/case/case.toml", what, str(terms.grid.day), str(grid.day), name=folder)
    _check_tables(run, "market", OF_MARKET, found)


def check_building(b: Building, found: Findings) -> None:
    """C1: the intervals of a building's tables."""
    _check_tables(b.run, b.folder, OF_BUILDING, found)


def _check_tables(run: Evidence, folder: str, names: Sequence[str], found: Findings) -> None:
    """Every series of a folder that can be read; damage is named elsewhere."""
    day, end = run.grid.settled, len(run.grid)
    for name in names:
        for part, first, last in ((folder, 0, day), (f"{folder}/look_ahead", day, end)):
            try:
                table = run.table(f"{part}/{name}")
            except (MissingFileError, DamagedFileError):
                continue
            check_rows(table, run.grid, first, last, found)


def check_rows(table: Table, grid: Grid, first: int, last: int, found: Findings) -> None:
    """A row without interval is about the whole day and has no start either."""
    wrong = table.per_row(("C1", first, last), partial(_wrong, grid, first, last))
    if not wrong.any():
        return
    outside, undated, disagree = wrong.T
    number, begun, t = table.numbers("interval"), table.instants, _counted(table)
    for row in np.flatnonzero(outside)[:SHOWN_PER_FILE]:
        found.add("C1", table.file, "an interval outside the day", number[row], f"{first + 1}..{last}")
    for row in np.flatnonzero(undated)[:SHOWN_PER_FILE]:
        found.add("C1", table.file, "an interval without its start", "", "", interval=int(t[row]) + 1)
    for row in np.flatnonzero(disagree)[:SHOWN_PER_FILE]:
        moments = begun[row], _right_start(grid, t[row])
        shown, right = (datetime.fromtimestamp(int(at), grid.zone).isoformat() for at in moments)
        found.add("C1", table.file, "interval and start disagree", shown, right, interval=int(t[row]) + 1)


def _wrong(grid: Grid, first: int, last: int, table: Table) -> npt.NDArray[np.bool_]:
    """(rows, 3): outside the day, an interval without its start, a start that is another interval's."""
    number, begun, t = table.numbers("interval"), table.instants, _counted(table)
    outside = (number <= first) | (number > last) | (np.isnan(number) & (begun >= 0))
    outside |= ~np.isnan(number) & (number != np.rint(number))
    disagree = ~outside & (begun >= 0) & (begun != _right_start(grid, t))
    return np.column_stack([outside, ~np.isnan(number) & (begun < 0), disagree])


def _counted(table: Table) -> npt.NDArray[np.int64]:
    """Intervals from 0."""
    return np.nan_to_num(table.numbers("interval")).astype(np.int64) - 1


def _right_start(grid: Grid, t: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return grid.starts[np.clip(t, 0, len(grid) - 1)]
