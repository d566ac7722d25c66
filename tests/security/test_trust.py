"""Which roster a node trusts (T-K09 … T-K12), as functions and on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from security_world import NOW, POLICY, World

from planner.security import strict
from planner.security.documents import ROSTER_TYPE, add_signature, sign_document, verify_document
from planner.security.keys import LocalSigner, signing_key_id
from planner.security.messages import MessageType
from planner.security.opening import open_envelope
from planner.security.outgoing import send_notice
from planner.security.refusal import Reason, Refused
from planner.security.roster import Root, Roster
from planner.security.rosterstore import RosterStore
from planner.security.trust import FETCH_S, first_roster, require_policy, succeeding_roster

DAY = 86400
OLD = [LocalSigner.generate() for _ in range(3)]
NEW = [LocalSigner.generate() for _ in range(3)]


def root(signers: list[LocalSigner], threshold: int = 2) -> Root:
    return Root(tuple(signer.public for signer in signers), threshold)


@pytest.fixture
def roster(world: World) -> Roster:
    return replace(world.roster, root=root(OLD), expires_at=NOW + 30 * DAY)


def signed(roster: Roster, *signers: LocalSigner) -> bytes:
    return sign_document(ROSTER_TYPE, roster.to_bytes(), signers)


def succession(held: Roster, data: bytes, at: int = NOW) -> Reason:
    with pytest.raises(Refused) as caught:
        succeeding_roster(held, data, at)
    return caught.value.reason


def following(roster: Roster, **changes: object) -> Roster:
    return replace(roster, version=roster.version + 1, **changes)  # type: ignore[arg-type]


def test_two_of_three_sign(roster: Roster) -> None:
    held = first_roster(signed(roster, OLD[0], OLD[2]), roster.root.fingerprint, NOW)
    assert held == roster
    assert succeeding_roster(held, signed(following(roster), OLD[1], OLD[2]), NOW).version == roster.version + 1


def test_the_first_roster_needs_the_fingerprint_told(roster: Roster) -> None:
    for other in (root(NEW), root(OLD, 3), Root()):
        with pytest.raises(Refused) as caught:
            first_roster(signed(replace(roster, root=other), *NEW, *OLD), roster.root.fingerprint, NOW)
        assert caught.value.reason is Reason.ROOT


@pytest.mark.parametrize(
    ("version", "reason"), [(-1, Reason.ROLLBACK), (0, Reason.ROLLBACK), (2, Reason.GAP), (99, Reason.GAP)]
)
def test_T_K09_rollback_and_gap(roster: Roster, version: int, reason: Reason) -> None:
    other = replace(roster, version=roster.version + version, expires_at=NOW + 60 * DAY)
    assert succession(roster, signed(other, *OLD)) is reason


def test_T_K09_expired_roster(roster: Roster, world: World) -> None:
    """Freeze: neither taken, nor sent under, nor opened under, once it has expired."""
    assert succession(roster, signed(following(roster, expires_at=NOW), *OLD)) is Reason.FREEZE
    with pytest.raises(Refused):
        first_roster(signed(roster, *OLD), roster.root.fingerprint, roster.expires_at)
    expired = World(world.identities, replace(world.roster, expires_at=NOW))
    price = MessageType("price", {"price": lambda v: type(v) is int}, 3600)
    way = {"stream": "b1", "round_id": "day-1", "sequence": 1}
    with pytest.raises(Refused) as caught:
        send_notice(price, {"price": 1}, world.identities["market"], ["gateway-1"], expired.roster, NOW, **way)
    assert caught.value.reason is Reason.FREEZE
    data = send_notice(price, {"price": 1}, world.identities["market"], ["gateway-1"], world.roster, NOW, **way)
    reader = replace(world.reader("gateway-1"), roster=expired.roster, types={"price": price})
    with pytest.raises(Refused) as caught:
        open_envelope(data, reader, NOW, lambda *key: -1)
    assert caught.value.reason is Reason.FREEZE


@pytest.mark.parametrize("signers", [[], OLD[:1], NEW, [OLD[0], NEW[0]]], ids=["none", "one", "others", "one of ours"])
def test_T_K10_threshold(roster: Roster, signers: list[LocalSigner]) -> None:
    assert succession(roster, signed(following(roster), *signers)) is Reason.THRESHOLD


def test_T_K10_signed_twice_by_the_same_key(roster: Roster) -> None:
    """Twice under its id, twice under another id, or a root that lists a key twice: one key is one voice."""
    data = signed(following(roster), OLD[0])
    assert succession(roster, add_signature(data, ROSTER_TYPE, OLD[0])) is Reason.THRESHOLD
    document = strict.loads(data)
    document["signatures"] *= 2
    assert succession(roster, strict.dumps(document)) is Reason.SIGNATURES
    document["signatures"][1] = document["signatures"][0] | {"keyid": signing_key_id(OLD[1].public)}
    assert succession(roster, strict.dumps(document)) is Reason.SIGNATURE
    twice = replace(roster, root=Root((OLD[0].public, OLD[0].public), 2))
    with pytest.raises(Refused) as caught:
        first_roster(signed(twice, OLD[0]), twice.root.fingerprint, NOW)
    assert caught.value.reason is Reason.DUPLICATE


@pytest.mark.parametrize("threshold", [0, 1, 4])
def test_T_K10_a_root_of_fewer_than_two_voices(roster: Roster, threshold: int) -> None:
    lone = replace(roster, root=root(OLD, threshold))
    with pytest.raises(Refused) as caught:
        first_roster(signed(lone, *OLD), lone.root.fingerprint, NOW)
    assert caught.value.reason is Reason.THRESHOLD


def test_T_K11_a_root_change_needs_old_and_new(roster: Roster) -> None:
    changed = following(roster, root=root(NEW))
    assert succession(roster, signed(changed, *NEW)) is Reason.THRESHOLD
    assert succession(roster, signed(changed, *OLD)) is Reason.THRESHOLD
    assert succession(roster, signed(changed, *OLD[:2], NEW[0])) is Reason.THRESHOLD
    assert succeeding_roster(roster, signed(changed, *OLD[:2], *NEW[1:]), NOW).root == root(NEW)
    lowered = following(roster, root=root(OLD, 1))
    assert succession(roster, signed(lowered, *OLD)) is Reason.THRESHOLD


def test_T_K11_after_the_change_the_old_root_has_no_voice(roster: Roster) -> None:
    changed = succeeding_roster(roster, signed(following(roster, root=root(NEW)), *OLD, *NEW), NOW)
    assert succession(changed, signed(following(changed), *OLD)) is Reason.THRESHOLD
    assert succeeding_roster(changed, signed(following(changed), *NEW[:2]), NOW).version == roster.version + 2


def test_T_K12_policy_of_another_roster(roster: Roster) -> None:
    require_policy(roster, POLICY)
    with pytest.raises(Refused) as caught:
        require_policy(following(roster, policy="6" * 64), POLICY)
    assert caught.value.reason is Reason.POLICY


def test_an_altered_roster_is_refused_before_it_is_read(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    document = strict.loads(signed(following(roster), *OLD))
    document["payload"] = strict.b64encode(following(roster, policy="7" * 64).to_bytes())
    monkeypatch.setattr(Roster, "from_bytes", lambda data: pytest.fail("read before its signatures held"))
    assert succession(roster, strict.dumps(document)) is Reason.SIGNATURE


def test_a_signature_for_one_kind_of_document_counts_for_no_other(roster: Roster) -> None:
    data = sign_document("application/vnd.allotment.checkpoint.v1+json", following(roster).to_bytes(), OLD)
    assert succession(roster, data) is Reason.TYPE
    relabelled = strict.dumps(strict.loads(data) | {"payloadType": ROSTER_TYPE})
    assert succession(roster, relabelled) is Reason.SIGNATURE


def test_securesystemslib_counts_the_same_signatures(roster: Roster) -> None:
    dsse = pytest.importorskip("securesystemslib.dsse")
    library = pytest.importorskip("securesystemslib.signer")
    data = signed(roster, *OLD[:2])
    keys = [library.SSlibKey(signing_key_id(s.public), "ed25519", "ed25519", {"public": s.public.hex()}) for s in OLD]
    assert len(dsse.Envelope.from_dict(strict.loads(data)).verify(keys, 2)) == 2
    assert verify_document(data, ROSTER_TYPE, roster.root.by_id, 2) == roster.to_bytes()


# -- on disk


@pytest.fixture
def store(tmp_path: Path, roster: Roster) -> RosterStore:
    store = RosterStore(tmp_path / "roster")
    store.start(signed(roster, *OLD), roster.root.fingerprint, NOW)
    return store


def refusal(store: RosterStore, data: bytes, at: int = NOW) -> Reason:
    with pytest.raises(Refused) as caught:
        store.accept(data, at)
    return caught.value.reason


def test_every_version_stays_and_the_last_is_held(store: RosterStore, roster: Roster) -> None:
    store.accept(signed(following(roster), *OLD), NOW + 5)
    assert store.held().roster.version == roster.version + 1
    assert store.version(roster.version) == roster
    assert store.versions() == (7, 8)
    assert refusal(store, signed(roster, *OLD)) is Reason.ROLLBACK
    with pytest.raises(Refused):
        store.start(signed(roster, *OLD), roster.root.fingerprint, NOW)


def test_a_refused_roster_changes_nothing(store: RosterStore, roster: Roster) -> None:
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    assert refusal(store, signed(following(following(roster)), *OLD)) is Reason.GAP
    assert refusal(store, signed(following(roster), OLD[0])) is Reason.THRESHOLD
    assert refusal(store, b"") is Reason.SYNTAX
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before


def test_T_K09_a_roster_not_fetched_for_a_day_stops_sending(store: RosterStore, roster: Roster) -> None:
    data = signed(roster, *OLD)
    store.held().require_fresh(NOW + FETCH_S)
    with pytest.raises(Refused) as caught:
        store.held().require_fresh(NOW + FETCH_S + 1)
    assert caught.value.reason is Reason.FREEZE
    store.accept(data, NOW + FETCH_S)
    store.held().require_fresh(NOW + 2 * FETCH_S)
    assert refusal(store, data, roster.expires_at) is Reason.FREEZE


def test_T_K09_a_folder_put_back_is_refused(store: RosterStore, roster: Roster) -> None:
    mark = store.folder / "held.json"
    old = mark.read_bytes()
    second = following(roster)
    store.accept(signed(second, *OLD), NOW)
    store.accept(signed(following(second), *OLD), NOW)
    mark.write_bytes(old)
    with pytest.raises(Refused) as caught:
        store.held()
    assert caught.value.reason is Reason.ROLLBACK


def test_an_altered_roster_file_is_refused(store: RosterStore, roster: Roster) -> None:
    path = store.folder / "000007.json"
    path.write_bytes(signed(replace(roster, policy="8" * 64), *OLD))
    with pytest.raises(Refused):
        store.held()


def test_a_power_cut_between_roster_and_mark(store: RosterStore, roster: Roster) -> None:
    """The new file is there, the mark is not: the old one is held, and the new one may come again."""
    data = signed(following(roster), *OLD)
    (store.folder / "000008.json").write_bytes(data)
    assert store.held().roster == roster
    assert store.accept(data, NOW).version == 8
