"""Who speaks in a clear: the release groups of the buildings that take part, and a dark group of each that does not."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from planner.case import Case
from planner.groups import Group, GroupKind, release_groups
from planner.security.churn import Standing
from planner.security.policy import Policy
from planner.summing import summed
from planner.wishes import Wishes, dark, staying_out
from planner_models.words import City


@dataclass(frozen=True)
class Attendance:
    """Every building of the city in one group, in order of names; ``away`` are the buildings that stay out as asked."""

    groups: tuple[Group, ...]
    away: frozenset[str]

    def without(self, mute: Container[str]) -> tuple[Group, ...]:
        """The groups once the ``mute`` among them have turned dark."""
        return tuple(replace(g, kind=GroupKind.DARK) if g.id in mute else g for g in self.groups)


def attend(case: Case, city: City, policy: Policy, standing: Standing, wishes: Wishes) -> Attendance:
    """Group the city under ``policy`` and what its history leaves open, as ``wishes`` ask."""
    away = frozenset(staying_out(case, wishes.without)) if wishes.without else frozenset()
    present = replace(city, buildings=tuple(b for b in city.buildings if b.id not in away))
    groups = release_groups(present, policy, standing)
    if wishes.summed:
        groups = summed(groups, city, policy, standing)
    return Attendance(tuple(sorted((*groups, *dark(city, away)), key=lambda g: g.id)), away)
