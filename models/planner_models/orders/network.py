"""What stands between and beside the zones of an order book: lines, price-taking neighbours, the balance."""

from __future__ import annotations

from typing import Any

import pyomo.core as pyo

from planner_models.template import Family

FREE, ONE_WAY = "free", "one_way"


def write_line(b: Any, n: int, shape: Any) -> None:
    """C17: flow at mid-line within its limits; each end bears half the losses.

    Where losses could pay a lossy line has a direction: it may not burn energy by flowing both ways at once.
    """
    b.forward = pyo.Var(b.T, bounds=(0, b.most_forward))
    b.reverse = pyo.Var(b.T, bounds=(0, b.most_reverse))
    if shape == ONE_WAY:
        b.reversed = pyo.Var(b.T, within=pyo.Binary)
        b.C17_forward = pyo.Constraint(
            b.T, rule=lambda b, t: b.forward[t] + b.most_forward * b.reversed[t] <= b.most_forward
        )
        b.C17_reverse = pyo.Constraint(b.T, rule=lambda b, t: b.reverse[t] - b.most_reverse * b.reversed[t] <= 0)
    b.cost = pyo.Expression(expr=0 * b.forward[0])
    b.at_target = pyo.Expression(b.T, rule=lambda b, t: b.arriving * b.forward[t] - b.leaving * b.reverse[t])
    b.at_source = pyo.Expression(b.T, rule=lambda b, t: b.arriving * b.reverse[t] - b.leaving * b.forward[t])


def write_neighbour(b: Any, n: int, shape: Any) -> None:
    """C16: one net exchange at the neighbour's prices."""
    b.imported = pyo.Var(b.T, bounds=(0, b.most_imported))
    b.exported = pyo.Var(b.T, bounds=(0, b.most_exported))
    b.cost = pyo.Expression(expr=b.import_price * b.imported[0] + b.export_value * b.exported[0])
    b.delivered = pyo.Expression(b.T, rule=lambda b, t: b.imported[t] - b.exported[t])


def write_balance(b: Any, n: int, shape: Any) -> None:
    """C14: what enters a zone leaves it."""
    b.C14_balance = pyo.Constraint(b.T, rule=lambda b, t: b.net[t] == 0)
    b.cost = pyo.Expression(expr=0)


LINE = Family(
    "line",
    write_line,
    scalars=("most_forward", "most_reverse", "arriving", "leaving"),
    ports=("at_target", "at_source"),
)
NEIGHBOUR = Family(
    "neighbour",
    write_neighbour,
    scalars=("most_imported", "most_exported", "import_price", "export_value"),
    ports=("delivered",),
)
BALANCE = Family("balance", write_balance, sockets=("net",), ports=())
