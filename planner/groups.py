"""Release groups: who speaks to the marketplace with whom, decided by enrolment and by nothing that happens.

A building that is large enough speaks for itself; the smaller ones of one zone and one feeder path form a cohort;
what is too small even together is dark: it trades at the default tariff and says nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from planner.security.churn import Standing
from planner.security.disclosure import static_size
from planner.security.enrolment import EnrolledUnit, Enrolment, Level
from planner.security.policy import Policy
from planner_models.words import Building, City, Unit

TOO_SMALL = "too few occupants or buildings, or one of them too large, alone and with its neighbours"
_NOT_COUNTED = frozenset({"common"})


class GroupKind(StrEnum):
    """How a group takes part."""

    BUILDING = "building"
    COHORT = "cohort"
    DARK = "dark"


@dataclass(frozen=True)
class Group:
    """Buildings that speak with one voice, or one that keeps silent and ``why``; ``feeders`` is their common path."""

    id: str
    kind: GroupKind
    buildings: tuple[str, ...]
    zone: str
    feeders: tuple[str, ...] = ()
    why: str = ""


NO_HISTORY = Standing()


def release_groups(city: City, policy: Policy, standing: Standing = NO_HISTORY) -> tuple[Group, ...]:
    """The groups of ``city`` under ``policy``, sorted by id; every building is in exactly one.

    Only enrolment counts: use and occupant of the units and their contracted energy, which is their allocation
    over the delivery day.  Where nothing is contracted, units weigh alike.  ``standing`` says what earlier days leave
    open: the roster of the month, and who waits after a change.  A policy without a gate hides nothing from anybody,
    so every building is its own group.
    """
    former = _Former(city, policy, standing)
    groups: list[Group] = []
    small: defaultdict[tuple[str, tuple[str, ...]], list[Building]] = defaultdict(list)
    for building in sorted(city.buildings, key=lambda b: b.id):
        feeders = tuple(sorted(building.feeders))
        if not policy.gated or former.objection(building.id, Level.BUILDING, [building]) is None:
            groups.append(Group(building.id, GroupKind.BUILDING, (building.id,), building.zone, feeders))
        else:
            small[building.zone, feeders].append(building)
    taken = {building.id for building in city.buildings}
    for (zone, feeders), buildings in sorted(small.items()):
        cohort_id = _free("-".join(("cohort", zone, *feeders)), taken)
        groups.extend(former.cohort_or_dark(cohort_id, zone, feeders, buildings))
        taken.add(cohort_id)
    return tuple(sorted(groups, key=lambda group: group.id))


def enrolments(city: City, groups: Iterable[Group], standing: Standing = NO_HISTORY) -> dict[str, Enrolment]:
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
            found[group.id] = standing.known(_enrolment(group.id, level, members, city.grid.settled))
    return found


def enrolment_of_site(city: City) -> Enrolment:
    """All units of the city in one group, as they are today."""
    return _enrolment("site", Level.COHORT, city.buildings, city.grid.settled)


@dataclass(frozen=True)
class _Former:
    """Forms groups of buildings."""

    city: City
    policy: Policy
    standing: Standing

    def objection(self, group: str, level: Level, buildings: Sequence[Building]) -> str | None:
        """Why these buildings may not be a group that speaks; None if they may."""
        enrolment = self.standing.known(_enrolment(group, level, buildings, self.city.grid.settled))
        if not static_size(enrolment, self.policy).passes:
            return TOO_SMALL
        return self.standing.objection(enrolment, self.policy)

    def cohort_or_dark(
        self, cohort: str, zone: str, feeders: tuple[str, ...], buildings: list[Building]
    ) -> list[Group]:
        """One cohort, if it may speak; those who wait after a change come along only if it is large.

        Whoever is left over is dark, for the reason that keeps it from speaking.
        """
        waiting = {
            b.id: why for b in buildings if (why := self.objection(b.id, Level.BUILDING, [b])) not in (None, TOO_SMALL)
        }
        why_not: str | None = TOO_SMALL
        for members in (buildings, [b for b in buildings if b.id not in waiting]):
            why_not = self.objection(cohort, Level.COHORT, members)
            large = self._occupants(cohort, members) >= self.policy.settled_occupants
            if why_not is None and (large or not any(b.id in waiting for b in members)):
                apart = [b for b in buildings if b not in members]
                together = Group(cohort, GroupKind.COHORT, tuple(b.id for b in members), zone, feeders)
                return [together, *(_dark(b, feeders, waiting[b.id]) for b in apart)]
        return [_dark(b, feeders, waiting.get(b.id, why_not or TOO_SMALL)) for b in buildings]

    def _occupants(self, cohort: str, buildings: Sequence[Building]) -> int:
        enrolment = _enrolment(cohort, Level.COHORT, buildings, self.city.grid.settled)
        return len(self.standing.known(enrolment).occupant_weights)


def _dark(building: Building, feeders: tuple[str, ...], why: str) -> Group:
    return Group(building.id, GroupKind.DARK, (building.id,), building.zone, feeders, why)


def _enrolment(group: str, level: Level, buildings: Sequence[Building], settled: int) -> Enrolment:
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
