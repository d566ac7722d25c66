"""Vehicles (C6): charging inside the stay, at nothing or at least the minimum; what is missing is priced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.core as pyo

from planner_models.template import Family, Values
from planner_models.words import IntervalGrid, Vehicle


def shape(vehicle: Vehicle) -> bool:
    """Whether charging is semi-continuous."""
    return vehicle.min_kw > 0


def values(vehicle: Vehicle, grid: IntervalGrid) -> Values:
    """What it can never take is not offered: more in an interval than it needs, or anything below its minimum."""
    most = min(vehicle.max_kw * grid.hours, vehicle.energy_kwh / vehicle.charge_efficiency)
    present = np.zeros(len(grid))
    if most >= vehicle.min_kw * grid.hours:
        present[vehicle.first : vehicle.last] = 1.0
    return {
        "present": present,
        "limit_kwh": present * most,
        "max_kwh": most,
        "min_kwh": vehicle.min_kw * grid.hours,
        "efficiency": vehicle.charge_efficiency,
        "need_kwh": vehicle.energy_kwh,
        "shortfall_cost": vehicle.shortfall_cost_per_mwh / 1000,
    }


def write(b: Any, n: int, semi_continuous: bool) -> None:
    b.charge = pyo.Var(b.T, bounds=lambda b, t: (0, b.limit_kwh[t]))
    b.shortfall = pyo.Var(bounds=(0, b.need_kwh))
    b.C6_energy = pyo.Constraint(expr=sum(b.efficiency * b.charge[t] for t in b.T) + b.shortfall == b.need_kwh)
    if semi_continuous:
        b.plugged = pyo.Var(b.T, within=pyo.Integers, bounds=lambda b, t: (0, b.present[t]))
        b.C6_at_most = pyo.Constraint(b.T, rule=lambda b, t: b.charge[t] <= b.max_kwh * b.plugged[t])
        b.C6_at_least = pyo.Constraint(b.T, rule=lambda b, t: b.charge[t] >= b.min_kwh * b.plugged[t])
    b.draw = pyo.Expression(b.T, rule=lambda b, t: 1.0 * b.charge[t])
    b.cost = b.shortfall_cost * b.shortfall


FAMILY = Family(
    "vehicle",
    write,
    scalars=("max_kwh", "min_kwh", "efficiency", "need_kwh", "shortfall_cost"),
    vectors=("present", "limit_kwh"),
)
