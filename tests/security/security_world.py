"""A small world of four entities: two gateways, a marketplace and an alert service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from planner.security.entities import Entity
from planner.security.envelope import Header, seal
from planner.security.keys import Identity
from planner.security.messages import release_types
from planner.security.opening import Opened, Reader, open_envelope
from planner.security.refusal import Reason, Refused
from planner.security.rights import STANDARD, Action, Rule
from planner.security.roster import Roster

NOW = 1_800_000_000
YEAR = 365 * 86400
POLICY = "5" * 64


@dataclass(frozen=True)
class World:
    """Identities by name and the roster that lists them."""

    identities: Mapping[str, Identity]
    roster: Roster

    def header(self, **changes: Any) -> Header:
        """An honest header of gateway-1's first answer, with some fields changed."""
        honest = Header("answer", "gateway-1", (), "b1", "day-1", 1, NOW, NOW + 3600, 7, POLICY)
        return replace(honest, **changes)

    def seal(self, body: Any, to: tuple[str, ...] = ("market",), signer: str = "gateway-1", **changes: Any) -> bytes:
        readers = tuple(e for name in to for e in self.roster.entities if e.name == name)
        return seal(self.header(**changes), body, self.identities[signer].signer, readers)

    def reader(self, name: str = "market", round_id: str | None = "day-1") -> Reader:
        return Reader(self.identities[name], self.roster, release_types(), round_id)

    def open(self, data: bytes, name: str = "market", at: int = NOW, last: int = -1) -> Opened:
        return open_envelope(data, self.reader(name), at, lambda sender, stream, round_id: last)

    def refusal(self, data: bytes, name: str = "market", at: int = NOW, last: int = -1) -> Reason:
        """The reason for which ``data`` is refused; fails the test if it is accepted."""
        with pytest.raises(Refused) as caught:
            self.open(data, name, at, last)
        return caught.value.reason


def answer(intervals: int = 24, lot: int = 17) -> dict[str, Any]:
    """The body of an honest answer."""
    return {"group": "b1", "clear": "day-1", "round": 0, "lots": [lot] * intervals, "cost": -123_456_789}


RULES = (*STANDARD, Rule("marketplace", Action.SEND, "price", "*"), Rule("gateway", Action.READ, "price", "*"))
RULES += tuple(Rule("service", Action.READ, kind, "*") for kind in ("answer", "commit"))


def make_world() -> World:
    """Gateways speak for b1 and b2; the service may read what the market reads, so that two can read one message."""
    zones = {"gateway-1": {"b1"}, "gateway-2": {"b1", "b2"}, "market": set(), "service": set()}
    roles = {"gateway-1": "gateway", "gateway-2": "gateway", "market": "marketplace", "service": "service"}
    identities = {name: Identity.ephemeral(name) for name in zones}
    entities = [
        Entity.of(identities[name], roles[name], NOW - YEAR, NOW + YEAR, frozenset(mine))
        for name, mine in zones.items()
    ]
    return World(identities, Roster(7, POLICY, tuple(entities), RULES))
