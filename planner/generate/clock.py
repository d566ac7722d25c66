"""The intervals a synthetic series covers, with the civil hour and weekday of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Clock:
    """Intervals of some consecutive civil days.

    ``starts`` are instants in the market's zone; ``hour`` is the civil hour (0 to 24) in the middle of each interval,
    ``weekday`` 0 for Monday, ``day`` the number of the civil day from 0, ``first_day`` the intervals of the first day.
    """

    starts: pd.DatetimeIndex
    minutes: int
    hour: np.ndarray
    weekday: np.ndarray
    day: np.ndarray
    by_interval: bool

    @classmethod
    def of(cls, first: date, days: int, minutes: int, timezone: str) -> Clock:
        """The clock of ``days`` civil days from ``first``; a day has 23, 24 or 25 hours."""
        begin = pd.Timestamp(first, tz=timezone)
        end = pd.Timestamp(first + timedelta(days=days), tz=timezone)
        starts = pd.date_range(begin, end, freq=f"{minutes}min", inclusive="left")
        hour = np.asarray(starts.hour + starts.minute / 60 + minutes / 120, dtype=float)
        midnight = starts.tz_localize(None).normalize()
        day = np.asarray((midnight - pd.Timestamp(first)).days, dtype=int)
        return cls(starts, minutes, hour, np.asarray(starts.day_of_week, dtype=int), day, days == 1)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def hours(self) -> float:
        """Length of one interval in hours."""
        return self.minutes / 60

    @property
    def days(self) -> int:
        return int(self.day[-1]) + 1

    @property
    def first_day(self) -> int:
        return int(np.count_nonzero(self.day == 0))

    @property
    def column(self) -> str:
        """The name of the time column: a single day is numbered, several days are stamped."""
        return "interval" if self.by_interval else "start"

    @property
    def stamps(self) -> np.ndarray:
        """The time column of one series: interval numbers from 1, or ISO 8601 starts with their offset."""
        if self.by_interval:
            return np.arange(1, len(self) + 1)
        return np.array([instant.isoformat() for instant in self.starts], dtype=object)

    def inside(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """True where the civil hour lies in [first, last), a row per window; last before first means over midnight."""
        hour, first, last = self.hour[None, :], first[:, None], last[:, None]
        return np.where(last > first, (hour >= first) & (hour < last), (hour >= first) | (hour < last))
