"""One choice of integers after another: the welfare problem with integers fixed, and whether prices support it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from planner_models.linear import LinearModel
from planner_models.orders.face import Lumps, accepted_lumps, book_face, with_payments
from planner_models.orders.idle import forgoing_least, forgoing_nothing, shut_rows
from planner_models.orders.model import BookModel
from planner_models.pricing import Face, tighten
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
            cost = float((self.model.cost * found.x).sum())  # no BLAS: its threads are slower than this sum
            self._known[key] = Answer(found.x, found.row_dual, cost, np.nan)
        return self._known[key]

    def loss(self, answer: Answer) -> tuple[float, Ints]:
        """The least total make-whole over the supporting prices, and who would need it (numbers of lumps)."""
        lumps = accepted_lumps(self.market, answer.x)
        if not len(lumps.index):
            return 0.0, np.empty(0, dtype=np.int64)
        face, shut = book_face(self.market, answer.x, True), shut_rows(self.market, answer.x)
        paid = self._payments(forgoing_nothing(face, shut), lumps)
        if paid is None and len(shut) and self._turning_gains_nothing(answer):
            least = forgoing_least(face, self.market, shut, self.options)
            paid = None if least is None else self._payments(least, lumps)
        if paid is None:
            return np.inf, lumps.index
        return float(paid.sum()), lumps.index[paid > NO_LOSS]

    def loses_as_decided(self, answer: Answer) -> bool:
        """Whether somebody loses at all prices that support the answer with every direction decided."""
        paid = self._payments(book_face(self.market, answer.x, True), accepted_lumps(self.market, answer.x))
        return paid is None or float(paid.sum()) > NO_LOSS

    def _turning_gains_nothing(self, answer: Answer) -> bool:
        """Whether the same orders are worth no more with lines running any other way."""
        found = self._with_orders_of(answer, self.model).mip(0.0, tolerance=self.hair(answer.cost) / 4)
        return found.has_answer and found.objective >= answer.cost - self.hair(answer.cost)

    def fuller(self, answer: Answer) -> Answer | None:
        """The same orders worth the same with lines running the ways that trade the most; None if these are its own."""
        hair = self.hair(answer.cost)
        solver = self._with_orders_of(answer, replace(self.model, cost=-self.market.volume))
        costly = np.flatnonzero(self.model.cost)
        solver.add_row(costly, self.model.cost[costly], -np.inf, answer.cost + hair)
        found = solver.mip(0.0)
        if not found.has_answer:
            return None
        integers = np.rint(found.x[self.integers])
        other = None if np.array_equal(integers, np.rint(answer.x[self.integers])) else self.answer(integers)
        return other if other is not None and self.close(other.cost, answer.cost) else None

    def _with_orders_of(self, answer: Answer, model: LinearModel) -> Solver:
        """A model in which the orders are decided as in an answer and only directions of lines are not."""
        orders = np.concatenate([self.market.taken, self.market.active])
        orders = orders[orders >= 0]
        lower, upper = model.lower.copy(), model.upper.copy()
        lower[orders] = upper[orders] = np.rint(answer.x[orders])
        return Solver(replace(model, lower=lower, upper=upper), self.options)

    def _payments(self, face: Face, lumps: Lumps) -> Floats | None:
        """The least make-whole payments of accepted lumps; None where no price of the face is within floor and cap."""
        face = with_payments(tighten(face), self.market, lumps)
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
