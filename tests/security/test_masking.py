"""A masked sum opens over exactly the set it was made for, and is noise for any other."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.security.hpke import SealingKey
from planner.security.masking import LANE, Masker, unmasked_sum

NAMES = [f"gw-{i}" for i in range(6)]
KEYS = {name: SealingKey.generate() for name in NAMES}
MASKERS = {
    name: Masker(name, KEYS[name], {other: KEYS[other].public for other in NAMES if other != name}) for name in NAMES
}


@settings(max_examples=25)
@given(st.lists(st.integers(-(2**61), 2**61), min_size=6, max_size=6))
def test_the_sum_is_exact(values: list[int]) -> None:
    lanes = [MASKERS[name].mask(value, NAMES, "day/7") for name, value in zip(NAMES, values, strict=True)]
    total = sum(values)
    if -(LANE // 2) <= total < LANE // 2:
        assert unmasked_sum(lanes, 6) == total


def test_one_value_is_noise() -> None:
    lanes = MASKERS["gw-0"].mask(5, NAMES, "day/7")
    assert lanes != (5, 1)
    assert unmasked_sum([lanes], 1) is None


def test_a_missing_member_leaves_noise() -> None:
    lanes = [MASKERS[name].mask(5, NAMES, "day/7") for name in NAMES[:-1]]
    assert unmasked_sum(lanes, 5) is None
    assert unmasked_sum(lanes, 6) is None


def test_two_sets_or_two_labels_leave_noise() -> None:
    for members, label in ((NAMES[:-1], "day/7"), (NAMES, "day/8")):
        lanes = [MASKERS[name].mask(5, NAMES, "day/7") for name in NAMES[:-1]]
        lanes.append(MASKERS["gw-5"].mask(5, members, label))
        assert unmasked_sum(lanes, 6) is None


def test_masks_do_not_repeat() -> None:
    first, second = (MASKERS["gw-0"].mask(0, NAMES, f"day/{number}") for number in (7, 8))
    assert first != second
    assert first[0] != first[1]
