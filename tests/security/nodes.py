"""Whole nodes in folders, under one signed roster: what the commands work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from security_world import NOW, POLICY

from planner.security.authority import Authority
from planner.security.cards import DAY_S
from planner.security.invites import request
from planner.security.keyfiles import load_identity
from planner.security.keyring import new_keys
from planner.security.keys import LocalSigner
from planner.security.node import Node, open_node, start_node
from planner.security.roster import Root

PASS = b"correct horse"
EXPIRES = NOW + 35 * DAY_S
CAST = {
    "market": ("marketplace", ()),
    "b1": ("gateway", ("b1",)),
    "b2": ("gateway", ("b2",)),
    "smoke": ("fire-detector", ("b1",)),
    "flood": ("water-detector", ("b1",)),
    "fire": ("fire-service", ("b1", "b2")),
    "water": ("water-service", ("b2",)),
    "bridge": ("bridge", ("b1",)),
}


@dataclass(frozen=True)
class Town:
    """An operator's folder and a node for every name of the cast."""

    folder: Path
    city: Authority
    roots: tuple[LocalSigner, ...]

    def node(self, name: str, at: int = NOW) -> Node:
        return open_node(self.folder / name, PASS, at)

    def publish(self, at: int = NOW) -> bytes:
        """Sign what is in preparation with two roots."""
        for signer in self.roots[:2]:
            self.city.sign(signer, at)
        return (self.city.folder / "roster.json").read_bytes()


def make_town(folder: Path, cast: Mapping[str, tuple[str, tuple[str, ...]]] = CAST) -> Town:
    """Enrol everybody, sign the first roster, and let everybody trust it."""
    roots = tuple(LocalSigner.generate() for _ in range(3))
    city = Authority(folder / "city")
    city.begin("city", Root(tuple(signer.public for signer in roots), 2), POLICY, EXPIRES)
    for name, (role, zones) in cast.items():
        offer = city.invite(name, role, zones, NOW)
        card = new_keys(folder / name, name, PASS, NOW)
        city.enrol(request(card, offer, load_identity(folder / name, PASS, NOW).signer), NOW, EXPIRES)
    town = Town(folder, city, roots)
    data = town.publish()
    for name in cast:
        start_node(folder / name, data, city.current.root.fingerprint if city.current else "", PASS, NOW)
    return town
