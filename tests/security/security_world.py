"""A small world of four entities: two gateways, a marketplace and an alert service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from planner.security.envelope import Header, seal
from planner.security.keys import Identity
from planner.security.messages import release_types
from planner.security.opening import Opened, Reader, open_envelope
from planner.security.refusal import Reason, Refused
from planner.security.roster import Entity, Roster

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


def make_world() -> World:
    sends = {
        "gateway-1": {"answer", "commit"},
        "gateway-2": {"answer", "commit"},
        "market": {"price"},
        "service": set(),
    }
    identities = {name: Identity.ephemeral(name) for name in sends}
    entities = [
        Entity.of(identities[name], name.split("-")[0], kinds, NOW - YEAR, NOW + YEAR) for name, kinds in sends.items()
    ]
    return World(identities, Roster(7, POLICY, tuple(entities)))
