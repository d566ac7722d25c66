"""Release groups: who speaks to the marketplace with whom, decided by enrolment and by nothing that happens.

A building that is large enough speaks for itself; the smaller ones of one zone and one feeder path form a cohort;
what is too small even together is dark: it trades at the default tariff and says nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from planner.security.disclosure import static_size
from planner.security.enrolment import EnrolledUnit, Enrolment, Level
from planner.security.policy import Policy
from planner_models.words import Building, City, Unit

_NOT_COUNTED = frozenset({"common"})


class GroupKind(StrEnum):
    """How a group takes part."""

    BUILDING = "building"
    COHORT = "cohort"
    DARK = "dark"


@dataclass(frozen=True)
class Group:
    """Buildings that speak with one voice, or one that keeps silent; ``feeders`` is their common path, sorted."""

    id: str
    kind: GroupKind
    buildings: tuple[str, ...]
    zone: str
    feeders: tuple[str, ...] = ()


def release_groups(city: City, policy: Policy) -> tuple[Group, ...]:
    """The groups of ``city`` under ``policy``, sorted by id; every building is in exactly one.

    Only enrolment counts: use and occupant of the units and their contracted energy, which is their allocation
    over the delivery day.  Where nothing is contracted, units weigh alike.  A policy without a gate hides nothing
    from anybody, so every building is its own group.
    """
    settled = city.grid.settled
    groups: list[Group] = []
    small: defaultdict[tuple[str, tuple[str, ...]], list[Building]] = defaultdict(list)
    for building in sorted(city.buildings, key=lambda b: b.id):
        feeders = tuple(sorted(building.feeders))
        alone = _enrolment(building.id, Level.BUILDING, (building,), settled)
        if not policy.gated or static_size(alone, policy).passes:
            groups.append(Group(building.id, GroupKind.BUILDING, (building.id,), building.zone, feeders))
        else:
            small[building.zone, feeders].append(building)
    taken = {building.id for building in city.buildings}
    for (zone, feeders), buildings in sorted(small.items()):
        cohort_id = _free("-".join(("cohort", zone, *feeders)), taken)
        groups.extend(_cohort_or_dark(cohort_id, zone, feeders, buildings, policy, settled))
        taken.add(cohort_id)
    return tuple(sorted(groups, key=lambda group: group.id))


def enrolments(city: City, groups: Iterable[Group]) -> dict[str, Enrolment]:
    """Group id -> enrolment of every group that is not dark.

    Its units stand building by building in the order of ``group.buildings``, each building's units in their own
    order: the order in which the rows of positions are handed to it.
    """
    by_id = {building.id: building for building in city.buildings}
    found = {}
    for group in groups:
        if group.kind is not GroupKind.DARK:
            level = Level.COHORT if group.kind is GroupKind.COHORT else Level.BUILDING
            members = tuple(by_id[building] for building in group.buildings)
            found[group.id] = _enrolment(group.id, level, members, city.grid.settled)
    return found


def _cohort_or_dark(
    cohort_id: str, zone: str, feeders: tuple[str, ...], buildings: list[Building], policy: Policy, settled: int
) -> list[Group]:
    together = _enrolment(cohort_id, Level.COHORT, tuple(buildings), settled)
    members = tuple(building.id for building in buildings)
    if static_size(together, policy).passes:
        return [Group(cohort_id, GroupKind.COHORT, members, zone, feeders)]
    return [Group(member, GroupKind.DARK, (member,), zone, feeders) for member in members]


def _enrolment(group: str, level: Level, buildings: tuple[Building, ...], settled: int) -> Enrolment:
    units = tuple(_enrolled(unit, building.id, settled) for building in buildings for unit in building.units)
    return Enrolment(group, level, units)


def _enrolled(unit: Unit, building: str, settled: int) -> EnrolledUnit:
    """A unit without occupant is its own occupant; common units and units with nothing in them do not count."""
    contracted_wh = round(1000 * sum(unit.allocation_kwh[:settled]))
    vacant = not unit.assets and contracted_wh == 0
    counted = unit.use not in _NOT_COUNTED and not vacant
    return EnrolledUnit(unit.id, unit.occupant or unit.id, building, contracted_wh, counted)


def _free(wanted: str, taken: set[str]) -> str:
    """``wanted``, or the first of wanted-2, wanted-3, … that no building or cohort bears."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
