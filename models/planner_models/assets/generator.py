"""Generators (C9): on or off, minimum output, start cost, minimum up and down times.

The up and down times use the turn-on inequalities of Rajan and Takriti (2005), which describe the convex hull
of the on/off schedule.  What happened before the horizon is taken to have satisfied both times.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pyomo.core as pyo

from planner_models.template import Family, Values
from planner_models.words import Generator, IntervalGrid


class Shape(NamedTuple):
    committed: bool
    min_up: int
    min_down: int
    initially_on: bool


def shape(generator: Generator) -> Shape:
    """A generator with no minimum, start cost or times is only an output."""
    committed = (
        generator.min_kw > 0
        or generator.start_cost > 0
        or generator.min_up_intervals > 1
        or generator.min_down_intervals > 1
    )
    return Shape(committed, generator.min_up_intervals, generator.min_down_intervals, generator.initially_on)


def values(generator: Generator, grid: IntervalGrid) -> Values:
    return {
        "max_kwh": generator.max_kw * grid.hours,
        "min_kwh": generator.min_kw * grid.hours,
        "energy_cost": generator.cost_per_mwh / 1000,
        "start_cost": generator.start_cost,
    }


def write(b: Any, n: int, shape: Shape) -> None:
    b.output = pyo.Var(b.T, bounds=lambda b, t: (0, b.max_kwh))
    b.draw = pyo.Expression(b.T, rule=lambda b, t: -b.output[t])
    b.cost = sum(b.energy_cost * b.output[t] for t in b.T)
    if not shape.committed:
        return
    b.on = pyo.Var(b.T, within=pyo.Binary)
    b.started = pyo.Var(b.T, bounds=(0, 1))
    b.cost += sum(b.start_cost * b.started[t] for t in b.T)
    b.C9_at_most = pyo.Constraint(b.T, rule=lambda b, t: b.output[t] <= b.max_kwh * b.on[t])
    b.C9_at_least = pyo.Constraint(b.T, rule=lambda b, t: b.output[t] >= b.min_kwh * b.on[t])

    def before(t: int) -> Any:
        return b.on[t - 1] if t > 0 else int(shape.initially_on)

    b.C9_start = pyo.Constraint(b.T, rule=lambda b, t: b.started[t] >= b.on[t] - before(t))

    def up_time(b: Any, t: int) -> Any:
        return sum(b.started[k] for k in range(max(0, t - shape.min_up + 1), t + 1)) <= b.on[t]

    def down_time(b: Any, t: int) -> Any:
        was_on = b.on[t - shape.min_down] if t >= shape.min_down else int(shape.initially_on)
        return sum(b.started[k] for k in range(max(0, t - shape.min_down + 1), t + 1)) <= 1 - was_on

    b.C9_up_time = pyo.Constraint(b.T, rule=up_time)
    if shape.min_down > 1:
        b.C9_down_time = pyo.Constraint(b.T, rule=down_time)


FAMILY = Family(
    "generator",
    write,
    scalars=("max_kwh", "min_kwh", "energy_cost", "start_cost"),
)
