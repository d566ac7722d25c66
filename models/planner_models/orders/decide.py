"""Which indivisible orders are taken: the best answer that the pricing rule allows, proven or with its gap.

``no_pab`` is solved by cutting.  Let u be the best of all answers not yet cut, and let no price support it without a
loss.  An answer that takes all of u and more, and whose added orders, families and complex orders do not lose at its
prices p, has welfare D(p) + their surplus >= the dual value of u at p >= the welfare of u, with equality only if p
supports u.  So no such answer remains, and "take at least one less of u" cuts nothing off (after Madani and Van Vyve,
EJOR 242 (2015), theorem 6).  Where taking more may narrow what is taken (members of one exclusive group that fit
together, the direction of a lossy line), the cut also allows that change.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from planner_models.linear import LinearModel
from planner_models.orders.block import FREE, shape_of
from planner_models.orders.face import accepted_lumps, book_face, with_payments
from planner_models.orders.model import BookModel
from planner_models.orders.rule import Rule
from planner_models.pricing import tighten
from planner_models.solve import Options, Solution, Solver, Status
from planner_models.template import Floats, Ints

NO_LOSS = 1e-6
MOST_TIES = 64


@dataclass(frozen=True)
class Answer:
    """One choice of integers with its welfare optimum: ``x`` a vertex, ``dual`` one multiplier per row, cost in lots.

    ``loss`` is the least total make-whole over its supporting prices (lots times prices).
    """

    x: Floats
    dual: Floats
    cost: float
    loss: float


@dataclass(frozen=True)
class Decision:
    """The answers that tie for the best (the first found first), the proven bound of the cost and how it was found."""

    answers: tuple[Answer, ...]
    bound: float
    status: Status
    relaxed: Answer | None
    cuts: int
    seconds: float = field(compare=False)

    @property
    def cost(self) -> float:
        return self.answers[0].cost if self.answers else np.inf


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
        self._welfare: tuple[Answer | None, Solution] | None = None

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
        face = with_payments(tighten(book_face(self.market, answer.x, True)), self.market, lumps)
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
        if not found.has_answer:
            return np.inf, lumps.index
        paid = found.x[width - k :]
        return float(paid.sum()), lumps.index[paid > NO_LOSS]

    def close(self, one: float, other: float) -> bool:
        """Whether two costs are the same but for rounding."""
        return abs(one - other) <= 1e-6 + 1e-11 * abs(one)


def decide(market: BookModel, rule: Rule, gap: float, options: Options, chooser: Chooser | None = None) -> Decision:
    """The best answers under ``rule``."""
    began = time.perf_counter()
    chooser = chooser or Chooser(market, options)
    found = _Search(chooser, rule, gap).run()
    relaxed = chooser.relaxed() if rule is Rule.CONVEX_HULL else None
    return replace(found, relaxed=relaxed, seconds=time.perf_counter() - began)


class _Search:
    """Best first: the master's optimum is taken, cut off, or tied with what is already there."""

    def __init__(self, chooser: Chooser, rule: Rule, gap: float) -> None:
        self.c, self.rule, self.gap = chooser, rule, gap
        self.master = Solver(chooser.model, chooser.options)
        self.best: list[Answer] = []
        self.bound = -np.inf
        self.cuts = 0

    def run(self) -> Decision:
        status = Status.OPTIMAL
        while True:
            if self.c.left_s <= 0:
                status = Status.INCUMBENT if self.best else Status.NO_ANSWER
                break
            found = self.master.mip(self.gap / 2, self.c.left_s, tolerance=1e-7)
            if found.status is Status.INFEASIBLE:
                break
            self.bound = max(self.bound, found.bound)
            if not found.has_answer:
                status = Status.INCUMBENT if self.best else Status.NO_ANSWER
                break
            if self.best and self._worse(found.objective):
                break
            if self._take(found) or len(self.best) >= MOST_TIES:
                break
        cost = self.best[0].cost if self.best else np.inf
        bound = cost if status is Status.OPTIMAL and self.gap <= 0 else min(self.bound, cost)
        if not self.best:
            status = Status.NO_ANSWER
        return Decision(tuple(self.best), bound, status, None, self.cuts, 0.0)

    def _take(self, found: Solution) -> bool:
        """Keep or cut the master's optimum; whether the search is over."""
        integers = np.rint(found.x[self.c.integers])
        answer = self.c.answer(integers)
        if answer is None:
            self._forbid(integers)
            return False
        if self.rule is Rule.NO_PAB and self.c.loss(answer)[0] > NO_LOSS:
            self._cut(integers)
            return False
        self._keep(answer)
        if not len(integers) or not self._may_tie(answer, integers):
            return True
        self._forbid(integers)
        return False

    def _worse(self, cost: float) -> bool:
        """Whether a cost is above the best by more than rounding."""
        return cost > self.best[0].cost and not self.c.close(cost, self.best[0].cost)

    def _keep(self, answer: Answer) -> None:
        if self.best and answer.cost < self.best[0].cost and not self.c.close(answer.cost, self.best[0].cost):
            self.best = []
        self.best.append(answer)

    def _may_tie(self, answer: Answer, integers: Floats) -> bool:
        """Whether flipping something could cost nothing: cost is convex in the integers, reduced costs bound it."""
        reduced = self.c.model.cost - self.c.model.matrix.T @ answer.dual
        flips = reduced[self.c.integers] * (1 - 2 * integers)
        return bool((flips <= 1e-7).any())

    def _forbid(self, integers: Floats) -> None:
        """Cut off exactly these integers."""
        on = integers > 0.5
        self.master.add_row(self.c.integers, np.where(on, -1.0, 1.0), 1 - float(on.sum()), np.inf)

    def _cut(self, integers: Floats) -> None:
        """Cut off these integers and all that only take more."""
        self.cuts += 1
        on = integers > 0.5
        entries = np.where(on, -1.0, 0.0)
        entries[np.isin(self.c.integers, self._narrowing(integers)) & ~on] = 1.0
        kept = np.flatnonzero(entries)
        self.master.add_row(self.c.integers[kept], entries[kept], 1 - float(on.sum()), np.inf)

    def _narrowing(self, integers: Floats) -> Ints:
        """Columns that, switched on, may narrow what is already taken."""
        market, blocks = self.c.market, self.c.market.book.blocks
        orders = np.concatenate([market.taken, market.active])
        directions = np.setdiff1d(self.c.integers, orders)
        if not len(blocks) or (blocks.group < 0).all():
            return directions
        at = np.searchsorted(self.c.integers, np.maximum(market.taken, 0))
        taken = (market.taken >= 0) & (integers[np.minimum(at, len(integers) - 1)] > 0.5)
        free = shape_of(blocks) == FREE
        room = np.full(int(blocks.group.max()) + 1, np.inf)
        stands = (taken | free) & (blocks.group >= 0)
        np.minimum.at(room, blocks.group[stands], np.where(free, 0.0, blocks.minimum)[stands])
        joins = (blocks.group >= 0) & ~taken & (market.taken >= 0)
        joins &= blocks.minimum + room[np.maximum(blocks.group, 0)] <= 1 + 1e-9
        return np.concatenate([directions, market.taken[joins]])
