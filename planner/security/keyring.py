"""The life of an identity's keys: made, replaced with an overlap, destroyed in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from planner.security import strict
from planner.security.cards import KEEP_S, OVERLAP_S, SEALING_S, Card, signing_record
from planner.security.entities import SealingRecord
from planner.security.files import private_folder
from planner.security.hpke import Kem, SealingKey
from planner.security.keyfiles import (
    CARD,
    destroy,
    read_card,
    require_private_place,
    save_sealing,
    save_signer,
    write_card,
)
from planner.security.keys import LocalSigner
from planner.security.refusal import Reason, require


def new_keys(folder: Path, name: str, passphrase: bytes, at: int, kem: Kem | None = Kem.MLKEM768_X25519) -> Card:
    """Make an identity at epoch second ``at``; without ``kem`` it can sign but nobody can seal to it (a root's key)."""
    require(strict.is_id(name), Reason.FIELDS)
    require(not (folder / CARD).exists(), Reason.DUPLICATE)
    require(len(passphrase) > 0, Reason.PASSPHRASE)
    require_private_place(private_folder(folder))
    signer = LocalSigner.generate()
    record = signing_record(signer.public, at)
    save_signer(folder, signer, record, passphrase)
    sealing = () if kem is None else (_new_sealing(folder, passphrase, at, at, kem),)
    card = Card(name, (record,), sealing)
    write_card(folder, card)
    return card


def rotate_signing(folder: Path, passphrase: bytes, at: int) -> Card:
    """Add a new signing key; the old ones end after the overlap, in which the roster must come to know the new one."""
    card = read_card(folder)
    signer = LocalSigner.generate()
    record = signing_record(signer.public, at)
    save_signer(folder, signer, record, passphrase)
    ending = [replace(old, valid_until=min(old.valid_until, at + OVERLAP_S)) for old in card.signing]
    kept = [old for old in ending if at < old.valid_until]
    card = replace(card, signing=(*kept, record))
    write_card(folder, card)
    return card


def rotate_sealing(folder: Path, passphrase: bytes, at: int, ahead_s: int = 0) -> Card:
    """Add a sealing key that begins ``ahead_s`` from now, and destroy those that are past their time."""
    card = read_card(folder)
    require(len(card.sealing) > 0, Reason.KEY_FILE)
    record = _new_sealing(folder, passphrase, at, at + ahead_s, card.sealing[-1].public.kem)
    write_card(folder, replace(card, sealing=(*card.sealing, record)))
    destroy_expired(folder, at)
    return read_card(folder)


def destroy_expired(folder: Path, at: int) -> tuple[SealingRecord, ...]:
    """Destroy the private halves of sealing keys that ended more than 14 days ago; those destroyed now.

    Their public halves stay in the card, so that an old capture can be named for what it is.
    """
    return tuple(r for r in read_card(folder).sealing if at >= r.valid_until + KEEP_S and destroy(folder, r))


def destroyed(card: Card, at: int) -> frozenset[str]:
    """Ids of the sealing keys whose private half no longer exists at epoch second ``at``."""
    return frozenset(record.public.key_id for record in card.sealing if at >= record.valid_until + KEEP_S)


def _new_sealing(folder: Path, passphrase: bytes, at: int, begins: int, kem: Kem) -> SealingRecord:
    key = SealingKey.generate(kem)
    save_sealing(folder, key, passphrase)
    # An hour's margin for clocks that differ; a key made ahead begins when it is said to.
    return SealingRecord(key.public, max(begins - 3600 if begins == at else begins, 0), begins + SEALING_S)
