"""Exclusive groups (C26): the ratios of a group sum to at most 1."""

from __future__ import annotations

from typing import Any

import pyomo.core as pyo

from planner_models.template import Family


def once(together: Any) -> Any:
    """C26: sum of the members' ratios <= 1."""
    return together <= 1


def write_group(b: Any, n: int, shape: Any) -> None:
    """C26: sum of the members' ratios <= 1."""
    b.C26_exclusive = pyo.Constraint(b.T, rule=lambda b, t: once(b.together[t]))
    b.cost = pyo.Expression(expr=0)


GROUP = Family("exclusive", write_group, sockets=("together",), ports=())
