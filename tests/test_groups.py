"""Release groups from enrolment data: alone, in a cohort, or dark."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from planner.groups import Group, GroupKind, enrolments, release_groups
from planner.history import History
from planner.security.churn import CHANGED, LOCKED
from planner.security.enrolment import Level
from planner.security.gate import Release, ReleaseCandidate
from planner.security.policy import EXCHANGE, INTERNAL, LAB, STRICT
from planner.security.releases import ReleaseLedger
from planner.security.slot import Slot
from planner_models.words import Building, City, IntervalGrid, Load, Unit

START = datetime(2026, 6, 1, tzinfo=UTC)
GRID = IntervalGrid(tuple(START + timedelta(hours=h) for h in range(4)), 60, 3)


def unit(name: str, kwh: float = 1.0, occupant: str = "", use: str = "office") -> Unit:
    """A unit with one load; ``kwh`` is its allocation over the delivery day, with as much again after it."""
    hourly = (kwh / 3, kwh / 3, kwh / 3, kwh)
    return Unit(name, (Load(f"{name}-load", (1.0,) * 4, 4000.0),), hourly, (0.0,) * 4, occupant=occupant, use=use)


def building(name: str, units: int, zone: str = "north", feeders: tuple[str, ...] = (), kwh: float = 1.0) -> Building:
    return Building(name, zone, tuple(unit(f"{name}-{n}", kwh) for n in range(units)), feeders=feeders)


def city(*buildings: Building) -> City:
    return City(GRID, tuple(sorted({b.zone for b in buildings})), buildings)


def kinds(groups: tuple[Group, ...]) -> dict[str, str]:
    return {group.id: group.kind.value for group in groups}


def test_large_alone_small_together() -> None:
    town = city(building("big", 15), *(building(f"s{n}", 3) for n in range(5)))
    groups = release_groups(town, EXCHANGE)
    assert kinds(groups) == {"big": "building", "cohort-north": "cohort"}
    assert groups[1] == Group("cohort-north", GroupKind.COHORT, ("s0", "s1", "s2", "s3", "s4"), "north")


def test_fourteen_units_are_not_enough() -> None:
    assert kinds(release_groups(city(building("b", 14)), EXCHANGE)) == {"b": "dark"}


def test_four_small_buildings_stay_dark() -> None:
    groups = release_groups(city(*(building(f"s{n}", 10) for n in range(4))), EXCHANGE)
    assert kinds(groups) == {f"s{n}": "dark" for n in range(4)}


def test_a_cohort_lies_within_one_zone_and_one_feeder_path() -> None:
    plain = [building(f"p{n}", 3) for n in range(5)]
    south = [building(f"q{n}", 3, "south") for n in range(5)]
    fed = [building(f"r{n}", 3, feeders=("f2", "d1")) for n in range(5)]
    lone = [building("t", 3, feeders=("f9",))]
    groups = release_groups(city(*plain, *south, *fed, *lone), EXCHANGE)
    assert kinds(groups) == {
        "cohort-north": "cohort",
        "cohort-north-d1-f2": "cohort",
        "cohort-south": "cohort",
        "t": "dark",
    }
    assert {g.id: g.feeders for g in groups}["cohort-north-d1-f2"] == ("d1", "f2")


def test_every_building_is_in_exactly_one_group() -> None:
    town = city(*(building(f"b{n}", n, "north" if n % 2 else "south") for n in range(1, 25)))
    for policy in (EXCHANGE, STRICT, INTERNAL, LAB):
        members = [name for group in release_groups(town, policy) for name in group.buildings]
        assert sorted(members) == sorted(b.id for b in town.buildings)


def test_policies_without_gate_group_nobody() -> None:
    town = city(building("a", 1), building("b", 40))
    for policy in (INTERNAL, LAB):
        assert kinds(release_groups(town, policy)) == {"a": "building", "b": "building"}


def test_concentration_of_contracted_energy() -> None:
    """3 of 20 kWh is exactly 15 % and passes; 3.1 does not, and alone in its zone the building is dark."""
    small = tuple(unit(f"u{n}", 1.0) for n in range(17))
    for kwh, kind in ((3.0, "building"), (3.1, "dark")):
        town = city(Building("b", "north", (unit("large", kwh), *small)))
        assert kinds(release_groups(town, EXCHANGE)) == {"b": kind}


def test_a_building_too_large_for_its_cohort() -> None:
    """14 of 34 units is more than 40 %: all five stay dark; 14 of 35 is 40 % and passes."""
    small = [building(f"s{n}", 5) for n in range(4)]
    assert set(kinds(release_groups(city(building("x", 14), *small), EXCHANGE)).values()) == {"dark"}
    wider = [*small[:3], building("s3", 6)]
    assert kinds(release_groups(city(building("x", 14), *wider), EXCHANGE)) == {"cohort-north": "cohort"}


def test_one_occupant_in_many_units_counts_once() -> None:
    holding = tuple(unit(f"h{n}", 1.0, occupant="holding") for n in range(3))
    others = tuple(unit(f"u{n}", 10.0) for n in range(14))
    assert kinds(release_groups(city(Building("b", "z", holding + others)), EXCHANGE)) == {"b": "building"}
    assert kinds(release_groups(city(Building("b", "z", holding + others[:13])), EXCHANGE)) == {"b": "dark"}


def test_common_and_vacant_units_do_not_count() -> None:
    """T-P07."""
    offices = tuple(unit(f"u{n}") for n in range(14))
    vacant = Unit("v", (), (0.0,) * 4, (0.0,) * 4, use="office")
    common = unit("c", use="common")
    assert kinds(release_groups(city(Building("b", "z", (*offices, vacant, common))), EXCHANGE)) == {"b": "dark"}
    assert kinds(release_groups(city(Building("b", "z", (*offices, unit("w")))), EXCHANGE)) == {"b": "building"}


def test_nothing_contracted_weighs_units_alike() -> None:
    assert kinds(release_groups(city(building("b", 15, kwh=0.0)), EXCHANGE)) == {"b": "building"}


def test_look_ahead_is_no_contract() -> None:
    """Allocation after the delivery day does not change the group."""
    units = tuple(unit(f"u{n}") for n in range(15))
    later = replace(units[0], allocation_kwh=(*units[0].allocation_kwh[:3], 1000.0))
    assert kinds(release_groups(city(Building("b", "z", (later, *units[1:]))), EXCHANGE)) == {"b": "building"}


def test_order_does_not_matter() -> None:
    buildings = [building(f"b{n:02}", 1 + n % 17, f"z{n % 3}", ("f",) * (n % 2)) for n in range(40)]
    expected = release_groups(city(*buildings), EXCHANGE)
    rng = random.Random(5)
    for _ in range(5):
        shuffled = [replace(b, units=tuple(rng.sample(b.units, len(b.units)))) for b in buildings]
        rng.shuffle(shuffled)
        assert release_groups(city(*shuffled), EXCHANGE) == expected


def test_a_building_named_like_a_cohort_keeps_its_name() -> None:
    town = city(building("cohort-north", 20), *(building(f"s{n}", 3) for n in range(5)))
    assert kinds(release_groups(town, EXCHANGE)) == {"cohort-north": "building", "cohort-north-2": "cohort"}


def test_enrolments_follow_the_buildings_and_leave_the_dark_out() -> None:
    town = city(building("big", 15), *(building(f"s{n}", 3) for n in range(5)), building("d", 2, "south"))
    found = enrolments(town, release_groups(town, EXCHANGE))
    assert sorted(found) == ["big", "cohort-north"]
    cohort = found["cohort-north"]
    assert cohort.level is Level.COHORT
    assert [u.id for u in cohort.units] == [f"s{b}-{n}" for b in range(5) for n in range(3)]
    assert cohort.building_weights == (3000,) * 5
    assert cohort.contributions(np.full((15, 4), -2, dtype=np.int64)).tolist() == [[2] * 4] * 15


def test_an_empty_city_has_no_groups() -> None:
    assert release_groups(city(), EXCHANGE) == ()


# --- what earlier months leave open


def spoke(town: City, day: str, ledger: ReleaseLedger) -> tuple[Group, ...]:
    """The groups of a day, each of which then speaks; through the gate's own questions."""
    history = History.of(town, day, EXCHANGE, ledger)
    slot = Slot(day, ordinal(day), ordinal(day) + 1, ordinal(day) + 1)
    groups = release_groups(town, EXCHANGE, history.standing)
    for group, enrolment in enrolments(town, groups, history.standing).items():
        delta = np.full((len(enrolment.units), 4), 70, dtype=np.int64)
        fields = {"position_wh": (7, 7, 7, 7), "cost": 1}
        candidate = ReleaseCandidate(enrolment, "commit", f"clear-{day}", 0, fields, delta, slot)
        released = history.gate(EXCHANGE, False).decide(candidate)
        assert isinstance(released, Release), (group, released)
        ledger.record(candidate, released)
    return groups


