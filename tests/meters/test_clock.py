"""Repeated and skipped hours: every signal, and the refusal where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from planner.meters.clock import BY_END, BY_JUMP, BY_PAIRS, UNPLACED, Resolved, ending, resolve

ZONE = "Europe/Brussels"  # 2021-10-31: 03:00 summer time becomes 02:00 winter time, at 01:00 UTC
QUARTERS = ["02:00", "02:15", "02:30", "02:45"]
AROUND = ["01:00", "01:15", "01:30", "01:45"]
AFTER = ["03:00", "03:15", "03:30", "03:45"]


def local(labels: list[str], day: str = "2021-10-31") -> np.ndarray:
    return np.array([f"{day}T{label}" for label in labels], dtype="datetime64[s]").astype("int64")


def utc(found: Resolved) -> list[str]:
    return [str(s)[11:16] for s in found.seconds.astype("datetime64[s]")]


def solve(labels: list[str], **options: object) -> Resolved:
    stamps = local(labels)
    return resolve(stamps, ZONE, np.zeros(len(stamps), dtype=int), **options)  # type: ignore[arg-type]


def test_ascending_file_meets_the_first_pass_first() -> None:
    found = solve(AROUND + QUARTERS + QUARTERS + AFTER)
    assert utc(found)[4:12] == ["00:00", "00:15", "00:30", "00:45", "01:00", "01:15", "01:30", "01:45"]
    assert found.rules == {"2021-10-31": BY_JUMP}


def test_newest_first_file_meets_the_later_pass_first() -> None:
    found = solve((AROUND + QUARTERS + QUARTERS + AFTER)[::-1])
    assert utc(found)[4:12] == ["01:45", "01:30", "01:15", "01:00", "00:45", "00:30", "00:15", "00:00"]


@pytest.mark.parametrize("direction", [1, -1])
def test_interleaved_pairs(direction: int) -> None:
    pairs = [label for label in QUARTERS for _ in range(2)]
    found = solve((AROUND + pairs + AFTER)[::direction])
    assert utc(found)[::direction][4:12] == ["00:00", "01:00", "00:15", "01:15", "00:30", "01:30", "00:45", "01:45"]
    assert found.rules["2021-10-31"] == BY_PAIRS


def test_a_start_later_than_its_end_outweighs_the_order() -> None:
    pairs = [label for label in QUARTERS for _ in range(2)]
    labels = AROUND + pairs + AFTER
    ends = local(
        [
            *AROUND[1:],
            "02:00",
            *(quarter for quarter in QUARTERS[1:] for _ in range(2)),
            "03:00",
            "02:00",
            *AFTER[1:],
            "04:00",
        ]
    )
    found = solve(labels, end_local_s=ends)
    assert utc(found)[4:12] == ["01:00", "00:00", "01:15", "00:15", "01:30", "00:30", "01:45", "00:45"]
    assert found.rules["2021-10-31"] == BY_END


def test_one_pass_alone_is_not_guessed() -> None:
    found = solve(AROUND + QUARTERS + AFTER)
    assert list(np.flatnonzero(found.unplaced)) == [4, 5, 6, 7]
    assert found.rules["2021-10-31"] == UNPLACED


def test_shuffled_rows_are_not_guessed() -> None:
    labels = np.random.default_rng(3).permutation(AROUND + QUARTERS + QUARTERS + AFTER).tolist()
    assert solve(labels).unplaced.sum() == 8


def test_two_series_are_told_apart() -> None:
    labels = [label for label in AROUND + QUARTERS + QUARTERS + AFTER for _ in range(2)]
    series = np.tile([0, 1], len(labels) // 2)
    found = resolve(local(labels), ZONE, series)
    assert not found.unplaced.any()
    assert utc(found)[8:12] == ["00:00", "00:00", "00:15", "00:15"]


def test_the_skipped_hour_does_not_exist_save_as_an_end() -> None:
    stamps = local(["01:45", "02:00", "02:15", "03:00"], "2022-03-27")
    one = np.zeros(4, dtype=int)
    assert list(resolve(stamps, ZONE, one).skipped) == [False, True, True, False]
    ends = resolve(stamps, ZONE, one, ends=True)
    assert list(ends.skipped) == [False, False, True, False]
    assert ends.seconds[1] == ends.seconds[3]


def test_dublin_has_winter_as_its_other_time() -> None:
    stamps = local(["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"], "2024-10-27")
    found = resolve(stamps, "Europe/Dublin", np.zeros(6, dtype=int))
    assert utc(found) == ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]


def test_ending_is_the_next_time_the_clock_shows_it() -> None:
    start = np.array(["2021-10-31T00:45", "2021-10-31T01:45"], dtype="datetime64[s]").astype("int64")
    assert list(ending(start, local(["02:00", "03:00"]), ZONE) - start) == [900, 900]
