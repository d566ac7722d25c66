"""Scalable complex orders (C27): when active, every interval delivers its minimum, at the fixed cost of being active.

The rows that tie a step to its order's activity are the perspective of the active order: relaxed, they are its hull.
"""

from __future__ import annotations

from typing import Any

import pyomo.core as pyo

from planner_models.template import Family


def while_running(supplied: Any, quantity: Any, on: Any) -> Any:
    """C27: supplied <= quantity * active."""
    return supplied - quantity * on <= 0


def its_minimum(together: Any, minimum: Any, on: Any) -> Any:
    """C27: what an interval delivers >= minimum * active."""
    return together - minimum * on >= 0


def write_active(b: Any, n: int, shape: Any) -> None:
    """C27: running is binary and costs the fixed cost."""
    b.running = pyo.Var(b.T, within=pyo.Binary)
    b.cost = pyo.Expression(expr=b.fixed_cost * b.running[0])
    b.on = pyo.Expression(b.T, rule=lambda b, t: 1 * b.running[t])


def write_complex_step(b: Any, n: int, shape: Any) -> None:
    """C27: 0 <= supplied <= quantity * active."""
    b.supplied = pyo.Var(b.T, within=pyo.NonNegativeReals)
    b.C27_at_most = pyo.Constraint(b.T, rule=lambda b, t: while_running(b.supplied[t], b.quantity, b.on[t]))
    b.cost = pyo.Expression(expr=b.price * b.supplied[0])
    b.delivered = pyo.Expression(b.T, rule=lambda b, t: 1 * b.supplied[t])


def write_minimum(b: Any, n: int, shape: Any) -> None:
    """C27: what an interval delivers >= minimum * active."""
    b.C27_at_least = pyo.Constraint(b.T, rule=lambda b, t: its_minimum(b.together[t], b.minimum, b.on[t]))
    b.cost = pyo.Expression(expr=0)


ACTIVE = Family("complex", write_active, scalars=("fixed_cost",), ports=("on",))
COMPLEX_STEP = Family(
    "complex_step", write_complex_step, scalars=("price", "quantity"), sockets=("on",), ports=("delivered",)
)
COMPLEX_MINIMUM = Family("complex_minimum", write_minimum, scalars=("minimum",), sockets=("together", "on"), ports=())
