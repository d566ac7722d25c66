"""The release gate: the one place that turns a group's private numbers into bytes for the outside.

    candidate -> 0 schema -> 1 group size -> 3 active occupants -> 4 concentration -> 6 the whole day or nothing
              -> successive answers -> reviews (7 insider, 8 differencing, 9 once only, 10 churn) -> Release

A decision is a value: Release, Refusal, or Internal where the policy releases nothing at all.  Steps 3 and 4 test
the magnitudes of all occupants, both signs together, because only the net position is released.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from enum import StrEnum
from typing import Any

from planner.security import strict
from planner.security.disclosure import Findings, examine, is_measurable, static_size
from planner.security.enrolment import Enrolment, Wh
from planner.security.messages import release_types
from planner.security.policy import STAMP, Policy
from planner.security.refusal import Refused

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

    ``kind`` is a release type, ``fields`` its fields without group and clear; ``sequence`` rises within a clear.
    ``contributions_wh`` is ``enrolment.contributions(...)``: |delta|, occupants x intervals, int64 Wh, for every
    interval that the fields speak of; the cap on the day is over all of them.  Fields hold Python ints.
    ``changed_occupants`` counts the occupants whose position differs from the last answer released in this clear,
    None if there was none.
    """

    enrolment: Enrolment
    kind: str
    clear_id: str
    sequence: int
    fields: Mapping[str, int | Sequence[int]]
    contributions_wh: Wh
    changed_occupants: int | None = None

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
            return Refusal(Step.SCHEMA, "fields or contributions are not of the allowed form")
        if not self.policy.gated:
            return self._keep_inside(candidate, body)
        size = static_size(candidate.enrolment, self.policy)
        findings = examine(candidate.contributions_wh, size, self.policy)
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
        changed = candidate.changed_occupants
        if changed is not None and 0 < changed < self.policy.k_active:
            return Refusal(Step.SUCCESSIVE, "too few occupants changed since the last answer", findings)
        for review in self.reviews:
            refusal = review(candidate, self.policy, findings)
            if refusal is not None:
                return refusal
        return None


def _canonical_body(candidate: ReleaseCandidate) -> bytes | None:
    """The bytes of the body if step 0 holds: allowed fields, integers, and one contribution per interval."""
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
    measurable = is_measurable(candidate.contributions_wh, len(candidate.enrolment.occupants), intervals)
    changed = candidate.changed_occupants
    return data if measurable and (changed is None or strict.is_integer(changed, low=0)) else None
