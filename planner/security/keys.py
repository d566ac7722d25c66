"""Signing keys, and what one entity holds: a signing key and a sealing key.

``Signer`` is all that the rest needs, so that an HSM or a key service can stand in its place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from planner.security.hpke import Kem, SealingKey
from planner.security.refusal import Reason, require

_P = 2**255 - 19
# The y of the four points of order 8 is one of a pair y, p - y (RFC 8032 curve).
_Y_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})


def signing_key_id(public: bytes) -> str:
    """32 hexadecimal digits of SHA-256 over purpose and key: a hint where to look, never a proof."""
    return hashlib.sha256(b"allotment/signing-key/v1\0" + public).hexdigest()[:32]


def is_weak(public: bytes) -> bool:
    """True unless ``public`` is a canonical Ed25519 encoding of a point that is not of small order.

    With a key of small order anybody can make signatures that verify, even over an enrolment challenge; the
    library accepts such keys.  The sign bit is left aside: no point with such a y is usable whatever its x.
    """
    if len(public) != 32:
        return True
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return y >= _P or y in _SMALL_ORDER_Y


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Check an Ed25519 signature by a key that is not weak; raises Refused."""
    require(not is_weak(public), Reason.WEAK_KEY)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        holds = False
    else:
        holds = True
    require(holds, Reason.SIGNATURE)


class Signer(Protocol):
    """Somebody who can sign; the private half stays wherever it is."""

    @property
    def public(self) -> bytes:
        """The 32 bytes of the Ed25519 public key."""

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""


@dataclass(frozen=True)
class LocalSigner:
    """A signing key held in memory."""

    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> LocalSigner:
        """A fresh key."""
        return cls(Ed25519PrivateKey.generate())

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


@dataclass(frozen=True)
class Identity:
    """What an entity holds: its name, its signer and its sealing keys, the current one first.

    Older sealing keys stay only as long as messages to them may arrive, then they are destroyed.
    """

    name: str
    signer: Signer
    sealing: tuple[SealingKey, ...]

    @classmethod
    def ephemeral(cls, name: str, kem: Kem = Kem.MLKEM768_X25519) -> Identity:
        """Keys that live as long as the process: for a clear whose gateways all run locally."""
        return cls(name, LocalSigner.generate(), (SealingKey.generate(kem),))
