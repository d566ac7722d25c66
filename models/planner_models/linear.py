"""Stamped templates put together into one sparse linear model.

An assembler stamps groups of members and hands on what their ports add up to; a parent's sockets take those
sums in, so nesting units in buildings in a city is substitution of rows, not another model.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from planner_models.template import Family, Floats, Ints, Template, Values, compile_template

INFINITE = 1e29


@dataclass(frozen=True)
class Flow:
    """A linear expression of columns for every member and interval: ``matrix @ x + constant``."""

    matrix: sparse.csr_matrix
    constant: Floats

    def of(self, x: Floats) -> Floats:
        """Values at the full column vector ``x``."""
        return self.matrix @ x[: self.matrix.shape[1]] + self.constant


@dataclass(frozen=True)
class Group:
    """Members stamped from one template and their numbers (members, parameters), in consecutive columns and rows."""

    template: Template
    keys: tuple[Hashable, ...]
    first_column: int
    first_row: int
    shape: Hashable
    numbers: Floats

    def parameters(self, name: str) -> Floats:
        """The members' numbers of one name, (members, its length)."""
        return self.numbers[:, self.template.parameter_slices[name]]

    def columns(self, variable: str) -> Ints:
        """Column numbers of ``variable``, shape (members, its length)."""
        return self._columns[variable]

    @cached_property
    def _columns(self) -> dict[str, Ints]:
        starts = self.first_column + np.arange(len(self.keys))[:, None] * self.template.columns
        return {name: starts + np.arange(where.start, where.stop) for name, where in self.template.variables.items()}


@dataclass(frozen=True)
class LinearModel:
    """``min cost.x, row_lower <= matrix x <= row_upper, lower <= x <= upper, some x integer``, with names."""

    matrix: sparse.csc_matrix
    row_lower: Floats
    row_upper: Floats
    cost: Floats
    lower: Floats
    upper: Floats
    integer: npt.NDArray[np.bool_]
    groups: tuple[Group, ...]
    column_interval: Ints

    @cached_property
    def transposed(self) -> sparse.csr_matrix:
        """The matrix with a row for every column."""
        return self.matrix.T

    def members(self, family: str) -> list[Group]:
        return [g for g in self.groups if g.template.family.name == family]

    def column_name(self, column: int) -> str:
        group = self._group_at(column, [g.first_column for g in self.groups])
        member, local = divmod(column - group.first_column, group.template.columns)
        return f"{group.template.column_names[local]} of {_spell(group.keys[member])}"

    def _group_at(self, position: int, starts: list[int]) -> Group:
        return self.groups[int(np.searchsorted(starts, position, side="right")) - 1]

    def residual(self, x: Floats) -> float:
        """Largest violation of any row or bound at ``x``."""
        activity = self.matrix @ x
        return float(
            max(
                np.max(self.row_lower - activity, initial=0.0),
                np.max(activity - self.row_upper, initial=0.0),
                np.max(self.lower - x, initial=0.0),
                np.max(x - self.upper, initial=0.0),
            )
        )


def _spell(key: Hashable) -> str:
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


