"""One whole number shared out by weight, of any sign and size."""

from __future__ import annotations

from collections.abc import Sequence


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
