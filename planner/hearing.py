"""The marketplace's ear: envelopes in, verified and opened, words out.

Gateways under a policy utter envelopes (planner/voice.py); the marketplace's numbers are those of the opened
envelopes alone.  Keys and roster of a clear whose gateways run beside the marketplace are made for that clear.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from planner.fleet import Carrier, Kept, Spent
from planner.groups import Group
from planner.questions import (
    Alone,
    Bound,
    BoundAt,
    Commit,
    Commitment,
    Fault,
    Price,
    Question,
    Refrain,
    Reply,
    Revert,
    Silence,
    Slice,
    Word,
)
from planner.security.entities import Entity
from planner.security.keys import Identity
from planner.security.messages import release_types
from planner.security.opening import Opened, Reader, open_envelope
from planner.security.policy import Policy
from planner.security.refusal import Reason, Refused, require
from planner.security.replay import ReplayStore
from planner.security.roster import Roster

MARKET = "marketplace"
LIFE_S = 36 * 3600
BOUNDS_NEEDED = 5


@dataclass(frozen=True)
class Sealed:
    """An envelope with an answer or a commitment.

    ``bound_micro`` is the group's share in the sum of a round's bounds; it goes into that sum and nowhere else.
    """

    envelope: bytes
    bound_micro: int | None = None


@dataclass(frozen=True)
class HeldBack:
    """Nothing new may be said: the group's last answer stands for this round, or the commitment before the last."""

    bound_micro: int | None = None


Uttered = Sealed | HeldBack | Bound | Silence


@dataclass
class Exchange:
    """Keys and roster of one clear whose gateways run beside the marketplace."""

    policy: Policy
    clear_id: str
    intervals: int
    groups: Sequence[str]
    now: Callable[[], int] = field(default=lambda: int(time.time()))

    def __post_init__(self) -> None:
        at = self.now()
        self.market = Identity.ephemeral(MARKET)
        self.gateways = {g: Identity.ephemeral(f"gateway.{g}"[:64]) for g in self.groups}
        valid = at - LIFE_S, at + LIFE_S
        entities = [Entity.of(self.market, "marketplace", *valid)]
        entities += [Entity.of(i, "gateway", *valid, frozenset({g})) for g, i in self.gateways.items()]
        self.roster = Roster(1, self.policy.sha256, tuple(entities))

    @property
    def reader(self) -> Reader:
        """With what the marketplace opens the envelopes of this clear."""
        return Reader(self.market, self.roster, release_types(self.intervals), self.clear_id)


class Hearing:
    """A fleet of words over a carrier of envelopes: what the marketplace knows of a group is what it opened.

    ``sent`` keeps every envelope as it came, by group, for the outbox.
    """

    def __init__(self, carrier: Carrier[Uttered], reader: Reader, now: Callable[[], int]) -> None:
        self.carrier, self.reader, self.now = carrier, reader, now
        self.store = ReplayStore(None)
        self.sent: dict[str, list[bytes]] = {}
        self._last: dict[int, Reply] = {}
        self._committed: defaultdict[int, list[Commitment]] = defaultdict(list)
        self._bounds: defaultdict[int, list[int]] = defaultdict(list)

    @property
    def groups(self) -> Sequence[Group]:
        return self.carrier.groups

    @property
    def spent(self) -> Spent:
        return self.carrier.spent

    def kept(self) -> Mapping[str, Kept] | None:
        return self.carrier.kept()

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Word]:
        uttered = self.carrier.ask(questions)
        return {g: self._heard(g, question, uttered[g]) for g, question in questions.items()}

    def summed_bound(self, round: int) -> int | None:
        """The sum over at least five groups, else nothing (formulation 3, disclosure)."""
        bounds = self._bounds.get(round, [])
        return sum(bounds) if len(bounds) >= BOUNDS_NEEDED else None

    def _heard(self, g: int, question: Question, uttered: Uttered) -> Word:
        """The word in what was uttered; an envelope that is refused is a fault of its sender."""
        try:
            return self._word(g, question, uttered)
        except Refused as refused:
            return Fault(f"sent an envelope that was refused: {refused.reason.value}")

    def _word(self, g: int, question: Question, uttered: Uttered) -> Word:
        match uttered, question:
            case Silence(), _:
                return uttered
            case Bound(micro), BoundAt(round):
                self._add_bound(round, micro)
                return Bound(None)
            case ((Sealed() | HeldBack()), Commit() | Refrain() | Revert()):
                return self._commitment(g, uttered)
            case ((Sealed() | HeldBack()), Alone() | Slice() | Price() as asked):
                return self._reply(g, asked.round, uttered)
        return Fault("answered another question")

    def _reply(self, g: int, round: int, uttered: Sealed | HeldBack) -> Reply:
        """An answer as opened, or the last one again; its bound goes into the sum alone."""
        if isinstance(uttered, Sealed):
            body = self._open(g, uttered.envelope).body
            lots = np.array(body["lots"], dtype=np.int64)
            self._last[g] = said = Reply(int(body["round"]), lots, int(body["cost"]), None)
        else:
            require(g in self._last, Reason.ROUND)
            said = replace(self._last[g], round=round, repeated=True)
        self._add_bound(round, uttered.bound_micro)
        return said

    def _commitment(self, g: int, uttered: Sealed | HeldBack) -> Commitment:
        made = self._committed[g]
        if isinstance(uttered, HeldBack):
            require(len(made) > 1, Reason.ROUND)
            made.pop()
            return made[-1]
        body = self._open(g, uttered.envelope).body
        made.append(Commitment(np.array(body["position_wh"], dtype=np.int64), int(body["cost"])))
        return made[-1]

    def _open(self, g: int, envelope: bytes) -> Opened:
        """Verify, open, and remember: an envelope of this very group."""
        opened = open_envelope(envelope, self.reader, self.now(), self.store.last_sequence)
        name = self.groups[g].id
        require(opened.header.stream == name and opened.body["group"] == name, Reason.UNAUTHORISED)
        self.sent.setdefault(name, []).append(envelope)
        return self.store.act(opened, lambda _: opened)

    def _add_bound(self, round: int, micro: int | None) -> None:
        """A group's share in the sum of bounds of a round; the masked sum of a later version takes this place."""
        if micro is not None:
            self._bounds[round].append(micro)
