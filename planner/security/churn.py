"""Who may speak this month: rosters stand still for a calendar month, and a small group that changed waits.

If one occupant leaves, the days before and after differ by what that occupant did.  So rosters change at the turn of
a month only, and a group of fewer than ``policy.settled_occupants`` whose roster changed by fewer than
``policy.changes_together`` occupants since it last spoke in an earlier month keeps silent on its own, for as many
months as it takes: a pause alone would not help, since before and after stay comparable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from planner.security.differencing import Row, occupants_of
from planner.security.enrolment import Enrolment, Member, members_of
from planner.security.policy import Policy
from planner.security.releases import ReleaseLedger
from planner.security.slot import Slot

CHANGED = "too few occupants changed since it last spoke; it waits for more, or for a larger cohort"
LOCKED = "it spoke and kept silent by turns, which says when it was busy; silent until the month ends"


def changes(last: Row | None, now: Row) -> int:
    """How many occupants came or went since ``last``; nobody if the group never spoke."""
    return 0 if last is None else occupants_of(last ^ now)


def waits(last: Row | None, now: Row, policy: Policy) -> bool:
    """True for a small group in which somebody, but too few, changed."""
    return occupants_of(now) < policy.settled_occupants and 0 < changes(last, now) < policy.changes_together


@dataclass(frozen=True)
class Standing:
    """What earlier days say about today's groups; without a ledger, nothing.

    ``members`` is the month's roster by building, None where it was never fixed; ``last`` what a group's last
    release of an earlier month was about; ``locked`` the groups that flipped too often.
    """

    members: Mapping[str, tuple[Member, ...]] | None = None
    last: Callable[[str], Row | None] = lambda group: None
    locked: Callable[[str], bool] = lambda group: False
    hashed: Callable[[str], str] = lambda occupant: occupant

    def known(self, enrolment: Enrolment) -> Enrolment:
        """The enrolment of the same buildings with the month's roster and the ledger's names for occupants."""
        units = tuple(replace(unit, occupant=self.hashed(unit.occupant)) for unit in enrolment.units)
        if self.members is None:
            return replace(enrolment, units=units)
        buildings = sorted({unit.building for unit in units})
        fixed = tuple(member for building in buildings for member in self.members.get(building, ()))
        return replace(enrolment, units=units, fixed=fixed)

    def objection(self, enrolment: Enrolment, policy: Policy) -> str | None:
        """Why a group may not speak on its own this month; None if it may."""
        if self.locked(enrolment.group):
            return LOCKED
        return CHANGED if waits(self.last(enrolment.group), enrolment.places, policy) else None


def standing(ledger: ReleaseLedger, slot: Slot, policy: Policy, enrolled: Enrolment) -> Standing:
    """Fix the month's roster if nothing was released in it yet, and say what earlier days leave open.

    ``enrolled`` holds all units of the site, in one group.
    """
    hashed = Standing(hashed=ledger.hashed).known(enrolled)
    members: dict[str, list[Member]] = {}
    for member in ledger.fix_roster(slot.epoch, members_of(hashed.units)):
        members.setdefault(member.building, []).append(member)
    return Standing(
        members={building: tuple(found) for building, found in members.items()},
        last=lambda group: ledger.last_roster(group, slot.epoch),
        locked=lambda group: ledger.flips(group, slot.epoch, slot.day) >= policy.flips_allowed,
        hashed=ledger.hashed,
    )
