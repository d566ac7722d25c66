"""The marketplace: what balances the buildings' positions in every zone and interval.

Exchange with the price-taking neighbour (C16), unallocated supply, outsiders' orders (C18) and lines (C17)
meet the positions in the zone balance (C14) under the feeders' limits (C15).  Unserved energy at the price cap
and excess at the floor keep it feasible whatever is committed.

Buildings enter through sockets, so the same compiled arrays serve the city in one MILP (the sockets become the
buildings' columns), the rounds (they become answers) and the re-dispatch (they become numbers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.core as pyo
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy import sparse

from planner_models.orders.block import at_least, if_taken
from planner_models.orders.complex import its_minimum, while_running
from planner_models.orders.exclusive import once
from planner_models.orders.linked import within_parent
from planner_models.template import Floats, Ints
from planner_models.words import BlockOrder, City, Side, StepOrder


@dataclass(frozen=True)
class MarketModel:
    """Compiled marketplace.  Sockets: zones first, then feeders, each over all intervals."""

    city: City
    own: sparse.csr_matrix
    socket: sparse.csr_matrix
    row_lower: Floats
    row_upper: Floats
    cost: Floats
    lower: Floats
    upper: Floats
    integer: Any
    variables: dict[str, dict[Any, int]]
    row_names: tuple[str, ...]
    column_names: tuple[str, ...]
    balance_rows: Ints
    column_interval: Ints

    @property
    def n(self) -> int:
        return len(self.city.grid)

    def sockets_of(self, zone: str, feeders: tuple[str, ...]) -> Ints:
        """Numbers of the socket groups (zone, then feeders) that a building's position enters."""
        zones = {z: i for i, z in enumerate(self.city.zones)}
        nodes = {f.id: len(zones) + i for i, f in enumerate(self.city.feeders)}
        return np.array([zones[zone], *(nodes[f] for f in feeders if f in nodes)])

    def gather(self, zone: str, feeders: tuple[str, ...]) -> sparse.csr_matrix:
        """(rows x n) matrix: how a position of a building there enters the market's rows."""
        groups = self.sockets_of(zone, feeders)
        total = sparse.csr_matrix((self.own.shape[0], self.n))
        for g in groups:
            total = total + self.socket[:, g * self.n : (g + 1) * self.n]
        return total.tocsr()

    def column(self, variable: str, key: Any) -> Ints:
        """Column numbers of ``variable[key, t]`` for all t."""
        index = self.variables[variable]
        return np.array([index[(key, t)] for t in range(self.n)])


def write_market(m: Any, city: City) -> None:
    """The marketplace's mathematics on a Pyomo model with sockets ``zone_position`` and ``feeder_position``."""
    n = len(city.grid)
    m.T = pyo.RangeSet(0, n - 1)
    m.Z = pyo.Set(initialize=list(city.zones), ordered=True)
    m.F = pyo.Set(initialize=[f.id for f in city.feeders], ordered=True)
    m.zone_position = pyo.Var(m.Z, m.T)
    m.feeder_position = pyo.Var(m.F, m.T)
    m.cost = pyo.Expression(expr=0)
    terms = [_exchange(m, city), _supply(m, city), _orders(m, city), _lines(m, city)]

    def balance(m: Any, z: str, t: int) -> Any:
        return m.zone_position[z, t] == sum(term(z, t) for term in terms) + m.unserved[z, t] - m.excess[z, t]

    m.unserved = pyo.Var(m.Z, m.T, within=pyo.NonNegativeReals)
    m.excess = pyo.Var(m.Z, m.T, within=pyo.NonNegativeReals)
    m.cost.set_value(
        m.cost.expr
        + sum(city.price_cap / 1000 * v for v in m.unserved.values())
        + sum(max(0.0, -city.price_floor) / 1000 * v for v in m.excess.values())
    )
    m.C14_balance = pyo.Constraint(m.Z, m.T, rule=balance)
    feeders = {f.id: f for f in city.feeders}

    def feeder(m: Any, f: str, t: int) -> Any:
        limit = feeders[f]
        exports = None if np.isinf(limit.export_limit_kwh[t]) else -limit.export_limit_kwh[t]
        imports = None if np.isinf(limit.import_limit_kwh[t]) else limit.import_limit_kwh[t]
        if exports is None and imports is None:
            return pyo.Constraint.Skip
        return (exports, m.feeder_position[f, t] + limit.allocation_kwh[t], imports)

    m.C15_feeder = pyo.Constraint(m.F, m.T, rule=feeder)


