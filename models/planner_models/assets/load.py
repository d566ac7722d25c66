"""Loads: served, curtailed by agreement, or left unserved at their value (C2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.core as pyo

from planner_models.template import Family, Values
from planner_models.words import IntervalGrid, Load


def shape(load: Load) -> bool:
    """Whether a part may be curtailed more cheaply than the rest is left unserved."""
    return load.curtailable_ratio > 0 and load.curtailment_cost_per_mwh < load.value_per_mwh


def values(load: Load, grid: IntervalGrid) -> Values:
    energy = np.array(load.energy_kwh)
    agreed = energy * load.curtailable_ratio if shape(load) else 0 * energy
    return {
        "energy_kwh": energy,
        "firm_kwh": energy - agreed,
        "agreed_kwh": agreed,
        "value": load.value_per_mwh / 1000,
        "curtailment_cost": load.curtailment_cost_per_mwh / 1000,
    }


def write(b: Any, n: int, curtailable: bool) -> None:
    b.unserved = pyo.Var(b.T, bounds=lambda b, t: (0, b.firm_kwh[t]))
    if curtailable:
        b.curtailed = pyo.Var(b.T, bounds=lambda b, t: (0, b.agreed_kwh[t]))
        b.draw = pyo.Expression(b.T, rule=lambda b, t: b.energy_kwh[t] - b.unserved[t] - b.curtailed[t])
        b.cost = sum(b.value * b.unserved[t] + b.curtailment_cost * b.curtailed[t] for t in b.T)
    else:
        b.draw = pyo.Expression(b.T, rule=lambda b, t: b.energy_kwh[t] - b.unserved[t])
        b.cost = sum(b.value * b.unserved[t] for t in b.T)


FAMILY = Family(
    "load",
    write,
    scalars=("value", "curtailment_cost"),
    vectors=("energy_kwh", "firm_kwh", "agreed_kwh"),
)
