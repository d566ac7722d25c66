"""Disclosure in sums: the groups of one place speak with one voice, at least five of them (formulation 3).

What the marketplace hears in a round is one position and one cost of all of them; buildings still round their own.
A place with fewer groups is left as it is and said so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from planner.groups import Group, GroupKind, enrolments
from planner.problems import InvalidInput, Problem
from planner.security.churn import Standing
from planner.security.disclosure import static_size
from planner.security.policy import Policy
from planner_models.words import City

LEAST_GROUPS = 5


def summed(groups: Sequence[Group], city: City, policy: Policy, standing: Standing) -> tuple[Group, ...]:
    """The groups with those of one zone and feeder path put together; raises InvalidInput where no place has five."""
    places: defaultdict[tuple[str, tuple[str, ...]], list[Group]] = defaultdict(list)
    for group in groups:
        if group.kind is not GroupKind.DARK:
            places[group.zone, group.feeders].append(group)
    found = [g for g in groups if g.kind is GroupKind.DARK]
    together = 0
    for place, members in sorted(places.items()):
        whole = _together(place, members)
        if len(members) >= LEAST_GROUPS and _may_speak(whole, city, policy, standing):
            found.append(whole)
            together += 1
        else:
            found += members
    if not together:
        most = max(map(len, places.values()), default=0)
        what = f"needs {LEAST_GROUPS} groups at one node of the network; the most here is {most}"
        raise InvalidInput([Problem("command line", 0, f"--disclosure sum {what}", hint="use --disclosure group")])
    return tuple(sorted(found, key=lambda g: g.id))


def _together(place: tuple[str, tuple[str, ...]], members: Sequence[Group]) -> Group:
    zone, feeders = place
    buildings = tuple(sorted(b for g in members for b in g.buildings))
    return Group("-".join(("sum", zone, *feeders)), GroupKind.COHORT, buildings, zone, feeders)


def _may_speak(group: Group, city: City, policy: Policy, standing: Standing) -> bool:
    """The same rules hold for the sum as for a cohort."""
    if not policy.gated:
        return True
    enrolment = enrolments(city, [group], standing)[group.id]
    return static_size(enrolment, policy).passes and standing.objection(enrolment, policy) is None
