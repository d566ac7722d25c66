"""Short cuts: why one accepted order loses, in terms of the few others that move its prices.

Let certain orders be taken and certain others left, whatever happens to the rest.  That bounds what indivisible orders
bring to a place, and prices fall when more is brought (window.py): so it bounds the prices too.  A taken block whose
ratio may vary stands at its most where it earns at the worst of these prices and at its least where it loses at the
best of them, which narrows the prices again.  Where then the loser loses at its best prices, with all that its
descendants could earn, it loses in every answer that takes those and leaves these: "take one of them less, or one of
those more" cuts off no answer without a loss.  Orders that share no interval with it hardly ever enter.

Orders that a master has settled may stand in a reason at no price: there they are numbers, and the cut stays true for
masters in which they are open.  So a reason is made short in the open orders alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner_models.orders.chooser import Answer
from planner_models.orders.model import BookModel
from planner_models.orders.window import one_way, supporting_ends, within_minimum
from planner_models.solve import Options
from planner_models.template import Floats, Ints

LOSES = 1e-6
FAR = 1e9
MOST_DROPS = 14
NARROWINGS = 3
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Conflict:
    """``taken`` may not all be 1 while all of ``left`` are 0: column numbers."""

    taken: Ints
    left: Ints


def conflict(market: BookModel, answer: Answer, loser: int, options: Options, free: Mask) -> Conflict | None:
    """Why lump ``loser`` (blocks, then complex orders) loses; None where its surroundings do not tell.

    ``free`` says which columns the master has not settled.
    """
    lumps = _Lumps(market, answer)
    if one_way(market) or lumps.column[loser] < 0:
        return None  # nobody decides on a block without a minimum: it is only held in by its children
    own = lumps.intervals_of(np.array([loser]))
    wider = lumps.intervals_of(np.flatnonzero(lumps.varies & lumps.taken & lumps.near(own)))
    for intervals in (own, np.union1d(own, wider)):
        reason = _Reason(lumps, loser, intervals, options)
        if reason.holds(reason.all):
            return reason.shortest(free)
    return None


class _Lumps:
    """Blocks, then complex orders: which are taken, where they trade, and what is known of their ratios."""

    def __init__(self, market: BookModel, answer: Answer) -> None:
        self.market = market
        blocks, c = market.book.blocks, market.book.complexes
        self.blocks, self.count = len(blocks), len(blocks) + len(c)
        ratio = answer.x[market.ratio] if len(blocks) else np.empty(0)
        self.taken = np.concatenate([ratio > 1e-7, answer.x[market.active] > 0.5])
        self.sign = np.concatenate([blocks.sign, np.ones(len(c))])
        self.column = np.concatenate([market.taken, market.active])
        self.least = np.where(market.taken >= 0, blocks.minimum, 0.0) if len(blocks) else np.empty(0)
        self.falls = ~np.isin(np.arange(len(blocks)), blocks.parent)
        self.varies = np.concatenate([self.least < 1, np.zeros(len(c), dtype=bool)])
        self.of = np.concatenate([blocks.of, len(blocks) + c.of])
        self.place = np.concatenate([blocks.place, c.place])
        self.quantity = np.concatenate([blocks.quantity, c.quantity])
        self.minimum = within_minimum(market.book) if len(c) else np.empty(0)

    def intervals_of(self, lumps: Ints) -> Ints:
        """Intervals in which any of them trades."""
        return np.unique(self.place[np.isin(self.of, lumps)] % self.market.book.intervals)

    def near(self, intervals: Ints) -> Mask:
        """Which trade in any of the intervals."""
        out = np.zeros(self.count, dtype=bool)
        out[self.of[np.isin(self.place % self.market.book.intervals, intervals)]] = True
        return out

    def weight(self, intervals: Ints) -> Floats:
        """How much each can bring to the intervals."""
        inside = np.isin(self.place % self.market.book.intervals, intervals)
        return np.bincount(self.of[inside], self.quantity[inside], minlength=self.count).astype(float)

    def surplus(self, price: Floats) -> Floats:
        """What each block taken whole, and each complex order at its best, earns at these prices."""
        book, c = self.market.book, self.market.book.complexes
        blocks = book.blocks
        margin = blocks.sign[blocks.of] * (price[blocks.place] - blocks.price[blocks.of])
        whole = np.bincount(blocks.of, margin * blocks.quantity, minlength=self.blocks).astype(float)
        beside = price[c.place] - c.price
        at_best = np.where(beside > 0, c.quantity, self.minimum) * np.clip(beside, -FAR, FAR)
        running = np.bincount(c.of, at_best, minlength=len(c)) - c.fixed_cost
        return np.concatenate([whole, running])


class _Reason:
    """The search for a short reason; ``needed`` lumps stand as they are in the answer, the others as they like."""

    def __init__(self, lumps: _Lumps, loser: int, intervals: Ints, options: Options) -> None:
        self.lumps, self.loser, self.intervals, self.options = lumps, loser, intervals, options
        self.sells = lumps.sign[loser] > 0
        self.all = lumps.near(intervals) & (lumps.column >= 0)
        self.heirs = self._heirs()

    def _heirs(self) -> Ints:
        """Descendants of the loser."""
        parent = self.lumps.market.book.blocks.parent
        inside = np.zeros(self.lumps.blocks, dtype=bool)
        if self.loser < len(inside):
            inside[self.loser] = True
            for k in np.argsort(self.lumps.market.book.blocks.depth, kind="stable"):
                inside[k] |= parent[k] >= 0 and bool(inside[parent[k]])
            inside[self.loser] = False
        return np.flatnonzero(inside)

    def shortest(self, free: Mask) -> Conflict:
        """Drop free lumps, those that move the least first, while the loser still loses."""
        needed = self.all.copy()
        droppable = needed & free[self.lumps.column]
        droppable[self.loser] = False
        order = np.argsort(self.lumps.weight(self.intervals), kind="stable")
        order = order[droppable[order]]
        step = max(1, len(order) // 2)
        tries = 0
        while len(order) and tries < MOST_DROPS:
            tries += 1
            fewer = needed.copy()
            fewer[order[:step]] = False
            if self.holds(fewer):
                needed, order = fewer, order[step:]
                step = min(step, max(1, len(order)))
            elif step == 1:
                order = order[1:]
            else:
                step = max(1, step // 2)
        taken = self.lumps.taken
        return Conflict(self.lumps.column[needed & taken], self.lumps.column[needed & ~taken])

    def holds(self, needed: Mask) -> bool:
        """Whether the loser loses at the best prices it can have while ``needed`` stand as they are."""
        lumps = self.lumps
        decided, count = lumps.column[: lumps.blocks] >= 0, lumps.blocks
        stands, taken = needed[:count] & decided, lumps.taken[:count]
        low = np.where(stands & taken, lumps.least, 0.0)
        high = np.where(stands & ~taken, 0.0, 1.0)
        for _ in range(NARROWINGS):
            best = self._prices(needed, low, high, self.sells)
            if best is None:
                return False
            if self._earned(best, high) < -LOSES:
                return True
            worst = self._prices(needed, low, high, not self.sells) if (low < high).any() else None
            if worst is None or not self._narrow(low, high, stands & taken | ~decided, best, worst):
                return False
        return False

    def _prices(self, needed: Mask, low: Floats, high: Floats, highest: bool) -> Floats | None:
        """The highest prices there can be, or the lowest."""
        lumps, market = self.lumps, self.lumps.market
        blocks, c = market.book.blocks, market.book.complexes
        ratio = np.where((blocks.sign > 0) == highest, low, high)
        injected = np.bincount(
            blocks.place, (ratio * blocks.sign)[blocks.of] * blocks.quantity, minlength=market.book.places
        ).astype(float)
        stands, taken = needed[lumps.blocks :], lumps.taken[lumps.blocks :]
        running = np.flatnonzero(stands & taken if highest else ~stands | taken)
        on = np.isin(c.of, running)
        injected = injected + np.bincount(c.place[on], lumps.minimum[on], minlength=market.book.places)
        ends = supporting_ends(market, injected, self.options, self.intervals, running)
        return None if ends is None else ends[1 if highest else 0]

    def _narrow(self, low: Floats, high: Floats, stands: Mask, best: Floats, worst: Floats) -> bool:
        """Set ratios that the prices decide (in place); whether any moved."""
        lumps, top = self.lumps, best if self.sells else worst
        bottom = worst if self.sells else best
        blocks = lumps.market.book.blocks
        sells, above = blocks.sign > 0, np.maximum(blocks.parent, 0)
        at_top, at_bottom = lumps.surplus(top)[: lumps.blocks], lumps.surplus(bottom)[: lumps.blocks]
        most, least = np.where(sells, at_top, at_bottom), np.where(sells, at_bottom, at_top)
        room = (blocks.group < 0) & ((blocks.parent < 0) | (low[above] >= 1))
        rise = stands & room & (low < high) & (least > LOSES)
        fall = stands & lumps.falls & (low < high) & (most < -LOSES)
        low[rise], high[fall] = high[rise], low[fall]
        return bool((rise | fall).any())

    def _earned(self, price: Floats, high: Floats) -> float:
        """What the loser and its descendants earn at best, as if each were taken whole."""
        own = float(self.lumps.surplus(price)[self.loser])
        if not len(self.heirs):
            return own
        may = self.heirs[high[self.heirs] > 0]
        if (self.lumps.sign[may] != self.lumps.sign[self.loser]).any():
            return np.inf
        return own + float(np.maximum(self.lumps.surplus(price)[may], 0.0).sum())
