"""Block orders (C18): all rows share one acceptance ratio, 0 or at least the minimum.

Three shapes: ``whole`` (minimum 1: the ratio is the decision), ``part`` (a ratio and a decision) and ``free``
(minimum 0: any ratio, nothing to decide).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.core as pyo

from planner_models.orders.book import Blocks
from planner_models.template import Family, Floats, Ints

WHOLE, PART, FREE = "whole", "part", "free"


def if_taken(ratio: Any, taken: Any) -> Any:
    """C18: ratio <= taken."""
    return ratio - taken <= 0


def at_least(ratio: Any, minimum: Any, taken: Any) -> Any:
    """C18: ratio >= minimum * taken."""
    return ratio - minimum * taken >= 0


def write_block(b: Any, n: int, shape: Any) -> None:
    """C18: minimum * taken <= ratio <= taken, taken binary."""
    if shape == WHOLE:
        b.taken = pyo.Var(b.T, within=pyo.Binary)
        ratio = b.taken
    else:
        b.ratio = pyo.Var(b.T, bounds=(0, 1))
        ratio = b.ratio
    if shape == PART:
        b.taken = pyo.Var(b.T, within=pyo.Binary)
        b.C18_at_most = pyo.Constraint(b.T, rule=lambda b, t: if_taken(ratio[t], b.taken[t]))
        b.C18_at_least = pyo.Constraint(b.T, rule=lambda b, t: at_least(ratio[t], b.minimum, b.taken[t]))
    b.cost = pyo.Expression(expr=b.value * ratio[0])
    b.shared = pyo.Expression(b.T, rule=lambda b, t: ratio[t])


BLOCK = Family("block", write_block, scalars=("value", "minimum"), ports=("shared",))


def shape_of(blocks: Blocks) -> np.ndarray:
    """The shape of every block."""
    return np.where(blocks.minimum >= 1, WHOLE, np.where(blocks.minimum > 0, PART, FREE))


def block_values(blocks: Blocks, members: Ints) -> dict[str, Floats]:
    value = blocks.sign * blocks.price * blocks.total
    return {"value": value[members], "minimum": blocks.minimum[members]}
