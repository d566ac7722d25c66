"""Wycheproof: good and bad vectors for every primitive the envelope stands on (T-K03)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from planner.security.keys import is_weak, verify
from planner.security.refusal import Refused

pytestmark = pytest.mark.real


def cases(shared: Path, name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(group, test) pairs of one vector file; the file must hold as many as it says."""
    document = json.loads((shared / "vectors" / f"{name}_test.json").read_text())
    found = [(group, test) for group in document["testGroups"] for test in group["tests"]]
    assert len(found) == document["numberOfTests"]
    yield from found


def raw(test: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(test[name])


def test_T_K03_ed25519(shared: Path) -> None:
    mismatches = []
    for group, test in cases(shared, "ed25519"):
        public = bytes.fromhex(group["publicKey"]["pk"])
        try:
            verify(public, raw(test, "sig"), raw(test, "msg"))
            accepted = True
        except Refused:
            accepted = False
        if accepted != (test["result"] == "valid"):
            mismatches.append((test["tcId"], is_weak(public), test["comment"]))
    assert mismatches == []


def test_T_K03_x25519(shared: Path) -> None:
    """An all-zero shared secret must be refused by the library; every other case must agree."""
    zero = 0
    for _, test in cases(shared, "x25519"):
        private = X25519PrivateKey.from_private_bytes(raw(test, "private"))
        if raw(test, "shared") == bytes(32):
            zero += 1
            with pytest.raises(ValueError):
                private.exchange(X25519PublicKey.from_public_bytes(raw(test, "public")))
        else:
            assert private.exchange(X25519PublicKey.from_public_bytes(raw(test, "public"))) == raw(test, "shared")
    assert zero > 0


def test_T_K03_chacha20_poly1305(shared: Path) -> None:
    for _, test in cases(shared, "chacha20_poly1305"):
        sealed = raw(test, "ct") + raw(test, "tag")
        try:
            plain: bytes | None = ChaCha20Poly1305(raw(test, "key")).decrypt(raw(test, "iv"), sealed, raw(test, "aad"))
        except (InvalidTag, ValueError):
            plain = None
        assert plain == (raw(test, "msg") if test["result"] == "valid" else None), test["tcId"]


def test_T_K03_hkdf_sha256(shared: Path) -> None:
    for _, test in cases(shared, "hkdf_sha256"):
        try:
            made: bytes | None = HKDF(SHA256(), test["size"], raw(test, "salt"), raw(test, "info")).derive(
                raw(test, "ikm")
            )
        except ValueError:
            made = None
        assert made == (raw(test, "okm") if test["result"] == "valid" else None), test["tcId"]


def test_T_K03_mlkem_768(shared: Path) -> None:
    for _, test in cases(shared, "mlkem_768"):
        valid = test["result"] == "valid"
        try:
            key = MLKEM768PrivateKey.from_seed_bytes(raw(test, "seed"))
            made: bytes | None = key.decapsulate(raw(test, "c"))
        except ValueError:
            made = None
        assert made == (raw(test, "K") if valid else None), test["tcId"]
        if valid:
            assert key.public_key().public_bytes_raw() == raw(test, "ek")
