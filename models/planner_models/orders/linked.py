"""Linked families (C25): a child's ratio is at most its parent's."""

from __future__ import annotations

from typing import Any

import pyomo.core as pyo

from planner_models.template import Family


def within_parent(child: Any, parent: Any) -> Any:
    """C25: ratio of the child <= ratio of the parent."""
    return child - parent <= 0


def write_link(b: Any, n: int, shape: Any) -> None:
    """C25: ratio of the child <= ratio of the parent."""
    b.C25_link = pyo.Constraint(b.T, rule=lambda b, t: within_parent(b.child[t], b.parent[t]))
    b.cost = pyo.Expression(expr=0)


LINK = Family("link", write_link, sockets=("child", "parent"), ports=())
