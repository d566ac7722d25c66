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
from planner.security.keys import Identity
from planner.security.refusal import Reason, Refused
from planner.security.roster import Entity, Roster, SigningRecord

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
    other = Entity.of(Identity.ephemeral("other"), "gateway", set(), 0, NOW)
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
        lambda d: d["entities"][0].update(sends=[1]),
        lambda d: d["entities"][0]["sealing"].update(kem="rsa"),
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


KINDS = st.frozensets(st.sampled_from(["answer", "commit", "price", "alert"]))


@given(st.lists(KINDS, min_size=4, max_size=4), KINDS)
def test_default_deny_and_monotone(grants: list[frozenset[str]], dropped: frozenset[str]) -> None:
    """T-K22: exactly what is listed is allowed; taking rights away never gives one."""
    entities = [replace(e, sends=g) for e, g in zip(WORLD.roster.entities, grants, strict=True)]
    roster = Roster(1, POLICY, tuple(entities))
    fewer = Roster(1, POLICY, tuple(replace(e, sends=e.sends - dropped) for e in entities))
    for before, after in zip(roster.entities, fewer.entities, strict=True):
        for kind in ("answer", "commit", "price", "alert", "unknown", ""):
            assert roster.allows(before, kind, "s", NOW) == (kind in before.sends)
            assert roster.allows(before, kind, "s", NOW) or not fewer.allows(after, kind, "s", NOW)


def test_an_entity_of_another_roster_has_no_rights(world: World) -> None:
    entity = world.roster.entities[0]
    assert not world.roster.allows(replace(entity, sends=frozenset({"root"})), "root", "s", NOW)
    assert not replace(world.roster, entities=world.roster.entities[1:]).allows(entity, "answer", "s", NOW)


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
