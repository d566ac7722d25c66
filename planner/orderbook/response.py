"""Best answers of indivisible orders to given prices, in closed form: what lost opportunity is measured against.

A block's surplus is linear in its ratio, so the best is all or nothing; a child needs its parent; of an exclusive group
at most one is taken whole.  A complex order takes what earns and its minimum at the least loss, or nothing.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from planner_models.orders.book import Blocks, Book
from planner_models.template import Ints

Nano = npt.NDArray[np.int64]


class Family:
    """The trees that parents make of the blocks, and the parties that trees and groups make together."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self.upwards = np.argsort(-blocks.depth, kind="stable") if len(blocks) else np.empty(0, dtype=np.int64)

    @cached_property
    def party(self) -> Ints:
        """The first block of the party of every block."""
        count, parent, group = len(self.blocks), self.blocks.parent, self.blocks.group
        child, member = np.flatnonzero(parent >= 0), np.flatnonzero(group >= 0)
        groups = int(group.max(initial=-1)) + 1
        ends = np.concatenate([parent[child], count + group[member]])
        starts = np.concatenate([child, member])
        graph = sparse.csr_matrix((np.ones(len(ends)), (starts, ends)), shape=(count + groups, count + groups))
        label = connected_components(graph, directed=False)[1][:count]
        first = np.full(count + groups, count + groups, dtype=np.int64)
        np.minimum.at(first, label, np.arange(count))
        return first[label]

    def totals(self, own: Nano, accepted: npt.NDArray[np.bool_]) -> Nano:
        """Own surplus with that of all accepted descendants."""
        out = own.copy()
        for k in self.upwards:
            if self.blocks.parent[k] >= 0 and accepted[k]:
                out[self.blocks.parent[k]] += out[k]
        return out

    def potential(self, alone: Nano) -> Nano:
        """What each block could earn with the best of its descendants."""
        out = alone.copy()
        for k in self.upwards:
            if self.blocks.parent[k] >= 0:
                out[self.blocks.parent[k]] += max(int(out[k]), 0)
        return out

    def saved(self, own: Nano, accepted: npt.NDArray[np.bool_]) -> Nano:
        """Each block's loss after what its accepted descendants win; a descendant's own loss is its own."""
        net = -own.copy()
        for k in self.upwards:
            if self.blocks.parent[k] >= 0 and accepted[k]:
                net[self.blocks.parent[k]] += min(int(net[k]), 0)
        return np.where(accepted[: len(net)], np.maximum(net, 0), 0)


def best_response(blocks: Blocks, alone: Nano) -> Nano:
    """The best of every party, stated with its first block (0 with the others)."""
    out = np.zeros(len(blocks), dtype=np.int64)
    if not len(blocks):
        return out
    family = Family(blocks)
    members: dict[int, list[int]] = {}
    for k, first in enumerate(family.party):
        members.setdefault(int(first), []).append(k)
    for first, party in members.items():
        out[first] = max(int(alone[first]), 0) if len(party) == 1 else _party_best(blocks, alone, party)
    return out


def _party_best(blocks: Blocks, alone: Nano, party: list[int]) -> int:
    """The best set of a party: branch on its groups, and within a choice every tree answers by itself."""
    groups = sorted({int(blocks.group[k]) for k in party if blocks.group[k] >= 0})

    def trees(banned: frozenset[int]) -> int:
        value: dict[int, int] = {}
        total = 0
        for k in sorted(party, key=lambda k: -int(blocks.depth[k])):
            here = 0 if k in banned else max(0, int(alone[k]) + value.get(k, 0))
            above = int(blocks.parent[k])
            if above >= 0:
                value[above] = value.get(above, 0) + here
            else:
                total += here
        return total

    def choose(at: int, banned: frozenset[int]) -> int:
        if at == len(groups):
            return trees(banned)
        rivals = [k for k in party if blocks.group[k] == groups[at]]
        return max(choose(at + 1, banned | (frozenset(rivals) - {k})) for k in rivals)

    return choose(0, frozenset())


def complex_best(book: Book, of: Ints, place: Ints, margin: Nano, quantity: Nano) -> Nano:
    """The most each complex order can earn when running, before its fixed cost."""
    c, scale = book.complexes, book.lot_kwh * 1000
    best = np.zeros(len(c), dtype=np.int64)
    earning = margin > 0
    np.add.at(best, of, np.where(earning, margin * quantity, 0))
    key = of * book.places + place
    cells, inverse = np.unique(key, return_inverse=True)
    short = np.zeros(len(cells))
    where = np.searchsorted(cells, c.minimum_of * book.places + c.minimum_place)
    short[where] = np.rint(c.minimum * scale)
    np.add.at(short, inverse, -np.where(earning, quantity, 0).astype(float))
    order = np.lexsort((-margin, inverse))
    for k in order[(~earning & (short[inverse] > 0))[order]]:
        cell = inverse[k]
        used = min(int(quantity[k]), max(int(short[cell]), 0))
        short[cell] -= used
        best[of[k]] += int(margin[k]) * used
    return best
