"""Signed documents: a DSSE frame around bytes that several keys may sign, such as a roster or a checkpoint.

Signatures count once per key.  A signature by a key that is not asked about is passed over, since a change of root
carries those of the old and of the new root; one that does not verify, or a key id that comes twice, refuses all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from planner.security import strict
from planner.security.envelope import pae
from planner.security.keys import Signer, signing_key_id, verify
from planner.security.refusal import Reason, require

ROSTER_TYPE = "application/vnd.allotment.roster.v1+json"
REQUEST_TYPE = "application/vnd.allotment.request.v1+json"
CHECKPOINT_TYPE = "application/vnd.allotment.checkpoint.v1+json"
MARK_TYPE = "application/vnd.allotment.high-water.v1+json"

MAX_DOCUMENT_BYTES = 32 << 20
"""A roster of ten thousand gateways with hybrid keys."""

_OUTER = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE = frozenset({"keyid", "sig"})


def sign_document(kind: str, payload: bytes, signers: Iterable[Signer] = ()) -> bytes:
    """The frame of ``payload`` with the signatures of ``signers``; raises Refused if it grows too large."""
    made = {signing_key_id(signer.public): signer.sign(pae(kind, payload)) for signer in signers}
    return _frame(kind, payload, made)


def add_signature(data: bytes, kind: str, signer: Signer) -> bytes:
    """The same document with one more signature (or the same one again)."""
    payload, made = _unframe(data, kind)
    made[signing_key_id(signer.public)] = signer.sign(pae(kind, payload))
    return _frame(kind, payload, made)


def payload_of(data: bytes, kind: str) -> bytes:
    """The bytes inside, of which nothing is known yet; raises Refused if the frame is not one of ``kind``."""
    return _unframe(data, kind)[0]


def signed_by(data: bytes, kind: str, keys: Mapping[str, bytes]) -> frozenset[str]:
    """The ids of those ``keys`` (id -> public key) whose signature holds; raises Refused for one that does not."""
    payload, made = _unframe(data, kind)
    known = made.keys() & keys.keys()
    for key_id in known:
        verify(keys[key_id], made[key_id], pae(kind, payload))
    return frozenset(known)


def verify_document(data: bytes, kind: str, keys: Mapping[str, bytes], threshold: int) -> bytes:
    """The bytes inside, signed by at least ``threshold`` of ``keys``; raises Refused."""
    require(len(signed_by(data, kind, keys)) >= max(threshold, 1), Reason.THRESHOLD)
    return payload_of(data, kind)


def _frame(kind: str, payload: bytes, made: Mapping[str, bytes]) -> bytes:
    signatures = [{"keyid": key_id, "sig": strict.b64encode(made[key_id])} for key_id in sorted(made)]
    data = strict.dumps({"payload": strict.b64encode(payload), "payloadType": kind, "signatures": signatures})
    require(len(data) <= MAX_DOCUMENT_BYTES, Reason.SIZE)
    return data


def _unframe(data: bytes, kind: str) -> tuple[bytes, dict[str, bytes]]:
    """Payload and signatures by key id; the document is canonical to the byte."""
    outer = strict.fields(strict.loads(data, MAX_DOCUMENT_BYTES), _OUTER)
    require(outer["payloadType"] == kind, Reason.TYPE)
    made: dict[str, bytes] = {}
    for value in strict.array(outer["signatures"]):
        signature = strict.fields(value, _SIGNATURE)
        require(type(signature["keyid"]) is str and signature["keyid"] not in made, Reason.SIGNATURES)
        made[signature["keyid"]] = strict.b64decode(signature["sig"])
    payload = strict.b64decode(outer["payload"])
    require(strict.dumps(outer) == data, Reason.CANONICAL)
    return payload, made
