"""One order book under one or several pricing rules: a table of contents.

book -> model -> integers -> shared answer -> whole Wh -> prices -> outcome -> settlement
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from planner.orderbook.outcome import Nano, Outcome, outcome
from planner.orderbook.publish import Published, publish
from planner.orderbook.quantise import whole
from planner_models.orders.book import Book
from planner_models.orders.decide import Answer, Chooser, Decision, decide
from planner_models.orders.face import accepted_lumps, book_face, with_least_payments, without_losses
from planner_models.orders.idle import forgoing_least, forgoing_nothing, shut_rows
from planner_models.orders.model import BookModel
from planner_models.orders.prices import PlacePrices, place_prices
from planner_models.orders.rule import Rule
from planner_models.orders.share import share
from planner_models.orders.window import closed
from planner_models.pricing import Face
from planner_models.solve import Options
from planner_models.template import Floats


@dataclass(frozen=True)
class Cleared:
    """One book cleared under one rule."""

    rule: Rule
    book: Book
    decision: Decision
    x: Floats
    prices: Published
    outcome: Outcome
    supported: bool
    build_s: float
    solver_s: float

    @property
    def price_nano(self) -> Nano:
        return self.prices.nano


def clear_book(
    book: Book, rules: Sequence[Rule], tick: float, gap: float, options: Options
) -> list[Cleared | Decision]:
    """Each rule's clear, in the order asked for; a Decision without answers where time ran out before any."""
    began = time.perf_counter()
    market = closed(book, options)
    build_s = time.perf_counter() - began
    chooser = Chooser(market, options)
    found: list[Cleared | Decision] = []
    for rule in rules:
        decision = decide(market, rule, gap, options, chooser)
        if not decision.answers:
            found.append(decision)
            continue
        found.append(_finish(market, rule, decision, tick, options, build_s))
    return found


def _finish(
    market: BookModel, rule: Rule, decision: Decision, tick: float, options: Options, build_s: float
) -> Cleared:
    drafts = [_draft(market, rule, decision, answer, tick, options, build_s) for answer in decision.answers]
    best = _of_ties(market, drafts)
    tied = _tied(market, drafts, best)
    if tied:
        found = outcome(market.book, best.outcome.energy, best.price_nano, rule, tied)
        best = replace(best, outcome=found)
    return best


def _draft(
    market: BookModel, rule: Rule, decision: Decision, answer: Answer, tick: float, options: Options, build_s: float
) -> Cleared:
    x = share(market, answer, options)
    energy = whole(market, x)
    found = prices_of(market, rule, decision, answer, options)
    published = publish(found, _traded(market, x), tick, market.book.price_floor, market.book.price_cap)
    result = outcome(market.book, energy, published.nano, rule, frozenset())
    return Cleared(rule, market.book, decision, x, published, result, found.supported, build_s, decision.seconds)


def prices_of(market: BookModel, rule: Rule, decision: Decision, answer: Answer, options: Options) -> PlacePrices:
    """The rule's face and its point (contract 2, rule 4)."""
    ends = market.balance, market.book.price_floor, market.book.price_cap
    if rule is Rule.CONVEX_HULL and decision.relaxed is not None:
        return place_prices(book_face(market, decision.relaxed.x, fixed_integers=False), *ends, options)
    face, shut = book_face(market, answer.x, True), shut_rows(market, answer.x)
    found = place_prices(_ruled(market, rule, answer, forgoing_nothing(face, shut), options), *ends, options)
    if found.supported or not len(shut):
        return found
    least = forgoing_least(face, market, shut, options)
    return found if least is None else place_prices(_ruled(market, rule, answer, least, options), *ends, options)


def _ruled(market: BookModel, rule: Rule, answer: Answer, face: Face, options: Options) -> Face:
    """The part of a face that the rule asks for."""
    lumps = accepted_lumps(market, answer.x)
    if not len(lumps.index):
        return face
    if rule is Rule.NO_PAB:
        return without_losses(face, market, lumps)
    if rule is Rule.FIXED_INTEGERS:
        return with_least_payments(face, market, lumps, options)
    return face


def _traded(market: BookModel, x: Floats) -> npt.NDArray[np.bool_]:
    """Places in which anything was traded or flowed."""
    moved = np.abs(market.model.matrix.tocsr()[market.balance]) @ np.abs(x)
    return np.asarray(moved).ravel() > 1e-9


def _of_ties(market: BookModel, drafts: Sequence[Cleared]) -> Cleared:
    """Greatest volume; then least paradoxically rejected energy; then earlier submission; then the smallest hash."""
    if len(drafts) == 1:
        return drafts[0]
    volume = np.array([market.volume @ d.x for d in drafts])
    drafts = [d for d, v in zip(drafts, volume, strict=True) if v >= volume.max() - 1e-6]
    missed = [d.outcome.paradoxical_wh for d in drafts]
    drafts = [d for d, m in zip(drafts, missed, strict=True) if m == min(missed)]
    order = _priority(market.book)
    return max(drafts, key=lambda d: tuple(_ratios(market, d.x)[order].round(6)))


def _ratios(market: BookModel, x: Floats) -> Floats:
    blocks = x[market.ratio] if len(market.book.blocks) else np.empty(0)
    return np.concatenate([blocks, np.rint(x[market.active])])


def _priority(book: Book) -> npt.NDArray[np.intp]:
    """Blocks and complex orders by submission, then by SHA-256 of seed and id."""
    names = (*book.blocks.id, *book.complexes.id)
    submitted = np.concatenate([book.blocks.submitted, book.complexes.submitted])
    digest = [hashlib.sha256(f"{book.seed}{name}".encode()).hexdigest() for name in names]
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.array(sorted(range(len(names)), key=digest.__getitem__), dtype=np.int64)] = np.arange(len(names))
    return np.lexsort((rank, submitted))


def _tied(market: BookModel, drafts: Sequence[Cleared], best: Cleared) -> frozenset[int]:
    """Lumps rejected although an answer as good, of the same volume, takes them."""
    if len(drafts) == 1:
        return frozenset()
    volume, mine = market.volume, _ratios(market, best.x)
    equal = [d for d in drafts if d is not best and abs(volume @ d.x - volume @ best.x) <= 1e-6]
    taken = np.zeros(len(mine), dtype=bool)
    for draft in equal:
        taken |= _ratios(market, draft.x) > 1e-7
    return frozenset(int(k) for k in np.flatnonzero(taken & (mine <= 1e-7)))
