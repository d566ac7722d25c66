"""Rows by interval or start -> arrays on the grid; repetition after the day, gaps refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from planner.problems import InvalidInput
from planner.timegrid import day_grid
from planner.timeseries import missing_words, on_grid, positions, starts_of, summed_on_grid

DAY = dt.date(2026, 6, 10)
GRID = day_grid(DAY, "Europe/Stockholm", 60, 6)


def by_interval(values: dict[int, float], key: str = "a") -> pd.DataFrame:
    n = len(values)
    return pd.DataFrame(
        {
            "key": [key] * n,
            "interval": pd.array(list(values), dtype="Int64"),
            "start": pd.Series([pd.NaT] * n, dtype="datetime64[ns, UTC]"),
            "value": list(values.values()),
        }
    )


def by_start(first: str, count: int, value: Any = float) -> pd.DataFrame:
    starts = pd.date_range(first, periods=count, freq="h", tz="UTC").as_unit("ns")
    return pd.DataFrame(
        {
            "key": ["a"] * count,
            "interval": pd.array([pd.NA] * count, dtype="Int64"),
            "start": starts,
            "value": [value(i) for i in range(count)],
        }
    )


def test_rows_by_interval_repeat_after_the_day() -> None:
    series = on_grid(by_interval({i: float(i) for i in range(1, 25)}), "key", "value", GRID)["a"]
    assert list(series[:24]) == list(range(1, 25))
    assert list(series[24:]) == [1, 2, 3, 4, 5, 6]


def test_rows_by_start_hold_years_and_repeat_what_they_do_not_cover() -> None:
    frame = by_start("2026-06-08T22:00", 24 + 24 + 2)
    series = on_grid(frame, "key", "value", GRID)["a"]
    assert list(series[:24]) == list(range(24, 48))
    assert list(series[24:]) == [48, 49, 26, 27, 28, 29], "two hours are known, the rest is 24 hours earlier"


def test_repetition_on_a_short_day_with_a_long_look_ahead() -> None:
    grid = day_grid(dt.date(2026, 3, 29), "Europe/Stockholm", 60, 48)
    series = on_grid(by_interval({i: float(i) for i in range(1, 24)}), "key", "value", grid)["a"]
    assert len(series) == 71
    assert series[23] == 1.0
    assert series[24] == 1.0
    assert series[24 + 24] == series[24]
    assert not np.isnan(series).any()


def test_a_gap_is_an_error_or_filled() -> None:
    frame = by_interval({i: 1.0 for i in range(1, 25) if i != 7})
    with pytest.raises(InvalidInput, match="value is missing in interval 7"):
        on_grid(frame, "key", "value", GRID)
    assert on_grid(frame, "key", "value", GRID, fill=-1.0)["a"][6] == -1.0


def test_row_order_does_not_matter() -> None:
    frame = pd.concat([by_interval({i: float(i) for i in range(1, 25)}, key) for key in ("b", "a")])
    shuffled = frame.sample(frac=1, random_state=3)
    one, two = (on_grid(f, "key", "value", GRID) for f in (frame, shuffled))
    assert list(one) == list(two) == ["a", "b"]
    assert all((one[k] == two[k]).all() for k in one)


def test_positions_tell_outside_from_crooked() -> None:
    frame = by_start("2026-06-09T21:00", 3)
    frame.loc[2, "start"] += pd.Timedelta(minutes=7)
    assert list(positions(frame, GRID)) == [-1, 0, -2]
    assert list(positions(by_interval({24: 1.0, 25: 1.0}), GRID)) == [23, -1]


def test_no_key_is_one_unnamed_series() -> None:
    frame = by_interval(dict.fromkeys(range(1, 25), 2.0))
    assert set(on_grid(frame, None, "value", GRID)) == {""}
    assert on_grid(frame.head(0), None, "value", GRID) == {}


def test_sums_add_what_is_there() -> None:
    frame = pd.concat([by_interval({1: 1.0, 2: 2.0}), by_interval({2: 3.0})])
    assert list(summed_on_grid(frame, "key", "value", GRID)["a"][:3]) == [1.0, 5.0, 0.0]


def test_words_and_starts() -> None:
    holes = np.zeros(24, dtype=bool)
    holes[[2, 3, 4]] = True
    assert missing_words(holes) == "intervals 3 to 5"
    holes[9] = True
    assert missing_words(holes) == "4 intervals, the first is 3"
    assert list(starts_of(GRID)) == list(GRID.starts)