def _exchange(m: Any, city: City) -> Any:
    at = {e.zone: e for e in city.exchanges}
    m.imported = pyo.Var(list(at), m.T, bounds=lambda m, z, t: (0, _finite(at[z].import_limit_kwh[t])))
    m.exported = pyo.Var(list(at), m.T, bounds=lambda m, z, t: (0, _finite(at[z].export_limit_kwh[t])))
    m.cost.set_value(
        m.cost.expr
        + sum(
            at[z].import_price_per_mwh[t] / 1000 * m.imported[z, t]
            - at[z].export_price_per_mwh[t] / 1000 * m.exported[z, t]
            for z in at
            for t in m.T
        )
    )
    return lambda z, t: m.imported[z, t] - m.exported[z, t] if z in at else 0


def _finite(limit: float) -> float | None:
    return None if np.isinf(limit) else limit


def _supply(m: Any, city: City) -> Any:
    at = {r.zone: r for r in city.remainders}
    m.supplied = pyo.Var(list(at), m.T, bounds=lambda m, z, t: (0, at[z].energy_kwh[t]))
    return lambda z, t: m.supplied[z, t] if z in at else 0


def _sign(order: StepOrder | BlockOrder) -> int:
    return 1 if order.side is Side.SELL else -1


def _orders(m: Any, city: City) -> Any:
    steps = {s.row: s for s in city.steps}
    blocks = {b.id: b for b in city.blocks}
    m.accepted = pyo.Var(list(steps), bounds=lambda m, r: (0, steps[r].quantity_kwh))
    m.ratio = pyo.Var(list(blocks), bounds=(0, 1))
    m.taken = pyo.Var(list(blocks), within=pyo.Binary)
    m.C18_at_most = pyo.Constraint(list(blocks), rule=lambda m, b: if_taken(m.ratio[b], m.taken[b]))
    m.C18_at_least = pyo.Constraint(
        list(blocks), rule=lambda m, b: at_least(m.ratio[b], blocks[b].min_acceptance_ratio, m.taken[b])
    )
    _families(m, city)
    m.cost.set_value(
        m.cost.expr
        + sum(_sign(s) * s.price_per_mwh / 1000 * m.accepted[r] for r, s in steps.items())
        + sum(_sign(b) * b.price_per_mwh / 1000 * sum(b.quantities_kwh) * m.ratio[name] for name, b in blocks.items())
    )
    offers: dict[tuple[str, int], list[Any]] = {}
    for r, s in steps.items():
        offers.setdefault((s.zone, s.interval), []).append(_sign(s) * m.accepted[r])
    for name, b in blocks.items():
        for t, quantity in zip(b.intervals, b.quantities_kwh, strict=True):
            offers.setdefault((b.zone, t), []).append(_sign(b) * quantity * m.ratio[name])
    _complexes(m, city, offers)
    return lambda z, t: sum(offers.get((z, t), ()))


def _families(m: Any, city: City) -> None:
    """Links (C25) and exclusive groups (C26) between the ratios of blocks."""
    parent = {b.id: b.parent for b in city.blocks if b.parent}
    groups: dict[str, list[str]] = {}
    for block in city.blocks:
        if block.exclusive_group:
            groups.setdefault(block.exclusive_group, []).append(block.id)
    m.C25_link = pyo.Constraint(list(parent), rule=lambda m, b: within_parent(m.ratio[b], m.ratio[parent[b]]))
    m.C26_exclusive = pyo.Constraint(list(groups), rule=lambda m, g: once(sum(m.ratio[b] for b in groups[g])))


def _complexes(m: Any, city: City, offers: dict[tuple[str, int], list[Any]]) -> None:
    """Scalable complex orders (C27); what they deliver joins ``offers``."""
    orders = {c.id: c for c in city.complexes}
    rows = {row: (c, k) for c in city.complexes for k, row in enumerate(c.rows)}
    least = {(c.id, t): q for c in city.complexes for t, q in zip(c.minimum_intervals, c.minimum_kwh, strict=True)}
    at: dict[tuple[str, int], list[int]] = {}
    for row, (c, k) in rows.items():
        at.setdefault((c.id, c.intervals[k]), []).append(row)
    m.running = pyo.Var(list(orders), within=pyo.Binary)
    m.supplied_row = pyo.Var(list(rows), bounds=lambda m, r: (0, rows[r][0].quantities_kwh[rows[r][1]]))
    m.C27_at_most = pyo.Constraint(
        list(rows),
        rule=lambda m, r: while_running(
            m.supplied_row[r], rows[r][0].quantities_kwh[rows[r][1]], m.running[rows[r][0].id]
        ),
    )
    m.C27_at_least = pyo.Constraint(
        list(least),
        rule=lambda m, c, t: its_minimum(sum(m.supplied_row[r] for r in at[c, t]), least[c, t], m.running[c]),
    )
    m.cost.set_value(
        m.cost.expr
        + sum(c.fixed_cost * m.running[name] for name, c in orders.items())
        + sum(c.prices_per_mwh[k] / 1000 * m.supplied_row[row] for row, (c, k) in rows.items())
    )
    for row, (c, k) in rows.items():
        offers.setdefault((c.zone, c.intervals[k]), []).append(m.supplied_row[row])


