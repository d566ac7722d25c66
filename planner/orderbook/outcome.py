"""What the published prices mean for every order: surplus, what it missed, make-whole, and the reason (contract 2).

Money in nano-currency.  Blocks that links or exclusive groups tie together answer prices together: they are one
*party*, and what the party forgoes is stated with its first order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from planner.orderbook.quantise import Energy, Wh
from planner.orderbook.response import Family, best_response, complex_best
from planner_models.orders.book import Book
from planner_models.orders.rule import Rule
from planner_models.template import Ints

NOISE_NANO = 1000
Nano = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """Per row of the file's orders: ``margin`` (nano per Wh), ``surplus``, ``reason``; per lump (blocks, then complex
    orders): ``accepted`` (bool), ``own`` surplus, ``missed`` (best alone, if rejected), ``forgone`` of its party.
    ``step_forgone`` is per row.  ``make_whole`` per lump, ``step_make_whole`` per row."""

    book: Book
    energy: Energy
    margin: Nano
    surplus: Nano
    reason: npt.NDArray[np.object_]
    accepted: npt.NDArray[np.bool_]
    own: Nano
    with_children: Nano
    missed: Nano
    forgone: Nano
    step_forgone: Nano
    make_whole: Nano
    step_make_whole: Nano

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the lumps."""
        return (*self.book.blocks.id, *self.book.complexes.id)

    @cached_property
    def paradoxical_wh(self) -> int:
        """Energy of rejected orders that would have earned."""
        lumps = (~self.accepted) & (self.missed > NOISE_NANO)
        rows = self.energy.rows
        inside = (rows.lump >= 0) & lumps[np.maximum(rows.lump, 0)] if len(lumps) else np.zeros(len(rows.lump), bool)
        return int(rows.quantity[inside].sum())


def outcome(book: Book, energy: Energy, price_nano: Nano, rule: Rule, tied: frozenset[int]) -> Outcome:
    """The outcome at prices per place; ``tied`` are lumps that an equally good answer would have taken."""
    rows = energy.rows
    limit = np.rint(rows.price * 1000).astype(np.int64)
    margin = rows.sign * (price_nano[rows.place] - limit)
    surplus = margin * rows.accepted
    count = len(book.blocks) + len(book.complexes)
    accepted, own = _own(book, rows.lump, rows.accepted, surplus, count)
    family = Family(book.blocks)
    with_children = own.copy()
    with_children[: len(book.blocks)] = family.totals(own[: len(book.blocks)], accepted)
    alone = _alone(book, energy, margin, count)
    missed = np.where(accepted, 0, np.maximum(alone, 0))
    missed[: len(book.blocks)] = np.where(
        accepted[: len(book.blocks)], 0, np.maximum(family.potential(alone[: len(book.blocks)]), 0)
    )
    forgone = best_response(book.blocks, alone[: len(book.blocks)])
    forgone = np.concatenate([forgone, np.maximum(alone[len(book.blocks) :], 0)])
    forgone -= _by_party(book, own)
    step = rows.lump < 0
    step_forgone = np.where(step, np.maximum(margin, 0) * rows.quantity - surplus, 0)
    make_whole, step_make_whole = np.zeros(count, dtype=np.int64), np.zeros(len(step), dtype=np.int64)
    if rule.pays_make_whole:
        saved = family.saved(own[: len(book.blocks)], accepted)
        make_whole = np.concatenate([saved, np.where(accepted, np.maximum(-own, 0), 0)[len(book.blocks) :]])
        make_whole = np.where(make_whole > NOISE_NANO, make_whole, 0)
        step_make_whole = np.where(step & (-surplus > NOISE_NANO), -surplus, 0)
    found = Outcome(
        book, energy, margin, surplus, np.empty(0, dtype=object), accepted, own, with_children, missed,
        np.maximum(forgone, 0), step_forgone, make_whole, step_make_whole,
    )  # fmt: skip
    object.__setattr__(found, "reason", reasons(found, rule, tied))
    return found


