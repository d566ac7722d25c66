"""A cohort is one party to the marketplace; what its buildings owe each other is settled in a book of its own.

The marketplace charges the cohort its fee on the position that it knows, and owes it make-whole for what all its
buildings lost together: nothing beside the answers has to be said for either.  Every building pays the fee on its own
position, as it planned, into the cohort's account, and is made whole from there.  What that leaves, or lacks, is the
cohort's.  The book is kept by the building whose gateway speaks for the cohort, the first by id; it numbers the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from planner.cleared import Cleared, ClearedBuilding, Wh
from planner.money import product, total
from planner.settlement.apportion import share_out_capped
from planner.settlement.journal import Journal, check_closed
from planner.settlement.makewhole import Uplift, party_of, trading_groups
from planner.settlement.terms import Terms

COHORT = "cohort"
LINES = ("fee", "make_whole", "uplift")


class Dues(NamedTuple):
    """What a party pays in fees, receives as make-whole and pays as uplift for a day, nano-currency, all >= 0."""

    fees_nano: int
    make_whole_nano: int
    uplift_nano: int = 0

    @property
    def received(self) -> tuple[int, int, int]:
        """The amounts of LINES as the party receives them."""
        return -self.fees_nano, self.make_whole_nano, -self.uplift_nano


@dataclass(frozen=True)
class Inside:
    """The day inside the groups: what every building is paid and pays, and each cohort's book by its keeper."""

    paid: Uplift
    books: Mapping[str, pd.DataFrame]


def fees_nano(position_wh: Wh, terms: Terms) -> int:
    """The fees on a position of the delivery day."""
    sides = ((terms.buy_fee_nano, np.maximum(position_wh, 0)), (terms.sell_fee_nano, np.maximum(-position_wh, 0)))
    return sum(total(product(energy, np.array([fee]))) for fee, energy in sides)


def settle_inside(cleared: Cleared, terms: Terms, paid: Uplift) -> Inside:
    """Pass on to buildings what ``paid`` says of groups; one that speaks for itself is its group."""
    make_whole, uplift, books = dict(paid.make_whole), dict(paid.uplift), {}
    for group, members in trading_groups(cleared).items():
        if not members[0].in_cohort:
            continue
        position = np.sum([b.position_wh[: cleared.settled] for b in members], axis=0)
        due = Dues(fees_nano(position, terms), make_whole.pop(group, 0), uplift.pop(group, 0))
        each = _dues(members, due.uplift_nano, terms, cleared.settled)
        for building, own in zip(members, each, strict=True):
            make_whole[building.building], uplift[building.building] = own.make_whole_nano, own.uplift_nano
        books[members[0].building] = book(each, due, pd.DatetimeIndex(cleared.starts[: cleared.settled]))
    return Inside(Uplift(make_whole, uplift, paid.from_rent), books)


def _dues(members: Sequence[ClearedBuilding], uplift_nano: int, terms: Terms, settled: int) -> list[Dues]:
    """Each building's own; the group's uplift falls to them by the energy they traded, to nobody beyond what he won."""
    parties = [party_of(b.building, (b,), settled) for b in members]
    shares = share_out_capped(uplift_nano, [p.traded_wh for p in parties], [max(-p.loss_nano, 0) for p in parties])
    return [
        Dues(fees_nano(b.position_wh[:settled], terms), party.make_whole_nano, share)
        for b, party, share in zip(members, parties, shares, strict=True)
    ]


def book(members: Sequence[Dues], due: Dues, starts: pd.DatetimeIndex) -> pd.DataFrame:
    """The cohort's book of a day: ``member:1`` and so on by id, who stands outside, and ``cohort`` with what is left.

    ``due`` is what the cohort owes and is owed as one party.
    """
    digits = len(str(len(members)))
    names = [f"member:{i:0{digits}d}" for i in range(1, len(members) + 1)]
    journal = Journal()
    for k, (line, outside) in enumerate(zip(LINES, ("marketplace", "operator", "operator"), strict=True)):
        inside, out = [own.received[k] for own in members], -due.received[k]
        journal.money([*names, outside, COHORT], line, [*inside, out, -out - sum(inside)], COHORT)
    frame = journal.frame(starts)
    check_closed(frame, COHORT)
    return frame.drop(columns="counterparty_kind")