def ordinal(day: str) -> int:
    """The day's first second, counted from long ago."""
    return datetime.fromisoformat(day).toordinal() * 86_400


def test_T_P22_a_building_that_changed_joins_a_large_cohort() -> None:  # noqa: N802
    """One of thirty leaves: alone until the month ends, then with fifty neighbours, alone again after the fifth."""
    neighbours = [building(f"s{n}", 10) for n in range(5)]
    ledger = ReleaseLedger()
    for day, left, alone in (
        ("2026-06-01", 0, True),
        ("2026-06-15", 1, True),
        ("2026-07-01", 1, False),
        ("2026-08-01", 4, False),
        ("2026-09-01", 5, True),
    ):
        thirty = Building("big", "north", tuple(unit(f"big-{n}") for n in range(left, 30)))
        groups = spoke(city(thirty, *neighbours), day, ledger)
        together = {g.id: g.buildings for g in groups}
        assert ("big" in together) is alone, day
        assert len(together["cohort-north"]) == (5 if alone else 6), day


def test_a_building_that_changed_is_dark_beside_a_small_cohort() -> None:
    """Nineteen and thirty-five could be a cohort and are fewer than sixty: it speaks without the nineteen."""
    neighbours = [building(f"s{n}", 7) for n in range(5)]
    ledger = ReleaseLedger()
    spoke(city(building("big", 20), *neighbours), "2026-06-01", ledger)
    less = Building("big", "north", tuple(unit(f"big-{n}") for n in range(1, 20)))
    groups = spoke(city(less, *neighbours), "2026-07-01", ledger)
    assert kinds(groups) == {"big": "dark", "cohort-north": "cohort"}
    assert {g.id: g.why for g in groups}["big"] == CHANGED


