"""What a group says, said aloud: through the release gate, signed and sealed to the marketplace.

A ``SpeakingGateway`` stands between a group's own gateway and the marketplace (planner/hearing.py).  Numbers go
through the gate; only what it releases becomes an envelope.  What is held back repeats the group's last word in a
new round; a group that may not say even its first word, or its commitment, is silent for the day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from planner.fleet import Kept, Spent
from planner.groups import Group
from planner.hearing import MARKET, HeldBack, Sealed, Uttered
from planner.quantise import Ints
from planner.questions import Alone, Bound, Commitment, Price, Question, Reply, Revert, Silence, Slice, Word
from planner.security.enrolment import Enrolment
from planner.security.gate import Gate, Internal, Refusal, Release, ReleaseCandidate
from planner.security.keys import Identity
from planner.security.outgoing import send_release
from planner.security.releases import ReleaseLedger
from planner.security.roster import Roster
from planner.security.slot import Slot

PATIENCE = 3
"""A group whose first three answers beyond no trade are refused is silent for the day."""


@dataclass(frozen=True)
class Mouth:
    """With what a group's gateway signs and seals: its keys, the roster it trusts, the clear and what it is about, the
    ledger of what was said, and the time."""

    identity: Identity
    roster: Roster
    clear_id: str
    slot: Slot
    ledger: ReleaseLedger
    now: Callable[[], int]


class Inner(Protocol):
    """The gateway behind a voice: its models may be here or in another process."""

    schedules: Any

    @property
    def group(self) -> Group: ...

    @property
    def spent(self) -> Spent: ...

    def kept(self) -> Mapping[str, Kept]: ...

    def answer(self, question: Question) -> Word: ...

    def delta_wh(self) -> Ints: ...

    def answer_delta_wh(self, round: int) -> Ints: ...

    def repeat(self, round: int, earlier: int) -> None: ...


@dataclass
class SpeakingGateway:
    """A group's gateway as the marketplace knows it."""

    inner: Inner
    enrolment: Enrolment
    gate: Gate
    mouth: Mouth
    sequence: int = 0
    held_back: int = 0
    said_sha256: str = ""
    worst: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.last_round: int | None = None

    @property
    def group(self) -> Group:
        return self.inner.group

    @property
    def spent(self) -> Spent:
        return self.inner.spent

    def kept(self) -> Mapping[str, Kept]:
        return self.inner.kept()

    def answer(self, question: Question) -> Uttered:
        """The word to one question, as far as the gate lets it out."""
        before = self.inner.schedules
        match self.inner.answer(question), question:
            case Reply() as reply, Alone() | Slice() | Price():
                return self._say_answer(reply)
            case Commitment() as made, Revert():
                return self._say_again(made)
            case Commitment() as made, _:
                return self._say_commitment(made, before)
            case (Bound() | Silence()) as word, _:
                return word
        raise TypeError(f"{type(question).__name__} has no answer of this kind")

    def _say_commitment(self, made: Commitment, before: Any) -> Uttered:
        """The final position to the Wh.  What may not be said is not done: the schedules before it stand."""
        fields = {"position_wh": tuple(made.position_wh.tolist()), "cost": made.cost_micro}
        said = self._release("commit", fields, self.inner.delta_wh())
        if isinstance(said, Refusal):
            self.inner.schedules = before
            return Silence(said.reason)
        return Sealed(said)

    def _say_again(self, made: Commitment) -> Uttered:
        """What stands after a commitment was taken back, so that the last word sent is what is cleared.

        Where the gate will not repeat it, the marketplace takes the one before the last, which it knows.
        """
        fields = {"position_wh": tuple(made.position_wh.tolist()), "cost": made.cost_micro}
        said = self._release("commit", fields, self.inner.delta_wh())
        return HeldBack() if isinstance(said, Refusal) else Sealed(said)

    def _say_answer(self, reply: Reply) -> Uttered:
        fields = {"round": reply.round, "lots": tuple(reply.lots.tolist()), "cost": reply.cost_micro}
        said = self._release("answer", fields, self.inner.answer_delta_wh(reply.round))
        if isinstance(said, Refusal):
            self.held_back += 1
            if self.last_round is None or (self.last_round == 0 and self.held_back >= PATIENCE):
                return Silence(said.reason)
            self.inner.repeat(reply.round, self.last_round)
            return HeldBack(reply.bound_micro)
        self.last_round = reply.round
        return Sealed(said, reply.bound_micro)

    def _release(self, kind: str, fields: dict, delta_wh: Ints) -> bytes | Refusal:
        mouth = self.mouth
        candidate = ReleaseCandidate(self.enrolment, kind, mouth.clear_id, self.sequence, fields, delta_wh, mouth.slot)
        decision = self.gate.decide(candidate)
        if isinstance(decision, Internal):
            raise TypeError("a policy without a gate releases nothing")
        if isinstance(decision, Refusal):
            self.refused[decision.step.value] = self.refused.get(decision.step.value, 0) + 1
            return decision
        mouth.ledger.record(candidate, decision)
        self.said_sha256 = hashlib.sha256(decision.body).hexdigest()
        self._note(decision)
        self.sequence += 1
        return send_release(decision, mouth.identity, [MARKET], mouth.roster, mouth.now())

    def _note(self, release: Release) -> None:
        found = release.findings
        if found.min_active is not None:
            self.worst["min_active"] = min(self.worst.get("min_active", found.min_active), found.min_active)
        for name in ("worst_interval_share_ppm", "largest_day_share_ppm"):
            self.worst[name] = max(self.worst.get(name, 0), int(getattr(found, name)))
