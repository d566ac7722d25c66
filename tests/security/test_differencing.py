"""What follows from several sums together, worked by hand, and against brute force over small coefficients."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.security.differencing import Row, connected, isolated, narrow_differences, smallest_difference


def row(names: str, building: str = "b") -> Row:
    """One occupant a letter."""
    return frozenset((building, name) for name in names)


def test_T_P15_a_total_with_and_without_one() -> None:
    everybody, others = row("abcdefgh"), row("abcdefg")
    assert narrow_differences([everybody], others, 5)
    assert isolated([everybody, others], 5) == row("h")
    assert smallest_difference([everybody], others) == 1


def test_T_P16_three_sums_of_which_none_contains_another() -> None:
    """2f = cdef + abf - abcde: no two of them differ in f alone."""
    rows = [row("abcde"), row("cdef"), row("abf")]
    assert all(not narrow_differences([a], b, 2) for a in rows for b in rows)
    assert isolated(rows, 2) == row("f")
    assert isolated(rows[:2], 2) is None
    assert isolated(rows[::2], 2) is None


def test_T_P17_floors_and_the_whole_building() -> None:
    """The third floor has one office and no sum of its own; the others and the whole give it away."""
    first, second, whole = row("abcdef"), row("ghijkl"), row("abcdefghijklm")
    assert isolated([first, second], 5) is None
    assert isolated([first, second, whole], 5) == row("m")


def test_T_P20_another_product_with_another_grouping() -> None:
    """Two groupings of the same people, each fine alone, meet in one person."""
    by_floor, by_trade = [row("abcde"), row("fghij")], [row("abcdf"), row("eghij")]
    assert isolated(by_floor, 1) is None
    assert narrow_differences(by_floor, by_trade[0], 5)
    assert isolated([*by_floor, *by_trade], 5) is None  # e and f only appear together with the others
    assert isolated([*by_floor, by_trade[0], row("abcd")], 2) in (row("e"), row("f"))


def test_a_swap_of_two_is_a_narrow_difference() -> None:
    assert narrow_differences([row("abcdefx")], row("abcdefy"), 3)
    assert not narrow_differences([row("abcdefx")], row("abcdefx"), 3)
    assert not narrow_differences([row("abcdef")], row("ghijkl"), 5)


def test_one_occupant_in_two_buildings_counts_once() -> None:
    whole = row("ab", "b1") | row("abcdef", "b2")
    assert narrow_differences([whole], row("cdef", "b2"), 3)  # a and b, twice
    assert not narrow_differences([whole], row("cdef", "b2"), 2)


def test_small_sets_that_are_alike_everywhere_are_found_together() -> None:
    """Nobody is singled out, but c and d are."""
    assert isolated([row("abcd"), row("ab")], 3) in (row("ab"), row("cd"))
    assert isolated([row("abcd"), row("ab")], 2) is None


def test_connected_rows_only() -> None:
    rows = [row("abc"), row("cde"), row("xyz"), row("e", "far")]
    assert set(connected(rows, row("ab"))) == {row("ab"), row("abc"), row("cde")}


def test_T_P16_two_pairs_that_only_come_together() -> None:
    """Ab + Cd - AC = bd for large A and C: neither pair follows alone, and no two sums differ in a few."""
    a, c = row("ABCDE"), row("VWXYZ")
    b, d = row("ef"), row("gh")
    rows = [a | b, c | d, a | c]
    assert not any(narrow_differences([one], other, 5) for one in rows for other in rows)
    assert isolated(rows, 5) == b | d
    assert isolated(rows, 4) is None
    assert isolated([a | b, c | d, a | d], 5) is None


def row_space(masks: list[int], reach: range) -> set[tuple[int, ...]]:
    """All sums of whole multiples of the rows."""
    columns = [[mask >> i & 1 for i in range(6)] for mask in masks]
    return {
        tuple(sum(w * row[i] for w, row in zip(weights, columns, strict=True)) for i in range(6))
        for weights in product(reach, repeat=len(masks))
    }


@settings(deadline=None)
@given(st.lists(st.integers(1, 63), min_size=1, max_size=4), st.integers(2, 4))
def test_no_few_are_given_away_unseen(masks: list[int], k: int) -> None:
    """What small whole multiples reach is found, and no larger set instead of a smaller one."""
    rows = [row("".join("abcdef"[i] for i in range(6) if mask >> i & 1)) for mask in masks]
    sets = [sum(total) for total in row_space(masks, range(-2, 3)) if set(total) <= {0, 1} and 0 < sum(total) < k]
    found = isolated(rows, k)
    assert found is not None or not sets
    if found is not None:
        assert len(found) <= min(sets, default=k - 1)
        matrix = [[int(("b", name) in one) for name in "abcdef"] for one in [*rows, found]]
        assert np.linalg.matrix_rank(matrix) == np.linalg.matrix_rank(matrix[:-1])


def test_the_nearest_row_is_another_one_that_shares_somebody() -> None:
    rows = [row("abcdef"), row("abcd"), row("abcde"), row("xy")]
    assert smallest_difference(rows, row("abcdef")) == 1
    assert smallest_difference(rows, row("abc")) == 1
    assert smallest_difference(rows, row("xy")) is None
    assert smallest_difference([row("ab"), row("abcdef")], row("abc")) == 1
