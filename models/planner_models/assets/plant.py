"""Sun and wind (C3): production up to what is available; what cannot be curtailed spills at a price."""

from __future__ import annotations

from typing import Any

import pyomo.core as pyo

from planner_models.template import Family, Values
from planner_models.words import IntervalGrid, Plant


def shape(plant: Plant) -> bool:
    """Whether spilling is an emergency that must be counted."""
    return not plant.curtailable


def values(plant: Plant, grid: IntervalGrid) -> Values:
    return {
        "available_kwh": plant.available_kwh,
        "support": plant.support_per_mwh / 1000,
        "spill_cost": plant.spill_cost_per_mwh / 1000,
    }


def write(b: Any, n: int, firm: bool) -> None:
    b.produced = pyo.Var(b.T, bounds=lambda b, t: (0, b.available_kwh[t]))
    b.draw = pyo.Expression(b.T, rule=lambda b, t: -b.produced[t])
    b.cost = sum(-b.support * b.produced[t] for t in b.T)
    if firm:
        b.spilled = pyo.Var(b.T, within=pyo.NonNegativeReals)
        b.C3_all_produced = pyo.Constraint(b.T, rule=lambda b, t: b.produced[t] + b.spilled[t] == b.available_kwh[t])
        b.cost += sum(b.spill_cost * b.spilled[t] for t in b.T)


FAMILY = Family("plant", write, scalars=("support", "spill_cost"), vectors=("available_kwh",))
