"""The pricing rules of an order book (contract 2)."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """How one price per zone and interval is found, and which answers it allows."""

    NO_PAB = "no_pab"
    FIXED_INTEGERS = "fixed_integers"
    CONVEX_HULL = "convex_hull"
    PAY_AS_BID = "pay_as_bid"

    @property
    def pays_make_whole(self) -> bool:
        return self in (Rule.FIXED_INTEGERS, Rule.CONVEX_HULL)