def _own(book: Book, lump: Ints, accepted_wh: Wh, surplus: Nano, count: int) -> tuple[npt.NDArray[np.bool_], Nano]:
    """Which lumps are taken, and the surplus of each, fixed cost included."""
    inside = lump >= 0
    taken, own = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.add.at(taken, lump[inside], accepted_wh[inside])
    np.add.at(own, lump[inside], surplus[inside])
    own[len(book.blocks) :] -= np.where(taken[len(book.blocks) :] > 0, _fixed_nano(book), 0)
    return taken > 0, own


def _fixed_nano(book: Book) -> Nano:
    return np.rint(book.complexes.fixed_cost * book.lot_kwh / 1000 * 1e9).astype(np.int64)


def _alone(book: Book, energy: Energy, margin: Nano, count: int) -> Nano:
    """What each lump would earn by itself, taken whole (blocks) or at its best (complex orders)."""
    rows, blocks = energy.rows, len(book.blocks)
    alone = np.zeros(count, dtype=np.int64)
    of_blocks = (rows.lump >= 0) & (rows.lump < blocks)
    np.add.at(alone, rows.lump[of_blocks], (margin * rows.quantity)[of_blocks])
    if len(book.complexes):
        of_complex = rows.lump >= blocks
        best = complex_best(book, rows.lump[of_complex] - blocks, rows.place[of_complex], margin[of_complex],
                            rows.quantity[of_complex])  # fmt: skip
        alone[blocks:] = best - _fixed_nano(book)
    return alone


def _by_party(book: Book, own: Nano) -> Nano:
    """Own surplus added up on the first order of every party."""
    out = own.copy()
    party = Family(book.blocks).party
    blocks = len(book.blocks)
    if blocks:
        out[:blocks] = 0
        np.add.at(out, party, own[:blocks])
    return out


def reasons(found: Outcome, rule: Rule, tied: frozenset[int]) -> npt.NDArray[np.object_]:
    """One reason per row."""
    rows = found.energy.rows
    full, some = rows.accepted >= rows.quantity, rows.accepted > 0
    fixed = rule in (Rule.NO_PAB, Rule.FIXED_INTEGERS)
    left_out = "paradoxically_rejected" if fixed else "rejected_in_the_money"
    reason = np.where(full, "accepted", np.where(some, "partly_accepted", "out_of_the_money")).astype(object)
    step = rows.lump < 0
    losing = step & some & (found.margin < 0) & (-found.surplus > NOISE_NANO)
    reason[losing] = "accepted_at_loss"
    reason[step & ~some & (found.margin > 0)] = "rejected_in_the_money"
    if len(found.accepted):
        lump_reason = _lump_reasons(found, left_out, tied)
        inside = np.flatnonzero(rows.lump >= 0)
        told = lump_reason[rows.lump[inside]]
        own_words = told == ""
        reason[inside] = np.where(own_words, reason[inside], told)
    return reason


def _lump_reasons(found: Outcome, left_out: str, tied: frozenset[int]) -> npt.NDArray[np.object_]:
    """The reason of every lump; '' where its rows speak for themselves (accepted without loss)."""
    blocks = found.book.blocks
    out = np.full(len(found.accepted), "", dtype=object)
    for k, taken in enumerate(found.accepted):
        if taken:
            out[k] = "accepted_at_loss" if found.with_children[k] < -NOISE_NANO and found.make_whole[k] else ""
        elif k in tied:
            out[k] = "tie"
        elif k < len(blocks):
            out[k] = _rejected_block(found, k, left_out)
        elif found.missed[k] > NOISE_NANO:
            out[k] = left_out
        else:
            margin = found.margin[found.energy.rows.lump == k]
            out[k] = "minimum_not_met" if (margin > 0).any() else "out_of_the_money"
    return out


def _rejected_block(found: Outcome, k: int, left_out: str) -> str:
    blocks = found.book.blocks
    if found.missed[k] <= NOISE_NANO:
        return "out_of_the_money"
    parent, group = int(blocks.parent[k]), int(blocks.group[k])
    if parent >= 0 and not found.accepted[parent]:
        return "parent_rejected"
    if group >= 0 and found.accepted[np.flatnonzero(blocks.group == group)].any():
        return "group_taken"
    return left_out
