"""Weak and malleable keys (T-K01 … T-K04)."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from small_order import FORGED, IDENTITY, SMALL, SUBGROUP_ORDER, P, decode, multiple

from planner.security.hpke import Kem, SealingKey, SealingPublic
from planner.security.keys import LocalSigner, is_weak, verify
from planner.security.refusal import Reason, Refused


def test_there_are_fourteen_encodings_of_small_order() -> None:
    assert len(SMALL) == 14
    points = {decode(e) for e in SMALL}
    assert all(p is not None and multiple(8, p) == (0, 1) for p in points)


@pytest.mark.parametrize("encoding", SMALL, ids=lambda e: e.hex()[:8] + e.hex()[-2:])
def test_T_K01_small_order_and_non_canonical_keys_are_weak(encoding: bytes) -> None:
    """T-K01."""
    assert is_weak(encoding)


def test_T_K01_other_non_canonical_keys_are_weak() -> None:
    assert all(is_weak((P + extra).to_bytes(32, "little")) for extra in range(19))
    assert is_weak(b"\xff" * 32)
    assert is_weak(b"")
    assert is_weak(bytes(31))


def test_T_K01_honest_keys_pass() -> None:
    """T-K01."""
    assert not any(is_weak(LocalSigner.generate().public) for _ in range(50))


def test_T_K02_the_identity_key_verifies_a_challenge_and_is_refused_all_the_same() -> None:
    """T-K02: with the identity as key, R = identity and S = 0 sign every message without a private key."""
    Ed25519PublicKey.from_public_bytes(IDENTITY).verify(FORGED, b"challenge of the operator")
    with pytest.raises(Refused) as caught:
        verify(IDENTITY, FORGED, b"challenge of the operator")
    assert caught.value.reason is Reason.WEAK_KEY


def test_T_K03_malleated_signature() -> None:
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
def test_T_K04_low_order_x25519_keys_are_refused(u: int, kem: Kem) -> None:
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
