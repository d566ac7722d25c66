"""The time grid of the delivery day, computed here from the civil calendar alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from planner.audit.table import Table
from planner_models.words import IntervalGrid


@dataclass(frozen=True)
class Grid:
    """Starts of all intervals in seconds since 1970 UTC: the delivery day's ``settled`` first, then look-ahead.

    Two grids of one day, zone and length are the same, so ``starts`` is left out of the comparison.
    """

    starts: npt.NDArray[np.int64] = field(compare=False)
    length: int
    minutes: int
    settled: int
    day: date
    zone: ZoneInfo

    def __len__(self) -> int:
        return self.length

    @property
    def hours(self) -> float:
        return self.minutes / 60

    @property
    def step(self) -> int:
        """Seconds of one interval."""
        return self.minutes * 60

    @property
    def end(self) -> int:
        return int(self.starts[-1]) + self.step

    def index(self, table: Table) -> npt.NDArray[np.int64]:
        """Interval (from 0) of each row, by start where it has one, else by number; outside the horizon -1."""
        return table.per_row(("place", self), self._index)

    def _index(self, table: Table) -> npt.NDArray[np.int64]:
        begun, number = table.instants, table.numbers("interval", 0.0)
        shifted = begun - self.starts[0]
        by_start = np.where(shifted % self.step == 0, shifted // self.step, -1)
        by_number = np.where(number == np.rint(number), number, 0).astype(np.int64) - 1
        t = np.where(begun >= 0, by_start, by_number)
        return np.where((t >= 0) & (t < len(self)), t, -1)

    def words(self) -> IntervalGrid:
        """The same grid as the value that other modules take."""
        starts = tuple(datetime.fromtimestamp(int(start), UTC) for start in self.starts)
        return IntervalGrid(starts, self.minutes, self.settled)


def civil_grid(day: date, zone: ZoneInfo, minutes: int, look_ahead_hours: float) -> Grid:
    """From local midnight to the next one, whatever the clocks do in between, and the look-ahead after it."""
    first = int(datetime.combine(day, time(), zone).timestamp())
    last = int(datetime.combine(day + timedelta(days=1), time(), zone).timestamp())
    settled = (last - first) // (minutes * 60)
    n = settled + int(look_ahead_hours * 60 // minutes)
    return Grid(first + np.arange(n, dtype=np.int64) * minutes * 60, n, minutes, settled, day, zone)
