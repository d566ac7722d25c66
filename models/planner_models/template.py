"""Mathematics written once in Pyomo, compiled once, stamped many times.

A *family* writes one Pyomo block for one kind of thing (a battery, a unit, a building) with its numbers as
mutable parameters.  Compiling a family at a given number of intervals and *shape* (what changes its sparsity)
gives a *template*: sparse arrays whose every entry is ``base + coefficient * parameter``.  A thousand
batteries are then one gather per array instead of a thousand Pyomo blocks.

How a template learns which parameter an entry depends on, without reading Pyomo's expressions: the block is
compiled with all parameters 1 and all 2 (base and coefficients: never 0, where rows would vanish), and with
each parameter a number of its own (the ratio names it).  A fourth compile at arbitrary values checks the
result, so a family whose entry depends on two parameters, or not affinely, is refused when it is written, not
when it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyomo.core as pyo
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy import sparse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Values = Mapping[str, float | Iterable[float]]

NO_PARAMETER = -1


@dataclass(frozen=True)
class Family:
    """How one kind of thing is written.

    ``write(block, n, shape)`` declares variables and constraints on ``block``, which already carries the
    parameters (``block.<name>`` for scalars, ``block.<name>[t]`` for vectors), the index set ``block.T``
    (0..n-1) and, for every socket, a variable ``block.<socket>[t]`` standing for what the children add up to.
    It must leave ``block.cost`` (an expression, currency) and for every port an expression ``block.<port>[t]``.
    Constraints are named after the rule they hold: ``C4_state``.
    """

    name: str
    write: Callable[[Any, int, Any], None]
    scalars: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    ports: tuple[str, ...] = ("draw",)
    lengths: Callable[[int, Any], dict[str, int]] = field(default=lambda n, shape: {})


@dataclass(frozen=True)
class Affine:
    """An array of entries ``base + coefficient * parameter[index]``; index -1 means no parameter."""

    base: Floats
    coefficient: Floats
    index: Ints

    def stamp(self, parameters: Floats) -> Floats:
        """Entries for every member; ``parameters`` has shape (members, parameters), result (members, entries)."""
        out = np.broadcast_to(self.base, (len(parameters), len(self.base))).copy()
        used = np.flatnonzero(self.index != NO_PARAMETER)
        if len(used):
            out[:, used] += self.coefficient[used] * parameters[:, self.index[used]]
        return out


@dataclass(frozen=True)
class Matrix:
    """A sparse matrix with affine entries."""

    rows: Ints
    columns: Ints
    data: Affine
    shape: tuple[int, int]

    def stamp(self, parameters: Floats) -> sparse.csr_matrix:
        """Block-diagonal matrix of all members, shape (members * rows, members * columns)."""
        members = len(parameters)
        data = self.data.stamp(parameters)
        offset = np.arange(members)[:, None]
        rows = (self.rows[None, :] + offset * self.shape[0]).ravel()
        columns = (self.columns[None, :] + offset * self.shape[1]).ravel()
        size = (members * self.shape[0], members * self.shape[1])
        out = sparse.csr_matrix((data.ravel(), (rows, columns)), shape=size)
        out.eliminate_zeros()
        return out


@dataclass(frozen=True)
class Template:
    """A compiled family: own columns, own rows, what they take from sockets and what they give to ports."""

    family: Family
    n: int
    parameter_slices: dict[str, slice]
    variables: dict[str, slice]
    column_names: tuple[str, ...]
    row_names: tuple[str, ...]
    integer: npt.NDArray[np.bool_]
    lower: Affine
    upper: Affine
    cost: Affine
    own: Matrix
    socket: Matrix
    row_lower: Affine
    row_upper: Affine
    port_own: Matrix
    port_socket: Matrix
    port_constant: Affine

    @property
    def columns(self) -> int:
        return len(self.column_names)

    def parameters(self, values: Iterable[Values] | Mapping[str, Floats]) -> Floats:
        """Parameter array (members, parameters) from each member's named numbers, or from one array per name."""
        if isinstance(values, Mapping):
            return np.column_stack([values[name] for name in self.parameter_slices]).astype(float)
        values = list(values)
        width = max((s.stop for s in self.parameter_slices.values()), default=0)
        out = np.zeros((len(values), width))
        for name, where in self.parameter_slices.items():
            out[:, where] = np.array([v[name] for v in values], dtype=float).reshape(len(values), -1)
        return out


