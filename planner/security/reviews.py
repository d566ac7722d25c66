"""What a release would say together with earlier ones, asked of the release ledger: successive answers, 8, 9 and 10."""

from __future__ import annotations

from dataclasses import dataclass

from planner.security.churn import waits
from planner.security.differencing import connected, isolated, narrow_differences, occupants_of
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

        Not only in the last one: who holds the first and the third answer can subtract them as well; nor only in the
        group's own, where buildings spoke in another group before.  Who joined since the roster was fixed is
        protected and helps no count.
        """
        now = self.ledger.would_say(candidate)
        for before in self.ledger.said_of(candidate.slot, now.roster, now.group):
            changed = before.changed(now)
            if changed and occupants_of(changed & now.roster) < policy.k_active:
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
        """A group speaks once of an interval; a clear anew, under its own id, is about the same occupants and steps.

        Sums over a day cut otherwise are sums of the same hours, and no two answers of them could be compared.
        """
        for spoken in self.ledger.same_day(candidate.enrolment, candidate.slot):
            if spoken.group == candidate.enrolment.group and spoken.roster != candidate.enrolment.places:
                return Refusal(Step.ONCE, "the day was released before, for other occupants", findings)
            if spoken.slot != candidate.slot:
                return Refusal(Step.ONCE, "the day was released before, over other intervals", findings)
        return None

    def churn(self, candidate: ReleaseCandidate, policy: Policy, findings: Findings) -> Refusal | None:
        """The roster is the month's, and a small group that changed waits until more have changed."""
        enrolment, slot = candidate.enrolment, candidate.slot
        buildings = {unit.building for unit in enrolment.units}
        if self.ledger.places_of(slot.epoch, buildings) != enrolment.places:
            return Refusal(Step.CHURN, "the roster is not that of the month", findings)
        if waits(self.ledger.last_roster(enrolment.group, slot.epoch), enrolment.places, policy):
            return Refusal(Step.CHURN, "too few occupants changed since the group last spoke", findings)
        if self.ledger.flips(enrolment.group, slot.epoch, slot.day) >= policy.flips_allowed:
            return Refusal(Step.CHURN, "the group spoke and kept silent by turns", findings)
        return None