def _lines(m: Any, city: City) -> Any:
    """Flow at mid-line, one variable per direction; each end bears half the losses."""
    at = {line.id: line for line in city.lines}
    m.forward = pyo.Var(list(at), m.T, bounds=lambda m, x, t: (0, _finite(at[x].forward_kwh[t])))
    m.reverse = pyo.Var(list(at), m.T, bounds=lambda m, x, t: (0, _finite(at[x].reverse_kwh[t])))

    def arriving(z: str, t: int) -> Any:
        total: Any = 0
        for x, line in at.items():
            half = line.loss_ratio / 2
            if line.to_zone == z:
                total += (1 - half) * m.forward[x, t] - (1 + half) * m.reverse[x, t]
            if line.from_zone == z:
                total += (1 - half) * m.reverse[x, t] - (1 + half) * m.forward[x, t]
        return total

    return arriving


def build_marketplace(city: City) -> MarketModel:
    """Compile the marketplace of ``city`` once."""
    m = pyo.ConcreteModel()
    write_market(m, city)
    m.objective = pyo.Objective(expr=m.cost)
    form = LinearStandardFormCompiler().write(m, mixed_form=True, set_sense=None)
    n, zones = len(city.grid), len(city.zones)
    socket_at = {id(v): i for i, v in enumerate([*m.zone_position.values(), *m.feeder_position.values()])}
    columns = [
        (var.local_name, key, data)
        for var in m.component_objects(pyo.Var)
        if var.local_name not in ("zone_position", "feeder_position")
        for key, data in var.items()
    ]
    own_at = {id(data): i for i, (_, _, data) in enumerate(columns)}
    rows: list[Any] = []
    row_at: dict[int, int] = {}
    lower: list[float] = []
    upper: list[float] = []
    place = np.zeros(len(form.rows), dtype=np.int64)
    first = np.zeros(len(form.rows), dtype=bool)
    for i, (row, rhs) in enumerate(zip(form.rows, form.rhs, strict=True)):
        position = row_at.get(id(row.constraint))
        if position is None:
            position = row_at[id(row.constraint)] = len(rows)
            rows.append(row.constraint)
            lower.append(-np.inf)
            upper.append(np.inf)
            first[i] = True
        place[i] = position
        if row.bound_type >= 0:
            upper[position] = rhs
        if row.bound_type <= 0:
            lower[position] = rhs
    matrix = form.A.tocoo()
    mine = np.array([own_at.get(id(v), -1) for v in form.columns], dtype=np.int64)
    sock = np.array([socket_at.get(id(v), -1) for v in form.columns], dtype=np.int64)
    keep = first[matrix.row]
    r, c, d = place[matrix.row[keep]], matrix.col[keep], matrix.data[keep]
    is_own = mine[c] >= 0
    own = sparse.csr_matrix((d[is_own], (r[is_own], mine[c[is_own]])), shape=(len(rows), len(columns)))
    socket = sparse.csr_matrix(
        (d[~is_own], (r[~is_own], sock[c[~is_own]])), shape=(len(rows), (zones + len(city.feeders)) * n)
    )
    cost = np.zeros(len(columns))
    objective = form.c.tocoo()
    cost[mine[objective.col]] = objective.data
    variables: dict[str, dict[Any, int]] = {}
    for i, (name, key, _) in enumerate(columns):
        variables.setdefault(name, {})[key] = i
    balance = np.array([row_at[id(m.C14_balance[z, t])] for z in city.zones for t in range(n)]).reshape(zones, n)
    row_step = {s.row: s.interval for s in city.steps}
    return MarketModel(
        city=city,
        own=own,
        socket=socket,
        row_lower=np.array(lower),
        row_upper=np.array(upper),
        cost=cost,
        lower=np.array([-np.inf if v.lb is None else v.lb for _, _, v in columns]),
        upper=np.array([np.inf if v.ub is None else v.ub for _, _, v in columns]),
        integer=np.array([not v.is_continuous() for _, _, v in columns], dtype=bool),
        variables=variables,
        row_names=tuple(c.local_name for c in rows),
        column_names=tuple(v.local_name for _, _, v in columns),
        balance_rows=balance,
        column_interval=np.array(
            [
                key[1] if isinstance(key, tuple) else row_step.get(key, -1) if name == "accepted" else -1
                for name, key, _ in columns
            ],
            dtype=np.int64,
        ),
    )
