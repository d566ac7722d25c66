"""The outbox of a hand-worked run: an answer and a commit of each group, signed and sealed to the marketplace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from factory import DAY, FIRST, Town

from planner.privacy.document import outside
from planner.privacy.recount import groups_of, houses_of
from planner.security.churn import standing
from planner.security.enrolment import Enrolment, Level
from planner.security.entities import Entity
from planner.security.envelope import Header, seal
from planner.security.gate import Gate, Release, ReleaseCandidate
from planner.security.keys import Identity
from planner.security.policy import EXCHANGE
from planner.security.releases import ReleaseLedger
from planner.security.reviews import Reviews
from planner.security.roster import Roster
from planner.security.slot import Slot

NOW = int(FIRST.timestamp()) - 12 * 3600
YEAR = 365 * 86400


class Post:
    """Who writes to whom, and what they sent."""

    def __init__(self, town: Town) -> None:
        self.town = town
        roles = {"b1": "gateway", "b2": "gateway", "marketplace": "marketplace"}
        self.identities = {name: Identity.ephemeral(name) for name in roles}
        entities = (
            Entity.of(self.identities[name], role, NOW - YEAR, NOW + YEAR, frozenset({name}))
            for name, role in roles.items()
        )
        self.roster = Roster(1, EXCHANGE.sha256, tuple(entities))

    @property
    def reader(self) -> Identity:
        return self.identities["marketplace"]

    def envelope(self, group: str, kind: str, sequence: int, body: Mapping[str, Any], policy: str = "") -> bytes:
        policy = policy or EXCHANGE.sha256
        header = Header(kind, group, (), group, "clear-1", sequence, NOW, NOW + 3600, 1, policy)
        market = self.roster.entity("marketplace")
        assert market is not None
        return seal(header, body, self.identities[group].signer, (market,))

    def answer(self, group: str, sequence: int = 0, **more: Any) -> bytes:
        body = {"group": group, "clear": "clear-1", "cost": 1, "round": 0, "lots": [1] * 24}
        return self.envelope(group, "answer", sequence, body | more)

    def commit(self, group: str, sequence: int = 1, extra_wh: int = 0) -> bytes:
        house = self.town.houses[group]
        position = [house.position(t) + extra_wh for t in range(self.town.n)]
        body = {"group": group, "clear": "clear-1", "cost": 1, "position_wh": position}
        return self.envelope(group, "commit", sequence, body)

    def send(self, group: str, *lines: bytes) -> None:
        """Replace what a group sent."""
        path = self.town.root / f"outbox/{group}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(line + b"\n" for line in lines))

    def remember(self) -> None:
        """privacy.json, what is published of it, and the ledger beside the run, as the outbox stands."""
        slot = Slot(FIRST.date().isoformat(), NOW, NOW + DAY * 3600, NOW + self.town.n * 3600)
        ledger = ReleaseLedger(self.town.root.parent / "town.releases.sqlite")
        groups = groups_of(houses_of(self.town.root))
        everybody = Enrolment("site", Level.COHORT, tuple(u for g in groups.values() for u in g.enrolment.units))
        known = standing(ledger, slot, EXCHANGE, everybody)
        for group in groups.values():
            enrolment = known.known(group.enrolment)
            fields = {"position_wh": tuple(group.delta_wh.sum(axis=0).tolist()), "cost": 1}
            candidate = ReleaseCandidate(enrolment, "commit", "clear-1", 1, fields, group.delta_wh, slot)
            released = Gate(EXCHANGE, reviews=Reviews(ledger).all).decide(candidate)
            assert isinstance(released, Release), released
            ledger.record(candidate, released)
        ledger.close()
        lines = {name: (self.town.root / f"outbox/{name}.jsonl").read_bytes().splitlines() for name in groups}
        sent = {name: {"envelopes": len(rows), "bytes": sum(map(len, rows))} for name, rows in lines.items()}
        rows = [
            {"group": name, "kind": "building", "spoke": True, **counts, "intervals": self.town.n}
            for name, counts in sent.items()
        ]
        told = {
            "report": 1,
            "day": slot.day,
            "epoch": slot.epoch,
            "clear": "clear-1",
            "policy": "exchange",
            "policy_sha256": EXCHANGE.sha256,
        }
        told |= {"unit": "occupant", "rules": asdict(EXCHANGE), "groups": rows}
        (self.town.root / "privacy.json").write_text(json.dumps(told))
        (self.town.root / "market/privacy.json").write_text(json.dumps(outside(told)))


def released_town(root: Path) -> Post:
    """A run of two large buildings under preset exchange, with everything sent as it should be."""
    town = Town(root, crowd=20, preset="exchange")
    town.build()
    post = Post(town)
    (root / "market/roster.json").write_bytes(post.roster.to_bytes())
    for group in ("b1", "b2"):
        post.send(group, post.answer(group), post.commit(group))
    post.remember()
    return post
