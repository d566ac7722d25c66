"""Weak and malleable keys (T-K01 … T-K04)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from planner.security.hpke import Kem, SealingKey, SealingPublic
from planner.security.keys import LocalSigner, is_weak, verify
from planner.security.refusal import Reason, Refused

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
SUBGROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """Affine addition on the twisted Edwards curve of RFC 8032, an independent witness."""
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2
    x3 = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    return x3, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def multiple(n: int, point: Point) -> Point:
    total = (0, 1)
    for bit in bin(n)[2:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total


def decode(encoding: bytes) -> Point | None:
    """The point of an encoding, reduced modulo p; None if there is none."""
    number = int.from_bytes(encoding, "little")
    y, sign = (number & (2**255 - 1)) % P, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (P - x if x % 2 != sign and x else x), y


def small_order_encodings() -> list[bytes]:
    """All encodings, canonical or not, of the eight points of small order: found, not listed."""
    torsion = next(
        t
        for y in range(2, 99)
        if (point := decode(y.to_bytes(32, "little"))) and multiple(4, t := multiple(SUBGROUP_ORDER, point)) != (0, 1)
    )
    ys = {multiple(n, torsion)[1] for n in range(8)}
    every = {y + extra for y in ys for extra in (0, P) if y + extra < 2**255}
    return sorted((y | sign << 255).to_bytes(32, "little") for y in every for sign in (0, 1))


SMALL = small_order_encodings()


def test_there_are_fourteen_encodings_of_small_order() -> None:
    assert len(SMALL) == 14
    points = {decode(e) for e in SMALL}
    assert all(p is not None and multiple(8, p) == (0, 1) for p in points)


@pytest.mark.parametrize("encoding", SMALL, ids=lambda e: e.hex()[:8] + e.hex()[-2:])
def test_small_order_and_non_canonical_keys_are_weak(encoding: bytes) -> None:
    """T-K01."""
    assert is_weak(encoding)


def test_other_non_canonical_keys_are_weak() -> None:
    assert all(is_weak((P + extra).to_bytes(32, "little")) for extra in range(19))
    assert is_weak(b"\xff" * 32)
    assert is_weak(b"")
    assert is_weak(bytes(31))


def test_honest_keys_pass() -> None:
    """T-K01."""
    assert not any(is_weak(LocalSigner.generate().public) for _ in range(50))


def test_the_identity_key_verifies_a_challenge_and_is_refused_all_the_same() -> None:
    """T-K02: with the identity as key, R = identity and S = 0 sign every message without a private key."""
    identity = (1).to_bytes(32, "little")
    forged = identity + bytes(32)
    Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"challenge of the operator")
    with pytest.raises(Refused) as caught:
        verify(identity, forged, b"challenge of the operator")
    assert caught.value.reason is Reason.WEAK_KEY


def test_malleated_signature() -> None:
    """T-K03: S + L satisfies the same equation."""
    signer = LocalSigner.generate()
    signature = signer.sign(b"m")
    verify(signer.public, signature, b"m")
    s = int.from_bytes(signature[32:], "little") + SUBGROUP_ORDER
    for bad in (signature[:32] + s.to_bytes(32, "little"), signature[:-1], b"", signature + b"\0"):
        with pytest.raises(Refused) as caught:
            verify(signer.public, bad, b"m")
        assert caught.value.reason is Reason.SIGNATURE


LOW_ORDER_X25519 = [
    0,
    1,
    P - 1,
    P,
    P + 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]


@pytest.mark.parametrize("u", LOW_ORDER_X25519)
@pytest.mark.parametrize("kem", Kem)
def test_low_order_x25519_keys_are_refused(u: int, kem: Kem) -> None:
    """T-K04, alone and as half of the hybrid."""
    good = SealingKey.generate(kem).public.raw
    with pytest.raises(Refused) as caught:
        SealingPublic(kem, good[:-32] + u.to_bytes(32, "little"))
    assert caught.value.reason is Reason.WEAK_KEY


def test_a_bad_mlkem_key_is_refused() -> None:
    good = SealingKey.generate().public.raw
    for bad in (b"\xff" * 1184 + good[-32:], good[:-1], good + b"\0", b""):
        with pytest.raises(Refused):
            SealingPublic(Kem.MLKEM768_X25519, bad)


def test_no_private_key_shows_in_a_repr() -> None:
    signer, sealing = LocalSigner.generate(), SealingKey.generate()
    assert repr(signer) == "LocalSigner()"
    assert "Private" not in repr(sealing)
