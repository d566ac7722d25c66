"""The release gate against numbers worked by hand (T-P01 … T-P10, T-P27).

Groups are written as rows of |delta| in Wh, one row an occupant; ``group`` gives each its own unit and building 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.security.disclosure import examine, exceeds, p_percent_unsafe, share_ppm, static_size
from planner.security.enrolment import EnrolledUnit, Enrolment, Level, Member
from planner.security.gate import Decision, Gate, Internal, Refusal, Release, ReleaseCandidate, Step
from planner.security.policy import EXCHANGE, INTERNAL, LAB, PRESETS, STAMP, STRICT, Policy
from planner.security.slot import Slot


def group(contracted: list[int], level: Level = Level.BUILDING, buildings: int = 1) -> Enrolment:
    units = [EnrolledUnit(f"u{n:03}", f"u{n:03}", f"b{n % buildings}", wh) for n, wh in enumerate(contracted)]
    return Enrolment("g", level, tuple(units))


TWENTY = group([100] * 20)
DAY = Slot("2026-10-25", 0, 86_400, 86_400)


def candidate(contributions: Any, enrolment: Enrolment = TWENTY, **changes: Any) -> ReleaseCandidate:
    """An answer over as many intervals as ``contributions`` has columns."""
    array = np.array(contributions, dtype=np.int64)
    fields: dict[str, Any] = {"round": 0, "lots": (3,) * array.shape[1], "cost": 5}
    return replace(ReleaseCandidate(enrolment, "answer", "day-1", 0, fields, array, DAY), **changes)


def day(*columns: list[int], occupants: int = 20) -> list[list[int]]:
    """Rows by occupant from columns by interval, short columns filled with zeros."""
    return [[column[n] if n < len(column) else 0 for column in columns] for n in range(occupants)]


def step_of(decision: Decision) -> Step:
    assert isinstance(decision, Refusal)
    return decision.step


def decide(contributions: Any, policy: Policy = EXCHANGE, **changes: Any) -> Decision:
    return Gate(policy).decide(candidate(contributions, **changes))


# --- the rules as arithmetic


def test_T_P01_handbook_example_1() -> None:
    """T-P01: 100,000 = 50,000 + 49,000 + 1,000 passes (1, 90) and leaks the largest within 2 %."""
    assert p_percent_unsafe(100_000, 50_000, 49_000, 10)
    assert not exceeds(50_000, 100_000, 90)


def test_T_P02_handbook_example_2() -> None:
    """T-P02: safe under p% with p = 10, although the two largest hold more than 90.9 %."""
    assert not p_percent_unsafe(110_000, 52_000, 50_000, 10)
    assert 1000 * (52_000 + 50_000) > 909 * 110_000


def test_T_P10_p_percent_equality_is_safe_and_one_wh_less_is_not() -> None:
    """T-P10: 100 x rest = p x largest exactly; with numbers a float would blur."""
    big = 10**14
    assert not p_percent_unsafe(big + 0 + big // 10, big, 0, 10)
    assert p_percent_unsafe(big + big // 10 - 1, big, 0, 10)


def test_T_P10_share_equality_passes() -> None:
    """T-P10."""
    assert not exceeds(15, 100, 15)
    assert exceeds(15 * 10**12 + 1, 100 * 10**12, 15)
    assert (share_ppm(1, 3), share_ppm(0, 0)) == (333_333, 0)


# --- step 0


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "curve"},
        {"kind": "commit"},
        {"fields": {"round": 0, "lots": [1, 2], "cost": 5}},
        {"fields": {"round": 0, "lots": [1.0], "cost": 5}},
        {"fields": {"round": 0, "lots": [np.int64(1)], "cost": 5}},
        {"fields": {"round": 0, "lots": [1], "cost": 5, "count": 20}},
        {"fields": {"round": 0, "lots": [1], "cost": 5, "note": "office 12 is on holiday"}},
        {"fields": {"round": 0, "lots": [1]}},
        {"fields": {"round": -1, "lots": [1], "cost": 5}},
        {"fields": {"round": 0, "lots": [2**53], "cost": 5}},
        {"clear_id": "day\u200b1"},
        {"sequence": -1},
        {"sequence": True},
        {"delta_wh": np.full((20, 1), 50.0)},
        {"delta_wh": np.full((19, 1), 50, dtype=np.int64)},
        {"delta_wh": np.full((20, 1), np.iinfo(np.int64).min)},
        {"delta_wh": np.full((20, 1), 2**60)},
        {"delta_wh": [[50]] * 20},
    ],
)
def test_T_P26_schema(changes: dict[str, Any]) -> None:
    """Step 0, T-P26: nothing but the allowed integers, and contributions that fit them."""
    assert isinstance(decide([[50]] * 20), Release)
    assert step_of(decide([[50]] * 20, **changes)) is Step.SCHEMA


# --- step 1


@pytest.mark.parametrize(
    ("enrolment", "passes"),
    [
        (group([100] * 15), True),
        (group([100] * 14), False),
        (group([100] * 3), False),
        (group([300] + [100] * 17), True),
        (group([301] + [100] * 17), False),
        (group([0] * 15), True),
        (group([0] * 14), False),
        (group([]), False),
        (group([100] * 15, Level.COHORT, 5), True),
        (group([100] * 15, Level.COHORT, 4), False),
        (group([100] * 14, Level.COHORT, 7), False),
        (group([400, 120, 120, 120, 240] * 3, Level.COHORT, 5), True),
        (group([403, 120, 120, 120, 240] * 3, Level.COHORT, 5), False),
    ],
)
def test_static_size(enrolment: Enrolment, passes: bool) -> None:
    """300 of 2,000 is exactly 15 %; 1,200 of 3,000 exactly 40 %; both pass, a little more does not."""
    assert static_size(enrolment, EXCHANGE).passes is passes


def test_T_P03_three_offices_are_never_released() -> None:
    """T-P03."""
    for values in ([[50]] * 3, [[0]] * 3, [[1], [1], [1]]):
        assert step_of(decide(values, enrolment=group([100] * 3))) is Step.SIZE


def test_T_P05_a_large_tenant() -> None:
    """T-P05: one holds 60 % of the contracted energy, 29 small ones the rest."""
    enrolment = group([60 * 29] + [40] * 29)
    decision = decide([[50]] * 30, enrolment=enrolment)
    assert isinstance(decision, Refusal)
    assert decision.step is Step.SIZE
    assert decision.findings is not None
    assert decision.findings.size.largest_occupant_ppm == 600_000


def test_T_P06_holding_counts_once() -> None:
    """T-P06: one company in 12 of 15 offices makes four occupants, even where nothing is contracted."""
    units = tuple(EnrolledUnit(f"u{n}", "holding" if n < 12 else f"o{n}", "b", 0) for n in range(15))
    enrolment = Enrolment("g", Level.BUILDING, units)
    assert len(enrolment.occupants) == 4
    assert sorted(enrolment.occupant_weights) == [1, 1, 1, 12]
    assert not static_size(enrolment, EXCHANGE).passes


def test_T_P07_landlord_and_vacant_units_do_not_count() -> None:
    """T-P07: neither in the static count, nor in the active count, nor in any sum."""
    offices = tuple(EnrolledUnit(f"o{n}", f"o{n}", "b", 10) for n in range(14))
    extra = tuple(EnrolledUnit(f"x{n}", f"x{n}", "b", 10, counted=False) for n in range(9))
    enrolment = Enrolment("g", Level.BUILDING, extra + offices)
    delta = np.array([[900]] * 9 + [[-7]] * 14, dtype=np.int64)
    assert enrolment.contributions(delta).tolist() == [[7]] * 14
    own = EnrolledUnit("hall", "o3", "b", 10, counted=False)
    both = replace(enrolment, units=(own, *offices))
    assert both.contributions(delta[8:]).tolist() == [[7]] * 14
    assert step_of(decide(delta, enrolment=enrolment)) is Step.SIZE


def test_units_of_one_occupant_are_added_in_magnitude() -> None:
    """An offer of 30 and a request of 30 by one occupant are 60 Wh of its doing, not nothing."""
    units = (EnrolledUnit("a", "z", "b", 1), EnrolledUnit("b", "y", "b", 1), EnrolledUnit("c", "z", "b", 1))
    enrolment = Enrolment("g", Level.BUILDING, units)
    delta = np.array([[30, 1], [5, 0], [-30, 2]], dtype=np.int64)
    assert enrolment.occupants == ("y", "z")
    assert enrolment.contributions(delta).tolist() == [[5, 0], [60, 3]]
    assert enrolment.by_building(delta) == {"b": 68}
    assert enrolment.without("b", delta).tolist() == [[0, 0], [0, 0]]


# --- steps 3, 4 and 6


def test_T_P10_active_count_exactly_k() -> None:
    """T-P10: five active hold step 3, four do not; five are four for whoever is one of them, so six are released."""
    full = [10] * 20
    assert isinstance(decide(day(full, full, [10] * 6)), Release)
    assert step_of(decide(day(full, full, [10] * 5))) is Step.INSIDER
    assert step_of(decide(day(full, full, [10] * 4))) is Step.ACTIVE


def test_T_P04_two_active_at_night_refuse_the_day() -> None:
    """T-P04: 30 members, two of them active at 03:00: no interval leaves, there is no hole at 03:00."""
    columns = [[100] * 30 for _ in range(96)]
    columns[12] = [100, 100]
    decision = decide(day(*columns, occupants=30), enrolment=group([100] * 30))
    assert isinstance(decision, Refusal)
    assert decision.step is Step.ACTIVE
    assert decision.findings is not None
    (failing,) = decision.findings.failing
    assert (failing.number, failing.active, failing.fails_active, failing.fails_concentration) == (13, 2, True, True)
    assert decision.findings.min_active == 2
    assert decision.findings.worst_interval_share_ppm == 500_000


def test_concentration_in_one_interval() -> None:
    """Rest of 4 below the two largest: 100 x 4 = 10 x 40 is safe, 10 x 41 is not.

    What is left for the largest of them: 3 below 40 and 1, 100 x 3 < 10 x 40.
    """
    calm = [1000] * 20
    assert step_of(decide(day(calm, [40, 40, 1, 1, 1, 1]))) is Step.INSIDER
    decision = decide(day(calm, [41, 40, 1, 1, 1, 1]))
    assert step_of(decision) is Step.CONCENTRATION
    assert isinstance(decision, Refusal)
    assert decision.findings is not None
    assert [i.number for i in decision.findings.failing] == [2]
    assert decision.findings.worst_interval_share_ppm == 41 * 10**6 // 85


def test_cap_on_the_daily_total() -> None:
    """Within each interval all is safe by p%; over the day one occupant has 15 % or a little more of the total."""
    rows = day([300] + [100] * 17, [300] + [100] * 17)
    assert isinstance(decide(rows), Release)
    rows[0][1] = 301
    decision = decide(rows)
    assert isinstance(decision, Refusal)
    assert decision.step is Step.CONCENTRATION
    assert decision.findings is not None
    assert decision.findings.failing == ()
    assert decision.findings.largest_day_share_ppm == 601 * 10**6 // 4001


def test_T_P08_signs_do_not_cancel() -> None:
    """T-P08: sun on one roof offers what four others request; the net is nothing, the test sees five actors."""
    delta = np.zeros((20, 1), dtype=np.int64)
    delta[:3, 0] = [400, -200, -200]
    assert int(delta.sum()) == 0
    contributions = TWENTY.contributions(delta)
    assert step_of(decide(contributions)) is Step.ACTIVE


def test_T_P09_zero_intervals() -> None:
    """T-P09: an interval in which nobody does anything is no disclosure; a day of them neither."""
    quiet = decide(day([10] * 20, [], [10] * 20))
    assert isinstance(quiet, Release)
    assert (quiet.findings.intervals, quiet.findings.nonzero_intervals, quiet.findings.min_active) == (3, 2, 20)
    silent = decide(day([], []))
    assert isinstance(silent, Release)
    assert silent.findings.min_active is None


def test_strict_needs_fifteen_active() -> None:
    """Fifteen besides whoever asks."""
    assert isinstance(decide(day([10] * 16), STRICT), Release)
    assert step_of(decide(day([10] * 15), STRICT)) is Step.INSIDER
    assert step_of(decide(day([10] * 20, [10] * 14), STRICT)) is Step.ACTIVE
    assert isinstance(decide(day([10] * 20, [10] * 14), EXCHANGE), Release)


def test_strict_has_a_wider_p() -> None:
    """Rest of 13 x 1 = 13: safe for p = 25 up to a largest of 52; for the third of 52, rest of 13 again."""
    calm = [1000] * 20
    assert isinstance(decide(day(calm, [52, 52, 52] + [1] * 14), STRICT), Release)
    assert step_of(decide(day(calm, [53, 52] + [1] * 13), STRICT)) is Step.CONCENTRATION


# --- reviews, presets


def test_reviews_come_last_and_in_order() -> None:
    asked: list[str] = []

    def silent(*_: Any) -> None:
        asked.append("silent")

    def once(*_: Any) -> Refusal:
        asked.append("once")
        return Refusal(Step.ONCE, "released before")

    gate = Gate(EXCHANGE, reviews=(silent, once, silent))
    assert step_of(gate.decide(candidate([[50]] * 20))) is Step.ONCE
    assert asked == ["silent", "once"]
    assert step_of(gate.decide(candidate(day([1])))) is Step.ACTIVE
    assert asked == ["silent", "once"]


def test_T_P27_internal_and_lab_release_nothing() -> None:
    """T-P27: the same numbers that would pass are stamped, and no Release exists to be sent."""
    kept = decide([[50]] * 20, INTERNAL)
    assert isinstance(kept, Internal)
    assert kept.stamp == STAMP == "internal: not for release"
    assert step_of(decide([[50]] * 20, LAB)) is Step.SCHEMA
    assert isinstance(Gate(LAB, synthetic=True).decide(candidate([[50]])), Refusal)
    small = candidate([[50]], enrolment=group([1]))
    assert isinstance(Gate(LAB, synthetic=True).decide(small), Internal)


def test_a_release_is_made_by_the_gate_only() -> None:
    release = decide([[50]] * 20)
    assert isinstance(release, Release)
    with pytest.raises(TypeError):
        Release("g", "answer", "day-1", 0, release.policy, b"{}", release.findings, made_by=object())
    with pytest.raises((TypeError, ValueError)):
        replace(release, body=b"{}")


def test_release_holds_the_canonical_body_and_nothing_of_the_group() -> None:
    release = decide([[50]] * 20)
    assert isinstance(release, Release)
    assert release.body == b'{"clear":"day-1","cost":5,"group":"g","lots":[3],"round":0}'


def test_T_P28_policies_differ_by_hash() -> None:
    """T-P28: an edited threshold is another policy."""
    hashes = {policy.sha256 for policy in PRESETS.values()} | {replace(EXCHANGE, p_percent=9).sha256}
    assert len(hashes) == len(PRESETS) + 1


def holds(rows: list[list[int]], policy: Policy) -> bool:
    """Steps 3, 4 and 6 once more, in fractions and loops."""
    for column in zip(*rows, strict=True):
        ordered = sorted(column, reverse=True)
        if sum(column) and sum(1 for value in column if value) < policy.k_active:
            return False
        if sum(column) and (sum(ordered[2:]) * 100 < policy.p_percent * ordered[0]):
            return False
    total = sum(map(sum, rows))
    return all(sum(row) * 100 <= policy.max_day_share_percent * total for row in rows)


def naive(rows: list[list[int]], policy: Policy) -> bool:
    """All of the gate for a single building: as it is, and for the largest of the day and of each interval."""
    largest = max(range(len(rows)), key=lambda n: sum(rows[n]))
    if not holds(rows, policy) or not holds([row for n, row in enumerate(rows) if n != largest], policy):
        return False
    uncapped = replace(policy, max_day_share_percent=100)
    for column in zip(*rows, strict=True):
        rest = sorted(column)[:-1]
        if not holds([[value] for value in rest], uncapped):
            return False
    return True


@given(
    st.lists(st.lists(st.integers(0, 12), min_size=3, max_size=3), min_size=15, max_size=18),
    st.sampled_from([EXCHANGE, STRICT]),
    st.integers(0, 17),
    st.sampled_from([1, 3, 40]),
)
def test_the_gate_agrees_with_a_naive_reading(rows: list[list[int]], policy: Policy, who: int, factor: int) -> None:
    rows[who % len(rows)] = [factor * value for value in rows[who % len(rows)]]
    decision = decide(rows, policy, enrolment=group([1] * len(rows)))
    assert isinstance(decision, Release) is naive(rows, policy)


def test_order_of_occupants_does_not_matter() -> None:
    rows = np.arange(60, dtype=np.int64).reshape(20, 3) % 7
    size, everybody = static_size(TWENTY, EXCHANGE), np.ones(20, dtype=np.bool_)
    assert examine(rows, everybody, size, EXCHANGE) == examine(rows[::-1], everybody, size, EXCHANGE)


# --- insiders and a roster that was fixed earlier


def cohort_of_six() -> Enrolment:
    """Three occupants in each of six buildings, 100 Wh by contract each."""
    units = [EnrolledUnit(f"u{n:02}", f"u{n:02}", f"b{n // 3}", 100) for n in range(18)]
    return Enrolment("c", Level.COHORT, tuple(units))


def test_the_largest_building_takes_itself_out() -> None:
    """Seven active, three of them in one building: for its gateway four are left."""
    delta = np.full((18, 2), 100, dtype=np.int64)
    delta[:, 1] = 0
    delta[[0, 1, 2, 3, 6, 9, 12], 1] = [60, 60, 60, 50, 50, 50, 50]
    assert step_of(decide(delta, enrolment=cohort_of_six())) is Step.INSIDER
    delta[15, 1] = 50
    assert isinstance(decide(delta, enrolment=cohort_of_six()), Release)


def test_the_largest_building_by_contract_takes_itself_out() -> None:
    """Four of its five do little, so it is not the largest of the day; without them four of eight are left."""
    units = [EnrolledUnit(f"u{n:02}", f"u{n:02}", f"b{n // 5}", 100 + (n < 5)) for n in range(25)]
    enrolment = Enrolment("c", Level.COHORT, tuple(units))
    delta = np.full((25, 2), 100, dtype=np.int64)
    delta[:, 1] = 0
    delta[[0, 1, 2, 3, 5, 10, 15, 20], 1] = [9, 9, 9, 9, 10, 10, 10, 10]
    delta[4, 0] = 0
    assert step_of(decide(delta, enrolment=enrolment)) is Step.INSIDER
    delta[21, 1] = 10
    assert isinstance(decide(delta, enrolment=enrolment), Release)


def test_the_cap_on_the_day_holds_for_who_is_left() -> None:
    """Two with 150 of 1,002 each are below 15 %; without one of them the other has 150 of 852."""
    assert step_of(decide(day([150, 150, *[39] * 18]))) is Step.INSIDER
    assert isinstance(decide(day([140, 110, *[40] * 18])), Release)


def test_the_largest_of_an_interval_takes_itself_out() -> None:
    """Whoever is largest over the day is at home at night; of the five who are not, each knows four others."""
    full = [10] * 19 + [20]
    assert step_of(decide(day(full, full, [10] * 5))) is Step.INSIDER
    assert isinstance(decide(day(full, full, [10] * 6)), Release)


@pytest.mark.parametrize(("least", "leaves"), [(15, True), (14, False)])
def test_the_p_rule_holds_without_the_largest_of_an_interval(least: int, leaves: bool) -> None:
    """Two large ones hide each other from all but one another: the one takes itself out and sees 10 % of the rest."""
    delta = np.full((20, 2), 3000, dtype=np.int64)
    delta[19, 1] = 5000  # the largest of the day, so that it is not one of the two
    delta[:, 0] = 0
    delta[:7, 0] = [1000, 1000, 100, 50, 20, 15, least]
    decision = decide(delta)
    assert isinstance(decision, Release) if leaves else step_of(decision) is Step.INSIDER


def test_the_largest_building_is_the_one_that_is_taken_out() -> None:
    """It stands last, by contract and on the day; without any other one there are enough."""
    units = [EnrolledUnit(f"u{n:02}", f"u{n:02}", f"b{n // 3}", 100 + (n > 14)) for n in range(18)]
    enrolment = Enrolment("c", Level.COHORT, tuple(units))
    delta = np.full((18, 2), 100, dtype=np.int64)
    delta[:, 1] = 0
    delta[[0, 3, 6, 9, 15, 16, 17], 1] = [50, 50, 50, 50, 60, 60, 60]
    assert step_of(decide(delta, enrolment=enrolment)) is Step.INSIDER


def test_T_P24_a_coalition_of_probe_accounts() -> None:
    """Thirteen of fifteen offices belong to one attacker: two are left, whatever the numbers."""
    rows = [[50]] * 15
    assert isinstance(decide(rows, enrolment=group([1] * 15)), Release)
    wary = replace(EXCHANGE, coalition=13)
    assert step_of(decide(rows, wary, enrolment=group([1] * 15))) is Step.INSIDER


def test_who_moved_out_stays_on_the_roster_and_who_moved_in_helps_no_count() -> None:
    """T-P22, T-P23: fifteen by the month's roster; two have left, three probe accounts have come."""
    fixed = tuple(Member("b0", f"u{n:03}", 100) for n in range(15))
    today = group([100] * 15)
    units = tuple(replace(u, occupant=f"new{n}") if n < 3 else u for n, u in enumerate(today.units))
    enrolment = replace(today, units=units, fixed=fixed)
    assert static_size(enrolment, EXCHANGE).occupants == 15
    assert enrolment.places == today.places
    delta = np.zeros((15, 1), dtype=np.int64)
    delta[:7] = 50  # three newcomers and four of the roster
    assert step_of(decide(delta, enrolment=enrolment)) is Step.ACTIVE
    delta[:9] = 50
    assert isinstance(decide(delta, enrolment=enrolment), Release)
    delta[0] = 50_000  # a newcomer is protected like everybody
    assert step_of(decide(delta, enrolment=enrolment)) is Step.CONCENTRATION
