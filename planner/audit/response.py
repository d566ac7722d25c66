"""Best answers of blocks and complex orders to the published prices, worked out from the files alone."""

from __future__ import annotations

import numpy as np

from planner.audit.lumps import Lumps, least_per_cell
from planner.audit.market import Market


def best_of_lumps(m: Market) -> float:
    """What blocks (families and exclusive groups together) and complex orders could win at most, nano-currency."""
    return sum(best for _, best in best_by_party(m))


def best_by_party(m: Market) -> list[tuple[list[int], float]]:
    """(lumps that answer prices together, the most they could win), nano-currency."""
    lumps = m.lumps
    alone = np.zeros(len(lumps.names))
    inside = lumps.of >= 0
    np.add.at(alone, lumps.of[inside], (m.margin * m.book.quantity)[inside])
    blocks = [(party, _best_party(lumps, alone, party)) for party in _parties(lumps)]
    best = _best_complex(m)
    return blocks + [([int(k)], float(best[k])) for k in np.flatnonzero(~lumps.block)]


def _parties(lumps: Lumps) -> list[list[int]]:
    """Blocks tied together by parents and groups."""
    leader = list(range(len(lumps.names)))

    def find(k: int) -> int:
        while leader[k] != k:
            leader[k] = leader[leader[k]]
            k = leader[k]
        return k

    first_of: dict[str, int] = {}
    for k in map(int, np.flatnonzero(lumps.block)):
        if lumps.parent[k] >= 0:
            leader[find(k)] = find(int(lumps.parent[k]))
        if lumps.group[k]:
            leader[find(k)] = find(first_of.setdefault(lumps.group[k], k))
    parties: dict[int, list[int]] = {}
    for k in map(int, np.flatnonzero(lumps.block)):
        parties.setdefault(find(k), []).append(k)
    return list(parties.values())


def _best_party(lumps: Lumps, alone: np.ndarray, party: list[int]) -> float:
    """All or nothing for each; of a group one at most; a child with its parent."""
    if len(party) == 1:
        return max(0.0, float(alone[party[0]]))
    groups = sorted({lumps.group[k] for k in party} - {""})
    children: dict[int, list[int]] = {}
    for k in party:
        children.setdefault(int(lumps.parent[k]), []).append(k)

    def tree(k: int, barred: frozenset[int]) -> float:
        if k in barred:
            return 0.0
        return max(0.0, float(alone[k]) + sum(tree(child, barred) for child in children.get(k, ())))

    def choose(rest: list[str], barred: frozenset[int]) -> float:
        if not rest:
            return sum(tree(k, barred) for k in children.get(-1, ()))
        rivals = frozenset(k for k in party if lumps.group[k] == rest[0])
        return max(choose(rest[1:], barred | (rivals - {k})) for k in rivals)

    return choose(groups, frozenset())


def _best_complex(m: Market) -> np.ndarray:
    """Rows that earn, and of the others the least costly until the minimum is met; or nothing."""
    book, lumps = m.book, m.lumps
    least = dict(least_per_cell(m))
    cells: dict[tuple[int, int], list[int]] = {}
    for row in map(int, np.flatnonzero(book.kind == "complex")):
        cells.setdefault((int(lumps.of[row]), int(book.t[row])), []).append(row)
    best = -lumps.fixed_nano.astype(float)
    for (k, t), rows in cells.items():
        missing = least.get((lumps.names[k], t), 0.0)
        for i in sorted(rows, key=lambda row: -int(m.margin[row])):
            taken = float(book.quantity[i]) if m.margin[i] > 0 else min(float(book.quantity[i]), max(missing, 0.0))
            best[k] += int(m.margin[i]) * taken
            missing -= taken
    return np.maximum(best, 0.0)
