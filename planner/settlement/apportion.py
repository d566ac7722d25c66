"""Largest remainder: whole numbers that sum exactly to what is shared out, as near to the exact shares as can be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from planner.money import SAFE

Integers = npt.NDArray[np.int64]


def apportion(totals: Integers, weights: Integers) -> Integers:
    """Share ``totals`` (T,) over the rows of ``weights`` (N, T), both >= 0, by largest remainder.

    Each column of the result sums to its total; equal remainders go to the earlier row, so the caller sorts rows
    by id.  A share never exceeds its weight where the total does not exceed the weights' sum.  A column without
    weight gives zeros (its total must be zero).
    """
    totals, weights = np.asarray(totals, dtype=np.int64), np.asarray(weights, dtype=np.int64)
    if not weights.size:
        return np.zeros_like(weights)
    if int(totals.max(initial=0)) * int(weights.max(initial=0)) >= SAFE:
        return _apportion_exactly(totals, weights)
    sums = weights.sum(axis=0)
    shares, remainders = np.divmod(weights * totals, np.maximum(sums, 1))
    missing = np.where(sums > 0, totals - shares.sum(axis=0), 0)
    return shares + _first(missing, remainders)


def share_out(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Share one whole number of any sign and size by ``weights`` (>= 0; all zero counts as equal weights)."""
    if not weights:
        return ()
    even = tuple(weights) if any(weights) else (1,) * len(weights)
    whole, remainders = zip(*(divmod(abs(amount) * weight, sum(even)) for weight in even), strict=True)
    order = sorted(range(len(even)), key=lambda i: (-remainders[i], i))
    lucky = set(order[: abs(amount) - sum(whole)])
    sign = -1 if amount < 0 else 1
    return tuple(sign * (share + (i in lucky)) for i, share in enumerate(whole))


def share_out_capped(amount: int, weights: Sequence[int], caps: Sequence[int]) -> tuple[int, ...]:
    """Share ``amount`` >= 0 by weights, nobody above his cap; what a cap turns away is shared among the others.

    The shares sum to ``amount``, or to the caps of all who have weight if that is less.
    """
    shares = [0] * len(weights)
    open_rows = [i for i, weight in enumerate(weights) if weight > 0 and caps[i] > 0]
    left = amount
    while left > 0 and open_rows:
        offers = share_out(left, [weights[i] for i in open_rows])
        full = [i for i, offer in zip(open_rows, offers, strict=True) if offer >= caps[i]]
        if not full:
            for i, offer in zip(open_rows, offers, strict=True):
                shares[i] = offer
            break
        for i in full:
            shares[i] = caps[i]
            left -= caps[i]
        open_rows = [i for i in open_rows if i not in set(full)]
    return tuple(shares)


def _first(counts: Integers, remainders: Integers) -> Integers:
    """Ones at the ``counts`` largest remainders of each column, earlier rows first among equals."""
    ranks = np.empty_like(remainders)
    order = np.argsort(-remainders, axis=0, kind="stable")
    np.put_along_axis(ranks, order, np.arange(len(remainders), dtype=np.int64)[:, None], axis=0)
    return (ranks < counts).astype(np.int64)


def _apportion_exactly(totals: Integers, weights: Integers) -> Integers:
    """The same with Python integers, for quantities whose products leave 63 bits."""
    columns = [
        share_out(int(total), [int(w) for w in weights[:, t]]) if weights[:, t].any() else (0,) * len(weights)
        for t, total in enumerate(totals)
    ]
    return np.array(columns, dtype=np.int64).T
