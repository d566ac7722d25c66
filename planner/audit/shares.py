"""One whole number shared out by weight, of any sign and size; and bills in whole cents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CENT_NANO = 10_000_000


def share_out(amount: int, weights: Sequence[int]) -> list[int]:
    """Largest remainder, equal ones to the earlier; without any weight in equal parts."""
    if not weights:
        return []
    even = list(weights) if any(weights) else [1] * len(weights)
    total, size = sum(even), abs(amount)
    shares = [size * weight // total for weight in even]
    rest = sorted(range(len(even)), key=lambda i: (-(size * even[i] % total), i))
    for i in rest[: size - sum(shares)]:
        shares[i] += 1
    return [share if amount >= 0 else -share for share in shares]


def rounding(amounts_nano: Mapping[str, int]) -> dict[str, int]:
    """What makes each bill whole cents whose sum is the exact sum to the nearest cent (halves up), nano-currency."""
    spare = (sum(amounts_nano.values()) + CENT_NANO // 2) // CENT_NANO
    spare -= sum(amount // CENT_NANO for amount in amounts_nano.values())
    upwards = sorted(amounts_nano, key=lambda name: (-(amounts_nano[name] % CENT_NANO), name))[:spare]
    down = {name: -(amount % CENT_NANO) for name, amount in amounts_nano.items()}
    return {name: less + CENT_NANO * (name in upwards) for name, less in down.items()}
