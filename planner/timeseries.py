"""Rows with ``interval`` or ``start`` -> arrays on an interval grid.

Rows by interval speak of the delivery day, rows by start of instants.  Look-ahead that no row covers is filled
by repetition: the value 24 hours earlier, or the delivery day's from its beginning.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.problems import InvalidInput, Problem
from planner_models.words import IntervalGrid

Positions = npt.NDArray[np.int64]
OUTSIDE, CROOKED = -1, -2


def positions(frame: pd.DataFrame, grid: IntervalGrid) -> Positions:
    """Index (from 0) of every row in the grid; -1 where it lies outside, -2 where it is not on a boundary."""
    result = np.full(len(frame), OUTSIDE, dtype=np.int64)
    if not len(frame):
        return result
    number = frame["interval"].to_numpy(dtype="float64", na_value=np.nan)
    by_number = (number >= 1) & (number <= grid.settled)
    result[by_number] = number[by_number].astype(np.int64) - 1
    stamps = frame["start"]
    by_start = stamps.notna().to_numpy() & np.isnan(number)
    if by_start.any():
        result[by_start] = _from_starts(stamps[by_start], grid)
    return result


def _from_starts(stamps: pd.Series, grid: IntervalGrid) -> Positions:
    step = grid.minutes * 60 * 1_000_000_000
    origin = np.int64(round(grid.starts[0].timestamp())) * 1_000_000_000
    since = stamps.dt.tz_localize(None).to_numpy().astype("M8[ns]").astype(np.int64) - origin
    index, rest = np.divmod(since, step)
    inside = (index >= 0) & (index < len(grid))
    return np.where(inside, np.where(rest == 0, index, CROOKED), OUTSIDE)


def codes_of(frame: pd.DataFrame, key: str | None) -> tuple[npt.NDArray[np.intp], list[str]]:
    """(a number per row, the names those numbers stand for in sorted order); one unnamed series without a key."""
    if key is None:
        return np.zeros(len(frame), dtype=np.intp), [""] if len(frame) else []
    codes, names = pd.factorize(frame[key], sort=True)
    return codes, [str(name) for name in names]


def placed(
    frame: pd.DataFrame, key: str | None, value: str, grid: IntervalGrid
) -> tuple[list[str], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """(names, values, covered), the arrays of shape names x intervals; values are NaN where no row says any."""
    codes, names = codes_of(frame, key)
    index = positions(frame, grid)
    values = np.full((len(names), len(grid)), np.nan)
    covered = np.zeros(values.shape, dtype=bool)
    hit = index >= 0
    values[codes[hit], index[hit]] = frame[value].to_numpy(dtype="float64", na_value=np.nan)[hit]
    covered[codes[hit], index[hit]] = True
    return names, values, covered


def on_grid(
    frame: pd.DataFrame, key: str | None, value: str, grid: IntervalGrid, *, fill: float | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Series by the names in ``key`` (``""`` without one), one float per interval of the horizon.

    Without ``fill`` a gap inside the delivery day raises InvalidInput; with it the gap takes that value.  A row
    whose value is empty covers its interval: it takes ``fill`` too, or stays NaN.
    """
    names, values, covered = placed(frame, key, value, grid)
    holes = ~covered[:, : grid.settled]
    if fill is None and holes.any():
        raise InvalidInput(_gaps(names, holes, value))
    if fill is not None:
        day = values[:, : grid.settled]
        day[np.isnan(day)] = fill
        values[covered & np.isnan(values)] = fill
        covered[:, : grid.settled] = True
    _repeat(values, covered, grid)
    return dict(zip(names, values, strict=True))


def summed_on_grid(frame: pd.DataFrame, key: str, value: str, grid: IntervalGrid) -> dict[str, npt.NDArray[np.float64]]:
    """Sums over all rows of a name and interval; 0 in the delivery day where there is none, look-ahead repeated."""
    codes, names = codes_of(frame, key)
    index = positions(frame, grid)
    hit = index >= 0
    values, covered = np.zeros((len(names), len(grid))), np.zeros((len(names), len(grid)), dtype=bool)
    np.add.at(values, (codes[hit], index[hit]), frame[value].fillna(0.0).to_numpy(dtype="float64")[hit])
    covered[codes[hit], index[hit]] = True
    covered[:, : grid.settled] = True
    _repeat(values, covered, grid)
    return dict(zip(names, values, strict=True))


def _gaps(names: list[str], holes: npt.NDArray[np.bool_], value: str) -> list[Problem]:
    found = [(name, row) for name, row in zip(names, holes, strict=True) if row.any()]
    return [Problem(name or value, 0, f"{value} is missing in {missing_words(row)}") for name, row in found]


def missing_words(holes: npt.NDArray[np.bool_]) -> str:
    """``interval 3``, ``intervals 3 to 9`` or ``12 intervals, the first is 3``."""
    numbers = np.flatnonzero(holes) + 1
    if len(numbers) == 1:
        return f"interval {numbers[0]}"
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return f"intervals {numbers[0]} to {numbers[-1]}"
    return f"{len(numbers)} intervals, the first is {numbers[0]}"


def _repeat(values: npt.NDArray[np.float64], covered: npt.NDArray[np.bool_], grid: IntervalGrid) -> None:
    """Fill look-ahead that is not covered, in time order, so that a repetition may itself be repeated."""
    for i in range(grid.settled, len(grid)):
        bare = ~covered[:, i]
        values[bare, i] = values[bare, repeated_from(i, grid)]


def repeated_from(i: int, grid: IntervalGrid) -> int:
    """The interval (from 0) that look-ahead ``i`` repeats: 24 hours earlier, else the delivery day's beginning."""
    day = round(24 * 60 / grid.minutes)
    return i - day if i >= day else i - grid.settled


def sources(grid: IntervalGrid) -> Positions:
    """The interval of the delivery day (from 0) whose value each interval has where only that day is given."""
    found = np.arange(len(grid), dtype=np.int64)
    for i in range(grid.settled, len(grid)):
        found[i] = found[repeated_from(i, grid)]
    return found


def uncovered_look_ahead(frame: pd.DataFrame, key: str | None, value: str, grid: IntervalGrid) -> int:
    """How many intervals of look-ahead at least one series leaves to repetition."""
    _, _, covered = placed(frame, key, value, grid)
    return int((~covered[:, grid.settled :]).any(axis=0).sum()) if len(covered) else 0


def starts_of(grid: IntervalGrid) -> pd.DatetimeIndex:
    """The starts of a grid as a UTC index."""
    first = pd.Timestamp(grid.starts[0])
    return pd.date_range(first, periods=len(grid), freq=dt.timedelta(minutes=grid.minutes), tz="UTC")
