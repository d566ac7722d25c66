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
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from planner_models.orders.block import FREE, shape_of
from planner_models.orders.chooser import NO_LOSS, Answer, Chooser
from planner_models.orders.conflict import conflict
from planner_models.orders.model import BookModel
from planner_models.orders.rule import Rule
from planner_models.orders.start import open_integers, repaired, settled, start
from planner_models.orders.window import one_way
from planner_models.solve import Options, Solution, Solver, Status
from planner_models.template import Floats, Ints

MOST_TIES = 64
MOST_VAIN = 2
MOST_SKIPPED = 8
ROOMS, GROWS, FEW = 4, 4, 12
NOBODY: Ints = np.empty(0, dtype=np.int64)


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


def decide(market: BookModel, rule: Rule, gap: float, options: Options, chooser: Chooser | None = None) -> Decision:
    """The best answers under ``rule``."""
    began = time.perf_counter()
    chooser = chooser or Chooser(market, options)
    chooser.began = began
    relaxed = chooser.relaxed()
    first = start(chooser, relaxed, rule)
    if open_integers(market, relaxed, first.cost):
        found = _Search(chooser, rule, gap, first, relaxed).run()
    else:
        found = Decision((first,), first.cost, Status.OPTIMAL, None, 0, 0.0)
    answers = (*found.answers, *_fuller(chooser, rule, found.answers)) if one_way(market) else found.answers
    return replace(found, answers=answers, relaxed=relaxed, seconds=time.perf_counter() - began)


def _fuller(chooser: Chooser, rule: Rule, answers: Sequence[Answer]) -> list[Answer]:
    """Answers that differ from these in the directions of lines alone, are worth as much and may trade more."""
    found = [chooser.fuller(answer) for answer in answers]
    return [a for a in found if a is not None and (rule is not Rule.NO_PAB or chooser.loss(a)[0] <= NO_LOSS)]


