"""A first answer that the rule allows, and what it settles: integers that no better answer can change.

The relaxation's reduced costs bound what a flip costs; where that is more than the first answer is above the
relaxation, the integer stays.  With fewer of them open, the price windows close further, and so on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from planner_models.orders.chooser import NO_LOSS, Answer, Chooser
from planner_models.orders.model import BookModel
from planner_models.orders.rule import Rule
from planner_models.orders.window import narrowed
from planner_models.solve import Options
from planner_models.template import Floats, Ints

MOST_TRIES = 60
MOST_DROPS, MOST_LOSERS = 40, 6


def start(chooser: Chooser, relaxed: Answer, rule: Rule) -> Answer:
    """The relaxation rounded, losers dropped until nobody loses, then what was left out tried again one by one."""
    integers = rounded(chooser.market, relaxed.x)[chooser.integers]
    answer = repaired(chooser, integers, rule) or repaired(chooser, np.zeros(len(integers)), rule)
    assert answer is not None, "an empty book trades nothing, and that is an answer"
    return answer


def repaired(chooser: Chooser, integers: Floats, rule: Rule) -> Answer | None:
    """An allowed answer near ``integers``; None where they leave none at all."""
    answer = chooser.answer(integers)
    if answer is None:
        return None
    if rule is Rule.NO_PAB:
        integers, answer = _without_losers(chooser, integers, answer)
    return _added(chooser, integers, answer, rule)


def rounded(market: BookModel, x: Floats) -> Floats:
    """Integers near a relaxed answer that links and exclusive groups allow; all columns, others are 0."""
    blocks, c = market.book.blocks, market.book.complexes
    out = np.zeros(len(market.model.cost))
    ratio = x[market.ratio] if len(blocks) else np.empty(0)
    taken = (ratio >= np.maximum(blocks.minimum, 0.5) - 1e-9) & (market.taken >= 0)
    for k in np.argsort(blocks.depth, kind="stable"):
        above = blocks.parent[k]
        taken[k] &= above < 0 or bool(taken[above]) or (market.taken[above] < 0 and ratio[above] >= blocks.minimum[k])
    room = np.ones(int(blocks.group.max(initial=-1)) + 1)
    for k in np.argsort(-ratio, kind="stable"):
        group = blocks.group[k]
        if taken[k] and group >= 0:
            taken[k] = blocks.minimum[k] <= room[group] + 1e-9
            room[group] -= blocks.minimum[k] * taken[k]
    for k in np.argsort(blocks.depth, kind="stable"):
        taken[k] &= blocks.parent[k] < 0 or bool(taken[blocks.parent[k]]) or market.taken[blocks.parent[k]] < 0
    out[market.taken[taken]] = 1.0
    if len(c):
        out[market.active] = x[market.active] >= 0.5
    for group in market.model.members("line"):
        if "reversed" in group.template.variables:
            # relaxed, a direction may stand at half where the flow is small: the flow itself tells
            back = x[group.columns("reverse")] > x[group.columns("forward")]
            out[group.columns("reversed")] = back
    return np.clip(out, market.model.lower, market.model.upper)


def _columns_of(market: BookModel, lumps: Ints) -> Ints:
    """Decision columns of lumps (blocks, then complex orders) and of all that depends on them."""
    blocks = market.book.blocks
    chosen = np.zeros(len(blocks), dtype=bool)
    chosen[lumps[lumps < len(blocks)]] = True
    for k in np.argsort(blocks.depth, kind="stable"):
        chosen[k] |= blocks.parent[k] >= 0 and bool(chosen[blocks.parent[k]])
    taken = market.taken[chosen]
    return np.concatenate([taken[taken >= 0], market.active[lumps[lumps >= len(blocks)] - len(blocks)]])


def _without_losers(chooser: Chooser, integers: Floats, answer: Answer) -> tuple[Floats, Answer]:
    """Drop one loser after another, the cheapest way to less loss first, until nobody loses.

    Past MOST_DROPS tries all losers go at once; with nothing taken nobody loses.
    """
    tries = 0
    while True:
        lost, losers = chooser.loss(answer)
        if lost <= NO_LOSS:
            return integers, answer
        kept = (
            _cheapest_drop(chooser, integers, answer, lost, losers)
            if tries < MOST_DROPS and chooser.left_s > 0
            else None
        )
        tries += len(losers[:MOST_LOSERS])
        if kept is None:
            fewer = _without(chooser, integers, losers)
            found = chooser.answer(fewer)
            if found is None or np.array_equal(fewer, integers):
                fewer = np.zeros(len(integers))
                found = chooser.answer(fewer)
                assert found is not None, "an empty book trades nothing, and that is an answer"
            kept = fewer, found
        integers, answer = kept


def _without(chooser: Chooser, integers: Floats, lumps: Ints) -> Floats:
    """The integers with some lumps, and all that depends on them, left out."""
    return np.where(np.isin(chooser.integers, _columns_of(chooser.market, lumps)), 0.0, integers)


def _cheapest_drop(
    chooser: Chooser, integers: Floats, answer: Answer, lost: float, losers: Ints
) -> tuple[Floats, Answer] | None:
    """Of the first losers, the one whose leaving costs least per loss that it ends."""
    best, score = None, np.inf
    for k in losers[:MOST_LOSERS]:
        fewer = _without(chooser, integers, np.array([k]))
        found = chooser.answer(fewer)
        if found is None or np.array_equal(fewer, integers):
            continue
        ended = lost - chooser.loss(found)[0]
        price = (found.cost - answer.cost) / ended if ended > NO_LOSS else np.inf
        if price < score:
            score, best = price, (fewer, found)
    return best


def _added(chooser: Chooser, integers: Floats, answer: Answer, rule: Rule) -> Answer:
    """Try what was left out in the money, dearest first; keep what raises welfare and hurts nobody."""
    reduced = chooser.model.cost - chooser.model.matrix.T @ answer.dual
    wins = np.where(integers < 0.5, -reduced[chooser.integers], 0.0)
    for k in np.argsort(-wins, kind="stable")[:MOST_TRIES]:
        if wins[k] <= 1e-6 or chooser.left_s <= 0:
            break
        more = integers.copy()
        more[k] = 1.0
        found = chooser.answer(more)
        if found is None or found.cost >= answer.cost or (rule is Rule.NO_PAB and chooser.loss(found)[0] > NO_LOSS):
            continue
        integers, answer = more, found
    return answer


def settled(market: BookModel, relaxed: Answer, best: float, options: Options) -> BookModel:
    """The market with every integer fixed that no answer as good as ``best`` changes, and windows closed further."""
    model = market.model
    low, high = stays(market, relaxed, best)
    lower, upper = model.lower.copy(), model.upper.copy()
    upper[low], lower[high] = lower[low], upper[high]
    return narrowed(replace(market, model=replace(model, lower=lower, upper=upper)), options)[0]


def stays(market: BookModel, relaxed: Answer, best: float) -> tuple[Ints, Ints]:
    """Integer columns that are at their lower and at their upper end in every answer as good as ``best``."""
    model = market.model
    reduced = model.cost - model.matrix.T @ relaxed.dual
    room = best - relaxed.cost + 1e-6 * max(1.0, abs(best) * 1e-6)
    moves = model.integer & (model.lower < model.upper)
    low, high = moves & (reduced > room) & (relaxed.x < 0.5), moves & (-reduced > room) & (relaxed.x > 0.5)
    return np.flatnonzero(low), np.flatnonzero(high)


def open_integers(market: BookModel, relaxed: Answer, best: float) -> int:
    """How many integers are not settled."""
    moves = market.model.integer & (market.model.lower < market.model.upper)
    return int(moves.sum()) - sum(map(len, stays(market, relaxed, best)))
