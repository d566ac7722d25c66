"""Step orders (C18): each accepted in any ratio.  Equal ones are one column, shared pro rata afterwards."""

from __future__ import annotations

from typing import Any

import pyomo.core as pyo

from planner_models.orders.book import Levels
from planner_models.template import Family, Floats


def write_step(b: Any, n: int, shape: Any) -> None:
    """C18: 0 <= accepted <= quantity; a sale delivers, a purchase takes."""
    b.accepted = pyo.Var(b.T, bounds=(0, b.quantity))
    b.cost = pyo.Expression(expr=b.value * b.accepted[0])
    b.delivered = pyo.Expression(b.T, rule=lambda b, t: b.sign * b.accepted[t])


STEP = Family("step", write_step, scalars=("value", "quantity", "sign"), ports=("delivered",))


def step_values(levels: Levels) -> dict[str, Floats]:
    return {"value": levels.sign * levels.price, "quantity": levels.quantity, "sign": levels.sign}
