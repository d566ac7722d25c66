"""Time series: every row has its time, once, on the grid; what is needed covers the delivery day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planner.problems import Problem
from planner.tables import BY_NAME, TABLES, Table, Type
from planner.timegrid import hours_of_day
from planner.timeseries import CROOKED, missing_words, placed, positions, uncovered_look_ahead
from planner.validation.common import MOST, each, in_file_order, rows_where, said

if TYPE_CHECKING:
    from planner.case import Case

LOOKED_AHEAD = ("grid_prices", "supply", "allocations", "flexible", "profiles")


def _timed() -> list[Table]:
    return [table for table in TABLES if any(column.type is Type.INTERVAL for column in table.columns)]


def has_time(case: Case) -> Iterator[Problem]:
    """A row has an interval or a start; both only if they agree; lines alone may leave both out (all day)."""
    grid = case.grid_or_none
    for table in _timed():
        frame = case.tables[table.name]
        if not len(frame):
            continue
        number, stamp = frame["interval"].notna().to_numpy(), frame["start"].notna().to_numpy()
        if table.name != "lines":
            none = ~number & ~stamp
            if len(frame) and none.all() and table.name in case.broken:
                continue  # the header has already been named
            yield from each(case, table.name, none, "neither interval nor start is given")
        both = number & stamp
        if both.any() and grid is not None:
            starts = pd.DatetimeIndex(grid.starts).as_unit("ns")
            index = frame.loc[both, "interval"].to_numpy(dtype=np.int64) - 1
            inside = index < grid.settled
            agrees = np.zeros(len(index), dtype=bool)
            agrees[inside] = starts[index[inside]] == pd.DatetimeIndex(frame.loc[both, "start"])[inside]
            wrong = both.copy()
            wrong[both] = ~agrees
            hint = "keep one of the two"
            yield from each(case, table.name, wrong, "interval and start disagree", frame["start"], hint)


def in_day(case: Case) -> Iterator[Problem]:
    """An interval number exists on the delivery day; a start lies on an interval's boundary."""
    grid = case.grid_or_none
    if grid is None:
        return
    settings = case.settings
    hours = hours_of_day(settings.delivery_date, settings.timezone) if settings.delivery_date else 24.0
    words = f"interval is outside the day: {settings.delivery_date} has {hours:g} hours, intervals 1 to {grid.settled}"
    for table in _timed():
        frame = case.tables[table.name]
        if not len(frame):
            continue
        outside = (frame["interval"] > grid.settled).fillna(False).to_numpy(dtype=bool)
        yield from each(case, table.name, outside, words, frame["interval"])
        if frame["start"].notna().any():
            crooked = positions(frame, grid) == CROOKED
            hint = f"intervals have {settings.interval_minutes} minutes"
            yield from each(case, table.name, crooked, "start is not the start of an interval", frame["start"], hint)


def no_duplicates(case: Case) -> Iterator[Problem]:
    """One row per key and time."""
    grid = case.grid_or_none
    for table in TABLES:
        frame = case.tables[table.name]
        if not table.series or len(frame) < 2:
            continue
        starts = frame["start"].dt.tz_localize(None).to_numpy()
        times = frame["interval"].to_numpy(dtype="float64", na_value=0.0), starts
        what = pd.DataFrame({**{key: frame[key] for key in table.key}, "i": times[0], "s": times[1]})
        double = what.duplicated(keep=False) & (frame["interval"].notna() | frame["start"].notna()).to_numpy()
        if grid is not None and frame["interval"].notna().any() and frame["start"].notna().any():
            what = pd.DataFrame({**{key: frame[key] for key in table.key}, "at": positions(frame, grid)})
            double |= what.duplicated(keep=False) & (what["at"] >= 0)
        rows = rows_where(double)
        if rows:
            yield from _duplicates(case, table, rows)


