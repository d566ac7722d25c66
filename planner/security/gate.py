"""The release gate: the one place that turns a group's private numbers into bytes for the outside.

    candidate -> 0 schema -> 1 group size -> 3 active occupants -> 4 concentration -> 6 the whole day or nothing
              -> 7 insiders -> reviews (successive answers, 8 differencing, 9 once only, 10 churn) -> Release

A decision is a value: Release, Refusal, or Internal where the policy releases nothing at all.  Steps 3 and 4 test
the magnitudes of all occupants, both signs together, because only the net position is released.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from enum import StrEnum
from typing import Any

from planner.security import strict
from planner.security.disclosure import Findings, examine, insiders_learn_too_much, is_measurable, static_size
from planner.security.enrolment import Enrolment, Wh
from planner.security.messages import release_types
from planner.security.policy import STAMP, Policy
from planner.security.refusal import Refused
from planner.security.slot import Slot

_TYPES = release_types()
_MADE_HERE = object()


class Step(StrEnum):
    """The step at which a candidate stopped; the numbers are those of the rule book."""

    SCHEMA = "0 schema"
    SIZE = "1 group size"
    ACTIVE = "3 active occupants"
    CONCENTRATION = "4 concentration"
    SUCCESSIVE = "6 successive answers"
    INSIDER = "7 insider"
    DIFFERENCING = "8 differencing"
    ONCE = "9 once only"
    CHURN = "10 churn"


@dataclass(frozen=True, eq=False)
class ReleaseCandidate:
    """What a gateway would like to say.

    ``kind`` is a release type, ``fields`` its fields without group and clear, in Python ints; ``sequence`` rises
    within a clear; ``slot`` says which day and instants it speaks of.  ``delta_wh`` holds the position of every unit
    of the enrolment (units x intervals, signed int64 Wh) for every interval that the fields speak of; the cap on the
    day is over all of them.
    """

    enrolment: Enrolment
    kind: str
    clear_id: str
    sequence: int
    fields: Mapping[str, int | Sequence[int]]
    delta_wh: Wh
    slot: Slot

    @property
    def body(self) -> dict[str, Any]:
        """The message body: the fields, the group and the clear."""
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in self.fields.items()}
        return plain | {"group": self.enrolment.group, "clear": self.clear_id}


@dataclass(frozen=True)
class Release:
    """Numbers that passed; only the gate can make one.  ``body`` is the canonical message body."""

    group: str
    kind: str
    clear_id: str
    sequence: int
    policy: str
    body: bytes
    findings: Findings
    made_by: InitVar[object]

    def __post_init__(self, made_by: object) -> None:
        if made_by is not _MADE_HERE:
            raise TypeError("a Release is made by the release gate only")


@dataclass(frozen=True)
class Internal:
    """Numbers for a lawful analysis inside; nothing can send it."""

    group: str
    kind: str
    clear_id: str
    sequence: int
    body: bytes
    stamp: str = STAMP


@dataclass(frozen=True)
class Refusal:
    """Nothing leaves, for no interval of the day; ``reason`` is a fixed text without any number of the case."""

    step: Step
    reason: str
    findings: Findings | None = None


Decision = Release | Internal | Refusal
Review = Callable[[ReleaseCandidate, Policy, Findings], Refusal | None]
"""A rule that looks beyond the candidate, at earlier releases or at coalitions; None means no objection."""


@dataclass(frozen=True)
class Gate:
    """A policy at work; ``reviews`` run in order after the rules that need the candidate alone."""

    policy: Policy
    synthetic: bool = False
    reviews: tuple[Review, ...] = ()

    def decide(self, candidate: ReleaseCandidate) -> Decision:
        """Release, Internal or Refusal for the whole candidate; never raises for what a candidate holds."""
        body = _canonical_body(candidate)
        if body is None:
            return Refusal(Step.SCHEMA, "fields or positions are not of the allowed form")
        if not self.policy.gated:
            return self._keep_inside(candidate, body)
        size = static_size(candidate.enrolment, self.policy)
        contributions = candidate.enrolment.contributions(candidate.delta_wh)
        findings = examine(contributions, candidate.enrolment.on_roster, size, self.policy)
        refusal = self._objection(candidate, findings)
        if refusal is not None:
            return refusal
        return Release(
            group=candidate.enrolment.group,
            kind=candidate.kind,
            clear_id=candidate.clear_id,
            sequence=candidate.sequence,
            policy=self.policy.sha256,
            body=body,
            findings=findings,
            made_by=_MADE_HERE,
        )

    def _keep_inside(self, candidate: ReleaseCandidate, body: bytes) -> Internal | Refusal:
        if self.policy.synthetic_only and not self.synthetic:
            return Refusal(Step.SCHEMA, "this policy is for synthetic cases only")
        return Internal(candidate.enrolment.group, candidate.kind, candidate.clear_id, candidate.sequence, body)

    def _objection(self, candidate: ReleaseCandidate, findings: Findings) -> Refusal | None:
        """The first rule that fails.  One failing interval refuses the day: a hole would say who was absent."""
        if not findings.size.passes:
            return Refusal(Step.SIZE, "the group is too small or too concentrated by enrolment", findings)
        if any(interval.fails_active for interval in findings.failing):
            return Refusal(Step.ACTIVE, "an interval has too few active occupants", findings)
        if findings.failing:
            return Refusal(Step.CONCENTRATION, "an interval is dominated by its largest occupant", findings)
        if not findings.day_share_passes:
            return Refusal(Step.CONCENTRATION, "the day is dominated by its largest occupant", findings)
        if insiders_learn_too_much(candidate.enrolment, candidate.delta_wh, findings.size, self.policy):
            return Refusal(Step.INSIDER, "who takes out its own part would learn too much of the rest", findings)
        for review in self.reviews:
            refusal = review(candidate, self.policy, findings)
            if refusal is not None:
                return refusal
        return None


def _canonical_body(candidate: ReleaseCandidate) -> bytes | None:
    """The body's bytes if step 0 holds: allowed fields, integers, and a position of every unit in every interval."""
    message_type = _TYPES.get(candidate.kind)
    if message_type is None or not strict.is_integer(candidate.sequence, low=0):
        return None
    body = candidate.body
    try:
        message_type.check(body)
        data = strict.dumps(body)
    except Refused:
        return None
    intervals = len(next(value for value in body.values() if type(value) is list))
    return data if is_measurable(candidate.delta_wh, len(candidate.enrolment.units), intervals) else None
