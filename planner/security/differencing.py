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


def isolated(rows: Iterable[Row], k: int) -> frozenset[Place] | None:
    """A smallest set of fewer than ``k`` occupants, alike in all rows, whose own sum follows from the rows."""
    distinct = sorted(set(rows), key=sorted)
    columns = _columns(distinct)
    small = [j for j, places in enumerate(columns) if occupants_of(places) < k]
    if not small:
        return None
    width = range(len(columns))
    matrix = [[Fraction(int(_has(row, columns[j]))) for j in width] for row in distinct]
    found = [columns[j] for j in _unit_rows(matrix) if j in small]
    return min(found, key=lambda places: (occupants_of(places), sorted(places)), default=None)


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


def _columns(rows: Sequence[Row]) -> list[frozenset[Place]]:
    """Places by the rows in which they appear: one column for all that are alike."""
    where: defaultdict[Place, int] = defaultdict(int)
    for number, row in enumerate(rows):
        for place in row:
            where[place] |= 1 << number
    alike: defaultdict[int, set[Place]] = defaultdict(set)
    for place, pattern in where.items():
        alike[pattern].add(place)
    return [frozenset(alike[pattern]) for pattern in sorted(alike)]


def _has(row: Row, places: frozenset[Place]) -> bool:
    return not places.isdisjoint(row)


def _unit_rows(matrix: list[list[Fraction]]) -> list[int]:
    """Columns whose unit vector lies in the row space: rows of the reduced echelon form with a single entry.

    A unit vector in the row space combines the echelon rows with its own entries at their pivots as weights, so its
    one entry stands at a pivot and it is that pivot's row.
    """
    rank = 0
    width = len(matrix[0]) if matrix else 0
    for column in range(width):
        pivot = next((r for r in range(rank, len(matrix)) if matrix[r][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        scale = matrix[rank][column]
        matrix[rank] = [value / scale for value in matrix[rank]]
        for r, row in enumerate(matrix):
            if r != rank and (factor := row[column]):
                matrix[r] = [value - factor * head for value, head in zip(row, matrix[rank], strict=True)]
        rank += 1
    entries = [[j for j, value in enumerate(row) if value] for row in matrix[:rank]]
    return [row[0] for row in entries if len(row) == 1]
