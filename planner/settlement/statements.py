"""Bills in whole cents: what a line ``rounding`` adds to each, and an account of that name takes."""

from __future__ import annotations

from collections.abc import Mapping

from planner.cleared import NANO

CENT_NANO = NANO // 100
ROUNDING = "rounding"


def in_cents(amounts_nano: Mapping[str, int]) -> dict[str, int]:
    """Amounts in whole cents whose sum is the rounded sum (halves up), by largest remainder; ties by name.

    What this adds to or takes from an exact amount is to be booked on the line ``rounding``.
    """
    names = sorted(amounts_nano)
    floors = {name: amounts_nano[name] // CENT_NANO for name in names}
    rests = {name: amounts_nano[name] % CENT_NANO for name in names}
    spare = (sum(amounts_nano.values()) + CENT_NANO // 2) // CENT_NANO - sum(floors.values())
    lucky = set(sorted(names, key=lambda name: (-rests[name], name))[:spare])
    return {name: floors[name] + (name in lucky) for name in names}


def rounding_nano(amounts_nano: Mapping[str, int]) -> dict[str, int]:
    """What the line ``rounding`` books for each name, and the opposite for the account ``rounding``; sums to zero."""
    cents = in_cents(amounts_nano)
    booked = {name: cents[name] * CENT_NANO - amounts_nano[name] for name in sorted(amounts_nano)}
    return {**booked, ROUNDING: -sum(booked.values())}
