"""Local days of metered history: instants on one side, day and clock interval on the other."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """Cells of equal length over whole local days.

    ``day`` numbers the local day and ``slot`` the clock interval of every cell, both from 0.  On a day of
    23 hours some slots have no cell, on one of 25 hours some have two.
    """

    first_s: int
    minutes: int
    dates: tuple[dt.date, ...]
    day: np.ndarray
    slot: np.ndarray

    @property
    def cells(self) -> int:
        return len(self.day)

    @property
    def slots(self) -> int:
        """Clock intervals of a day of 24 hours."""
        return 1440 // self.minutes

    def end_s(self) -> np.ndarray:
        """Epoch seconds at which each cell ends."""
        return self.first_s + 60 * self.minutes * np.arange(1, self.cells + 1)

    def kinds(self) -> np.ndarray:
        """Day type of every date: 0 working day, 1 Saturday, 2 Sunday."""
        return np.array([kind(date) for date in self.dates], dtype="int64")

    def matrix(self, kwh: np.ndarray) -> np.ndarray:
        """Days x slots of an array over the cells: the mean of both passes, NaN where nothing is known."""
        known = ~np.isnan(kwh)
        flat = (self.day * self.slots + self.slot)[known]
        size = len(self.dates) * self.slots
        total, count = np.bincount(flat, kwh[known], size), np.bincount(flat, minlength=size)
        with np.errstate(invalid="ignore"):
            return (total / np.where(count, count, np.nan)).reshape(len(self.dates), self.slots)


def kind(date: dt.date) -> int:
    """Day type: 0 working day, 1 Saturday, 2 Sunday."""
    return max(date.weekday() - SATURDAY + 1, 0)


def calendar(first: dt.date, last: dt.date, timezone: str, minutes: int) -> Calendar:
    """The calendar of the local days from ``first`` to ``last``, both included."""
    edges = pd.DatetimeIndex([first, last + dt.timedelta(days=1)])
    stamps = edges.tz_localize(timezone, ambiguous=np.array([True, True]), nonexistent="shift_forward")
    begin, end = (int(stamp.timestamp()) for stamp in stamps)
    starts = np.arange(begin, end, 60 * minutes)
    day, slot = day_and_slot(starts, timezone, minutes)
    dates = tuple(first + dt.timedelta(days=i) for i in range((last - first).days + 1))
    return Calendar(begin, minutes, dates, day - first.toordinal(), slot)


def day_and_slot(start_s: np.ndarray, timezone: str, minutes: int) -> tuple[np.ndarray, np.ndarray]:
    """Local date (as ordinal) and clock interval of instants."""
    moments = pd.DatetimeIndex(np.asarray(start_s, dtype="int64").astype("datetime64[s]"), tz="UTC")
    local = moments.tz_convert(timezone).tz_localize(None).to_numpy().astype("datetime64[s]").astype("int64")
    epoch = dt.date(1970, 1, 1).toordinal()
    return local // 86400 + epoch, (local % 86400) // (60 * minutes)
