"""Civil time -> instants: the grid of a delivery day (23, 24 or 25 hours), and windows given by the clock.

Everything is computed in UTC instants; a local label is read once, at the border.  A clock time that the
clock skips means the first instant after the gap, one that it shows twice means the first of the two.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from planner_models.words import IntervalGrid

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = re.compile(r"(?:(?P<before>[a-z,;\-]+)\s+)?(?P<h>\d{1,2}):(?P<m>\d{2})(?::00)?(?:\s+(?P<after>[a-z,;\-]+))?")
SEPARATOR = re.compile("[,;]")
LONGEST_WINDOW_DAYS = 8


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day, in minutes after midnight (1440: the end of the day), on some weekdays (0 is Monday)."""

    minute: int
    days: frozenset[int] = frozenset(range(7))
    says_days: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open [start, end) in instants and [first, last) in whole intervals of a grid, counted from 0.

    ``share`` is the part of the window's time that lies inside the horizon.
    """

    start: dt.datetime
    end: dt.datetime
    first: int
    last: int
    share: float


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The timezone of an IANA name; ValueError if there is none."""
    try:
        if not re.fullmatch(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*", name):
            raise ValueError
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(f"unknown timezone '{name}'") from None


def instant(day: dt.date, minute: int, tz: ZoneInfo) -> dt.datetime:
    """The UTC instant at which the clock of ``tz`` first shows ``minute`` (0..1440) of ``day``, gaps closed."""
    local = dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=minute)
    early, late = (local.replace(tzinfo=tz, fold=fold).astimezone(dt.UTC) for fold in (1, 0))
    if late <= early:
        return late  # an ordinary time, or the first of two
    return _transition(early, late, tz)


