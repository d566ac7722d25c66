"""C1's own calendar: days of 23, 24 and 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from planner.audit.grid import civil_grid

STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 3, 30), 24), (date(2026, 10, 25), 25)])
@pytest.mark.parametrize("minutes", [60, 30, 15])
def test_length_of_the_civil_day(day: date, hours: int, minutes: int) -> None:
    grid = civil_grid(day, STOCKHOLM, minutes, look_ahead_hours=12)
    assert grid.settled == hours * 60 // minutes
    assert len(grid) == grid.settled + 12 * 60 // minutes
    first = datetime.fromtimestamp(int(grid.starts[0]), STOCKHOLM)
    assert (first.date(), first.hour, first.minute) == (day, 0, 0)
    assert grid.words().starts[0].tzinfo is UTC
    assert set((grid.starts[1:] - grid.starts[:-1]).tolist()) == {minutes * 60}
