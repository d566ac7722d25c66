"""Short cuts: why one accepted order loses, in terms of the few others that move its prices.

Let a sale lose at the highest prices its intervals can have while certain sales are taken and certain purchases are
left.  Prices fall when more is injected (window.py), so it loses in every answer that takes those sales and leaves
those purchases, whatever it does with all other orders: "take one of them less, or one of those purchases more" cuts
off no answer without a loss.  Orders that share no interval with the loser never enter.  A purchase is the mirror.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner_models.orders.chooser import Answer
from planner_models.orders.model import BookModel
from planner_models.orders.window import one_way, supporting_ends, within_minimum
from planner_models.solve import Options
from planner_models.template import Floats, Ints

LOSES = 1e-6
MOST_DROPS = 12


@dataclass(frozen=True)
class Conflict:
    """``taken`` may not all be 1 while all of ``left`` are 0: column numbers."""

    taken: Ints
    left: Ints


def conflict(market: BookModel, answer: Answer, loser: int, options: Options) -> Conflict | None:
    """Why lump ``loser`` (blocks, then complex orders) loses; None where its own prices alone do not tell."""
    blocks, count = market.book.blocks, len(market.book.blocks)
    if one_way(market):
        return None
    if loser < count and (blocks.parent == loser).any():
        return None  # what children may save it depends on more than its own prices
    return _Reason(market, answer, loser, options).shortest()


class _Reason:
    """The search for a short reason; signs are seen from the loser: +1 for lumps of its own side."""

    def __init__(self, market: BookModel, answer: Answer, loser: int, options: Options) -> None:
        self.market, self.options, self.loser = market, options, loser
        book = market.book
        blocks, c = book.blocks, book.complexes
        self.count = len(blocks)
        self.side = 1.0 if loser >= self.count else float(blocks.sign[loser])
        self.intervals = np.unique((c.place[c.of == loser - self.count] if loser >= self.count
                                    else blocks.place[blocks.of == loser]) % book.intervals)  # fmt: skip
        ratio = answer.x[market.ratio] if self.count else np.empty(0)
        self.taken = np.concatenate([ratio > 1e-7, answer.x[market.active] > 0.5])
        self.sign = np.concatenate([blocks.sign, np.ones(len(c))])
        self.near = np.concatenate([self._near(blocks.of, blocks.place, self.count), self._near(c.of, c.place, len(c))])
        self.column = np.concatenate([market.taken, market.active])
        self.minimum = within_minimum(book) if len(c) else np.empty(0)

    def _near(self, of: Ints, place: Ints, count: int) -> np.ndarray:
        """Which lumps trade in an interval of the loser."""
        out = np.zeros(count, dtype=bool)
        out[of[np.isin(place % self.market.book.intervals, self.intervals)]] = True
        return out

    def shortest(self) -> Conflict | None:
        """Drop lumps from the reason, those that move the least first, while the loser still loses."""
        same, other = self.near & (self.sign == self.side), self.near & (self.sign != self.side)
        needed = (same & self.taken | other & ~self.taken) & (self.column >= 0)
        needed[self.loser] = True
        if not self._loses(needed):
            return None
        order = np.array([k for k in np.argsort(self._weight(), kind="stable") if needed[k] and k != self.loser])
        step = max(1, len(order) // 2)
        tries = 0
        while len(order) and tries < MOST_DROPS:
            tries += 1
            fewer = needed.copy()
            fewer[order[:step]] = False
            if self._loses(fewer):
                needed, order = fewer, order[step:]
                step = min(step, max(1, len(order)))
            elif step == 1:
                break
            else:
                step = max(1, step // 2)
        same_side = needed & (self.sign == self.side)
        return Conflict(self.column[same_side], self.column[needed & ~same_side])

    def _weight(self) -> Floats:
        """How much each lump can bring to the loser's intervals."""
        book = self.market.book
        blocks, c = book.blocks, book.complexes
        inside = np.isin(blocks.place % book.intervals, self.intervals)
        own = np.bincount(blocks.of[inside], blocks.quantity[inside], minlength=self.count)
        within = np.isin(c.place % book.intervals, self.intervals)
        other = np.bincount(c.of[within], c.quantity[within], minlength=len(c))
        return np.concatenate([own, other])

    def _loses(self, needed: np.ndarray) -> bool:
        """Whether the loser loses at the best prices it can have while ``needed`` stand as they are."""
        blocks, c, places = self.market.book.blocks, self.market.book.complexes, self.market.book.places
        same = self.sign == self.side
        least, most = self._ratios()
        # the best case for the loser: of its own side only what is needed, and no more than it must; the other in full
        ratio = np.where(same, np.where(needed, least, 0.0), np.where(needed, 0.0, most))[: self.count]
        energy = (ratio * blocks.sign)[blocks.of] * blocks.quantity
        injected = np.bincount(blocks.place, energy, minlength=places).astype(float)
        runs = needed[self.count :]
        running = np.flatnonzero(runs if self.side > 0 else ~runs)
        on = np.isin(c.of, running)
        injected = injected + np.bincount(c.place[on], self.minimum[on], minlength=places)
        ends = supporting_ends(self.market, injected, self.options, self.intervals, running)
        if ends is None:
            return False
        return self._earned(ends[1] if self.side > 0 else ends[0]) < -LOSES

    def _ratios(self) -> tuple[Floats, Floats]:
        """Least ratio of a taken lump and most of any."""
        blocks = self.market.book.blocks
        least = np.where(self.market.taken >= 0, blocks.minimum, 0.0)
        ones = np.ones(len(self.market.book.complexes))
        return np.concatenate([least, ones]), np.concatenate([np.ones(self.count), ones])

    def _earned(self, price: Floats) -> float:
        """What the loser earns at best at these prices."""
        blocks, c = self.market.book.blocks, self.market.book.complexes
        if self.loser < self.count:
            own = blocks.of == self.loser
            limit = blocks.price[self.loser]
            return float((self.side * (price[blocks.place[own]] - limit)) @ blocks.quantity[own])
        own = c.of == self.loser - self.count
        margin = price[c.place[own]] - c.price[own]
        earning = np.where(margin > 0, c.quantity[own], self.minimum[own])
        return float(margin @ earning - c.fixed_cost[self.loser - self.count])