@dataclass
class Assembler:
    """Collects stamped groups; ``build`` closes them into a LinearModel."""

    n: int
    width: int = 0
    height: int = 0
    groups: list[Group] = field(default_factory=list)
    parts: dict[str, list[Floats]] = field(default_factory=dict)
    rows: list[sparse.csr_matrix] = field(default_factory=list)
    intervals: list[Ints] = field(default_factory=list)

    def stamp(
        self,
        family: Family,
        shape: Hashable,
        keys: Sequence[Hashable],
        values: Iterable[Values] | Mapping[str, Floats],
        sockets: Mapping[str, Flow] | None = None,
    ) -> dict[str, Flow]:
        """Add members of one shape; return what their ports deliver."""
        template = compile_template(family, self.n, shape)
        first, members = self.width, len(keys)
        theta = template.parameters(values) if template.parameter_slices else np.zeros((members, 0))
        self.groups.append(Group(template, tuple(keys), first, self.height, shape, theta))
        self.width += members * template.columns
        incoming = [self._wide((sockets or {})[name]) for name in family.sockets]

        rows, shift = self._substitute(template.own.stamp(theta), template.socket.stamp(theta), incoming, first)
        self.rows.append(rows)
        self.height += rows.shape[0]
        self._extend("row_lower", template.row_lower.stamp(theta).ravel() - shift)
        self._extend("row_upper", template.row_upper.stamp(theta).ravel() - shift)
        for part in ("cost", "lower", "upper"):
            self._extend(part, getattr(template, part).stamp(theta).ravel())
        self._extend("integer", np.tile(template.integer, members).astype(float))
        self.intervals.append(np.tile(_intervals(template), members))

        ports, constant = self._substitute(
            template.port_own.stamp(theta), template.port_socket.stamp(theta), incoming, first
        )
        constant = constant + template.port_constant.stamp(theta).ravel()
        return self._split_ports(template, members, ports, constant)

    def _wide(self, flow: Flow) -> Flow:
        matrix = flow.matrix.copy()
        matrix.resize((matrix.shape[0], self.width))
        return Flow(matrix, flow.constant)

    def _substitute(
        self, own: sparse.csr_matrix, socket: sparse.csr_matrix, incoming: list[Flow], first: int
    ) -> tuple[sparse.csr_matrix, Floats]:
        """Own columns placed in the model's columns, sockets replaced by what flows into them."""
        out = sparse.csr_matrix((own.data, own.indices + first, own.indptr), shape=(own.shape[0], self.width))
        shift = np.zeros(own.shape[0])
        if incoming:
            width = len(incoming) * self.n
            columns = np.arange(socket.shape[1]).reshape(-1, width)
            csc = socket.tocsc()
            for s, flow in enumerate(incoming):
                part = csc[:, columns[:, s * self.n : (s + 1) * self.n].ravel()]
                out = out + part @ flow.matrix
                shift += part @ flow.constant
        return out, shift

    def _split_ports(
        self, template: Template, members: int, ports: sparse.csr_matrix, constant: Floats
    ) -> dict[str, Flow]:
        names = template.family.ports
        rows = np.arange(ports.shape[0]).reshape(members, len(names), self.n)
        return {name: Flow(ports[rows[:, p].ravel()], constant[rows[:, p].ravel()]) for p, name in enumerate(names)}

    def collect(self, flows: Iterable[tuple[Flow, Ints]], owners: int) -> Flow:
        """Sum children's flows into their owners; each flow comes with its members' owner numbers."""
        total = sparse.csr_matrix((owners * self.n, self.width))
        constant = np.zeros(owners * self.n)
        for flow, owner in flows:
            wide = self._wide(flow)
            rows = (owner[:, None] * self.n + np.arange(self.n)[None, :]).ravel()
            gather = sparse.csr_matrix(
                (np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(owners * self.n, len(rows))
            )
            total = total + gather @ wide.matrix
            constant += gather @ wide.constant
        return Flow(total, constant)

    def pick(self, flows: Iterable[Flow], order: Ints) -> Flow:
        """Stack flows and reorder members: member i of the result is member ``order[i]`` of the stack."""
        wide = [self._wide(f) for f in flows]
        rows = (order[:, None] * self.n + np.arange(self.n)[None, :]).ravel()
        matrix = sparse.vstack([f.matrix for f in wide], format="csr")[rows]
        return Flow(matrix, np.concatenate([f.constant for f in wide])[rows])

    def _extend(self, part: str, values: Floats) -> None:
        self.parts.setdefault(part, []).append(values)

    def build(self) -> LinearModel:
        if not self.groups:
            none = np.empty(0)
            empty = sparse.csc_matrix((0, 0))
            return LinearModel(empty, none, none, none, none, none, none > 0, (), none.astype(np.int64))
        wide = []
        for rows in self.rows:
            rows.resize((rows.shape[0], self.width))
            wide.append(rows)
        whole = {name: np.concatenate(values) for name, values in self.parts.items()}
        for name in ("row_lower", "row_upper", "lower", "upper"):
            whole[name] = _open(whole[name])
        return LinearModel(
            matrix=sparse.vstack(wide, format="csc"),
            row_lower=whole["row_lower"],
            row_upper=whole["row_upper"],
            cost=whole["cost"],
            lower=whole["lower"],
            upper=whole["upper"],
            integer=whole["integer"] > 0.5,
            groups=tuple(self.groups),
            column_interval=np.concatenate(self.intervals),
        )


def _open(values: Floats) -> Floats:
    values = values.copy()
    values[values >= INFINITE] = np.inf
    values[values <= -INFINITE] = -np.inf
    return values


def _intervals(template: Template) -> Ints:
    """Interval of each column, -1 for columns that belong to none (totals over the horizon)."""
    out = np.full(template.columns, -1, dtype=np.int64)
    for where in template.variables.values():
        length = where.stop - where.start
        if length == template.n and (length > 1 or "[" in template.column_names[where.start]):
            out[where] = np.arange(length)
    return out
