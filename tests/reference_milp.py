"""An independent reading of FORMULATION.md: every rule written again, by hand, for scipy's MILP solver.

Slow and plain on purpose.  Nothing here is shared with the models but the words; where a rule may be written in
several ways, another way is taken: direction binaries always, minimum times as pairwise implications.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from planner_models.words import (
    Appliance,
    Battery,
    BlockOrder,
    Building,
    City,
    Fees,
    Flexible,
    Generator,
    IntervalGrid,
    Load,
    Plant,
    Side,
    Unit,
    Vehicle,
)

VAST = 1e3  # kWh per interval: more than any tiny case can move


@dataclass
class Sum:
    """A linear expression: column -> coefficient, and a constant."""

    terms: dict[int, float] = field(default_factory=dict)
    constant: float = 0.0

    def add(self, other: Sum | float, times: float = 1.0) -> Sum:
        """self + times * other, as a new sum."""
        if not isinstance(other, Sum):
            return Sum(dict(self.terms), self.constant + times * other)
        terms = defaultdict(float, self.terms)
        for column, value in other.terms.items():
            terms[column] += times * value
        return Sum(dict(terms), self.constant + times * other.constant)

    def value(self, x: np.ndarray) -> float:
        return self.constant + sum(c * x[j] for j, c in self.terms.items())


def total(parts: Any) -> Sum:
    out = Sum()
    for part in parts:
        out = out.add(part)
    return out


@dataclass
class Reference:
    """Columns and rows collected one by one; ``cost`` is the objective."""

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[int] = field(default_factory=list)
    rows: list[tuple[Sum, float, float]] = field(default_factory=list)
    cost: Sum = field(default_factory=Sum)

    def var(self, low: float = 0.0, high: float = np.inf, integer: bool = False) -> Sum:
        self.lower.append(low)
        self.upper.append(high)
        self.integer.append(int(integer))
        return Sum({len(self.lower) - 1: 1.0})

    def row(self, what: Sum, low: float = -np.inf, high: float = np.inf) -> None:
        self.rows.append((what, low - what.constant, high - what.constant))

    def equal(self, left: Sum, right: Sum | float) -> None:
        self.row(left.add(right, -1.0), 0.0, 0.0)

    def pay(self, what: Sum, price: float) -> None:
        self.cost = self.cost.add(what, price)

    def _matrix(self) -> sparse.csr_matrix:
        entries = [(i, j, c) for i, (what, _, _) in enumerate(self.rows) for j, c in what.terms.items()]
        i, j, c = zip(*entries, strict=True) if entries else ((), (), ())
        return sparse.csr_matrix((c, (i, j)), shape=(len(self.rows), len(self.lower)))

    def solve(self, relaxed: bool = False) -> tuple[float, np.ndarray]:
        """Optimal cost and columns; fails where there is no answer."""
        cost = np.zeros(len(self.lower))
        for j, c in self.cost.terms.items():
            cost[j] = c
        low, high = (np.array([r[k] for r in self.rows]) for k in (1, 2))
        found = milp(
            cost,
            integrality=np.zeros(len(cost)) if relaxed else np.array(self.integer),
            bounds=Bounds(np.array(self.lower), np.array(self.upper)),
            constraints=LinearConstraint(self._matrix(), low, high) if self.rows else (),
            options={"mip_rel_gap": 0.0, "presolve": True},
        )
        assert found.status == 0, found.message
        return float(found.fun) + self.cost.constant, found.x

    def solve_fixed(self, fixed: dict[int, float]) -> float | None:
        """Optimal cost with some columns fixed and no integers left, by another routine; None: infeasible."""
        cost = np.zeros(len(self.lower))
        for j, c in self.cost.terms.items():
            cost[j] = c
        bounds = [
            (fixed.get(j, a), fixed.get(j, b)) for j, (a, b) in enumerate(zip(self.lower, self.upper, strict=True))
        ]
        matrix = self._matrix().toarray()
        low, high = (np.array([r[k] for r in self.rows]) for k in (1, 2))
        equal = low == high
        above, below = np.isfinite(high) & ~equal, np.isfinite(low) & ~equal
        found = linprog(
            cost,
            A_ub=np.vstack([matrix[above], -matrix[below]]),
            b_ub=np.concatenate([high[above], -low[below]]),
            A_eq=matrix[equal],
            b_eq=low[equal],
            bounds=bounds,
        )
        assert found.status in (0, 2), found.message
        return float(found.fun) + self.cost.constant if found.status == 0 else None


def at(vector: Any, t: int, missing: float) -> float:
    return missing if vector is None else vector[t]


def draw_of(m: Reference, a: Any, g: IntervalGrid) -> list[Sum]:
    """What an asset draws in every interval; its cost is paid."""
    return _WRITERS[type(a)](m, a, len(g), g.hours)


def _load(m: Reference, a: Load, n: int, hours: float) -> list[Sum]:
    out = []
    for t in range(n):
        cheap = a.curtailment_cost_per_mwh < a.value_per_mwh
        agreed = a.energy_kwh[t] * a.curtailable_ratio if cheap else 0.0
        cut, unserved = m.var(0, agreed), m.var(0, a.energy_kwh[t] - agreed)
        m.pay(cut, a.curtailment_cost_per_mwh / 1000)
        m.pay(unserved, a.value_per_mwh / 1000)
        out.append(Sum({}, a.energy_kwh[t]).add(cut, -1).add(unserved, -1))
    return out


def _plant(m: Reference, a: Plant, n: int, hours: float) -> list[Sum]:
    out = []
    for t in range(n):
        made = m.var(0, a.available_kwh[t])
        m.pay(made, -a.support_per_mwh / 1000)
        if not a.curtailable:
            m.pay(Sum({}, a.available_kwh[t]).add(made, -1), a.spill_cost_per_mwh / 1000)
        out.append(Sum().add(made, -1))
    return out


def _battery(m: Reference, a: Battery, n: int, hours: float) -> list[Sum]:
    fills = a.standing_loss_per_h > 0 or a.final_kwh > a.initial_kwh
    before, out = Sum({}, a.initial_kwh), []
    for t in range(n):
        c, d, fill = m.var(), m.var(), m.var(0, VAST if fills else 0)
        charging = m.var(0, 1, integer=True)
        stored = m.var(max(a.minimum_kwh, a.final_kwh) if t == n - 1 else a.minimum_kwh, a.energy_kwh)
        m.row(c.add(charging, -a.charge_kw * hours), high=0)
        m.row(d.add(charging, a.discharge_kw * hours), high=a.discharge_kw * hours)
        kept = before.add(0.0)
        kept = Sum(
            {j: v * (1 - a.standing_loss_per_h * hours) for j, v in kept.terms.items()},
            kept.constant * (1 - a.standing_loss_per_h * hours),
        )
        m.equal(stored, kept.add(c, a.charge_efficiency).add(d, -1 / a.discharge_efficiency).add(fill))
        m.pay(d, a.wear_per_mwh / 1000)
        m.pay(fill, a.shortfall_cost_per_mwh / 1000)
        before = stored
        out.append(c.add(d, -1))
    return out


def _vehicle(m: Reference, a: Vehicle, n: int, hours: float) -> list[Sum]:
    short = m.var(0, a.energy_kwh)
    m.pay(short, a.shortfall_cost_per_mwh / 1000)
    out, got = [], short
    for t in range(n):
        here = a.first <= t < a.last
        e, y = m.var(0, a.max_kw * hours if here else 0), m.var(0, 1, integer=a.min_kw > 0)
        m.row(e.add(y, -a.max_kw * hours), high=0)
        m.row(e.add(y, -a.min_kw * hours), low=0)
        got = got.add(e, a.charge_efficiency)
        out.append(e)
    m.equal(got, a.energy_kwh)
    return out


def _appliance(m: Reference, a: Appliance, n: int, hours: float) -> list[Sum]:
    skipped = m.var(0, 1, integer=True)
    m.pay(skipped, a.skip_cost)
    starts = {t: m.var(0, 1, integer=True) for t in range(a.first_start, a.last_start + 1)}
    m.equal(total([skipped, *starts.values()]), 1.0)
    out = [Sum() for _ in range(n)]
    for t, start in starts.items():
        for k, kwh in enumerate(a.profile_kwh):
            if t + k < n:
                out[t + k] = out[t + k].add(start, kwh)
    return out


def _flexible(m: Reference, a: Flexible, n: int, hours: float) -> list[Sum]:
    used = [m.var(0, a.max_kwh[t]) for t in range(n)]
    for t in range(n):
        so_far = total(used[: t + 1])
        below, behind, ahead = m.var(), m.var(), m.var()
        m.row(used[t].add(below), low=a.min_kwh[t])
        m.row(so_far.add(behind), low=at(a.min_cumulative_kwh, t, -np.inf))
        m.row(so_far.add(ahead, -1), high=at(a.max_cumulative_kwh, t, np.inf))
        for gap in (below, behind, ahead):
            m.pay(gap, a.deviation_cost_per_mwh / 1000)
    return used


def _generator(m: Reference, a: Generator, n: int, hours: float) -> list[Sum]:
    on = [m.var(0, 1, integer=True) for _ in range(n)]
    was = [Sum({}, float(a.initially_on)), *on]
    out = []
    for t in range(n):
        q, up = m.var(0, a.max_kw * hours), m.var(0, 1)
        m.row(q.add(on[t], -a.max_kw * hours), high=0)
        m.row(q.add(on[t], -a.min_kw * hours), low=0)
        m.row(up.add(on[t], -1).add(was[t]), low=0)
        m.pay(q, a.cost_per_mwh / 1000)
        m.pay(up, a.start_cost)
        for later in range(t + 1, min(n, t + a.min_up_intervals)):
            m.row(on[t].add(was[t], -1).add(on[later], -1), high=0)
        for later in range(t + 1, min(n, t + a.min_down_intervals)):
            m.row(was[t].add(on[t], -1).add(on[later]), high=1)
        out.append(Sum().add(q, -1))
    return out


_WRITERS: dict[type, Any] = {
    Load: _load,
    Plant: _plant,
    Battery: _battery,
    Vehicle: _vehicle,
    Appliance: _appliance,
    Flexible: _flexible,
    Generator: _generator,
}


def _unit(m: Reference, u: Unit, g: IntervalGrid) -> tuple[list[Sum], list[Sum]]:
    """Net use and withheld allocation of a unit (C10, C11)."""
    draws = [draw_of(m, a, g) for a in u.assets]
    use, kept = [], []
    for t in range(len(g)):
        x = total(d[t] for d in draws)
        m.row(x, -at(u.export_limit_kwh, t, np.inf), at(u.import_limit_kwh, t, np.inf))
        w = m.var(0, u.allocation_kwh[t])
        m.pay(w, -u.reserve_per_mwh[t] / 1000)
        use.append(x)
        kept.append(w)
    return use, kept


def position_of(m: Reference, b: Building, g: IntervalGrid, fees: Fees) -> list[Sum]:
    """q of a building, its own cost paid (C12, C13)."""
    units = [_unit(m, u, g) for u in b.units]
    out = []
    for t in range(len(g)):
        flow = total(use[t] for use, _ in units)
        m.row(flow, -at(b.export_limit_kwh, t, np.inf), at(b.import_limit_kwh, t, np.inf))
        q = flow.add(-b.allocation_kwh[t]).add(total(kept[t] for _, kept in units))
        if b.loss_ratio:
            inward, into, out_of = m.var(0, 1, integer=True), m.var(0, VAST), m.var(0, VAST)
            m.equal(flow, into.add(out_of, -1))
            m.row(into.add(inward, -VAST), high=0)
            m.row(out_of.add(inward, VAST), high=VAST)
            q = q.add(into, b.loss_ratio).add(out_of, b.loss_ratio)
        requested, offered = m.var(0, VAST), m.var(0, VAST)
        m.equal(q, requested.add(offered, -1))
        m.pay(requested, fees.market_buy_per_mwh / 1000)
        m.pay(offered, fees.market_sell_per_mwh / 1000)
        out.append(q)
    return out


def building_optimum(b: Building, g: IntervalGrid, fees: Fees, price: Any = None, relaxed: bool = False) -> float:
    """min c_b + p.q at a flat price per interval (currency per MWh); without a price q = 0."""
    m = Reference()
    for t, q in enumerate(position_of(m, b, g, fees)):
        if price is None:
            m.equal(q, 0.0)
        else:
            m.pay(q, price[t] / 1000)
    return m.solve(relaxed)[0]


def write_city(whole: City, closed: bool = False) -> Reference:
    """The city of FORMULATION.md 5; ``closed``: no building trades."""
    m, n = Reference(), len(whole.grid)
    positions = {b.id: position_of(m, b, whole.grid, whole.fees) for b in whole.buildings}
    need = {(z, t): Sum() for z in whole.zones for t in range(n)}
    for b in whole.buildings:
        for t in range(n):
            need[b.zone, t] = need[b.zone, t].add(positions[b.id][t])
            if closed:
                m.equal(positions[b.id][t], 0.0)
    write_market(m, whole, need)
    for f in whole.feeders:
        below = [b for b in whole.buildings if f.id in b.feeders]
        for t in range(n):
            flow = total(positions[b.id][t] for b in below).add(f.allocation_kwh[t])
            m.row(flow, -f.export_limit_kwh[t], f.import_limit_kwh[t])
    return m


def write_market(m: Reference, whole: City, need: dict[tuple[str, int], Sum]) -> None:
    """C14, C16 to C18: ``need`` is what the buildings of a zone request, net."""
    n = len(whole.grid)
    for e in whole.exchanges:
        for t in range(n):
            bought, sold = m.var(0, min(e.import_limit_kwh[t], VAST)), m.var(0, min(e.export_limit_kwh[t], VAST))
            m.pay(bought, e.import_price_per_mwh[t] / 1000)
            m.pay(sold, -e.export_price_per_mwh[t] / 1000)
            need[e.zone, t] = need[e.zone, t].add(bought, -1).add(sold)
    for r in whole.remainders:
        for t in range(n):
            need[r.zone, t] = need[r.zone, t].add(m.var(0, r.energy_kwh[t]), -1)
    for s in whole.steps:
        sign = 1 if s.side is Side.SELL else -1
        x = m.var(0, s.quantity_kwh)
        m.pay(x, sign * s.price_per_mwh / 1000)
        need[s.zone, s.interval] = need[s.zone, s.interval].add(x, -sign)
    for k in whole.blocks:
        _block(m, k, need)
    for line in whole.lines:
        for t in range(n):
            f, r = m.var(0, line.forward_kwh[t]), m.var(0, line.reverse_kwh[t])
            half = line.loss_ratio / 2
            start, end = (line.from_zone, t), (line.to_zone, t)
            need[start] = need[start].add(f, 1 + half).add(r, -(1 - half))
            need[end] = need[end].add(f, -(1 - half)).add(r, 1 + half)
    for key in need:
        unserved, excess = m.var(), m.var()
        m.pay(unserved, whole.price_cap / 1000)
        m.pay(excess, max(0.0, -whole.price_floor) / 1000)
        m.equal(need[key], unserved.add(excess, -1))


def _block(m: Reference, k: BlockOrder, need: dict[tuple[str, int], Sum]) -> None:
    sign = 1 if k.side is Side.SELL else -1
    ratio, taken = m.var(0, 1), m.var(0, 1, integer=True)
    m.row(ratio.add(taken, -1), high=0)
    m.row(ratio.add(taken, -k.min_acceptance_ratio), low=0)
    for t, kwh in zip(k.intervals, k.quantities_kwh, strict=True):
        need[k.zone, t] = need[k.zone, t].add(ratio, -sign * kwh)
        m.pay(ratio, sign * k.price_per_mwh / 1000 * kwh)


def city_optimum(whole: City, relaxed: bool = False) -> float:
    return write_city(whole).solve(relaxed)[0]
