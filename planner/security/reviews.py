"""What a release would say together with earlier ones, asked of the release ledger: successive answers, 8, 9 and 10."""

from __future__ import annotations

from dataclasses import dataclass

from planner.security.churn import waits
from planner.security.differencing import connected, isolated, narrow_differences
from planner.security.disclosure import Findings
from planner.security.gate import Refusal, ReleaseCandidate, Review, Step
from planner.security.policy import Policy
from planner.security.releases import ReleaseLedger


@dataclass(frozen=True)
class Reviews:
    """The gate's questions to a ledger; ``all`` has them in the order of the rule book."""

    ledger: ReleaseLedger

    @property
    def all(self) -> tuple[Review, ...]:
        return self.successive, self.differencing, self.once, self.churn

    def successive(self, candidate: ReleaseCandidate, policy: Policy, findings: Findings) -> Refusal | None:
        """Any two answers about the same instants differ in nobody's position or in at least k occupants'.

        Not only in the last one: who holds the first and the third answer can subtract them as well.
        """
        now = self.ledger.digest(candidate.enrolment, candidate.delta_wh)
        for before in self.ledger.digests(candidate.enrolment.group, candidate.slot):
            changed = sum(before.get(occupant) != now.get(occupant) for occupant in before.keys() | now.keys())
            if 0 < changed < policy.k_active:
                return Refusal(Step.SUCCESSIVE, "too few occupants changed since an earlier answer", findings)
        return None

    def differencing(self, candidate: ReleaseCandidate, policy: Policy, findings: Findings) -> Refusal | None:
        """No sum over fewer than k occupants follows from this release and those that share an instant with it."""
        new = candidate.enrolment.places
        others = self.ledger.rosters_beside(candidate.slot)
        if new in others or all(new.isdisjoint(row) for row in others):
            return None
        rows = connected(others, new)
        if narrow_differences(rows, new, policy.k_active) or isolated(rows, policy.k_active):
            return Refusal(Step.DIFFERENCING, "together with an earlier release it would give away a few", findings)
        return None

    def once(self, candidate: ReleaseCandidate, policy: Policy, findings: Findings) -> Refusal | None:
        """A group speaks once of an interval; a clear anew, under its own id, is about the same occupants."""
        if self.ledger.same_day(candidate.enrolment.group, candidate.slot) <= {candidate.enrolment.places}:
            return None
        return Refusal(Step.ONCE, "the day was released before, for other occupants", findings)

    def churn(self, candidate: ReleaseCandidate, policy: Policy, findings: Findings) -> Refusal | None:
        """The roster is the month's, and a small group that changed waits until more have changed."""
        enrolment, slot = candidate.enrolment, candidate.slot
        buildings = {unit.building for unit in enrolment.units}
        if self.ledger.places_of(slot.epoch, buildings) != enrolment.places:
            return Refusal(Step.CHURN, "the roster is not that of the month", findings)
        if waits(self.ledger.last_roster(enrolment.group, slot.epoch), enrolment, policy):
            return Refusal(Step.CHURN, "too few occupants changed since the group last spoke", findings)
        if self.ledger.flips(enrolment.group, slot.epoch, slot.day) >= policy.flips_allowed:
            return Refusal(Step.CHURN, "the group spoke and kept silent by turns", findings)
        return None
