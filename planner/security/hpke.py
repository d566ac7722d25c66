"""Sealing to one reader: HPKE (RFC 9180) in base mode, and the only module that touches its implementation.

Suites, pinned per entity in the roster and never negotiated in a message:
``mlkem768-x25519`` (KEM 0x647A, the hybrid X-Wing) or ``x25519``, each with HKDF-SHA256 and ChaCha20-Poly1305.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from planner.security.refusal import Reason, Refused, require

_MLKEM_PUBLIC_BYTES = 1184
_X25519_BYTES = 32
# The generator of Curve25519 with a fixed scalar: any scalar shows whether a public key is of low order.
_PROBE = X25519PrivateKey.from_private_bytes(bytes([1]) * _X25519_BYTES)


class Kem(StrEnum):
    """How the shared secret is made."""

    MLKEM768_X25519 = "mlkem768-x25519"
    X25519 = "x25519"


_SUITES = {
    Kem.MLKEM768_X25519: hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305),
    Kem.X25519: hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305),
}


@dataclass(frozen=True)
class SealingPublic:
    """A reader's public key; ``raw`` is the ML-KEM-768 key (hybrid only) followed by the X25519 key."""

    kem: Kem
    raw: bytes
    _key: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key", _public_key(self.kem, self.raw))

    def __reduce__(self) -> tuple[type[SealingPublic], tuple[Kem, bytes]]:
        # The library's key objects do not pickle; a roster must reach the workers of a process pool.
        return SealingPublic, (self.kem, self.raw)

    @cached_property
    def key_id(self) -> str:
        """32 hexadecimal digits of SHA-256 over purpose, suite and key."""
        return hashlib.sha256(b"allotment/sealing-key/v1\0" + self.kem.encode() + b"\0" + self.raw).hexdigest()[:32]

    def encrypt(self, plaintext: bytes, info: bytes) -> bytes:
        """Encapsulated key and ciphertext, bound to ``info``."""
        return _SUITES[self.kem].encrypt(plaintext, self._key, info)


@dataclass(frozen=True)
class SealingKey:
    """A reader's private key; ``mlkem`` is None for the x25519 suite."""

    x25519: X25519PrivateKey = field(repr=False)
    mlkem: MLKEM768PrivateKey | None = field(default=None, repr=False)

    @classmethod
    def generate(cls, kem: Kem = Kem.MLKEM768_X25519) -> SealingKey:
        """A fresh key."""
        mlkem = MLKEM768PrivateKey.generate() if kem is Kem.MLKEM768_X25519 else None
        return cls(X25519PrivateKey.generate(), mlkem)

    @property
    def kem(self) -> Kem:
        return Kem.X25519 if self.mlkem is None else Kem.MLKEM768_X25519

    @cached_property
    def public(self) -> SealingPublic:
        """The half that others may hold."""
        mlkem = b"" if self.mlkem is None else self.mlkem.public_key().public_bytes_raw()
        return SealingPublic(self.kem, mlkem + self.x25519.public_key().public_bytes_raw())

    def decrypt(self, ciphertext: bytes, info: bytes) -> bytes:
        """The plaintext; every failure is the same refusal, so that no caller can tell them apart."""
        key: Any = self.x25519 if self.mlkem is None else hpke.MLKEM768X25519PrivateKey(self.mlkem, self.x25519)
        try:
            return _SUITES[self.kem].decrypt(ciphertext, key, info)
        except (InvalidTag, ValueError, TypeError):
            raise Refused(Reason.DECRYPT) from None


def _public_key(kem: Kem, raw: bytes) -> Any:
    """The library's key object; raises Refused for a wrong length, a bad ML-KEM key or a low-order X25519 key."""
    hybrid = kem is Kem.MLKEM768_X25519
    require(len(raw) == (_MLKEM_PUBLIC_BYTES if hybrid else 0) + _X25519_BYTES, Reason.WEAK_KEY)
    try:
        x25519 = X25519PublicKey.from_public_bytes(raw[-_X25519_BYTES:])
        _PROBE.exchange(x25519)
        if not hybrid:
            return x25519
        return hpke.MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(raw[:-_X25519_BYTES]), x25519)
    except ValueError:
        raise Refused(Reason.WEAK_KEY) from None
