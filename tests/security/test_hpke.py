"""HPKE: known answers that must outlive library upgrades (T-K25), and RFC 9180 decrypted a second way.

No key is stored: both test keys are derived from a public label and are worth nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from planner.security.hpke import Kem, SealingKey
from planner.security.refusal import Reason, Refused

KNOWN = json.loads((Path(__file__).parent / "hpke_known_answers.json").read_text())


def label_key(kem: Kem) -> SealingKey:
    """The test key that everybody can derive."""
    x25519 = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"allotment test-only x25519 key").digest())
    if kem is Kem.X25519:
        return SealingKey(x25519)
    seed = hashlib.sha512(b"allotment test-only ML-KEM-768 key").digest()
    return SealingKey(x25519, MLKEM768PrivateKey.from_seed_bytes(seed))


def _extract(salt: bytes, suite: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, "sha256")


def _expand(prk: bytes, suite: bytes, label: bytes, info: bytes, length: int) -> bytes:
    block = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\1"
    return hmac.digest(prk, block, "sha256")[:length]


def _shared_secret(kem: Kem, key: SealingKey, ciphertext: bytes) -> tuple[int, bytes, bytes]:
    """KEM id, shared secret and the rest of the ciphertext."""
    own = key.x25519.public_key().public_bytes_raw()
    if kem is Kem.X25519:
        sent, rest = ciphertext[:32], ciphertext[32:]
        dh = key.x25519.exchange(X25519PublicKey.from_public_bytes(sent))
        suite = b"KEM" + (0x20).to_bytes(2, "big")
        prk = _extract(b"", suite, b"eae_prk", dh)
        return 0x20, _expand(prk, suite, b"shared_secret", sent + own, 32), rest
    assert key.mlkem is not None
    sent, rest = ciphertext[1088:1120], ciphertext[1120:]
    dh = key.x25519.exchange(X25519PublicKey.from_public_bytes(sent))
    both = key.mlkem.decapsulate(ciphertext[:1088]) + dh
    return 0x647A, hashlib.sha3_256(both + sent + own + bytes.fromhex("5c2e2f2f5e5c")).digest(), rest


def decrypt_by_the_book(kem: Kem, key: SealingKey, ciphertext: bytes, info: bytes) -> bytes:
    """RFC 9180 section 5.1 (base mode) and 6.1; the hybrid's combiner is that of X-Wing."""
    kem_id, secret, rest = _shared_secret(kem, key, ciphertext)
    suite = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (kem_id, 1, 3))
    context = b"\0" + _extract(b"", suite, b"psk_id_hash", b"") + _extract(b"", suite, b"info_hash", info)
    schedule = _extract(secret, suite, b"secret", b"")
    aead_key, nonce = (
        _expand(schedule, suite, b"key", context, 32),
        _expand(schedule, suite, b"base_nonce", context, 12),
    )
    return ChaCha20Poly1305(aead_key).decrypt(nonce, rest, b"")


@pytest.mark.parametrize("kem", Kem)
def test_T_K25_known_answers_still_decrypt(kem: Kem) -> None:
    """T-K25."""
    known = KNOWN[kem.value]
    key = label_key(kem)
    assert key.public.key_id == known["key_id"]
    plaintext = key.decrypt(bytes.fromhex(known["ciphertext"]), known["info"].encode())
    assert plaintext == known["plaintext"].encode()


@pytest.mark.parametrize("kem", Kem)
def test_an_independent_reading_of_the_standard_agrees(kem: Kem) -> None:
    key = SealingKey.generate(kem)
    sealed = key.public.encrypt(b"seventeen lots", b"context")
    assert decrypt_by_the_book(kem, key, sealed, b"context") == b"seventeen lots"


def test_T_K13_suites_do_not_mix() -> None:
    """T-K13: a hybrid reader takes no x25519 ciphertext and the reverse, even with the same x25519 half."""
    hybrid, plain = label_key(Kem.MLKEM768_X25519), label_key(Kem.X25519)
    for sender, reader in ((plain, hybrid), (hybrid, plain)):
        with pytest.raises(Refused) as caught:
            reader.decrypt(sender.public.encrypt(b"m", b""), b"")
        assert caught.value.reason is Reason.DECRYPT


@pytest.mark.parametrize("kem", Kem)
def test_T_E24_damage_is_one_refusal(kem: Kem) -> None:
    """T-E24: truncated, empty, prolonged or altered ciphertext, another context."""
    key = SealingKey.generate(kem)
    sealed = key.public.encrypt(b"m" * 64, b"info")
    bad = [
        b"",
        sealed[:1],
        sealed[:-1],
        sealed + b"\0",
        bytes(len(sealed)),
        b"\xff" + sealed[1:],
        sealed[:31] + sealed[32:],
    ]
    for data, info in [(b, b"info") for b in bad if b != sealed] + [(sealed, b"other"), (sealed, b"")]:
        with pytest.raises(Refused) as caught:
            key.decrypt(data, info)
        assert caught.value.reason is Reason.DECRYPT