def test_who_joins_during_the_month_waits_for_its_end() -> None:
    ledger = ReleaseLedger()
    spoke(city(building("big", 20)), "2026-06-01", ledger)
    both = city(building("big", 20), building("late", 20))
    assert kinds(spoke(both, "2026-06-02", ledger)) == {"big": "building", "late": "dark"}
    assert kinds(spoke(both, "2026-07-01", ledger)) == {"big": "building", "late": "building"}


def test_T_P25_a_cohort_that_took_turns_is_dark_until_the_month_ends() -> None:  # noqa: N802
    town, ledger = city(*(building(f"s{n}", 5) for n in range(5))), ReleaseLedger()
    for day, heard in (("2026-06-01", True), ("2026-06-02", False), ("2026-06-03", True)):
        groups = release_groups(town, EXCHANGE, History.of(town, day, EXCHANGE, ledger).standing)
        assert kinds(groups) == {"cohort-north": "cohort"}
        history = History.of(town, day, EXCHANGE, ledger)
        ledger.note_day("cohort-north", history.slot, heard)
    groups = release_groups(town, EXCHANGE, History.of(town, "2026-06-04", EXCHANGE, ledger).standing)
    assert {g.why for g in groups} == {LOCKED}
    assert kinds(release_groups(town, EXCHANGE, History.of(town, "2026-07-01", EXCHANGE, ledger).standing)) == {
        "cohort-north": "cohort"
    }
