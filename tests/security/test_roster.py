"""The roster: contradictions are refused, what is not granted is denied (T-K01, T-K05, T-K22)."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from security_world import NOW, POLICY, YEAR, World, make_world

from planner.security import strict
from planner.security.entities import Entity, SigningRecord
from planner.security.keys import Identity
from planner.security.refusal import Reason, Refused
from planner.security.rights import OWN, STANDARD, Action, Rule, may
from planner.security.roster import Roster

WORLD = make_world()


def test_it_comes_back_from_its_bytes(world: World) -> None:
    data = world.roster.to_bytes()
    assert Roster.from_bytes(data).to_bytes() == data
    shuffled = replace(world.roster, entities=world.roster.entities[::-1])
    assert shuffled.to_bytes() == data
    assert Roster.from_bytes(data).entity("gateway-1") == world.roster.entity("gateway-1")


def test_enrolled_identity_key_is_refused(world: World) -> None:
    """T-K01: a roster with a weak key does not come into being."""
    weak = SigningRecord((1).to_bytes(32, "little"), 0, NOW)
    with pytest.raises(Refused) as caught:
        Roster(1, POLICY, (replace(world.roster.entities[0], signing=(weak,)),))
    assert caught.value.reason is Reason.WEAK_KEY


@pytest.mark.parametrize("same", ["name", "signing", "sealing"])
def test_duplicates(world: World, same: str) -> None:
    """T-K05: one key under two names, or one name for two keys."""
    first = world.roster.entities[0]
    other = Entity.of(Identity.ephemeral("other"), "gateway", 0, NOW)
    with pytest.raises(Refused) as caught:
        Roster(1, POLICY, (first, replace(other, **{same: getattr(first, same)})))
    assert caught.value.reason is Reason.DUPLICATE


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(version=0),
        lambda d: d.update(version=True),
        lambda d: d.update(note=1),
        lambda d: d["entities"][0].pop("role"),
        lambda d: d["entities"][0].update(name="a\u202eb"),
        lambda d: d["entities"][0].update(zones=[1]),
        lambda d: d["entities"][0].update(zones=["Anna Berg, 3rd floor"]),
        lambda d: d["entities"][0]["sealing"][0].update(kem="rsa"),
        lambda d: d["entities"][0]["sealing"][0].update(until=-1),
        lambda d: d["rules"][0].update(action="everything"),
        lambda d: d["rules"][0].update(stream="a*b"),
        lambda d: d["rules"][0].update(until="9"),
        lambda d: d["root"].update(threshold="2"),
        lambda d: d.update(expires=None),
        lambda d: d["entities"][0]["signing"][0].update(alg="hs256"),
        lambda d: d["entities"][0]["signing"][0].update(key="AAAA"),
        lambda d: d["entities"][0]["signing"][0].update(until="9"),
    ],
)
def test_damaged_documents(world: World, damage: Any) -> None:
    document = json.loads(world.roster.to_bytes())
    damage(document)
    with pytest.raises(Refused):
        Roster.from_bytes(json.dumps(document).encode())


ROLES, KINDS, STREAMS = ("gateway", "marketplace", "x"), ("answer", "alert.fire"), ("b1", "b2", "c1")
TABLES = st.lists(
    st.builds(
        Rule,
        role=st.sampled_from(ROLES),
        action=st.sampled_from(Action),
        type=st.sampled_from(KINDS),
        stream=st.sampled_from([*STREAMS, "b*", "*", OWN]),
        valid_from=st.integers(0, 3),
        valid_until=st.integers(0, 6),
    ),
    max_size=6,
)
ASKED = st.tuples(
    st.sampled_from([*ROLES, "unknown"]),
    st.frozensets(st.sampled_from(STREAMS)),
    st.sampled_from(Action),
    st.sampled_from([*KINDS, "unknown"]),
    st.sampled_from([*STREAMS, "z"]),
    st.integers(0, 7),
)


@given(TABLES, TABLES, ASKED)
def test_T_K22_default_deny_and_monotone(table: list[Rule], dropped: list[Rule], asked: Any) -> None:
    """Nothing without a rule; removing rules never grants, adding never denies, order does not matter."""
    role, zones, action, kind, stream, at = asked
    granted = may(table, *asked)
    fits = (r for r in table if (r.role, r.action, r.type) == (role, action, kind) and r.valid_from <= at)
    patterns = {r.stream for r in fits if at < r.valid_until}
    expected = bool(patterns & {stream, "*"}) or ("b*" in patterns and stream[0] == "b")
    assert granted == (expected or (OWN in patterns and stream in zones))
    assert may([rule for rule in table if rule not in dropped], *asked) <= granted
    assert granted <= may([*table, *dropped], *asked)
    assert may(table[::-1], *asked) == granted
    assert not may([], *asked)


def test_T_K22_fewer_zones_grant_no_more(world: World) -> None:
    for rule in STANDARD:
        asked = (rule.action, rule.type, "b1", NOW)
        assert may(STANDARD, rule.role, frozenset(), *asked) <= may(STANDARD, rule.role, frozenset({"b1"}), *asked)


def test_the_standard_table_shows_the_marketplace_no_alert() -> None:
    assert not [rule for rule in STANDARD if rule.role == "marketplace" and rule.type.startswith("alert")]
    assert all(rule.is_sound for rule in STANDARD)


def test_an_entity_of_another_roster_has_no_rights(world: World) -> None:
    entity = world.roster.entity("gateway-1")
    assert entity is not None
    richer = replace(entity, zones=entity.zones | {"b9"})
    assert world.roster.allows(entity, Action.SEND, "answer", "b1", NOW)
    assert not world.roster.allows(richer, Action.SEND, "answer", "b9", NOW)
    others = tuple(e for e in world.roster.entities if e is not entity)
    assert not replace(world.roster, entities=others).allows(entity, Action.SEND, "answer", "b1", NOW)


def test_validity_is_half_open() -> None:
    record = SigningRecord(bytes(32), NOW, NOW + YEAR)
    assert [record.is_valid(t) for t in (NOW - 1, NOW, NOW + YEAR - 1, NOW + YEAR)] == [False, True, True, False]


def test_the_document_holds_no_private_key(world: World) -> None:
    data = world.roster.to_bytes()
    for identity in world.identities.values():
        private = identity.sealing[0].x25519.private_bytes_raw()
        assert strict.b64encode(private).encode()[:40] not in data


def test_roster_and_refusal_reach_another_process(world: World) -> None:
    assert pickle.loads(pickle.dumps(world.roster)) == world.roster
    refused = pickle.loads(pickle.dumps(Refused(Reason.REPLAY)))
    assert refused.reason is Reason.REPLAY
    assert str(refused) == "replay"
