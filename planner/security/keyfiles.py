"""Private keys on disk: PKCS8 PEM under a passphrase, readable by their owner alone, one key a file.

    <folder>/identity.json          name and public keys with their times (cards.py)
    <folder>/signing-<key id>.pem   Ed25519
    <folder>/sealing-<key id>.pem   X25519, and after it ML-KEM-768 in the hybrid suite

A folder below a ``.git`` is refused: keys that lie in a repository are published sooner or later.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from planner.security.cards import KEEP_S, Card
from planner.security.entities import SealingRecord, SigningRecord
from planner.security.files import PUBLIC, private_folder, sync_folder, write_atomically
from planner.security.hpke import SealingKey
from planner.security.keys import Identity, LocalSigner
from planner.security.refusal import Reason, Refused, require
from planner.security.roster import Roster

CARD = "identity.json"

_BLOCK = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----\n.+?\n-----END ENCRYPTED PRIVATE KEY-----\n", re.DOTALL)
_MAX_FILE_BYTES = 64 * 1024


def read_card(folder: Path) -> Card:
    """The public side of the identity in ``folder``; raises Refused."""
    path = folder / CARD
    require(path.is_file() and path.stat().st_size <= _MAX_FILE_BYTES, Reason.KEY_FILE)
    return Card.from_bytes(path.read_bytes())


def write_card(folder: Path, card: Card) -> None:
    """Put the public side in its place."""
    write_atomically(folder / CARD, card.to_bytes(), PUBLIC)


def load_identity(folder: Path, passphrase: bytes, at: int, roster: Roster | None = None) -> Identity:
    """The identity in ``folder`` as it may act at epoch second ``at``; raises Refused.

    It signs with its newest key that ``roster`` knows and that is valid, or without a roster with its newest key; it
    opens with every sealing key that is not yet past its destruction, the newest first.
    """
    card = read_card(folder)
    signer = load_signer(folder, _signing_now(card, at, roster), passphrase)
    newest_first = sorted(card.sealing, key=lambda record: -record.valid_from)
    kept = [record for record in newest_first if at < record.valid_until + KEEP_S]
    return Identity(card.name, signer, tuple(_load_sealing(folder, record, passphrase) for record in kept))


def load_signer(folder: Path, record: SigningRecord, passphrase: bytes) -> LocalSigner:
    """The private half of ``record``; raises Refused unless its file is private, encrypted and the right one."""
    parts = _load(folder / f"signing-{record.key_id}.pem", passphrase)
    require(len(parts) == 1 and isinstance(parts[0], Ed25519PrivateKey), Reason.KEY_FILE)
    signer = LocalSigner(parts[0])
    require(signer.public == record.public, Reason.KEY_FILE)
    return signer


def save_signer(folder: Path, signer: LocalSigner, record: SigningRecord, passphrase: bytes) -> None:
    """Write a signing key; an existing file is never overwritten."""
    _save(folder / f"signing-{record.key_id}.pem", (signer.private,), passphrase)


def save_sealing(folder: Path, key: SealingKey, passphrase: bytes) -> None:
    """Write a sealing key; an existing file is never overwritten."""
    parts = (key.x25519,) if key.mlkem is None else (key.x25519, key.mlkem)
    _save(folder / f"sealing-{key.public.key_id}.pem", parts, passphrase)


def destroy(folder: Path, record: SealingRecord) -> bool:
    """Overwrite and remove the private half of ``record``; False if it was gone already.

    A file system that copies on write may keep the old bytes: the passphrase still stands before them.
    """
    path = folder / f"sealing-{record.public.key_id}.pem"
    if not path.exists():
        return False
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(folder)
    return True


def require_private_place(folder: Path) -> None:
    """Raises Refused for a folder inside a repository, or one whose files others may read."""
    inside = folder.resolve()
    require(not any((parent / ".git").exists() for parent in (inside, *inside.parents)), Reason.KEY_PLACE)
    require(not folder.exists() or folder.stat().st_mode & 0o077 == 0, Reason.KEY_MODE)


def _signing_now(card: Card, at: int, roster: Roster | None) -> SigningRecord:
    if roster is None:
        return card.newest
    entity = roster.entity(card.name)
    listed = {record.public for record in entity.signing if record.is_valid(at)} if entity is not None else set()
    mine = [record for record in card.signing if record.public in listed]
    require(bool(mine), Reason.UNKNOWN_KEY)
    return mine[-1]


def _load_sealing(folder: Path, record: SealingRecord, passphrase: bytes) -> SealingKey:
    parts = _load(folder / f"sealing-{record.public.key_id}.pem", passphrase)
    require(1 <= len(parts) <= 2 and isinstance(parts[0], X25519PrivateKey), Reason.KEY_FILE)
    require(len(parts) == 1 or isinstance(parts[1], MLKEM768PrivateKey), Reason.KEY_FILE)
    key = SealingKey(*parts)
    require(key.public == record.public, Reason.KEY_FILE)
    return key


def _save(path: Path, keys: tuple[Any, ...], passphrase: bytes) -> None:
    require(len(passphrase) > 0, Reason.PASSPHRASE)
    private_folder(path.parent)
    require_private_place(path.parent)
    lock = BestAvailableEncryption(passphrase)
    pem = b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock) for key in keys)
    # O_EXCL with the final mode: at no moment does a readable or half-replaced key lie on disk.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _load(path: Path, passphrase: bytes) -> tuple[Any, ...]:
    require_private_place(path.parent)
    require(path.is_file(), Reason.KEY_FILE)
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        require(stat.S_ISREG(mode) and mode & 0o077 == 0, Reason.KEY_MODE)
        pem = file.read(_MAX_FILE_BYTES)
    blocks = _BLOCK.findall(pem)
    require(b"".join(blocks) == pem and len(blocks) > 0, Reason.KEY_FILE)
    try:
        return tuple(load_pem_private_key(block, passphrase) for block in blocks)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(Reason.KEY_FILE) from None
