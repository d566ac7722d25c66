"""Idle lossy lines: which prices keep a line at rest whose direction is a decision.

With half the loss ratio h and prices p at the source and q at the target, a unit at mid-line earns
(1 - h) q - (1 + h) p forward and (1 - h) p - (1 + h) q in reverse.  In the model's dual (C17) each is at most the
multiplier of the row that shuts its direction; the capacity times it is what the line forgoes.  At rest it forgoes
nothing where neither way earns.  The two add up to -2 h (p + q), so below zero one of them earns whatever the prices.
Then no other directions may be worth more with the same orders, so that every idle line may count as open forward and
shut in reverse, and the prices are those at which all of them forgo the least.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from planner_models.linear import LinearModel
from planner_models.orders.model import BookModel
from planner_models.pricing import Face
from planner_models.solve import Options, Solver
from planner_models.template import Floats, Ints

TAKEN = 1e-7


@dataclass(frozen=True)
class Shut:
    """Rows that shut the directions of idle lines, and the capacity that each row of ``reverse`` shuts, lots."""

    forward: Ints
    reverse: Ints
    capacity: Floats

    def __len__(self) -> int:
        return len(self.forward) + len(self.reverse)


def shut_rows(market: BookModel, x: Floats) -> Shut:
    """Both directions of every line that has one to decide and carries nothing."""
    found = [np.empty(0, dtype=np.int64)]
    for group in market.model.members("line"):
        if "reversed" in group.template.variables:
            idle = x[group.columns("forward")] + x[group.columns("reverse")] <= TAKEN
            found.append(group.columns("reversed")[idle])
    entries = market.model.matrix[:, np.concatenate(found)].tocoo()
    back = entries.data < 0
    return Shut(entries.row[~back].astype(np.int64), entries.row[back].astype(np.int64), -entries.data[back])


def forgoing_nothing(face: Face, shut: Shut) -> Face:
    """The part of a face in which no idle line would earn anything, either way."""
    lower, upper = face.lower.copy(), face.upper.copy()
    for rows in (shut.forward, shut.reverse):
        lower[rows] = upper[rows] = 0.0
    return replace(face, lower=lower, upper=upper)


def forgoing_least(face: Face, market: BookModel, shut: Shut, options: Options) -> Face | None:
    """The part of a face in which idle lines, open forward, forgo the least; None where floor and cap leave nothing."""
    lower, upper = face.lower.copy(), face.upper.copy()
    lower[shut.forward], lower[shut.reverse] = 0.0, -np.inf
    upper[shut.forward] = upper[shut.reverse] = 0.0
    width, prices = face.matrix.shape[1], market.balance
    low, high = lower.copy(), upper.copy()
    low[prices] = np.maximum(low[prices], market.book.price_floor)
    high[prices] = np.minimum(high[prices], market.book.price_cap)
    forgone = np.zeros(width)
    forgone[shut.reverse] = -shut.capacity
    found = Solver(
        LinearModel(
            face.matrix, face.row_lower, face.row_upper, forgone, low, high, np.zeros(width, dtype=bool), (),
            np.full(width, -1),
        ),
        options,
    ).lp()  # fmt: skip
    if not found.has_answer:
        return None
    return Face(
        sparse.vstack([face.matrix, sparse.csc_matrix(forgone[None, :])], format="csc"),
        np.append(face.row_lower, -np.inf),
        np.append(face.row_upper, max(found.objective, 0.0)),
        lower,
        upper,
    )
