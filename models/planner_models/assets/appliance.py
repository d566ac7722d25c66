"""Appliances (C7): one start in the window, then the profile; not running costs what was agreed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.core as pyo

from planner_models.template import Family, Values
from planner_models.words import Appliance, IntervalGrid


def shape(appliance: Appliance) -> int:
    """Length of the run in intervals."""
    return len(appliance.profile_kwh)


def values(appliance: Appliance, grid: IntervalGrid) -> Values:
    allowed = np.zeros(len(grid))
    allowed[appliance.first_start : appliance.last_start + 1] = 1.0
    return {"allowed": allowed, "profile_kwh": appliance.profile_kwh, "skip_cost": appliance.skip_cost}


def write(b: Any, n: int, length: int) -> None:
    b.start = pyo.Var(b.T, within=pyo.Integers, bounds=lambda b, t: (0, b.allowed[t]))
    b.skipped = pyo.Var(bounds=(0, 1))
    b.C7_once = pyo.Constraint(expr=sum(b.start[t] for t in b.T) + b.skipped == 1)

    def draw(b: Any, t: int) -> Any:
        return sum(b.profile_kwh[k] * b.start[t - k] for k in range(length) if t - k >= 0)

    b.draw = pyo.Expression(b.T, rule=draw)
    b.cost = b.skip_cost * b.skipped


FAMILY = Family(
    "appliance",
    write,
    scalars=("skip_cost",),
    vectors=("allowed", "profile_kwh"),
    lengths=lambda n, length: {"profile_kwh": length},
)
