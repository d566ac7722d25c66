"""Rows with an interval as dense arrays: names x intervals, every cell exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.audit.grid import Grid
from planner.audit.table import DamagedFileError, Numbers, Table, Wh


class Series:
    """A table with one row per name and interval, for the intervals [first, last) of the grid."""

    def __init__(self, table: Table, grid: Grid, first: int, last: int) -> None:
        self.table, self.grid, self.first, self.last = table, grid, first, last

    @property
    def t(self) -> npt.NDArray[np.int64]:
        """Interval of each row, from 0; -1 outside this part (named by C1)."""
        return self.table.per_row(("interval", self.first, self.last), self._interval)

    def _interval(self, table: Table) -> npt.NDArray[np.int64]:
        number = table.numbers("interval")
        inside = (number > self.first) & (number <= self.last) & (number == np.rint(number)) & is_electricity(table)
        return np.where(inside, np.nan_to_num(number) - 1, -1).astype(np.int64)


def is_electricity(table: Table) -> npt.NDArray[np.bool_]:
    """Rows about electricity, the resource where none is named."""
    codes, values = table.codes("resource")
    return np.array([value in ("", "electricity") for value in values])[codes]


def names_of(parts: Sequence[Series], column: str) -> tuple[str, ...]:
    """All values of a column, sorted."""
    return tuple(sorted({value for part in parts for value in set(part.table.text(column))}))


def dense(parts: Sequence[Series], column: str, names: Sequence[str], values: Sequence[npt.NDArray[Any]]) -> Any:
    """(names x intervals) of one value per row; a cell without a row, or with two, is damage.

    ``values`` holds one array per part, in row order; ``column`` '' stands for a series without names.
    """
    grid = parts[0].grid
    out = np.zeros((len(names), len(grid)), dtype=values[0].dtype if values else float)
    seen = np.zeros(out.shape, dtype=np.int64)
    for part, value in zip(parts, values, strict=True):
        row = _rows(part.table, column, names)
        keep = (row >= 0) & (part.t >= 0)
        out[row[keep], part.t[keep]] = value[keep]
        np.add.at(seen, (row[keep], part.t[keep]), 1)
    if (seen != 1).any():
        name, t = (int(i[0]) for i in np.nonzero(seen != 1))
        part = parts[0] if t < parts[0].last else parts[-1]
        count = "no row" if seen[name, t] == 0 else f"{seen[name, t]} rows"
        raise DamagedFileError(part.table.file, f"{count} for {names[name] or 'interval'} in interval {t + 1}")
    return out


def rows_of(names: Sequence[str], texts: npt.NDArray[np.object_]) -> Wh:
    """Place of each text in ``names``, -1 where it is none of them."""
    place = {name: i for i, name in enumerate(names)}
    return np.array([place.get(text, -1) for text in texts.tolist()], dtype=np.int64)


def _rows(table: Table, column: str, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Place of each row's name in ``names``, -1 where it is none of them."""
    if not column:
        return np.zeros(len(table), dtype=np.int64)
    codes, values = table.codes(column)
    place = {name: i for i, name in enumerate(names)}
    return np.array([place.get(value, -1) for value in values], dtype=np.int64)[codes]


def dense_wh(parts: Sequence[Series], column: str, names: Sequence[str], value: str) -> Wh:
    whole: Wh = dense(parts, column, names, [part.table.wh(value) for part in parts])
    return whole


def dense_numbers(parts: Sequence[Series], column: str, names: Sequence[str], value: str) -> Numbers:
    numbers: Numbers = dense(parts, column, names, [part.table.numbers(value) for part in parts])
    return numbers


def case_series(
    table: Table | None,
    grid: Grid,
    column: str,
    names: Sequence[str],
    value: str,
    default: float = float("nan"),
    *,
    resource: bool = False,
) -> Numbers:
    """(names x intervals) of a case table's column.

    Look-ahead without a row repeats the value of 24 hours earlier.  ``resource``: electricity's rows only.
    """
    out = np.full((len(names), len(grid)), default)
    if table is None or not len(table) or value not in table.columns:
        return out
    row, t, numbers = _rows(table, column, names), grid.index(table), table.numbers(value)
    keep = (row >= 0) & (t >= 0) & ~np.isnan(numbers) & (is_electricity(table) if resource else True)
    given = np.zeros(out.shape, dtype=bool)
    out[row[keep], t[keep]] = numbers[keep]
    given[row[keep], t[keep]] = True
    a_day = 24 * 60 // grid.minutes
    for ahead in range(grid.settled, len(grid)):
        gap = ~given[:, ahead]
        out[gap, ahead] = out[gap, ahead - (a_day if ahead >= a_day else grid.settled)]
    return out


def wide_series(table: Table, grid: Grid, names: Sequence[str]) -> Numbers:
    """(names x intervals) of a table with one column per name; not a number where there is none."""
    t = grid.index(table)
    out = np.full((len(names), len(grid)), np.nan)
    if names:
        out[:, t[t >= 0]] = np.vstack([table.numbers(name) for name in names])[:, t >= 0]
    return out
