"""Private keys on disk: PKCS8 PEM under a passphrase, readable by their owner alone."""

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

from planner.security.hpke import SealingKey
from planner.security.keys import Identity, LocalSigner
from planner.security.refusal import Reason, Refused, require

_BLOCK = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----\n.+?\n-----END ENCRYPTED PRIVATE KEY-----\n", re.DOTALL)
_MAX_FILE_BYTES = 64 * 1024


def save_identity(folder: Path, signer: LocalSigner, sealing: SealingKey, passphrase: bytes) -> None:
    """Write ``signing.pem`` and ``sealing.pem`` into ``folder``; existing files are never overwritten."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _save(folder / "signing.pem", (signer.private,), passphrase)
    parts = (sealing.x25519,) if sealing.mlkem is None else (sealing.x25519, sealing.mlkem)
    _save(folder / "sealing.pem", parts, passphrase)


def load_identity(folder: Path, name: str, passphrase: bytes) -> Identity:
    """The identity saved in ``folder``; raises Refused unless both files are encrypted and private (0600)."""
    signing = _load(folder / "signing.pem", passphrase)
    sealing = _load(folder / "sealing.pem", passphrase)
    require(len(signing) == 1 and isinstance(signing[0], Ed25519PrivateKey), Reason.KEY_FILE)
    return Identity(name, LocalSigner(signing[0]), (_sealing_key(sealing),))


def _sealing_key(parts: tuple[Any, ...]) -> SealingKey:
    require(1 <= len(parts) <= 2 and isinstance(parts[0], X25519PrivateKey), Reason.KEY_FILE)
    require(len(parts) == 1 or isinstance(parts[1], MLKEM768PrivateKey), Reason.KEY_FILE)
    return SealingKey(*parts)


def _save(path: Path, keys: tuple[Any, ...], passphrase: bytes) -> None:
    require(len(passphrase) > 0, Reason.KEY_FILE)
    lock = BestAvailableEncryption(passphrase)
    pem = b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock) for key in keys)
    # O_EXCL with the final mode: at no moment does a readable or half-replaced key lie on disk.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)


def _load(path: Path, passphrase: bytes) -> tuple[Any, ...]:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        require(stat.S_ISREG(mode) and mode & 0o077 == 0, Reason.KEY_FILE)
        pem = file.read(_MAX_FILE_BYTES)
    blocks = _BLOCK.findall(pem)
    require(b"".join(blocks) == pem and len(blocks) > 0, Reason.KEY_FILE)
    try:
        return tuple(load_pem_private_key(block, passphrase) for block in blocks)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(Reason.KEY_FILE) from None