@lru_cache(maxsize=512)
def compile_template(family: Family, n: int, shape: Hashable) -> Template:
    """Compile ``family`` for ``n`` intervals and one ``shape``."""
    draft = _Draft(family, n, shape)
    width = draft.width
    ones = draft.read(np.full(width, 1.0))
    twos = draft.read(np.full(width, 2.0))
    named = draft.read(np.arange(2.0, width + 2.0))
    check_at = np.random.default_rng(20_240).uniform(0.25, 4.0, width)
    checked = draft.read(check_at)
    affine = {}
    for part in ones:
        affine[part] = _identify(family, part, ones[part], twos[part], named[part])
        predicted = affine[part].stamp(check_at[None, :])[0]
        if not np.allclose(predicted, checked[part], rtol=1e-9, atol=1e-9):
            raise ValueError(f"family {family.name}: an entry of {part} depends on more than one parameter")
    return draft.template(affine)


def _identify(family: Family, part: str, ones: Floats, twos: Floats, named: Floats) -> Affine:
    """Which parameter each entry depends on, from its values at 1, at 2 and at the naming numbers."""
    coefficient = twos - ones
    base = ones - coefficient
    touched = coefficient != 0
    index = np.full(len(base), NO_PARAMETER, dtype=np.int64)
    ratio = (named[touched] - base[touched]) / coefficient[touched]
    nearest = np.rint(ratio)
    if np.any(np.abs(ratio - nearest) > 1e-6):
        raise ValueError(f"family {family.name}: an entry of {part} depends on more than one parameter")
    index[touched] = nearest.astype(np.int64) - 2
    return Affine(base, coefficient, index)


def _entries(matrix: Any) -> tuple[Ints, Ints, Floats]:
    """Rows, columns and values of a sparse matrix, duplicates and all."""
    columns = matrix.tocsc()
    length = np.diff(columns.indptr)
    return columns.indices, np.repeat(np.arange(len(length)), length), columns.data


