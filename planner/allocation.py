"""Who is entitled to how much of the contracted supply: the policies, in whole Wh.

A policy shares each interval's supply S of one zone among its recipients (units, and buildings without units).
The amounts are integers by largest remainder, so they add up to S to the Wh, and ties go to the smaller id.
`given` shares nothing here: it is the file allocations.csv itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

Wh = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
COLUMNS = ("node", "interval", "start", "energy_kwh", "resource", "reserve_per_mwh")


@dataclass(frozen=True)
class Recipient:
    """One who receives: ``need_kwh`` is the expected use, ``guaranteed_kwh`` a minimum per interval.

    ``priority`` counts only where the supply does not reach all guarantees: the smaller number is served first.
    """

    node: str
    need_kwh: tuple[float, ...] = ()
    floor_area_m2: float = 0.0
    guaranteed_kwh: float = 0.0
    priority: float = 0.0


Policy = Callable[[Wh, Sequence[Recipient]], Wh]


def largest_remainder(total: Wh, weights: Floats) -> Wh:
    """Integers (n, m) in proportion to ``weights`` (n, m) whose rows add up to ``total`` (n).

    A row without weight is shared equally.  The Wh left after rounding down go, one each, to the largest
    remainders; equal remainders to the earlier column.
    """
    weights = np.where(weights.sum(axis=1, keepdims=True) > 0, weights, 1.0)
    return _to_integers(total, total[:, None] * (weights / weights.sum(axis=1, keepdims=True)))


def _to_integers(total: Wh, quota: Floats) -> Wh:
    """Quotas (n, m) that add up to ``total`` (n), rounded so that they still do."""
    share = np.floor(quota + 1e-9).astype(np.int64)
    remainder = np.round(quota - share, 9)
    rank = np.argsort(np.argsort(-remainder, axis=1, kind="stable"), axis=1, kind="stable")
    return share + (rank < (total - share.sum(axis=1))[:, None])


def equal(supply: Wh, recipients: Sequence[Recipient]) -> Wh:
    """The same for everybody."""
    return largest_remainder(supply, np.ones((len(supply), len(recipients))))


def by_area(supply: Wh, recipients: Sequence[Recipient]) -> Wh:
    """In proportion to floor area; a recipient without one receives nothing."""
    area = np.array([r.floor_area_m2 for r in recipients])
    return largest_remainder(supply, np.tile(area, (len(supply), 1)))


def by_history(supply: Wh, recipients: Sequence[Recipient]) -> Wh:
    """In proportion to the expected use of the whole horizon, the same share in every interval."""
    use = np.array([max(0.0, sum(r.need_kwh)) for r in recipients])
    return largest_remainder(supply, np.tile(use, (len(supply), 1)))


def minimum_plus_share(supply: Wh, recipients: Sequence[Recipient]) -> Wh:
    """The guaranteed minimum first, by priority where it does not suffice; the rest in equal parts."""
    guaranteed = np.array([round(r.guaranteed_kwh * 1000) for r in recipients], dtype=np.int64)
    priority = np.array([r.priority for r in recipients])
    left, given = supply.copy(), np.zeros((len(supply), len(recipients)), dtype=np.int64)
    for level in np.unique(priority):
        members = np.flatnonzero(priority == level)
        wanted = guaranteed[members]
        part = np.minimum(left, wanted.sum())
        given[:, members] = largest_remainder(part, np.tile(wanted.astype(float), (len(supply), 1)))
        left = left - part
    return given + equal(left, recipients)


def max_min_fair(supply: Wh, recipients: Sequence[Recipient]) -> Wh:
    """Nobody receives more while another one's smaller need is unmet; beyond all needs, equal parts."""
    need = np.maximum(0, np.round(np.array([r.need_kwh for r in recipients]).T * 1000)).astype(np.int64)
    met = np.minimum(supply, need.sum(axis=1))
    level = _water_level(met, need)
    return _to_integers(met, np.minimum(need, level[:, None])) + equal(supply - met, recipients)


def _water_level(total: Wh, need: Wh) -> Floats:
    """The level at which min(need, level) adds up to ``total`` in each interval (n)."""
    n, m = need.shape
    ordered = np.sort(need, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    candidate = (total[:, None] - before) / np.arange(m, 0, -1)
    met = candidate <= ordered
    first = np.where(met.any(axis=1), met.argmax(axis=1), m - 1)
    level: Floats = candidate[np.arange(n), first]
    return level


POLICIES: Mapping[str, Policy] = {
    "equal": equal,
    "by_area": by_area,
    "by_history": by_history,
    "minimum_plus_share": minimum_plus_share,
    "max_min_fair": max_min_fair,
}


def allocate(policy: str, supply: Wh, recipients: Sequence[Recipient]) -> dict[str, Wh]:
    """Wh per interval for each recipient's node; adds up to ``supply`` (Wh per interval) where anybody receives."""
    ordered = sorted(recipients, key=lambda r: r.node)
    if not ordered:
        return {}
    shares = POLICIES[policy](np.asarray(supply, dtype=np.int64), ordered)
    return {recipient.node: shares[:, j] for j, recipient in enumerate(ordered)}


def allocation_table(shares: Mapping[str, Wh], starts: Sequence[datetime]) -> pd.DataFrame:
    """The shares as rows of allocations.csv, by start; ``interval`` stays empty."""
    nodes = sorted(shares)
    energy = np.concatenate([shares[node] for node in nodes]) if nodes else np.zeros(0, dtype=np.int64)
    return pd.DataFrame(
        {
            "node": np.repeat(nodes, len(starts)),
            "interval": pd.array([pd.NA] * len(energy), dtype="Int64"),
            "start": pd.to_datetime(list(starts) * len(nodes), utc=True),
            "energy_kwh": energy / 1000,
            "resource": "electricity",
            "reserve_per_mwh": 0.0,
        },
        columns=list(COLUMNS),
    )
