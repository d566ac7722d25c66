"""Keys on disk and their life: private, encrypted, outside every repository, replaced and destroyed (T-K23, T-K24)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from security_world import NOW, POLICY

from planner.security.cards import DAY_S, KEEP_S, OVERLAP_S, SEALING_S, Card
from planner.security.entities import Entity
from planner.security.hpke import Kem
from planner.security.keyfiles import load_identity, load_signer, read_card, save_signer
from planner.security.keyring import destroy_expired, destroyed, new_keys, rotate_sealing, rotate_signing
from planner.security.keys import LocalSigner
from planner.security.refusal import Reason, Refused
from planner.security.roster import Roster

PASS = b"correct horse"


def reason_of(*arguments: object, call: object = load_identity) -> Reason:
    with pytest.raises(Refused) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.reason


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    new_keys(tmp_path / "keys", "gateway.7f3a", PASS, NOW)
    return tmp_path / "keys"


@pytest.mark.parametrize("kem", Kem)
def test_they_come_back(tmp_path: Path, kem: Kem) -> None:
    card = new_keys(tmp_path / "keys", "gateway.7f3a", PASS, NOW, kem)
    loaded = load_identity(tmp_path / "keys", PASS, NOW)
    assert (loaded.name, loaded.signer.public) == ("gateway.7f3a", card.newest.public)
    sealed = card.sealing[0].public.encrypt(b"hello", b"info")
    assert loaded.sealing[0].decrypt(sealed, b"info") == b"hello"
    assert read_card(tmp_path / "keys") == card
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "keys").glob("*.pem")} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_nothing_is_overwritten(keys: Path) -> None:
    before = {path: path.read_bytes() for path in keys.iterdir()}
    assert reason_of(keys, "other", PASS, NOW, call=new_keys) is Reason.DUPLICATE
    card = read_card(keys)
    with pytest.raises(FileExistsError):
        save_signer(keys, load_signer(keys, card.newest, PASS), card.newest, PASS)
    assert {path: path.read_bytes() for path in keys.iterdir()} == before


@pytest.mark.parametrize("kind", ["signing", "sealing"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_T_K23_readable_key_files(keys: Path, kind: str, mode: int) -> None:
    next(keys.glob(f"{kind}-*.pem")).chmod(mode)
    assert reason_of(keys, PASS, NOW) is Reason.KEY_MODE


def test_T_K23_readable_folder(keys: Path) -> None:
    keys.chmod(0o755)
    assert reason_of(keys, PASS, NOW) is Reason.KEY_MODE


def test_T_K23_inside_a_repository(keys: Path, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert reason_of(keys, PASS, NOW) is Reason.KEY_PLACE
    assert reason_of(tmp_path / "more", "gateway.1", PASS, NOW, call=new_keys) is Reason.KEY_PLACE
    assert not list((tmp_path / "more").glob("*.pem"))


def test_T_K23_not_encrypted(keys: Path) -> None:
    """A PEM without a passphrase is refused, whatever passphrase is given."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    signer = LocalSigner.generate()
    plain = signer.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    next(keys.glob("signing-*.pem")).write_bytes(plain)
    assert reason_of(keys, PASS, NOW) is Reason.KEY_FILE
    assert reason_of(keys.parent / "open", "gateway.2", b"", NOW, call=new_keys) is Reason.PASSPHRASE


def test_T_K23_wrong_passphrase_swapped_or_damaged_files(keys: Path) -> None:
    assert reason_of(keys, b"other", NOW) is Reason.KEY_FILE
    signing, sealing = (next(keys.glob(f"{kind}-*.pem")) for kind in ("signing", "sealing"))
    good = signing.read_bytes(), sealing.read_bytes()
    for bad in [(good[1], good[1]), (good[0], good[0]), (b"", good[1]), (good[0][:80], good[1])]:
        signing.write_bytes(bad[0])
        sealing.write_bytes(bad[1])
        assert reason_of(keys, PASS, NOW) is Reason.KEY_FILE
    signing.write_bytes(good[0])
    sealing.unlink()
    assert reason_of(keys, PASS, NOW) is Reason.KEY_FILE