class _Draft:
    """The Pyomo block of one family, compiled again for every probe."""

    def __init__(self, family: Family, n: int, shape: Hashable) -> None:
        self.family, self.n = family, n
        model = pyo.ConcreteModel()
        model.b = block = pyo.Block()
        block.T = pyo.RangeSet(0, n - 1)
        lengths = dict.fromkeys(family.vectors, n) | family.lengths(n, shape)
        self.parameter_slices: dict[str, slice] = {}
        self.settable: list[Any] = []
        for name in family.scalars:
            parameter = pyo.Param(mutable=True, initialize=1.0)
            block.add_component(name, parameter)
            self._place(name, [parameter])
        for name in family.vectors:
            parameter = pyo.Param(range(lengths[name]), mutable=True, initialize=1.0)
            block.add_component(name, parameter)
            self._place(name, [parameter[t] for t in range(lengths[name])])
        for socket in family.sockets:
            block.add_component(socket, pyo.Var(block.T))
        family.write(block, n, shape)
        block.port_value = pyo.Var(range(len(family.ports)), block.T)
        block.port_row = pyo.Constraint(
            range(len(family.ports)),
            block.T,
            rule=lambda b, p, t: b.component(family.ports[p])[t] - b.port_value[p, t] == 0,
        )
        model.objective = pyo.Objective(expr=block.cost + sum(block.port_value.values()))
        self.model = model
        self._name_columns(block)
        self.rows = [
            c for c in model.component_data_objects(pyo.Constraint) if c.parent_component().local_name != "port_row"
        ]
        self.row_position = {id(c): i for i, c in enumerate(self.rows)}
        self.port_position = {id(block.port_row[p, t]): p * n + t for p in range(len(family.ports)) for t in range(n)}

    @property
    def width(self) -> int:
        return len(self.settable)

    def _place(self, name: str, parameters: list[Any]) -> None:
        start = len(self.settable)
        self.settable += parameters
        self.parameter_slices[name] = slice(start, len(self.settable))

    def _name_columns(self, block: Any) -> None:
        special = {*self.family.sockets, "port_value"}
        self.columns: list[Any] = []
        self.variables: dict[str, slice] = {}
        for var in block.component_objects(pyo.Var):
            if var.local_name in special:
                continue
            start = len(self.columns)
            self.columns += list(var.values())
            self.variables[var.local_name] = slice(start, len(self.columns))
        self.column_position = {id(v): i for i, v in enumerate(self.columns)}
        self.socket_position = {
            id(v): s * self.n + t
            for s, socket in enumerate(self.family.sockets)
            for t, v in enumerate(block.component(socket).values())
        }
        self.ignored = {id(v) for v in block.port_value.values()}

    def read(self, values: Floats) -> dict[str, Floats]:
        """Compile at ``values`` and return every array dense over the union pattern known so far."""
        for parameter, value in zip(self.settable, values, strict=True):
            parameter.set_value(value)
        form = LinearStandardFormCompiler().write(self.model, mixed_form=True, set_sense=None)
        row, column, entry = _entries(form.A)
        kind, place = self._column_places(form.columns)
        own, port, row_lower, row_upper, constant = self._row_places(form)
        size, sockets = len(self.columns), max(len(self.socket_position), 1)
        dense: dict[str, Floats] = {}
        for part, rows, height, wanted, width in (
            ("own", own, len(self.rows), 0, size),
            ("socket", own, len(self.rows), 1, sockets),
            ("port_own", port, len(self.port_position), 0, size),
            ("port_socket", port, len(self.port_position), 1, sockets),
        ):
            mask = (rows[row] >= 0) & (kind[column] == wanted)
            dense[part] = np.zeros(height * width)
            np.add.at(dense[part], rows[row[mask]] * width + place[column[mask]], entry[mask])
        cost = np.zeros(size)
        _, priced, value = _entries(form.c)
        own_cost = kind[priced] == 0
        np.add.at(cost, place[priced[own_cost]], value[own_cost])
        dense |= {"cost": cost, "row_lower": row_lower, "row_upper": row_upper, "port_constant": constant}
        dense["lower"] = np.array([-np.inf if v.lb is None else v.lb for v in self.columns])
        dense["upper"] = np.array([np.inf if v.ub is None else v.ub for v in self.columns])
        return {k: np.clip(v, -1e30, 1e30) for k, v in dense.items()}

    def _column_places(self, columns: list[Any]) -> tuple[Ints, Ints]:
        """For each compiled column: 0 own, 1 socket, 2 helper; and its position there."""
        kind = np.full(len(columns), 2, dtype=np.int64)
        place = np.zeros(len(columns), dtype=np.int64)
        for i, var in enumerate(columns):
            if id(var) in self.column_position:
                kind[i], place[i] = 0, self.column_position[id(var)]
            elif id(var) in self.socket_position:
                kind[i], place[i] = 1, self.socket_position[id(var)]
        return kind, place

    def _row_places(self, form: Any) -> tuple[Ints, Ints, Floats, Floats, Floats]:
        """For each compiled row its own-row or port position (-1: neither), and the row bounds."""
        own = np.full(len(form.rows), -1, dtype=np.int64)
        port = np.full(len(form.rows), -1, dtype=np.int64)
        lower, upper = np.full(len(self.rows), -1e30), np.full(len(self.rows), 1e30)
        constant = np.zeros(len(self.port_position))
        seen: set[int] = set()
        for i, (row, rhs) in enumerate(zip(form.rows, form.rhs, strict=True)):
            key = id(row.constraint)
            if key in self.port_position:
                port[i] = self.port_position[key]
                constant[port[i]] = -rhs
                continue
            position = self.row_position[key]
            if row.bound_type >= 0:
                upper[position] = rhs
            if row.bound_type <= 0:
                lower[position] = rhs
            if key not in seen:
                own[i] = position
                seen.add(key)
        return own, port, lower, upper, constant

    def template(self, affine: dict[str, Affine]) -> Template:
        n, ports = self.n, len(self.family.ports)
        size, sockets = len(self.columns), max(len(self.socket_position), 1)

        def matrix(part: str, height: int, width: int) -> Matrix:
            whole = affine[part]
            entries = np.flatnonzero((whole.base != 0) | (whole.coefficient != 0))
            kept = Affine(whole.base[entries], whole.coefficient[entries], whole.index[entries])
            return Matrix(entries // width, entries % width, kept, (height, width))

        return Template(
            family=self.family,
            n=n,
            parameter_slices=self.parameter_slices,
            variables=self.variables,
            column_names=tuple(v.local_name for v in self.columns),
            row_names=tuple(c.local_name for c in self.rows),
            integer=np.array([not v.is_continuous() for v in self.columns], dtype=bool),
            lower=affine["lower"],
            upper=affine["upper"],
            cost=affine["cost"],
            own=matrix("own", len(self.rows), size),
            socket=matrix("socket", len(self.rows), sockets),
            row_lower=affine["row_lower"],
            row_upper=affine["row_upper"],
            port_own=matrix("port_own", ports * n, size),
            port_socket=matrix("port_socket", ports * n, sockets),
            port_constant=affine["port_constant"],
        )