class _Search:
    """Best first: the master's optimum is taken, cut off, or tied with what is already there.

    ``first`` is the best allowed answer known.  The master knows every answer not yet cut that costs at most
    ``reach``: it leaves out what no such answer changes.  The reach begins near the relaxation, where masters are
    small, and grows until it holds an allowed answer; all that is cut off lies within it, so every cut is good for all.
    """

    def __init__(self, chooser: Chooser, rule: Rule, gap: float, first: Answer, relaxed: Answer) -> None:
        self.c, self.rule, self.gap = chooser, rule, gap
        self.first, self.relaxed = first, relaxed
        self.bound = relaxed.cost
        self.limit = np.inf
        self.best: list[Answer] = []
        self.rows: list[tuple[Ints, Floats, float]] = []
        self.cuts = 0
        self.vain: Counter[int] = Counter()
        self.skipped = self.pause = 0
        few = open_integers(chooser.market, relaxed, first.cost) <= FEW
        self.room = np.inf if few else (first.cost - relaxed.cost) / ROOMS
        self.master = self._master()

    @property
    def reach(self) -> float:
        """The most that an answer may cost to be in the master."""
        return min(self.relaxed.cost + self.room, self.first.cost) + self.c.hair(self.first.cost)

    def _whole(self) -> bool:
        """Whether the master holds all that may be as good as the best known answer."""
        return self.relaxed.cost + self.room >= self.first.cost

    def _master(self) -> Solver:
        """The welfare problem without what its reach settles, with all cuts so far."""
        kept = settled(self.c.market, self.relaxed, self.reach, self.c.options)
        master = Solver(kept.model, replace(self.c.options, plain=True))
        for columns, entries, least in self.rows:
            master.add_row(columns, entries, least, np.inf)
        return master

    def run(self) -> Decision:
        status = Status.OPTIMAL
        while not self._close_enough():
            if self.c.left_s <= 0:
                status = Status.INCUMBENT
                break
            start = self.first.x if self._whole() and not self.best else None
            found = self.master.mip(self.gap / 4, self.c.left_s, start, 1e-7, self.reach)
            if found.status is Status.INFEASIBLE:
                self.bound = max(self.bound, min(self.reach, self.limit))
                if self._whole():
                    break
                self.room *= GROWS
                self.master = self._master()
                continue
            self.bound = max(self.bound, min(found.bound, self.limit, self.reach))
            if found.status is not Status.OPTIMAL:
                status = Status.INCUMBENT
                if found.has_answer:
                    self._improve(np.rint(found.x[self.c.integers]))
                break
            if self._take(found):
                break
        return self._decision(status)

    def _decision(self, status: Status) -> Decision:
        """What was found; proven where the search ended by itself."""
        best = self.best or [self.first]
        if self.first.cost < best[0].cost and not self.c.close(self.first.cost, best[0].cost):
            best = [self.first]
        proven = status is Status.OPTIMAL and self.gap <= 0
        bound = best[0].cost if proven else min(self.bound, best[0].cost)
        return Decision(tuple(best), bound, status, None, self.cuts, 0.0)

    def _close_enough(self) -> bool:
        """Whether the gap asked for is reached; gap 0 is only reached by a proof."""
        return self.gap > 0 and self.first.cost - self.bound <= self.gap * abs(self.first.cost)

    def _take(self, found: Solution) -> bool:
        """Keep or cut the master's optimum; whether the search is over."""
        integers = np.rint(found.x[self.c.integers])
        answer = self.c.answer(integers)
        if answer is None:
            self._forbid(integers)
            return False
        lost, losers = self.c.loss(answer) if self.rule is Rule.NO_PAB else (0.0, NOBODY)
        if lost > NO_LOSS:
            if not self._short_cuts(answer, losers):
                self.limit = min(self.limit, max(found.bound, self.bound)) if self.gap > 0 else self.limit
                self._cut(integers, answer)
            self._improve(integers)
            return False
        self._keep(answer)
        if not len(integers) or not self._may_tie(answer, integers) or len(self.best) >= MOST_TIES:
            return True
        self._forbid(integers, self._of_orders())
        return self.gap > 0

    def _short_cuts(self, answer: Answer, losers: Ints) -> int:
        """Cut off each loser's own reason; how many there were."""
        reasons, kept = [], self.master.model
        free = kept.lower < kept.upper
        for k in self._with_ancestors(losers):
            if self.vain[k] >= MOST_VAIN or self.c.left_s <= 0:
                continue  # what did not tell why it loses will not tell next time
            reason = conflict(self.c.market, answer, k, self.c.options, free)
            self.vain[k] = 0 if reason else self.vain[k] + 1
            if reason is not None:
                reasons.append(reason)
        for reason in reasons:
            self.cuts += 1
            columns = np.concatenate([reason.taken, reason.left])
            entries = np.concatenate([-np.ones(len(reason.taken)), np.ones(len(reason.left))])
            self._add(columns, entries, 1.0 - len(reason.taken))
        return len(reasons)

    def _with_ancestors(self, losers: Ints) -> list[int]:
        """Losers and all above them: what a family lacks may be paid to any of its members."""
        parent = self.c.market.book.blocks.parent
        found = dict.fromkeys(map(int, losers))
        for k in map(int, losers):
            while k < len(parent) and parent[k] >= 0:
                k = int(parent[k])
                found[k] = None
        return list(found)

    def _improve(self, integers: Floats) -> bool:
        """Whether there is a better allowed answer near these integers; the master then needs less.

        After every search in vain a few more are left out: the masters' optima are near one another.
        """
        if self.skipped < self.pause:
            self.skipped += 1
            return False
        self.skipped = 0
        found = repaired(self.c, integers, self.rule) if self.c.left_s > 0 else None
        if found is None or found.cost >= self.first.cost or self.c.close(found.cost, self.first.cost):
            self.pause = min(2 * self.pause + 1, MOST_SKIPPED)
            return False
        self.pause = 0
        self.first = found
        self.master = self._master()
        return True

    def _keep(self, answer: Answer) -> None:
        if self.best and answer.cost < self.best[0].cost and not self.c.close(answer.cost, self.best[0].cost):
            self.best = []
        self.best.append(answer)
        if answer.cost < self.first.cost:
            self.first = answer

    def _may_tie(self, answer: Answer, integers: Floats) -> bool:
        """Whether flipping some order could cost nothing: cost is convex in the integers, reduced costs bound it."""
        reduced = self.c.model.cost - self.c.model.matrix.T @ answer.dual
        flips = reduced[self.c.integers] * (1 - 2 * integers)
        return bool((flips[self._of_orders()] <= 1e-7).any())

    def _of_orders(self) -> npt.NDArray[np.bool_]:
        """Which integers take orders; the others give idle or flowing lines a direction."""
        return np.isin(self.c.integers, np.concatenate([self.c.market.taken, self.c.market.active]))

    def _forbid(self, integers: Floats, among: npt.NDArray[np.bool_] | None = None) -> None:
        """Cut off exactly these integers (of those ``among``, if given)."""
        kept = np.ones(len(integers), dtype=bool) if among is None else among
        on = integers[kept] > 0.5
        self._add(self.c.integers[kept], np.where(on, -1.0, 1.0), 1 - float(on.sum()))

    def _add(self, columns: Ints, entries: Floats, least: float) -> None:
        self.rows.append((columns, entries, least))
        self.master.add_row(columns, entries, least, np.inf)

    def _cut(self, integers: Floats, answer: Answer) -> None:
        """Cut off these integers and all that only take more; these alone where just an idle line refuses them."""
        self.cuts += 1
        if one_way(self.c.market) and not self.c.loses_as_decided(answer):
            self._forbid(integers)
            return
        on = integers > 0.5
        entries = np.where(on, -1.0, 0.0)
        entries[np.isin(self.c.integers, self._narrowing(integers)) & ~on] = 1.0
        kept = np.flatnonzero(entries)
        self._add(self.c.integers[kept], entries[kept], 1 - float(on.sum()))

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
