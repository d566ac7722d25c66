"""What every part of the preparation works with: the case, its grid, the forecast, and the problems found so far."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.problems import InvalidInput, Problem
from planner.tables import BY_NAME
from planner.timegrid import Window, windows
from planner.timeseries import on_grid
from planner_models.words import UNLIMITED, IntervalGrid, Vector

if TYPE_CHECKING:
    from planner.case import Case
    from planner.forecast import Forecast

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Desk:
    """Shared by all parts of one preparation.

    ``problems`` grows and is raised once, at the end; ``known_windows`` remembers the cells already read, since a
    city repeats the same few clock times.
    """

    case: Case
    grid: IntervalGrid
    forecast: Forecast | None
    problems: list[Problem] = field(default_factory=list)
    known_windows: dict[tuple[str, str], tuple[Window, ...]] = field(default_factory=dict)

    @property
    def price_cap(self) -> float:
        return float(self.case.settings.market.price_cap)

    @property
    def delivery_end(self) -> datetime:
        """The instant at which the delivery day ends and the look-ahead begins."""
        return self.grid.starts[0] + timedelta(minutes=self.grid.minutes * self.grid.settled)

    def windows(self, table: str, name: str, first: object, last: object) -> tuple[Window, ...]:
        """Windows between two cells that touch the horizon, in time order; none, and a problem, if there are none."""
        cells = (str(first), str(last))
        try:
            if cells not in self.known_windows:
                self.known_windows[cells] = windows(*cells, self.grid, self.case.settings.timezone)
            return self.known_windows[cells]
        except ValueError as wrong:
            self.problem(table, str(wrong), f"{name}: {first} to {last}", "write 17:30, mon-fri 17:30 or ISO instants")
            return ()

    def problem(self, table: str, what: str, value: object, hint: str) -> None:
        """Note one problem, with the line of the first row that ``value`` names, if it is the name of any."""
        frame, key = self.case.tables[table], BY_NAME[table].key
        named = np.flatnonzero((frame[key[0]] == str(value)).to_numpy(dtype=bool)).tolist() if key else []
        row = min(named, key=lambda row: self.case.problem(table, row, "").line, default=-2)
        self.problems.append(self.case.problem(table, row, what, str(value), hint))

    def series(
        self, table: str, key: str | None, value: str, frame: pd.DataFrame | None = None, fill: float | None = None
    ) -> dict[str, Floats]:
        """Column ``value`` of a table on the grid, one array per key; rows without a value count as absent."""
        rows = getattr(self.case, table) if frame is None else frame
        rows = rows[rows[value].notna()]
        if rows.empty:
            return {}
        try:
            return on_grid(rows, key, value, self.grid, fill=fill)
        except InvalidInput as refused:
            self.problems.extend(refused.errors)
            return {}


def records(frame: pd.DataFrame, *order: str) -> list[dict[str, Any]]:
    """The rows as dicts, sorted by the given columns."""
    names, columns = [str(name) for name in frame.columns], [frame[name].tolist() for name in frame.columns]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return sorted(rows, key=lambda row: tuple(text(row[column]) for column in order))


def text(value: object) -> str:
    """The cell as text; an empty cell is ''."""
    return "" if value is None or value is pd.NA or value != value else str(value)


def number(value: Any, default: float) -> float:
    """The cell as a number; an empty cell is the default."""
    return default if value is None or value is pd.NA or math.isnan(value) else float(value)


def kwh(energy: npt.ArrayLike) -> Vector:
    """Energy in kWh rounded to whole Wh."""
    return tuple((np.round(np.asarray(energy, dtype=float) * 1000) / 1000 + 0.0).tolist())


def prices(values: npt.ArrayLike) -> Vector:
    return tuple(np.asarray(values, dtype=float).tolist())


def unlimited_to_none(limit: Vector) -> Vector | None:
    return None if all(value == UNLIMITED for value in limit) else limit


def total(vectors: Iterable[Vector], length: int) -> Vector:
    """Sum of vectors of whole Wh, again in whole Wh."""
    rows = list(vectors)
    return kwh(np.array(rows).sum(axis=0)) if rows else (0.0,) * length
