"""Batteries (C4, C5): stored energy carried from interval to interval, never charged and discharged at once.

The relaxed form of C5, ``c/c_max + d/d_max <= 1``, is the projection of the mode binary's LP relaxation, so
the binary is only written where its absence would show: where energy is worth less than nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyomo.core as pyo

from planner_models.template import Family, Values
from planner_models.words import Battery, IntervalGrid


class Shape(NamedTuple):
    exclusive: bool
    emergency_fill: bool


def needs_fill(battery: Battery) -> bool:
    """Whether standing still may break a bound: then an emergency fill at the price cap keeps an answer."""
    return battery.standing_loss_per_h > 0 or battery.final_kwh > battery.initial_kwh


def shape(battery: Battery, exclusive: bool = False) -> Shape:
    return Shape(exclusive, needs_fill(battery))


def values(battery: Battery, grid: IntervalGrid) -> Values:
    floor = np.full(len(grid), battery.minimum_kwh)
    floor[-1] = max(battery.minimum_kwh, battery.final_kwh)
    retained = 1 - battery.standing_loss_per_h * grid.hours
    charge, discharge = battery.charge_kw * grid.hours, battery.discharge_kw * grid.hours
    return {
        "retained": retained,
        "carried_in_kwh": retained * battery.initial_kwh,
        "charge_efficiency": battery.charge_efficiency,
        "discharge_cost_kwh": 1 / battery.discharge_efficiency,
        "charge_kwh": charge,
        "discharge_kwh": discharge,
        "charge_share": 1 / charge if charge else 0.0,
        "discharge_share": 1 / discharge if discharge else 0.0,
        "capacity_kwh": battery.energy_kwh,
        "wear": battery.wear_per_mwh / 1000,
        "fill_cost": battery.shortfall_cost_per_mwh / 1000,
        "floor_kwh": floor,
    }


def write(b: Any, n: int, shape: Shape) -> None:
    b.charge = pyo.Var(b.T, bounds=lambda b, t: (0, b.charge_kwh))
    b.discharge = pyo.Var(b.T, bounds=lambda b, t: (0, b.discharge_kwh))
    b.stored = pyo.Var(b.T, bounds=lambda b, t: (b.floor_kwh[t], b.capacity_kwh))
    b.cost = sum(b.wear * b.discharge[t] for t in b.T)
    if shape.emergency_fill:
        b.fill = pyo.Var(b.T, within=pyo.NonNegativeReals)
        b.cost += sum(b.fill_cost * b.fill[t] for t in b.T)

    def state(b: Any, t: int) -> Any:
        before = b.carried_in_kwh if t == 0 else b.retained * b.stored[t - 1]
        fill = b.fill[t] if shape.emergency_fill else 0
        return b.stored[t] == before + b.charge_efficiency * b.charge[t] - b.discharge_cost_kwh * b.discharge[t] + fill

    b.C4_state = pyo.Constraint(b.T, rule=state)
    if shape.exclusive:
        b.charging = pyo.Var(b.T, within=pyo.Binary)
        b.C5_charge = pyo.Constraint(b.T, rule=lambda b, t: b.charge[t] <= b.charge_kwh * b.charging[t])
        b.C5_discharge = pyo.Constraint(
            b.T, rule=lambda b, t: b.discharge[t] <= b.discharge_kwh - b.discharge_kwh * b.charging[t]
        )
    else:
        b.C5_shared = pyo.Constraint(
            b.T, rule=lambda b, t: b.charge_share * b.charge[t] + b.discharge_share * b.discharge[t] <= 1
        )
    b.draw = pyo.Expression(b.T, rule=lambda b, t: b.charge[t] - b.discharge[t])


FAMILY = Family(
    "battery",
    write,
    scalars=(
        "retained",
        "carried_in_kwh",
        "charge_efficiency",
        "discharge_cost_kwh",
        "charge_kwh",
        "discharge_kwh",
        "charge_share",
        "discharge_share",
        "capacity_kwh",
        "wear",
        "fill_cost",
    ),
    vectors=("floor_kwh",),
)
