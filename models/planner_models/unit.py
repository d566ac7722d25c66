"""The unit: net use from its assets (C10), position against its allocation (C11)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyomo.core as pyo

from planner_models.template import Family, Values
from planner_models.words import IntervalGrid, Unit


class Shape(NamedTuple):
    limited: bool
    allotted: bool


def shape(unit: Unit) -> Shape:
    limited = unit.import_limit_kwh is not None or unit.export_limit_kwh is not None
    return Shape(limited, any(unit.allocation_kwh))


def values(unit: Unit, grid: IntervalGrid) -> Values:
    unlimited = np.full(len(grid), np.inf)
    return {
        "import_kwh": unlimited if unit.import_limit_kwh is None else unit.import_limit_kwh,
        "export_kwh": unlimited if unit.export_limit_kwh is None else unit.export_limit_kwh,
        "allocation_kwh": unit.allocation_kwh,
        "reserve": np.array(unit.reserve_per_mwh) / 1000,
    }


def write(b: Any, n: int, shape: Shape) -> None:
    """draw -> net use x -> position delta = x - a + w (formulation 2.2)."""
    b.cost = 0
    use: Any = b.draw
    if shape.limited:
        b.net_use = pyo.Var(b.T, bounds=lambda b, t: (-b.export_kwh[t], b.import_kwh[t]))
        b.C10_net_use = pyo.Constraint(b.T, rule=lambda b, t: b.net_use[t] == b.draw[t])
        use = b.net_use
    if not shape.allotted:
        b.position = pyo.Expression(b.T, rule=lambda b, t: 1.0 * use[t])
        b.kept = pyo.Expression(b.T, rule=lambda b, t: 0.0)
        return
    b.withheld = pyo.Var(b.T, bounds=lambda b, t: (0, b.allocation_kwh[t]))
    b.position = pyo.Expression(b.T, rule=lambda b, t: use[t] - b.allocation_kwh[t] + b.withheld[t])
    b.kept = pyo.Expression(b.T, rule=lambda b, t: 1.0 * b.withheld[t])
    b.cost = sum(-b.reserve[t] * b.withheld[t] for t in b.T)


FAMILY = Family(
    "unit",
    write,
    vectors=("import_kwh", "export_kwh", "allocation_kwh", "reserve"),
    sockets=("draw",),
    ports=("position", "kept"),
)
