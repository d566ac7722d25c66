"""S1: who trades inside a building, shares by largest remainder, and the trades that are listed."""

from __future__ import annotations

import numpy as np

from planner.audit.evidence import Building
from planner.audit.findings import Findings
from planner.audit.table import DamagedFileError, Wh


def participants(b: Building) -> tuple[tuple[str, ...], Wh]:
    """Who trades in a building and his position on the delivery day; losses belong to the common unit."""
    if b.trading is None:
        b.trading = _participants(b)
    return b.trading


def traded_inside(b: Building) -> tuple[Wh, Wh]:
    """(bought, sold) inside the building, (participants x intervals): the lesser side shared by largest remainder."""
    if b.inside is None:
        _, position = participants(b)
        need, spare = np.maximum(position, 0), np.maximum(-position, 0)
        volume = np.minimum(need.sum(axis=0), spare.sum(axis=0))
        b.inside = largest_remainder(volume, need), largest_remainder(volume, spare)
    return b.inside


def _participants(b: Building) -> tuple[tuple[str, ...], Wh]:
    delta = b.delta[:, : b.grid.settled]
    loss = b.loss[: b.grid.settled]
    if not loss.any():
        return b.units, delta
    use = dict(zip(b.nodes.text("node"), b.nodes.text("use"), strict=True))
    common = [u for u in b.units if u == f"{b.id}.common"] or [u for u in b.units if use.get(u) == "common"]
    if not common:
        return (*b.units, "building"), np.vstack([delta, loss])
    delta = delta.copy()
    delta[b.units.index(common[0])] += loss
    return b.units, delta


def largest_remainder(total: Wh, weights: Wh) -> Wh:
    """Whole shares (names x intervals) of ``total`` by weight; equal remainders go to the earlier name."""
    sums = np.maximum(weights.sum(axis=0), 1)
    share, rest = weights * total // sums, weights * total % sums
    missing = np.where(weights.sum(axis=0) > 0, total, 0) - share.sum(axis=0)
    by_rest = np.argsort(-rest, axis=0, kind="stable")
    np.put_along_axis(share, by_rest, np.take_along_axis(share, by_rest, axis=0) + _ones(missing, share.shape), axis=0)
    return share


def _ones(count: Wh, shape: tuple[int, ...]) -> Wh:
    """As many ones at the head of each column as are counted."""
    return (np.arange(shape[0], dtype=np.int64)[:, None] < count).astype(np.int64)


def check_internal_trade(b: Building, found: Findings) -> None:
    """S1."""
    names, position = participants(b)
    table = b.run.table(f"{b.folder}/trades")
    t = np.nan_to_num(table.numbers("interval")).astype(np.int64) - 1
    energy = table.wh("energy_kwh")
    if ((t < 0) | (t >= b.grid.settled) | (energy <= 0)).any():
        raise DamagedFileError(table.file, "an interval outside the day, or energy that is not positive")
    place = {name: i for i, name in enumerate(names)}
    for side, expected in zip(("buyer", "seller"), traded_inside(b), strict=True):
        traded = np.zeros(position.shape, dtype=np.int64)
        codes, labels = table.codes(side)
        row = np.array([place.get(name, -1) for name in labels], dtype=np.int64)[codes]
        for i in np.flatnonzero(row < 0):
            found.add("S1", table.file, "a trade of nobody here", table.text(side)[i], b.id, interval=int(t[i]) + 1)
        keep = row >= 0
        np.add.at(traded, (row[keep], t[keep]), energy[keep])
        found.flag("S1", table.file, names, traded != expected, f"not the {side}'s share (Wh)", traded, expected)
