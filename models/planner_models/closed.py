"""Assets in closed form, given what a kWh is worth to them in every interval (formulation 3).

The duals of a building's relaxation price every column of an asset by what couples it to the rest: position, fees,
losses, connection.  At that price an asset decides alone, and deciding in whole runs costs what is computed here, in
place of a MILP.  A relaxation's value plus what whole runs cost beyond it is a Lagrangian bound, hence
proven, and never below the relaxation's own (Geoffrion, Mathematical Programming Study 2, 1974).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from planner_models.linear import Group, LinearModel
from planner_models.template import Floats

HAIR = 1e-9
ALONE = ("vehicle", "appliance", "generator")
"""Families that decide alone once the rows of units and building are priced."""


def effective_cost(model: LinearModel, dual: Floats) -> Floats:
    """Cost of every column less what the rows outside ``ALONE`` assets earn it, currency per unit of the column."""
    outside = dual[: model.matrix.shape[0]].copy()
    for group in model.groups:
        if group.template.family.name in ALONE:
            rows = len(group.template.row_names) * len(group.keys)
            outside[group.first_row : group.first_row + rows] = 0.0
    return np.asarray(model.cost - model.transposed @ outside)


def whole_surplus(model: LinearModel, cost: Floats) -> float:
    """What whole runs add to the relaxation's value at the ``effective_cost`` of its own duals, currency; at least 0.

    Vehicles alone: runs of appliances are an interval matrix, and the schedules of generators are described by their
    convex hull (C9), so that both relaxations are whole already.
    """
    surplus = 0.0
    for group in model.members("vehicle"):
        if "plugged" not in group.template.variables:
            continue
        charge = group.columns("charge")
        if (model.lower[charge] > 0).any() or (model.lower[group.columns("plugged")] > 0).any():
            continue  # strict locality: what was charged alone stands, and the bound stays the relaxation's
        stays = stays_of(group, model, cost)
        surplus += float(np.maximum(stays.whole() - stays.relaxed(), 0.0).sum())
    return surplus


def stays_of(group: Group, model: LinearModel, cost: Floats) -> Stays:
    """The stays of a group of semi-continuous vehicles, at a cost of every column."""
    charge = group.columns("charge")
    names = ("min_kwh", "efficiency", "need_kwh", "shortfall_cost")
    least, efficiency, need, shortfall = (group.parameters(name)[:, 0] for name in names)
    return Stays(cost[charge], model.upper[charge], least, efficiency, need, shortfall)


@dataclass(frozen=True)
class Stays:
    """Stays of vehicles: ``cost`` of a charged kWh and ``limit`` (kWh, 0 outside the stay), (stays, n) each.

    ``least`` (kWh while charging), ``efficiency``, ``need`` (kWh in the battery), ``shortfall`` (currency per kWh
    missing) are one number a stay.
    """

    cost: Floats
    limit: Floats
    least: Floats
    efficiency: Floats
    need: Floats
    shortfall: Floats

    def relaxed(self) -> Floats:
        """Least cost where any amount up to the limit may be charged, per stay: the cheapest intervals first."""
        price, limit = self._sorted
        worth = (self.efficiency * self.shortfall)[:, None]
        room = np.where(price < worth, limit, 0.0)
        want = (self.need / self.efficiency)[:, None]
        taken = np.diff(np.minimum(np.cumsum(room, axis=1), want), axis=1, prepend=0.0)
        return np.asarray((taken * (price - worth)).sum(axis=1) + self.need * self.shortfall)

    def whole(self) -> Floats:
        """Least cost where an interval charges nothing or at least the minimum (C6), per stay."""
        gains = self._gains()[0]
        return np.asarray(gains.min(axis=1, initial=0.0) + self.need * self.shortfall)

    def chosen(self) -> npt.NDArray[np.bool_]:
        """The intervals in which ``whole`` charges, (stays, n)."""
        gains, order = self._gains()
        count = np.where(gains.min(axis=1) < 0, np.argmin(gains, axis=1) + 1, 0)
        on = np.zeros_like(self.cost, dtype=bool)
        np.put_along_axis(on, order, np.arange(order.shape[1])[None, :] < count[:, None], axis=1)
        return on

    def _gains(self) -> tuple[Floats, npt.NDArray[np.int64]]:
        """What charging in 1, 2, .. n intervals adds to the cost of charging nothing, and the order of intervals.

        With k intervals charging, the k cheapest are best: moving one to a cheaper interval keeps its amount.  They
        take the minimum each, then the cheapest fill up while that is cheaper than the shortfall.
        """
        least, want = self.least[:, None], (self.need / self.efficiency)[:, None]
        fitting = int(np.floor((want + HAIR) / np.maximum(least, HAIR)).max(initial=1.0))
        n = min(max(fitting, 1), self.cost.shape[1])
        order = self._order[:, :n]
        price, limit = (a[:, :n] for a in self._sorted)
        count = np.arange(1, n + 1)[None, :]
        possible = (limit > 0) & (count * least <= want + HAIR)
        gain = np.where(limit > 0, price - (self.efficiency * self.shortfall)[:, None], 0.0)
        minimum = least * np.cumsum(gain, axis=1)
        extra = np.where(gain < 0, np.maximum(limit - least, 0.0), 0.0)
        held, filled = np.cumsum(extra, axis=1), np.cumsum(extra * gain, axis=1)
        rest = np.maximum(want - count * least, 0.0)
        full = np.minimum((held[:, None, :] <= rest[:, :, None]).sum(axis=2), count)
        at = np.maximum(full - 1, 0)
        before = np.where(full > 0, np.take_along_axis(held, at, axis=1), 0.0)
        dearer = np.take_along_axis(gain, np.minimum(full, n - 1), axis=1)
        partly = np.where(full < count, (rest - before) * dearer, 0.0)
        above = np.where(full > 0, np.take_along_axis(filled, at, axis=1), 0.0) + np.minimum(partly, 0.0)
        return np.where(possible, minimum + above, 0.0), order

    @cached_property
    def _order(self) -> npt.NDArray[np.int64]:
        """Intervals from the cheapest of the stay to the dearest, those outside last."""
        return np.argsort(np.where(self.limit > 0, self.cost, np.inf), axis=1, kind="stable")

    @cached_property
    def _sorted(self) -> tuple[Floats, Floats]:
        """Costs and limits in that order."""
        return np.take_along_axis(self.cost, self._order, axis=1), np.take_along_axis(self.limit, self._order, axis=1)


def generator_run(cost: Floats, least: float, most: float, start_cost: float, shape: Any) -> tuple[float, npt.NDArray]:
    """Least cost and on/off (n,) of one generator whose output costs ``cost`` per kWh (C9), by dynamic programming.

    A state is on or off and for how long, as far as the minimum times ask.
    """
    n, up, down = len(cost), max(shape.min_up, 1), max(shape.min_down, 1)
    running = np.where(cost < 0, most * cost, least * cost)
    states = up + down  # 0..up-1: on for 1..up intervals (the last: or more); up..: off likewise
    value = np.full(states, np.inf)
    value[up - 1 if shape.initially_on else states - 1] = 0.0
    came = np.zeros((n, states), dtype=np.int64)
    for t in range(n):
        reached, origin = np.full(states, np.inf), np.zeros(states, dtype=np.int64)
        for s in range(states):
            for to, price in _moves(s, up, down, start_cost):
                total = value[s] + price + (running[t] if to < up else 0.0)
                if total < reached[to]:
                    reached[to], origin[to] = total, s
        value, came[t] = reached, origin
    on = np.zeros(n, dtype=np.int64)
    state = int(np.argmin(value))
    best = float(value[state])
    for t in range(n - 1, -1, -1):
        on[t] = int(state < up)
        state = int(came[t, state])
    return best, on


def _moves(state: int, up: int, down: int, start_cost: float) -> list[tuple[int, float]]:
    """Where a state may go in the next interval, and at what cost beside running."""
    if state < up:
        stay = [(min(state + 1, up - 1), 0.0)]
        return stay if state < up - 1 else [*stay, (up, 0.0)]
    stay = [(min(state + 1, up + down - 1), 0.0)]
    return stay if state < up + down - 1 else [*stay, (0, start_cost)]
