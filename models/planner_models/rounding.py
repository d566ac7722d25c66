"""From a relaxation's answer to whole runs: which columns to fix, and where (formulation 3, commit).

Everything that couples assets stays free, so the same relaxation solved again with these bounds is a schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from planner_models.closed import generator_run, stays_of
from planner_models.linear import Group, LinearModel
from planner_models.template import Floats, Ints

HAIR = 1e-7


@dataclass(frozen=True)
class Fixed:
    """Bounds under which a relaxation is whole: column numbers, lower and upper."""

    columns: Ints
    lower: Floats
    upper: Floats

    def moved(self, columns: Ints, lower: Floats, upper: Floats) -> Fixed:
        """The same with other bounds for some of the columns."""
        order = np.argsort(self.columns)
        at = order[np.searchsorted(self.columns, columns, sorter=order)]
        low, high = self.lower.copy(), self.upper.copy()
        low[at], high[at] = lower, upper
        return Fixed(self.columns, low, high)


Bounds = tuple[Ints, Floats, Floats]
READINESS = (0.5, 0.25, 0.05)
"""How much of a generator the relaxation must run for it to run whole, in the order tried."""


def is_torn(model: LinearModel, x: Floats) -> bool:
    """Whether a generator runs in part: then it matters how it is rounded, and several ways are worth a try."""
    torn = [x[g.columns("on")] for g in model.members("generator") if "on" in g.template.variables]
    return any(bool((np.abs(on - np.rint(on)) > HAIR).any()) for on in torn)


def rounded(model: LinearModel, x: Floats, cost: Floats, readiness: float | None = None) -> Fixed:
    """Bounds near ``x``, an answer of the relaxation, under which every run is whole; ``cost`` is its effective one.

    Generators run as its prices pay best, or where they run by more than ``readiness`` in it.
    """
    parts = []
    for group in model.groups:
        name, variables = group.template.family.name, group.template.variables
        if name == "vehicle" and "plugged" in variables:
            parts.append(_vehicles(group, model, x, cost))
        elif name == "appliance":
            parts.append(_appliances(group, x))
        elif name == "generator" and "on" in variables:
            parts.append(_generators(group, x, cost, readiness))
        elif "charging" in variables:
            parts.append(_one_way(group, x, "charging", "charge", "discharge"))
        elif "inward" in variables:
            parts.append(_one_way(group, x, "inward", "inflow", "outflow"))
    none = (np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    columns, lower, upper = (np.concatenate(arrays) for arrays in zip(none, *parts, strict=True))
    return Fixed(columns, lower, upper)


Runs = Mapping[tuple[str, str], tuple[Ints, Floats]]
"""By unit and asset: draw (Wh) and on or off, per interval."""


def as_run(model: LinearModel, runs: Runs) -> Fixed:
    """Bounds that hold every vehicle, appliance, generator and battery's direction to what a schedule ran."""
    parts = []
    for group in model.groups:
        name, variables = group.template.family.name, group.template.variables
        if name == "vehicle" and "plugged" in variables:
            charge, least = group.columns("charge"), group.parameters("min_kwh")
            on = (_of(group, runs, 0) > 0) & (model.upper[charge] > 0)
            parts.append(_ranged(charge, np.where(on, least, 0.0), np.where(on, model.upper[charge], 0.0)))
        elif name == "appliance":
            ran = _of(group, runs, 1) > 0
            first = np.zeros(ran.shape)
            first[np.arange(len(ran)), ran.argmax(axis=1)] = ran.any(axis=1)
            parts.append(_ranged(group.columns("start"), first, first))
        elif name == "generator" and "on" in variables:
            state = (_of(group, runs, 1) > 0).astype(float)
            parts.append(_ranged(group.columns("on"), state, state))
        elif name == "battery" and "charging" in variables:
            charging = (_of(group, runs, 0) > 0).astype(float)
            parts.append(_ranged(group.columns("charging"), charging, charging))
    none = (np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    columns, lower, upper = (np.concatenate(arrays) for arrays in zip(none, *parts, strict=True))
    return Fixed(columns, lower, upper)


def _of(group: Group, runs: Runs, which: int) -> Floats:
    """Draw (0) or state (1) of every member, (members, n)."""
    keys = cast("list[tuple[str, str, str, int]]", group.keys)
    return np.array([runs[unit, asset][which] for _, unit, asset, _ in keys], dtype=np.float64)


def _ranged(columns: Ints, lower: Floats, upper: Floats) -> Bounds:
    return columns.ravel(), lower.ravel(), upper.ravel()


def mended(model: LinearModel, fixed: Fixed, x: Floats, cost: Floats) -> tuple[Fixed, float]:
    """The same bounds with the one vehicle or appliance moved that would gain most at the fixed answer's own prices.

    ``cost`` is the effective one there.  Also what it would gain, in currency: with coupling it may gain less, or
    nothing.
    """
    best, gain = fixed, 0.0
    for group in model.groups:
        name = group.template.family.name
        if name == "vehicle" and "plugged" in group.template.variables:
            columns, found = group.columns("charge"), stays_of(group, model, cost)
            now = (found.cost * x[columns]).sum(axis=1) + found.shortfall * x[group.columns("shortfall")][:, 0]
            gains, on = now - found.whole(), found.chosen()
            lower, upper = np.where(on, found.least[:, None], 0.0), np.where(on, found.limit, 0.0)
        elif name == "appliance":
            columns, skip = group.columns("start"), cost[group.columns("skipped")][:, 0]
            price = np.where(model.upper[columns] > 0, cost[columns], np.inf)
            first, rows = price.argmin(axis=1), np.arange(len(columns))
            runs = price[rows, first] < skip
            now = (cost[columns] * x[columns]).sum(axis=1) + skip * x[group.columns("skipped")][:, 0]
            gains = now - np.where(runs, price[rows, first], skip)
            lower = np.zeros(columns.shape)
            lower[rows, first] = runs
            upper = lower
        else:
            continue
        i = int(gains.argmax())
        held = (model.lower[columns[i]] > 0).any()
        if gains[i] > gain and not held:
            best, gain = fixed.moved(columns[i], lower[i], upper[i]), float(gains[i])
    return best, gain


def _vehicles(group: Group, model: LinearModel, x: Floats, cost: Floats) -> Bounds:
    """Each charges where it charged most, in as many intervals as its energy fills at least at the minimum."""
    charge = group.columns("charge")
    limit, held = model.upper[charge], model.lower[group.columns("plugged")] > 0.5
    least, efficiency, need = (group.parameters(name)[:, 0] for name in ("min_kwh", "efficiency", "need_kwh"))
    amount, most = x[charge], limit.max(axis=1)
    full = amount >= least[:, None] - HAIR
    rest = np.where(full, 0.0, amount).sum(axis=1)
    enough = np.ceil(np.minimum(amount.sum(axis=1), need / efficiency) / np.maximum(most, HAIR) - HAIR)
    fitting = np.floor(need / efficiency / least + HAIR)
    more = np.ceil(rest / np.maximum(most, HAIR) - HAIR)
    count = np.clip(full.sum(axis=1) + more, enough, fitting)
    price = cost[charge]
    cheap = 1e-6 * price / (np.abs(price).max(axis=1, keepdims=True) + 1.0)
    order = np.argsort(np.where(limit > 0, cheap - amount, np.inf), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    on = ((rank < count[:, None]) & (limit > 0)) | held
    lower = np.where(on, np.maximum(model.lower[charge], least[:, None]), 0.0)
    return charge.ravel(), lower.ravel(), np.where(on, limit, 0.0).ravel()


def _appliances(group: Group, x: Floats) -> Bounds:
    """Each starts once, at its likeliest start, or is skipped where that is likelier."""
    start, skipped = group.columns("start"), group.columns("skipped")
    first = x[start].argmax(axis=1)
    rows = np.arange(len(start))
    runs = x[start][rows, first] >= x[skipped][:, 0]
    chosen = np.zeros(start.shape)
    chosen[rows, first] = runs
    return start.ravel(), chosen.ravel(), chosen.ravel()


def _generators(group: Group, x: Floats, cost: Floats, readiness: float | None) -> Bounds:
    """Whole schedules that keep the minimum times (C9), near the relaxation's or best at its prices."""
    on, output = group.columns("on"), group.columns("output")
    most, least, start = (group.parameters(name)[:, 0] for name in ("max_kwh", "min_kwh", "start_cost"))
    values = np.zeros(on.shape)
    for i, share in enumerate(x[on]):
        if readiness is None and (np.abs(share - np.rint(share)) > HAIR).any():
            values[i] = generator_run(cost[output[i]], least[i], most[i], start[i], group.shape)[1]
        else:
            nearness = (0.5 if readiness is None else readiness) - share
            values[i] = generator_run(nearness, 1.0, 1.0, 0.0, group.shape)[1]
    return on.ravel(), values.ravel(), values.ravel()


def _one_way(group: Group, x: Floats, mode: str, into: str, out_of: str) -> Bounds:
    columns = group.columns(mode)
    value = (x[group.columns(into)] >= x[group.columns(out_of)]).astype(float)
    return columns.ravel(), value.ravel(), value.ravel()