def _transition(early: dt.datetime, late: dt.datetime, tz: ZoneInfo) -> dt.datetime:
    """The instant between two at which the offset of ``tz`` changes, to the second."""
    before = early.astimezone(tz).utcoffset()
    low, high = 0, int((late - early).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (early + dt.timedelta(seconds=middle)).astimezone(tz).utcoffset() == before:
            low = middle
        else:
            high = middle
    return early + dt.timedelta(seconds=high)


@lru_cache(maxsize=256)
def day_grid(day: dt.date, timezone: str, minutes: int, look_ahead_hours: float = 0.0) -> IntervalGrid:
    """The intervals of a civil day and of the hours after it.

    Raises ValueError where the day is not a whole number of intervals, or out of the calendar's range.
    """
    if not 1900 <= day.year <= 2199:
        raise ValueError(f"delivery date {day} is out of range")
    tz = zone(timezone)
    begin, end = instant(day, 0, tz), instant(day + dt.timedelta(days=1), 0, tz)
    settled, rest = divmod(round((end - begin).total_seconds()), 60 * minutes)
    if rest or not settled:
        raise ValueError(f"{day} in {timezone} is not a whole number of {minutes}-minute intervals")
    count = settled + round(look_ahead_hours * 60 / minutes)
    starts = tuple(begin + dt.timedelta(minutes=minutes * i) for i in range(count))
    return IntervalGrid(starts, minutes, settled)


def hours_of_day(day: dt.date, timezone: str) -> float:
    """How long a civil day lasts, in hours."""
    tz = zone(timezone)
    return (instant(day + dt.timedelta(days=1), 0, tz) - instant(day, 0, tz)).total_seconds() / 3600


def days_of(text: str) -> frozenset[int]:
    """``mon-fri``, ``sat,sun`` (or ``sat;sun``), ``fri-mon`` -> weekday numbers; ValueError for anything else."""
    days: set[int] = set()
    for part in SEPARATOR.split(text.strip().lower()):
        first, _, last = part.strip().partition("-")
        if first not in DAY_NAMES or (last or first) not in DAY_NAMES:
            raise ValueError(f"'{text}' is no list of days")
        begin, end = DAY_NAMES.index(first), DAY_NAMES.index(last or first)
        days.update((begin + i) % 7 for i in range((end - begin) % 7 + 1))
    return frozenset(days)


def moment(text: str) -> dt.datetime | Clock:
    """An ISO 8601 instant with an offset (as UTC), or a clock time with days; ValueError says what is wrong."""
    plain = text.strip()
    match = CLOCK.fullmatch(plain.lower())
    if match:
        minute = int(match["h"]) * 60 + int(match["m"])
        if int(match["m"]) > 59 or minute > 1440:
            raise ValueError("no time of day")
        days = match["before"] or match["after"]
        return Clock(minute, days_of(days), True) if days else Clock(minute)
    try:
        stamp = dt.datetime.fromisoformat(plain)
    except ValueError:
        raise ValueError("neither ISO 8601 nor a clock time as '18:00 mon-fri'") from None
    if stamp.tzinfo is None:
        raise ValueError("has no offset")
    try:
        return stamp.astimezone(dt.UTC)
    except OverflowError:
        raise ValueError("out of the calendar's range") from None


def nominal_hours(first: dt.datetime | Clock, last: dt.datetime | Clock) -> float:
    """Length of a window in hours: exact between instants, by the clock (a day of 24 hours) otherwise."""
    if isinstance(first, dt.datetime) and isinstance(last, dt.datetime):
        return (last - first).total_seconds() / 3600
    if isinstance(first, Clock) and isinstance(last, Clock):
        if last.says_days and first.says_days:
            return min(_days_between(day, first, last) * 24 for day in first.days) + (last.minute - first.minute) / 60
        return (last.minute - first.minute) / 60 % 24
    raise ValueError("one end is an instant and the other a clock time")


def _days_between(weekday: int, first: Clock, last: Clock) -> int:
    """Days from a window's first weekday to the weekday on which it ends: the next that fits."""
    step = 1 if last.minute <= first.minute else 0
    if not last.says_days:
        return step
    while (weekday + step) % 7 not in last.days:
        step += 1
    return step


def windows(first: str, last: str, grid: IntervalGrid, timezone: str) -> tuple[Window, ...]:
    """All windows from ``first`` to ``last`` (as :func:`moment` reads them) that touch the grid, in time order."""
    begin, end = moment(first), moment(last)
    if isinstance(begin, dt.datetime) and isinstance(end, dt.datetime):
        pairs = [(begin, end)]
    elif isinstance(begin, Clock) and isinstance(end, Clock):
        pairs = list(_daily(begin, end, grid, zone(timezone)))
    else:
        raise ValueError("one end is an instant and the other a clock time")
    return tuple(_window(a, b, grid) for a, b in pairs if a < b and a < grid.end and b > grid.starts[0])


def _daily(first: Clock, last: Clock, grid: IntervalGrid, tz: ZoneInfo) -> list[tuple[dt.datetime, dt.datetime]]:
    """The windows by the clock of every matching day around the grid."""
    day = grid.starts[0].astimezone(tz).date() - dt.timedelta(days=LONGEST_WINDOW_DAYS)
    final = grid.end.astimezone(tz).date()
    pairs = []
    while day <= final:
        if day.weekday() in first.days:
            until = day + dt.timedelta(days=_days_between(day.weekday(), first, last))
            pairs.append((instant(day, first.minute, tz), instant(until, last.minute, tz)))
        day += dt.timedelta(days=1)
    return pairs


def _window(start: dt.datetime, end: dt.datetime, grid: IntervalGrid) -> Window:
    step, origin, n = grid.minutes * 60, grid.starts[0], len(grid)
    first = -int((origin - start).total_seconds() // step)  # up to the next whole interval
    last = int((end - origin).total_seconds() // step)
    inside = min(end, grid.end) - max(start, origin)
    first = min(max(first, 0), n)
    return Window(start, end, first, min(max(last, first), n), inside / (end - start))


def clock_mask(
    starts: Sequence[dt.datetime],
    tz: ZoneInfo,
    from_time: str = "",
    to_time: str = "",
    days: str = "",
    months: str = "",
) -> npt.NDArray[np.bool_]:
    """Which intervals begin in a recurring clock window, by their local label (so both passes of a repeated hour).

    Empty words mean always; ``to_time`` not after ``from_time`` runs past midnight; ``months`` as ``11-3,6``.
    """
    local = [start.astimezone(tz) for start in starts]
    minute = np.array([t.hour * 60 + t.minute for t in local])
    low, high = time_of_day(from_time or "00:00"), time_of_day(to_time or "24:00")
    inside = (low <= minute) & (minute < high) if low < high else (low <= minute) | (minute < high)
    if days:
        inside &= np.isin([t.weekday() for t in local], list(days_of(days)))
    if months:
        inside &= np.isin([t.month for t in local], list(months_of(months)))
    return np.asarray(inside)


def time_of_day(text: str) -> int:
    """Minutes after midnight of a clock time on its own; ValueError for anything else."""
    value = moment(text)
    if not isinstance(value, Clock) or value.says_days:
        raise ValueError("no time of day")
    return value.minute


def months_of(text: str) -> frozenset[int]:
    """``11-3,6`` -> month numbers; ValueError for anything else."""
    months: set[int] = set()
    for part in SEPARATOR.split(text):
        first, _, last = part.strip().partition("-")
        begin, end = int(first), int(last or first)
        if not (1 <= begin <= 12 and 1 <= end <= 12):
            raise ValueError(f"'{text}' is no list of months")
        months.update((begin - 1 + i) % 12 + 1 for i in range((end - begin) % 12 + 1))
    return frozenset(months)
