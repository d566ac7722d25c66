"""Civil days of 23, 24 and 25 hours, and clock windows around clock changes."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from planner.timegrid import (
    Clock,
    clock_mask,
    day_grid,
    days_of,
    instant,
    moment,
    months_of,
    nominal_hours,
    windows,
    zone,
)

STOCKHOLM = "Europe/Stockholm"
SPRING, SUMMER, AUTUMN = dt.date(2026, 3, 29), dt.date(2026, 6, 10), dt.date(2026, 10, 25)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (SUMMER, 24), (AUTUMN, 25)])
@pytest.mark.parametrize(("minutes", "per_hour"), [(60, 1), (30, 2), (15, 4)])
def test_a_day_has_its_intervals(day: dt.date, hours: int, minutes: int, per_hour: int) -> None:
    grid = day_grid(day, STOCKHOLM, minutes)
    assert len(grid) == grid.settled == hours * per_hour
    assert {(b - a).total_seconds() for a, b in pairwise(grid.starts)} == {minutes * 60.0}
    assert sum(1.0 * grid.hours for _ in grid) == hours, "a flat 1 kW load"
    assert grid.end == day_grid(day + dt.timedelta(days=1), STOCKHOLM, minutes).starts[0]


def test_look_ahead_follows_the_day() -> None:
    grid = day_grid(AUTUMN, STOCKHOLM, 15, 12)
    assert (grid.settled, len(grid)) == (100, 148)
    assert grid.starts[0] == utc("2026-10-24T22:00")
    assert grid.starts[100] == utc("2026-10-25T23:00")


def test_odd_days() -> None:
    assert len(day_grid(dt.date(2026, 4, 5), "Australia/Lord_Howe", 30)) == 49, "half an hour is repeated"
    with pytest.raises(ValueError, match="whole number"):
        day_grid(dt.date(2026, 4, 5), "Australia/Lord_Howe", 60)
    with pytest.raises(ValueError, match="whole number"):
        day_grid(dt.date(2011, 12, 30), "Pacific/Apia", 60)  # a day that did not happen
    beirut = day_grid(dt.date(2021, 3, 28), "Asia/Beirut", 60)  # midnight is skipped
    assert len(beirut) == 23
    assert beirut.starts[0] == utc("2021-03-27T22:00")
    with pytest.raises(ValueError, match="out of range"):
        day_grid(dt.date.max, STOCKHOLM, 60)
    with pytest.raises(ValueError, match="unknown timezone"):
        day_grid(SUMMER, "../etc/passwd", 60)


def test_gap_and_fold() -> None:
    tz = ZoneInfo(STOCKHOLM)
    assert instant(SPRING, 150, tz) == utc("2026-03-29T01:00"), "02:30 is skipped: the first instant after"
    assert instant(SPRING, 180, tz) == utc("2026-03-29T01:00")
    assert instant(AUTUMN, 150, tz) == utc("2026-10-25T00:30"), "02:30 comes twice: the first"
    assert instant(AUTUMN, 1440, tz) == utc("2026-10-25T23:00")


def test_moments() -> None:
    assert moment("18:00 mon-fri") == Clock(1080, frozenset(range(5)), True)
    assert moment("mon-fri 18:00") == Clock(1080, frozenset(range(5)), True)
    assert moment("7:05") == Clock(425)
    assert moment("24:00") == Clock(1440)
    assert moment("2026-06-10T10:00:00+02:00") == utc("2026-06-10T08:00")
    assert days_of("fri-mon,wed") == {4, 5, 6, 0, 2}
    assert months_of("11-2,6") == {11, 12, 1, 2, 6}


@pytest.mark.parametrize(
    "text", ["25:00", "10:61", "24:01", "soon", "18:00 funday", "2026-06-10T10:00", "", "2026-06-10"]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError):
        moment(text)


def test_a_night_crosses_midnight_and_is_met_on_both_sides() -> None:
    grid = day_grid(SUMMER, STOCKHOLM, 60, 12)
    last_night, tonight = windows("18:00", "07:00", grid, STOCKHOLM)
    assert (last_night.first, last_night.last) == (0, 7)
    assert last_night.share == pytest.approx(7 / 13)
    assert (tonight.first, tonight.last, tonight.share) == (18, 31, 1.0)


def test_days_choose_arrivals() -> None:
    saturday = day_grid(dt.date(2026, 6, 13), STOCKHOLM, 60)
    assert windows("08:00 mon-fri", "17:00", saturday, STOCKHOLM) == ()
    (night,) = windows("18:00 mon-fri", "07:00", saturday, STOCKHOLM)
    assert (night.first, night.last) == (0, 7)
    (weekend,) = windows("fri 18:00", "mon 06:00", saturday, STOCKHOLM)
    assert (weekend.first, weekend.last) == (0, 24)
    assert weekend.share == pytest.approx(24 / 60)
    begin, end = moment("fri 18:00"), moment("mon 06:00")
    assert nominal_hours(begin, end) == 60.0


def test_only_whole_intervals_count() -> None:
    grid = day_grid(SUMMER, STOCKHOLM, 15)
    (window,) = windows("08:07", "09:50", grid, STOCKHOLM)
    assert (window.first, window.last) == (33, 39)


def test_windows_over_a_clock_change() -> None:
    (night,) = windows("00:00", "06:00", day_grid(AUTUMN, STOCKHOLM, 60), STOCKHOLM)
    assert (night.first, night.last) == (0, 7), "seven hours long"
    (night,) = windows("00:00", "06:00", day_grid(SPRING, STOCKHOLM, 60), STOCKHOLM)
    assert (night.first, night.last) == (0, 5)


def test_instants_are_one_window() -> None:
    grid = day_grid(SUMMER, STOCKHOLM, 60)
    (stay,) = windows("2026-06-10T06:00:00Z", "2026-06-10T10:00:00Z", grid, STOCKHOLM)
    assert (stay.first, stay.last) == (8, 12)
    assert windows("2026-06-12T06:00:00Z", "2026-06-12T10:00:00Z", grid, STOCKHOLM) == ()
    with pytest.raises(ValueError, match="clock time"):
        windows("08:00", "2026-06-12T10:00:00Z", grid, STOCKHOLM)


def test_clock_masks_take_both_passes_of_the_repeated_hour() -> None:
    grid = day_grid(AUTUMN, STOCKHOLM, 60)
    assert list(np.flatnonzero(clock_mask(grid.starts, zone(STOCKHOLM), "02:00", "03:00"))) == [2, 3]
    assert clock_mask(grid.starts, zone(STOCKHOLM), "22:00", "06:00").sum() == 9
    assert clock_mask(grid.starts, zone(STOCKHOLM), days="mon-fri").sum() == 0
    assert clock_mask(grid.starts, zone(STOCKHOLM), months="10").all()
    assert clock_mask(grid.starts, zone(STOCKHOLM), days="sat;sun", months="11-2;10").all()
    assert not clock_mask(grid.starts, zone(STOCKHOLM), months="11-2").any()