def _duplicates(case: Case, table: Table, rows: list[int]) -> Iterator[Problem]:
    """The later row of each pair, with the line of the first."""
    frame = case.tables[table.name]
    first: dict[tuple[str, ...], int] = {}
    found = 0
    for row in in_file_order(case, table.name, rows):
        number, stamp = frame["interval"].iloc[row], frame["start"].iloc[row]
        time = f"interval {number}" if not pd.isna(number) else f"start {said(case, stamp)}"
        key = (*(frame[name].iloc[row] for name in table.key), time)
        if key in first:
            found += 1
            if found <= MOST:
                value = ", ".join(str(part) for part in key)
                hint = f"it is already in line {case.problem(table.name, first[key], '').line}"
                yield case.problem(table.name, row, "a second row for the same time", value, hint)
        first.setdefault(key, row)
    if not found:
        yield case.problem(table.name, rows[-1], "two rows for the same time, one by interval and one by start")


def no_gaps(case: Case) -> Iterator[Problem]:
    """A series that is needed has a value in every interval of the delivery day."""
    grid = case.grid_or_none
    if grid is None:
        return
    for table in (*(table for table in TABLES if table.dense), BY_NAME["profiles"], BY_NAME["lines"]):
        frame = _needed(case, table)
        if not len(frame):
            continue
        values = next(column.name for column in table.columns if column.required and column.type is Type.NUMBER)
        key = "|".join(table.key)
        if len(table.key) > 1:
            joined = frame[table.key[0]]
            for name in table.key[1:]:
                joined = joined + " " + frame[name]
            frame = frame.assign(**{key: joined})
        names, _, covered = placed(frame, key, values, grid)
        holes = ~covered[:, : grid.settled]
        for i in np.flatnonzero(holes.any(axis=1))[:MOST]:
            row = rows_where(frame[key] == names[i])[0]
            words = "the delivery day" if holes[i].all() else missing_words(holes[i])
            what = f"{values} is missing in {words} of '{names[i]}'"
            row = int(frame.index[row])
            hint = f"give all {grid.settled} intervals of {case.settings.delivery_date}; write 0 where nothing is meant"
            yield case.problem(table.name, row, what, "", hint)


def _needed(case: Case, table: Table) -> pd.DataFrame:
    """The rows whose series must be whole: of profiles those in use, of lines those not given for all day."""
    frame = case.tables[table.name]
    if table.name == "profiles":
        used = set().union(*(case.tables[name]["profile"] for name in ("loads", "solar", "wind")))
        return frame[frame["profile"].isin(used)]
    if table.name == "lines":
        return frame[frame["interval"].notna() | frame["start"].notna()]
    return frame


def weather_when_needed(case: Case) -> Iterator[Problem]:
    """Weather columns and hours that a plant without meter or profile asks for."""
    grid = case.grid_or_none
    if grid is None or not len(case.weather):
        return
    for table, column in (("solar", "ghi_w_m2"), ("wind", "wind_m_s")):
        frame = case.tables[table]
        asks = rows_where((frame["meter"] == "") & (frame["profile"] == "") & frame["peak_kw"].notna())
        if not asks:
            continue
        known = case.weather.dropna(subset=[column])
        _, _, covered = placed(known, None, column, grid)
        holes = ~covered[0, : grid.settled] if len(covered) else np.ones(grid.settled, dtype=bool)
        if holes.any():
            what = f"{column} is missing in {missing_words(holes)}"
            yield case.problem("weather", -2, what, "", f"{table}.csv needs it")


def look_ahead_notes(case: Case) -> Iterator[str]:
    """What the files leave to repetition after the delivery day."""
    grid = case.grid_or_none
    if grid is None or len(grid) == grid.settled:
        return
    for name in LOOKED_AHEAD:
        table = BY_NAME[name]
        frame = _needed(case, table)
        if len(frame) and frame["start"].notna().any():
            value = next(c.name for c in table.columns if c.required and c.type is Type.NUMBER)
            bare = uncovered_look_ahead(frame, table.key[0], value, grid)
        else:
            bare = len(grid) - grid.settled if len(frame) else 0
        if bare:
            yield f"{table.file}: {bare} intervals of look-ahead repeat the day before"


CHECKS = (has_time, in_day, no_duplicates, no_gaps, weather_when_needed)
