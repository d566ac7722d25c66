"""Many buildings stamped at once, then taken apart into one model each.

Stamping costs by the call and not by the member: what fifty buildings cost together, one of them costs alone.  Taken
apart, each model has the columns, rows and numbers that it would have been stamped with by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.core as pyo
from scipy import sparse

from planner_models.building import Stamped, stamp_buildings
from planner_models.linear import Assembler, Flow, Group, LinearModel
from planner_models.template import Family, Ints
from planner_models.words import Building, Fees, IntervalGrid

STEPS = 8


def write_ladder(b: Any, n: int, steps: int) -> None:
    """A building's position as base plus steps (C14), the columns through which it trades."""
    b.cost = 0
    b.base = pyo.Var(b.T)
    b.step = pyo.Var(range(steps), b.T)
    b.C14_ladder = pyo.Constraint(
        b.T, rule=lambda b, t: b.position[t] == b.base[t] + sum(b.step[k, t] for k in range(steps))
    )


LADDER = Family("ladder", write_ladder, sockets=("position",), ports=())


@dataclass(frozen=True)
class Home:
    """One building's model, ladder included, and where its flows are."""

    model: LinearModel
    stamped: Stamped


def stamp_homes(buildings: Sequence[Building], grid: IntervalGrid, fees: Fees, exclusive: bool = False) -> list[Home]:
    """The model of every building; ids of ``buildings`` are unique."""
    assembler = Assembler(len(grid))
    stamped = stamp_buildings(assembler, buildings, grid, fees, exclusive)
    names = [b.id for b in buildings]
    assembler.stamp(LADDER, STEPS, names, [{}] * len(names), {"position": stamped.position})
    whole = assembler.build()
    for flow in (stamped.position, stamped.unit_draw, stamped.unit_kept):
        flow.matrix.sort_indices()  # or sums would run in an order that depends on the neighbours
    if len(names) == 1:
        return [Home(whole, stamped)]
    return _Apart(whole, stamped, buildings).homes()


class _Apart:
    """Columns and rows of a block-diagonal model sorted by building; within a building their order stays."""

    def __init__(self, whole: LinearModel, stamped: Stamped, buildings: Sequence[Building]) -> None:
        self.whole, self.stamped, self.buildings = whole, stamped, buildings
        self.n = len(stamped.position.constant) // len(buildings)
        number = {b.id: i for i, b in enumerate(buildings)}
        self.owners = [_owners(group, number) for group in whole.groups]
        wide = [np.repeat(o, g.template.columns) for o, g in zip(self.owners, whole.groups, strict=True)]
        high = [np.repeat(o, len(g.template.row_names)) for o, g in zip(self.owners, whole.groups, strict=True)]
        columns, rows = np.concatenate(wide), np.concatenate(high)
        self.columns, self.rows = np.argsort(columns, kind="stable"), np.argsort(rows, kind="stable")
        self.column_ends = np.searchsorted(columns[self.columns], np.arange(len(buildings) + 1))
        self.row_ends = np.searchsorted(rows[self.rows], np.arange(len(buildings) + 1))
        self.matrix = whole.matrix[:, self.columns]
        self.local_row = _local(self.rows, self.row_ends)
        self.local_column = _local(self.columns, self.column_ends)

    def homes(self) -> list[Home]:
        members = [_runs(owners, len(self.buildings)) for owners in self.owners]
        units = np.cumsum([0, *(len(b.units) for b in self.buildings)])
        houses = np.arange(len(self.buildings) + 1)
        found = []
        for i in range(len(self.buildings)):
            stamped = Stamped(
                self._flow(self.stamped.position, houses, i),
                self._flow(self.stamped.unit_draw, units, i),
                self._flow(self.stamped.unit_kept, units, i),
                self.stamped.units[units[i] : units[i + 1]],
            )
            found.append(Home(self._model(i, members), stamped))
        return found

    def _model(self, i: int, members: list[list[Ints]]) -> LinearModel:
        whole = self.whole
        columns = self.columns[self.column_ends[i] : self.column_ends[i + 1]]
        rows = self.rows[self.row_ends[i] : self.row_ends[i + 1]]
        pointer = self.matrix.indptr[self.column_ends[i] : self.column_ends[i + 1] + 1]
        entries = slice(pointer[0], pointer[-1])
        block = (self.matrix.data[entries], self.local_row[self.matrix.indices[entries]], pointer - pointer[0])
        return LinearModel(
            matrix=sparse.csc_matrix(block, shape=(len(rows), len(columns))),
            row_lower=whole.row_lower[rows],
            row_upper=whole.row_upper[rows],
            cost=whole.cost[columns],
            lower=whole.lower[columns],
            upper=whole.upper[columns],
            integer=whole.integer[columns],
            groups=self._groups([runs[i] for runs in members]),
            column_interval=whole.column_interval[columns],
        )

    def _groups(self, mine: list[Ints]) -> tuple[Group, ...]:
        """The groups that have members here, in columns and rows of their own."""
        found, column, row = [], 0, 0
        for group, chosen in zip(self.whole.groups, mine, strict=True):
            if not len(chosen):
                continue
            keys = tuple(group.keys[k] for k in chosen)
            found.append(Group(group.template, keys, column, row, group.shape, group.numbers[chosen]))
            column += len(keys) * group.template.columns
            row += len(keys) * len(group.template.row_names)
        return tuple(found)

    def _flow(self, flow: Flow, ends: Ints, i: int) -> Flow:
        """What flows for the members ``ends[i]`` to ``ends[i + 1]``, over the columns of building i."""
        rows = slice(ends[i] * self.n, ends[i + 1] * self.n)
        pointer = flow.matrix.indptr[rows.start : rows.stop + 1]
        entries = slice(pointer[0], pointer[-1])
        width = self.column_ends[i + 1] - self.column_ends[i]
        block = (
            flow.matrix.data[entries],
            self.local_column[flow.matrix.indices[entries]],
            pointer - pointer[0],
        )
        return Flow(sparse.csr_matrix(block, shape=(rows.stop - rows.start, width)), flow.constant[rows])


def _owners(group: Group, number: dict[str, int]) -> Ints:
    """The building of every member; keys begin with its id."""
    return np.array([number[key[0] if isinstance(key, tuple) else key] for key in group.keys], dtype=np.int64)  # type: ignore[index]


def _runs(owners: Ints, buildings: int) -> list[Ints]:
    """The members of every building, in their order."""
    order = np.argsort(owners, kind="stable")
    return np.split(order, np.searchsorted(owners[order], np.arange(1, buildings)))


def _local(order: Ints, ends: Ints) -> npt.NDArray[np.int32]:
    """Where each column or row stands within its building."""
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order)) - np.repeat(ends[:-1], np.diff(ends))
    return place
