"""C1: every row of every series stands in an interval of the civil day, beside the start that is its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np

from planner.audit.evidence import Evidence
from planner.audit.findings import Findings
from planner.audit.grid import Grid
from planner.audit.table import DamagedFileError, MissingFileError, Table

SHOWN_PER_FILE = 3
OF_MARKET = ("prices", "positions", "exchange", "flows", "settlement", "offers")
OF_BUILDING = ("units", "position", "dispatch", "trades", "settlement", "statements")


def check_run(run: Evidence, found: Findings) -> None:
    """C1: the number of intervals claimed, and the intervals of all tables."""
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
    for table, first, last in _tables(run):
        check_rows(table, grid, first, last, found)


def _tables(run: Evidence) -> Iterator[tuple[Table, int, int]]:
    """Every series that can be read, with the intervals [first, last) it is about; damage is named elsewhere."""
    day, end = run.grid.settled, len(run.grid)
    folders = [("market", OF_MARKET), *((b.folder, OF_BUILDING) for b in run.buildings)]
    for folder, names in folders:
        for name in names:
            for part, first, last in ((folder, 0, day), (f"{folder}/look_ahead", day, end)):
                try:
                    yield run.table(f"{part}/{name}"), first, last
                except (MissingFileError, DamagedFileError):
                    continue


def check_rows(table: Table, grid: Grid, first: int, last: int, found: Findings) -> None:
    """A row without interval is about the whole day and has no start either."""
    number, begun = table.numbers("interval"), table.instants
    outside = (number <= first) | (number > last) | (np.isnan(number) & (begun >= 0))
    t = np.nan_to_num(number).astype(np.int64) - 1
    expected = grid.starts[np.clip(t, 0, len(grid) - 1)]
    disagree = ~outside & (begun >= 0) & (begun != expected)
    for row in np.flatnonzero(outside)[:SHOWN_PER_FILE]:
        found.add("C1", table.file, "an interval outside the day", number[row], f"{first + 1}..{last}")
    for row in np.flatnonzero(~np.isnan(number) & (begun < 0))[:SHOWN_PER_FILE]:
        found.add("C1", table.file, "an interval without its start", "", "", interval=int(t[row]) + 1)
    for row in np.flatnonzero(disagree)[:SHOWN_PER_FILE]:
        shown, right = (datetime.fromtimestamp(int(at), grid.zone).isoformat() for at in (begun[row], expected[row]))
        found.add("C1", table.file, "interval and start disagree", shown, right, interval=int(t[row]) + 1)
