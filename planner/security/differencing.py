"""What can be computed from several sums over overlapping groups (step 8), in exact arithmetic.

Every release is a row: the set of occupants-in-buildings it sums over.  Adding and subtracting releases reaches the
rational row space and nothing else, so a set of occupants is given away exactly if its indicator lies there.
Occupants that every release treats alike cannot be told apart and share a column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction

from planner.security.enrolment import Place

Row = frozenset[Place]


def occupants_of(places: Iterable[Place]) -> int:
    """How many occupants stand behind some places."""
    return len({occupant for _, occupant in places})


def narrow_differences(rows: Sequence[Row], new: Row, k: int) -> bool:
    """True if ``new`` and another row differ, either way, in fewer than ``k`` occupants and are not the same."""
    return any(0 < occupants_of(row ^ new) < k for row in rows)


def smallest_difference(rows: Sequence[Row], new: Row) -> int | None:
    """The fewest occupants in which ``new`` and an overlapping, different row differ."""
    sizes = [occupants_of(row ^ new) for row in rows if row != new and not row.isdisjoint(new)]
    return min(sizes, default=None)


def isolated(rows: Iterable[Row], k: int, most: int | None = None) -> Row | None:
    """A smallest set of fewer than ``k`` occupants whose own sum follows from the rows; None where there is none.

    Such a set is a union of columns, all of them small.  With the large columns first, the echelon rows that start
    at a small one span all that can be said of small columns alone; where a sum of them is a set, each is in it once
    or not at all, since its pivot appears nowhere else.  At most ``most`` of them are added up (None: all).
    """
    distinct = sorted(set(rows), key=sorted)
    columns = sorted(_columns(distinct), key=lambda places: occupants_of(places) < k)
    matrix = [[Fraction(int(_has(row, places))) for places in columns] for row in distinct]
    large = sum(occupants_of(places) >= k for places in columns)
    narrow = [(columns[pivot], row) for pivot, row in _echelon(matrix) if pivot >= large]
    start = [Fraction(0)] * len(columns)
    return _smallest_sum(narrow, columns, frozenset(), start, k, len(narrow) if most is None else most)


def _smallest_sum(
    rows: Sequence[tuple[Row, list[Fraction]]],
    columns: Sequence[Row],
    pivots: Row,
    total: list[Fraction],
    k: int,
    most: int,
) -> Row | None:
    """The smallest set below ``k`` occupants that ``total`` becomes when up to ``most`` of the rows are added.

    ``pivots`` are the places at the pivots of what was added already: they are in every set it can become.
    """
    best = None
    if pivots and set(total) <= {0, 1}:
        whole = frozenset().union(*(places for places, value in zip(columns, total, strict=True) if value))
        if occupants_of(whole) < k:
            best, k = whole, occupants_of(whole)
    for i, (pivot, row) in enumerate(rows if most else ()):
        if occupants_of(pivots | pivot) < k:
            wider = [a + b for a, b in zip(total, row, strict=True)]
            found = _smallest_sum(rows[i + 1 :], columns, pivots | pivot, wider, k, most - 1)
            if found is not None:
                best, k = found, occupants_of(found)
    return best


def connected(rows: Iterable[Row], new: Row) -> list[Row]:
    """``new`` and all rows that share somebody with it, directly or through others."""
    left, reached, found = list(rows), set(new), [new]
    while True:
        near = [row for row in left if not row.isdisjoint(reached)]
        if not near:
            return found
        found += near
        left = [row for row in left if row.isdisjoint(reached)]
        reached.update(*near)


def _columns(rows: Sequence[Row]) -> list[Row]:
    """Places by the rows in which they appear: one column for all that are alike."""
    where: defaultdict[Place, int] = defaultdict(int)
    for number, row in enumerate(rows):
        for place in row:
            where[place] |= 1 << number
    alike: defaultdict[int, set[Place]] = defaultdict(set)
    for place, pattern in where.items():
        alike[pattern].add(place)
    return [frozenset(alike[pattern]) for pattern in sorted(alike)]


def _has(row: Row, places: Row) -> bool:
    return not places.isdisjoint(row)


def _echelon(matrix: list[list[Fraction]]) -> list[tuple[int, list[Fraction]]]:
    """(pivot, row) of the reduced echelon form, from left to right."""
    pivots: list[int] = []
    width = len(matrix[0]) if matrix else 0
    for column in range(width):
        rank = len(pivots)
        pivot = next((r for r in range(rank, len(matrix)) if matrix[r][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        scale = matrix[rank][column]
        matrix[rank] = [value / scale for value in matrix[rank]]
        for r, row in enumerate(matrix):
            if r != rank and (factor := row[column]):
                matrix[r] = [value - factor * head for value, head in zip(row, matrix[rank], strict=True)]
        pivots.append(column)
    return list(zip(pivots, matrix, strict=False))
