"""Flexible loads (C8): a band per interval and a cumulative band; leaving a band is a priced deviation."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyomo.core as pyo

from planner_models.template import Family, Values
from planner_models.words import Flexible, IntervalGrid


class Shape(NamedTuple):
    has_minimum: bool
    has_floor: bool
    has_ceiling: bool


def shape(flexible: Flexible) -> Shape:
    return Shape(
        any(flexible.min_kwh),
        flexible.min_cumulative_kwh is not None,
        flexible.max_cumulative_kwh is not None,
    )


def values(flexible: Flexible, grid: IntervalGrid) -> Values:
    nothing = (0.0,) * len(grid)
    return {
        "min_kwh": flexible.min_kwh,
        "max_kwh": flexible.max_kwh,
        "floor_kwh": flexible.min_cumulative_kwh or nothing,
        "ceiling_kwh": flexible.max_cumulative_kwh or nothing,
        "deviation_cost": flexible.deviation_cost_per_mwh / 1000,
    }


def write(b: Any, n: int, shape: Shape) -> None:
    b.used = pyo.Var(b.T, bounds=lambda b, t: (0, b.max_kwh[t]))
    deviation: Any = 0
    if shape.has_minimum:
        b.below = pyo.Var(b.T, bounds=lambda b, t: (0, b.min_kwh[t]))
        b.C8_minimum = pyo.Constraint(b.T, rule=lambda b, t: b.used[t] + b.below[t] >= b.min_kwh[t])
        deviation += sum(b.below[t] for t in b.T)
    if shape.has_floor or shape.has_ceiling:
        b.total = pyo.Var(b.T, within=pyo.NonNegativeReals)
        b.C8_total = pyo.Constraint(b.T, rule=lambda b, t: b.total[t] == (b.total[t - 1] if t else 0) + b.used[t])
    if shape.has_floor:
        b.behind = pyo.Var(b.T, within=pyo.NonNegativeReals)
        b.C8_floor = pyo.Constraint(b.T, rule=lambda b, t: b.total[t] + b.behind[t] >= b.floor_kwh[t])
        deviation += sum(b.behind[t] for t in b.T)
    if shape.has_ceiling:
        b.ahead = pyo.Var(b.T, within=pyo.NonNegativeReals)
        b.C8_ceiling = pyo.Constraint(b.T, rule=lambda b, t: b.total[t] - b.ahead[t] <= b.ceiling_kwh[t])
        deviation += sum(b.ahead[t] for t in b.T)
    b.draw = pyo.Expression(b.T, rule=lambda b, t: 1.0 * b.used[t])
    b.cost = b.deviation_cost * deviation


FAMILY = Family(
    "flexible",
    write,
    scalars=("deviation_cost",),
    vectors=("min_kwh", "max_kwh", "floor_kwh", "ceiling_kwh"),
)
