"""What leaves: only what the gate released, and nothing that was planted beside it (T-P12, T-P27)."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from security_world import NOW, World

import planner.security
from planner.security.enrolment import EnrolledUnit, Enrolment, Level
from planner.security.gate import Gate, Refusal, Release, ReleaseCandidate
from planner.security.messages import MessageType
from planner.security.opening import open_envelope
from planner.security.outgoing import send_notice, send_release
from planner.security.policy import EXCHANGE, INTERNAL
from planner.security.refusal import Reason, Refused
from planner.security.slot import Slot

CANARY = "canary-7f3a"
PACKAGE = Path(planner.security.__file__).parent


def candidate(**changes: Any) -> ReleaseCandidate:
    units = tuple(EnrolledUnit(f"{CANARY}-unit-{n}", f"{CANARY}-occupant-{n}", CANARY, 7777 + n) for n in range(20))
    enrolment = Enrolment("b1", Level.BUILDING, units)
    contributions = np.full((20, 2), 424_242, dtype=np.int64)
    fields = {"position_wh": (1200, -300), "cost": -5}
    return replace(
        ReleaseCandidate(enrolment, "commit", "day-1", 3, fields, contributions, Slot("2026-10-25", 0, 7200, 7200)),
        **changes,
    )


def exchange_world(world: World) -> World:
    return World(world.identities, replace(world.roster, policy=EXCHANGE.sha256))


def test_a_release_arrives(world: World) -> None:
    world = exchange_world(world)
    release = Gate(EXCHANGE).decide(candidate())
    assert isinstance(release, Release)
    data = send_release(release, world.identities["gateway-1"], ["market"], world.roster, NOW)
    opened = open_envelope(data, world.reader(), NOW, lambda *key: -1)
    assert opened.body == {"group": "b1", "clear": "day-1", "position_wh": [1200, -300], "cost": -5}
    assert (opened.header.stream, opened.header.round, opened.header.sequence) == ("b1", "day-1", 3)
    assert opened.header.expires_at == NOW + 36 * 3600


def test_T_P27_nothing_but_a_release_is_sent(world: World) -> None:
    """T-P27: Internal, Refusal and a bare body have no way out."""
    sender = world.identities["gateway-1"]
    for other in (Gate(INTERNAL).decide(candidate()), Gate(EXCHANGE).decide(candidate(kind="x")), {"cost": 1}, None):
        with pytest.raises(TypeError):
            send_release(other, sender, ["market"], world.roster, NOW)  # type: ignore[arg-type]


def test_policy_and_reader_must_be_those_of_the_roster(world: World) -> None:
    release = Gate(EXCHANGE).decide(candidate())
    assert isinstance(release, Release)
    with pytest.raises(Refused) as caught:
        send_release(release, world.identities["gateway-1"], ["market"], world.roster, NOW)
    assert caught.value.reason is Reason.POLICY
    with pytest.raises(Refused) as caught:
        send_release(release, world.identities["gateway-1"], ["nobody"], exchange_world(world).roster, NOW)
    assert caught.value.reason is Reason.RECIPIENT


def test_a_notice_cannot_carry_a_release_type(world: World) -> None:
    prices = MessageType("price", {"price": lambda v: type(v) is int}, 3600)
    way = {"stream": "prices", "round_id": "day-1", "sequence": 1}
    market = world.identities["market"]
    data = send_notice(prices, {"price": 5}, market, ["gateway-1", "gateway-2"], world.roster, NOW, **way)
    reader = replace(world.reader("gateway-2"), types={"price": prices})
    assert open_envelope(data, reader, NOW, lambda *key: -1).body == {"price": 5}
    with pytest.raises(Refused):
        send_notice(replace(prices, name="answer"), {"price": 5}, market, ["gateway-1"], world.roster, NOW, **way)
    with pytest.raises(Refused):
        send_notice(prices, {"price": "five"}, market, ["gateway-1"], world.roster, NOW, **way)


def test_T_P12_no_canary_in_anything_that_leaves(world: World) -> None:
    """T-P12: names and quantities of units are in no envelope, opened body, reason or reply."""
    world = exchange_world(world)
    release = Gate(EXCHANGE).decide(candidate())
    refusal = Gate(EXCHANGE).decide(candidate(delta_wh=np.eye(20, 2, dtype=np.int64)))
    assert isinstance(release, Release)
    assert isinstance(refusal, Refusal)
    data = send_release(release, world.identities["gateway-1"], ["market"], world.roster, NOW)
    opened = open_envelope(data, world.reader(), NOW, lambda *key: -1)
    out = [data, repr(opened.body).encode(), repr(opened.header).encode(), refusal.reason.encode(), release.body]
    for secret in (CANARY, "424242", "7777", "8484840"):
        assert not any(secret.encode() in surface for surface in out)


def imports(path: Path) -> set[tuple[str, str]]:
    """(module, name) pairs imported by a source file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {(node.module or "", alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
    return found


def test_outgoing_is_the_only_module_that_seals() -> None:
    """Whoever could call ``seal`` could send past the gate."""
    sealing = {("planner.security.envelope", "seal"), ("planner.security", "envelope")}
    callers = {p.name for p in PACKAGE.parent.rglob("*.py") if imports(p) & sealing}
    assert callers == {"outgoing.py"}


def test_security_knows_no_market_and_no_tables() -> None:
    for path in PACKAGE.glob("*.py"):
        for module, _ in imports(path):
            top = module.split(".")[0]
            assert top not in ("pandas", "pyomo", "planner_models", "networkx", "scipy"), path
            assert top != "planner" or module.startswith("planner.security"), path


def test_hpke_is_touched_in_one_place() -> None:
    users = {p.name for p in PACKAGE.parent.rglob("*.py") if ("cryptography.hazmat.primitives", "hpke") in imports(p)}
    assert users == {"hpke.py"}
