"""What a group says, said aloud: through the release gate, signed, sealed, and read back by the marketplace.

A ``SpeakingGateway`` stands between a group's own gateway and the marketplace.  Numbers go through the gate; only
what it releases becomes an envelope; the marketplace's reply is built from the opened envelope alone.  What is held
back repeats the group's last word in a new round; a group that may not say even its first word, or its commitment,
is silent for the day.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from planner.gateway import Commitment, LocalGateway, Reply, SilentGroupError
from planner.groups import Group
from planner.quantise import Floats, Ints
from planner.security.enrolment import Enrolment
from planner.security.gate import Gate, Internal, Refusal, Release, ReleaseCandidate
from planner.security.keys import Identity
from planner.security.messages import release_types
from planner.security.opening import Opened, Reader, open_envelope
from planner.security.outgoing import send_release
from planner.security.policy import Policy
from planner.security.replay import ReplayStore
from planner.security.roster import Entity, Roster
from planner_models.answer import Ladder

MARKET = "marketplace"
LIFE_S = 36 * 3600
PATIENCE = 3
"""A group whose first three answers beyond no trade are refused is silent for the day."""
BOUNDS_NEEDED = 5


@dataclass
class Exchange:
    """Keys, roster and replay store of one local clear: the marketplace's ear."""

    policy: Policy
    clear_id: str
    intervals: int
    groups: Sequence[str]
    now: Callable[[], int] = field(default=lambda: int(time.time()))

    def __post_init__(self) -> None:
        at = self.now()
        self.market = Identity.ephemeral(MARKET)
        self.gateways = {g: Identity.ephemeral(f"gateway.{g}"[:64]) for g in self.groups}
        spoken = frozenset(release_types())
        entities = [Entity.of(self.market, "marketplace", (), at - LIFE_S, at + LIFE_S)]
        entities += [Entity.of(i, "gateway", spoken, at - LIFE_S, at + LIFE_S) for i in self.gateways.values()]
        self.roster = Roster(1, self.policy.sha256, tuple(entities))
        self.reader = Reader(self.market, self.roster, release_types(self.intervals), self.clear_id)
        self.store = ReplayStore(None)
        self.sent: dict[str, list[bytes]] = {}
        self._bounds: dict[int, list[int]] = {}

    def add_bound(self, round: int, bound_micro: int) -> None:
        """A group's share in the sum of bounds of a round; the masked sum of a later version takes this place."""
        self._bounds.setdefault(round, []).append(bound_micro)

    def summed_bound(self, round: int) -> int | None:
        """The sum over at least five groups, else nothing (formulation 3, disclosure)."""
        bounds = self._bounds.get(round, [])
        return sum(bounds) if len(bounds) >= BOUNDS_NEEDED else None

    def carry(self, release: Release, group: str) -> Opened:
        """Seal, deliver, verify, open, and remember: one envelope from a gateway to the marketplace."""
        at = self.now()
        data = send_release(release, self.gateways[group], [MARKET], self.roster, at)
        self.sent.setdefault(group, []).append(data)
        opened = open_envelope(data, self.reader, at, self.store.last_sequence)
        return self.store.act(opened, lambda _: opened)


@dataclass
class SpeakingGateway:
    """A group's gateway as the marketplace knows it."""

    inner: LocalGateway
    enrolment: Enrolment
    gate: Gate
    exchange: Exchange
    sequence: int = 0
    held_back: int = 0
    worst: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.last: Reply | None = None
        self.last_delta: Ints | None = None

    @property
    def group(self) -> Group:
        return self.inner.group

    def alone(self, round: int) -> Reply:
        return self._answer(self.inner.alone(round))

    def hold(self) -> None:
        self.inner.hold()

    def slice(self, round: int, ladder: Ladder) -> Reply:
        return self._answer(self.inner.slice(round, ladder))

    def price(self, round: int, price: Floats) -> Reply:
        return self._answer(self.inner.price(round, price))

    def commit(self, weights: dict[int, float], ladder: Ladder, tolerance: float) -> Commitment:
        """The final position to the Wh; raises SilentGroupError where the gate refuses it."""
        return self._say_commitment(partial(self.inner.commit, weights, ladder, tolerance))

    def keep(self) -> None:
        self.inner.keep()

    def revert(self) -> None:
        self.inner.revert()

    def refrain(self) -> Commitment:
        return self._say_commitment(self.inner.refrain)

    def _say_commitment(self, commit: Callable[[], Commitment]) -> Commitment:
        """What may not be said is not done: the schedules before it stand."""
        before = self.inner.schedules
        made = commit()
        fields = {"position_wh": tuple(made.position_wh.tolist()), "cost": made.cost_micro}
        opened = self._release("commit", fields, self.inner.delta_wh())
        if isinstance(opened, Refusal):
            self.inner.schedules = before
            raise SilentGroupError(self.group.id, opened.reason)
        body = opened.body
        return Commitment(np.array(body["position_wh"], dtype=np.int64), int(body["cost"]))

    def _answer(self, reply: Reply) -> Reply:
        fields = {"round": reply.round, "lots": tuple(reply.lots.tolist()), "cost": reply.cost_micro}
        opened = self._release("answer", fields, self.inner.answer_delta_wh(reply.round))
        if isinstance(opened, Refusal):
            self.held_back += 1
            if self.last is None or (self.last.round == 0 and self.held_back >= PATIENCE):
                raise SilentGroupError(self.group.id, opened.reason)
            self.inner.repeat(reply.round, self.last.round)
            self._add_bound(reply)
            return Reply(reply.round, self.last.lots, self.last.cost_micro, None, repeated=True)
        body = opened.body
        lots = np.array(body["lots"], dtype=np.int64)
        self._add_bound(reply)
        self.last = Reply(int(body["round"]), lots, int(body["cost"]), None)
        return self.last

    def _add_bound(self, reply: Reply) -> None:
        if reply.bound_micro is not None:
            self.exchange.add_bound(reply.round, reply.bound_micro)

    def _release(self, kind: str, fields: dict, delta_wh: Ints) -> Opened | Refusal:
        changed = None if self.last_delta is None else self.enrolment.changed(self.last_delta, delta_wh)
        candidate = ReleaseCandidate(
            self.enrolment,
            kind,
            self.exchange.clear_id,
            self.sequence,
            fields,
            self.enrolment.contributions(delta_wh),
            changed,
        )
        decision = self.gate.decide(candidate)
        if isinstance(decision, Internal):
            raise TypeError("a policy without a gate releases nothing")
        if isinstance(decision, Refusal):
            return decision
        self._note(decision)
        self.sequence += 1
        self.last_delta = delta_wh
        return self.exchange.carry(decision, self.group.id)

    def _note(self, release: Release) -> None:
        found = release.findings
        if found.min_active is not None:
            self.worst["min_active"] = min(self.worst.get("min_active", found.min_active), found.min_active)
        for name in ("worst_interval_share_ppm", "largest_day_share_ppm"):
            self.worst[name] = max(self.worst.get(name, 0), int(getattr(found, name)))
