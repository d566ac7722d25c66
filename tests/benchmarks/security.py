"""Envelopes per second of one core: signed and sealed, verified, opened, and acted on once.

    python tests/benchmarks/security.py [--seconds 2] [--intervals 96] [--gateways 1000]

Times are CPU seconds of this process, so that a busy machine changes little.  "act" is the SQLite transaction of the
sequence number on a file; it waits for the disk, which CPU time does not show, so that its wall time is printed too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from planner.security.documents import ROSTER_TYPE, sign_document
from planner.security.entities import Entity
from planner.security.envelope import Header, seal
from planner.security.hpke import Kem
from planner.security.keys import Identity, LocalSigner
from planner.security.log import Kind, Log, Record
from planner.security.messages import release_types
from planner.security.opening import Reader, open_envelope, verify_envelope
from planner.security.replay import ReplayStore
from planner.security.roster import Root, Roster
from planner.security.trust import first_roster

NOW, DAY = 1_800_000_000, 86_400
POLICY = "5" * 64


def rate(name: str, once: Callable[[], object], seconds: float) -> None:
    """Print how often ``once`` runs in a second of CPU time."""
    once()
    count, began, wall = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - wall < seconds:
        once()
        count += 1
    cpu, wall = time.process_time() - began, time.perf_counter() - wall
    print(f"{name:<44} {count / cpu:>9,.0f} /s CPU {count / wall:>9,.0f} /s wall {1e3 * cpu / count:>8.3f} ms")


def envelopes(kem: Kem, intervals: int, seconds: float) -> None:
    """One answer from a gateway to a marketplace, again and again."""
    gateway, market = Identity.ephemeral("gateway.1", kem), Identity.ephemeral("market", kem)
    entities = (
        Entity.of(gateway, "gateway", NOW - DAY, NOW + DAY, frozenset({"b1"})),
        Entity.of(market, "marketplace", NOW - DAY, NOW + DAY),
    )
    roster = Roster(1, POLICY, entities)
    body = {"group": "b1", "clear": "day-1", "round": 0, "lots": [12345] * intervals, "cost": -123_456_789}
    header = Header("answer", "gateway.1", (), "b1", "day-1", 1, NOW, NOW + 3600, 1, POLICY)
    reader = Reader(market, roster, release_types(), "day-1")
    to = (roster.entity("market"),)

    def sealed() -> bytes:
        return seal(header, body, gateway.signer, to)  # type: ignore[arg-type]

    data = sealed()
    print(f"\n{kem}, {intervals} intervals, {len(data):,} bytes")
    rate("sign and seal", sealed, seconds)
    rate("verify (signature, header)", lambda: verify_envelope(data, roster, NOW), seconds)
    rate("verify and open", lambda: open_envelope(data, reader, NOW, lambda *key: -1), seconds)
    rate("sign, seal, verify and open", lambda: open_envelope(sealed(), reader, NOW, lambda *key: -1), seconds)
    opened = open_envelope(data, reader, NOW, lambda *key: -1)
    with tempfile.TemporaryDirectory() as folder:
        _act(ReplayStore(Path(folder) / "node.sqlite"), market, opened, seconds)


def _act(store: ReplayStore, market: Identity, opened: object, seconds: float) -> None:
    from dataclasses import replace

    log, sequence = Log(store.connection, "market", market.signer), iter(range(1, 10**9))

    def act() -> None:
        header = replace(opened.header, sequence=next(sequence))  # type: ignore[attr-defined]
        message = replace(opened, header=header)  # type: ignore[type-var]
        store.act(message, lambda db: log.append(Record(Kind.RECEIVED, NOW, "0" * 64)))  # type: ignore[arg-type]

    rate("act once, with its log entry, on disk", act, seconds)
    store.close()


def rosters(gateways: int, seconds: float) -> None:
    """A roster of many gateways, signed by two roots: its bytes and how long a node takes to trust it."""
    roots = [LocalSigner.generate() for _ in range(3)]
    entities = tuple(
        Entity.of(Identity.ephemeral(f"gateway.{n}"), "gateway", NOW - DAY, NOW + DAY, frozenset({f"b{n}"}))
        for n in range(gateways)
    )
    root = Root(tuple(signer.public for signer in roots), 2)
    roster = Roster(1, POLICY, entities, expires_at=NOW + 35 * DAY, root=root)
    data = sign_document(ROSTER_TYPE, roster.to_bytes(), roots[:2])
    print(f"\nroster of {gateways:,} gateways, {len(data):,} bytes")
    rate("verify and read", lambda: first_roster(data, root.fingerprint, NOW), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--intervals", type=int, default=96)
    parser.add_argument("--gateways", type=int, default=1000)
    asked = parser.parse_args()
    for kem in Kem:
        envelopes(kem, asked.intervals, asked.seconds)
    rosters(asked.gateways, asked.seconds)


if __name__ == "__main__":
    main()