def test_a_card_that_names_other_keys_is_refused(keys: Path) -> None:
    """The file of one key under the name of another."""
    card = read_card(keys)
    other = replace(card.newest, public=LocalSigner.generate().public)
    (keys / f"signing-{other.key_id}.pem").write_bytes((keys / f"signing-{card.newest.key_id}.pem").read_bytes())
    (keys / f"signing-{other.key_id}.pem").chmod(0o600)
    assert reason_of(keys, other, PASS, call=load_signer) is Reason.KEY_FILE


def test_T_K08_the_roster_says_which_signing_key_is_used(keys: Path) -> None:
    """After a rotation the old key signs until the roster lists the new one."""
    old = load_identity(keys, PASS, NOW)
    roster = Roster(1, POLICY, (Entity.of(old, "gateway", NOW - DAY_S, NOW + DAY_S),))
    card = rotate_signing(keys, PASS, NOW)
    assert load_identity(keys, PASS, NOW, roster).signer.public == old.signer.public
    both = replace(roster, entities=(replace(roster.entities[0], signing=card.signing),))
    assert load_identity(keys, PASS, NOW, both).signer.public == card.newest.public != old.signer.public
    assert {record.valid_until for record in card.signing} >= {NOW + OVERLAP_S}
    assert len(rotate_signing(keys, PASS, NOW + OVERLAP_S + 1).signing) == 2
    assert reason_of(keys, PASS, NOW, Roster(1, POLICY, ())) is Reason.UNKNOWN_KEY


def test_T_K24_sealing_keys_are_destroyed(keys: Path) -> None:
    """The private half is gone 14 days after the end; an old capture cannot be opened any more."""
    card = read_card(keys)
    capture = card.sealing[0].public.encrypt(b"a night's load", b"")
    end = card.sealing[0].valid_until
    assert end == NOW + SEALING_S
    card = rotate_sealing(keys, PASS, end - DAY_S)
    assert load_identity(keys, PASS, end + KEEP_S - 1).sealing[1].decrypt(capture, b"") == b"a night's load"
    assert destroy_expired(keys, end + KEEP_S - 1) == ()
    gone = destroy_expired(keys, end + KEEP_S)
    assert [record.public.key_id for record in gone] == [card.sealing[0].public.key_id]
    assert destroyed(card, end + KEEP_S) == {card.sealing[0].public.key_id}
    (key,) = load_identity(keys, PASS, end + KEEP_S).sealing
    with pytest.raises(Refused):
        key.decrypt(capture, b"")
    assert not (keys / f"sealing-{card.sealing[0].public.key_id}.pem").exists()
    assert destroy_expired(keys, end + KEEP_S) == ()


def test_T_K24_a_key_past_its_time_is_not_used_even_if_its_file_was_put_back(keys: Path) -> None:
    path = next(keys.glob("sealing-*.pem"))
    backup, end = path.read_bytes(), read_card(keys).sealing[0].valid_until
    destroy_expired(keys, end + KEEP_S)
    path.write_bytes(backup)
    path.chmod(0o600)
    assert load_identity(keys, PASS, end + KEEP_S).sealing == ()


def test_a_sealing_key_made_ahead(keys: Path) -> None:
    card = rotate_sealing(keys, PASS, NOW, ahead_s=SEALING_S)
    entity = Entity(card.name, "gateway", card.signing, card.sealing)
    assert entity.sealing_at(NOW) == card.sealing[0].public
    assert entity.sealing_at(NOW + SEALING_S) == card.sealing[1].public
    with pytest.raises(Refused):
        entity.sealing_at(NOW + 3 * SEALING_S)


def test_the_card_is_public_and_strict(keys: Path) -> None:
    data = (keys / "identity.json").read_bytes()
    assert Card.from_bytes(data).to_bytes() == data
    assert set(json.loads(data)) == {"name", "signing", "sealing"}
    for bad in (b"{}", data[:-1], data.replace(b"gateway.7f3a", b"Anna Berg"), data.replace(b"ed25519", b"rsa2048")):
        assert reason_of(bad, call=Card.from_bytes)
    assert len(Card.from_bytes(data).fingerprint) == 49
