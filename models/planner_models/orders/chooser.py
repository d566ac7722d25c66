"""One choice of integers after another: the welfare problem with integers fixed, and whether prices support it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from planner_models.linear import LinearModel
from planner_models.orders.face import Lumps, accepted_lumps, book_face, idle_directions, with_payments
from planner_models.orders.model import BookModel
from planner_models.pricing import tighten
from planner_models.solve import Options, Solver
from planner_models.template import Floats, Ints

NO_LOSS = 1e-6


@dataclass(frozen=True)
class Answer:
    """One choice of integers with its welfare optimum: ``x`` a vertex, ``dual`` one multiplier per row, cost in lots.

    ``loss`` is the least total make-whole over its supporting prices (lots times prices).
    """

    x: Floats
    dual: Floats
    cost: float
    loss: float


class Chooser:
    """The welfare problem of one book, solved again and again with other integers and more cuts."""

    def __init__(self, market: BookModel, options: Options) -> None:
        self.market, self.options = market, options
        self.model = market.model
        self.integers = np.flatnonzero(self.model.integer)
        self.began = time.perf_counter()
        self.solver_s = 0.0
        self._fixed = Solver(self.model, options)
        self._known: dict[bytes, Answer] = {}

    @property
    def left_s(self) -> float:
        return self.options.time_limit_s - (time.perf_counter() - self.began)

    def relaxed(self) -> Answer:
        """The relaxation: its multipliers are the convex-hull prices."""
        ends = self.model.lower[self.integers], self.model.upper[self.integers]
        self._fixed.set_bounds(self.integers, *ends)
        found = self._fixed.lp()
        return Answer(found.x, found.row_dual, found.objective, 0.0)

    def answer(self, integers: Floats) -> Answer | None:
        """The welfare optimum with the integers given; None where they leave no answer."""
        key = np.rint(integers).astype(np.int8).tobytes()
        if key not in self._known:
            self._fixed.set_bounds(self.integers, integers, integers)
            found = self._fixed.lp()
            if not found.has_answer:
                return None
            cost = float(self.model.cost @ found.x)
            self._known[key] = Answer(found.x, found.row_dual, cost, np.nan)
        return self._known[key]

    def loss(self, answer: Answer) -> tuple[float, Ints]:
        """The least total make-whole over the supporting prices, and who would need it (numbers of lumps)."""
        lumps = accepted_lumps(self.market, answer.x)
        if not len(lumps.index):
            return 0.0, np.empty(0, dtype=np.int64)
        paid = self._payments(answer, lumps, either_way=True)
        if paid is None and self._turning_gains_nothing(answer):
            paid = self._payments(answer, lumps, either_way=False)
        if paid is None:
            return np.inf, lumps.index
        return float(paid.sum()), lumps.index[paid > NO_LOSS]

    def _turning_gains_nothing(self, answer: Answer) -> bool:
        """Whether lines stand idle, and none would carry anything of worth the other way."""
        idle = idle_directions(self.market, answer.x)
        integers = np.rint(answer.x[self.integers])
        for column in idle:
            turned = np.where(self.integers == column, 1 - integers, integers)
            found = self.answer(turned)
            if found is not None and found.cost < answer.cost - self.hair(answer.cost):
                return False
        return bool(len(idle))

    def _payments(self, answer: Answer, lumps: Lumps, either_way: bool) -> Floats | None:
        """The least make-whole payments of accepted lumps; None where no price supports the answer."""
        face = with_payments(tighten(book_face(self.market, answer.x, True, either_way)), self.market, lumps)
        k, width = len(lumps.index), face.matrix.shape[1]
        book, prices = self.market.book, self.market.balance
        face.lower[prices] = np.maximum(face.lower[prices], book.price_floor)
        face.upper[prices] = np.minimum(face.upper[prices], book.price_cap)
        cost = np.zeros(width)
        cost[width - k :] = 1.0
        model = LinearModel(
            face.matrix, face.row_lower, face.row_upper, cost, face.lower, face.upper,
            np.zeros(width, dtype=bool), (), np.full(width, -1),
        )  # fmt: skip
        found = Solver(model, replace(self.options, time_limit_s=60.0)).lp()
        return found.x[width - k :] if found.has_answer else None

    def close(self, one: float, other: float) -> bool:
        """Whether two costs are the same but for rounding."""
        return abs(one - other) <= self.hair(one)

    def hair(self, cost: float) -> float:
        """How far rounding may move a cost."""
        return 1e-6 + 1e-11 * abs(cost)
