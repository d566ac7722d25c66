"""Prices with integers fixed (contract 2, rule 4; ``fixed_integers``): found in rounds, from what groups say.

With on and off as committed every building is an LP, so the commitments have supporting prices, or nearly: the level
bundle finds them as it found the first ones, and what is left between its two sides says how nearly.  Among them those
with the smallest make-whole, as far as commitments and answers tell; prices that turn out to support less well when
they are asked are not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.quantise import Floats
from planner.questions import MICRO, Commitment
from planner_models.marketplace import MarketModel
from planner_models.master import Blend, Claimed, Column, Master
from planner_models.solve import Solution

ROUNDS = 12
AS_GOOD = 1e-4
"""How much of the cost prices with less make-whole may lose of the support."""


@dataclass(frozen=True)
class Support:
    """Multipliers that support what was committed, the answers that prove it, and how much of its cost they prove.

    ``cost`` is that of the commitments, ``value`` the least that the same integers cost as far as answers tell: above
    it nothing can be supported.
    """

    multipliers: Floats
    master: Master
    bound: float
    cost: float
    value: float


Ask = Callable[[Floats], tuple[float, Sequence[Column]]]
"""Asks every group at multipliers, integers as committed: the bound, and the answers."""


def support(
    master: Master,
    made: Mapping[int, Commitment],
    alone: Mapping[int, float],
    dispatch: Solution,
    start: Floats,
    gap: float,
    ask: Ask,
    may_go_on: Callable[[], bool],
) -> Support:
    """Find supporting prices from ``start``; ``alone`` is every group's cost without trade."""
    fixed = Master(_decided(master, dispatch), master.sites, master.options)
    fixed.columns += [Column(g, m.position_wh / 1000, m.cost_micro / MICRO, 0) for g, m in sorted(made.items())]
    nothing = np.zeros(master.market.n)
    fixed.columns += [Column(g, nothing, 0.0, 0) for g in range(len(master.sites)) if g not in made]
    cost = value = fixed.blend().value
    best, bound, y = start, -np.inf, start
    for _ in range(ROUNDS):
        if not may_go_on():
            break
        reached, answers = ask(y)
        fixed.columns += answers
        if reached > bound:
            best, bound = y, reached
        blend = fixed.blend()
        value = blend.value
        if bound >= value - gap / 4 * abs(cost):
            break
        y = _next(fixed, blend, best, bound)
    claims = [Claimed(g, made[g].position_wh / 1000, made[g].cost_micro / MICRO - alone[g]) for g in made if g in alone]
    kinder = fixed.least_claims(claims, bound) if np.isfinite(bound) and may_go_on() else None
    if kinder is not None:
        reached, _ = ask(kinder)
        if reached >= bound - AS_GOOD * abs(cost):
            best, bound = kinder, reached
    return Support(best, fixed, bound, cost, value)


def _next(fixed: Master, blend: Blend, best: Floats, bound: float) -> Floats:
    found = fixed.level_step(best, bound + 0.5 * (blend.value - bound))
    return fixed.clip(blend.multipliers) if found is None else found


def _decided(master: Master, dispatch: Solution) -> MarketModel:
    """The market with the blocks that were taken, taken."""
    market = master.market
    decided = np.rint(dispatch.x)
    lower = np.where(market.integer, decided, market.lower)
    return replace(market, lower=lower, upper=np.where(market.integer, decided, market.upper))
