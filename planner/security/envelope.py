"""The envelope: a DSSE frame, an Ed25519 signature over the exact bytes, a body sealed to each reader.

    outer   {"payload": b64(P), "payloadType": PAYLOAD_TYPE, "signatures": [{"keyid", "sig"}]}
    P       {"hdr": b64(H), "ct": {sealing key id: b64(HPKE ciphertext of I)}}
    H       v, type, from, to, stream, seq, round, iat, exp, roster, policy, drill, commit
    I       4-byte length, {"salt", "body"}, zeros up to a multiple of 4,096 bytes
    commit  SHA-256(I);  HPKE info = "allotment/hpke/v1\\0" + SHA-256(H)

H is inside the HPKE context, so a body cannot be moved under another sender; ``commit`` shows every reader the
same body.  Source: DSSE 1.0.2 (pre-authentication encoding), RFC 9180; stricter than DSSE: canonical outer bytes,
exactly one signature, no unknown field.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planner.security import strict
from planner.security.entities import Entity
from planner.security.keys import Signer, signing_key_id
from planner.security.refusal import Reason, require

PAYLOAD_TYPE = "application/vnd.allotment.msg.v1+json"
VERSION = 1
BLOCK_BYTES = 4096
SALT_BYTES = 32
MAX_RECIPIENTS = 64

_LENGTH_BYTES = 4
_HPKE_INFO = b"allotment/hpke/v1\0"
_INNER = frozenset({"salt", "body"})
_HEADER = frozenset(
    {"v", "type", "from", "to", "stream", "seq", "round", "iat", "exp", "roster", "policy", "drill", "commit"}
)


@dataclass(frozen=True)
class Header:
    """What a relay may read.

    ``recipients`` are names; ``stream`` and ``round`` with the sender scope the rising ``sequence``; times are
    epoch seconds; ``roster`` is the version and ``policy`` the hash the sender worked under; ``drill`` marks an alert
    that is an exercise; ``commit`` is the SHA-256 of the padded body in hexadecimal, filled in by ``seal``.
    """

    type: str
    sender: str
    recipients: tuple[str, ...]
    stream: str
    round: str
    sequence: int
    issued_at: int
    expires_at: int
    roster: int
    policy: str
    drill: bool = False
    commit: str = ""

    def to_bytes(self) -> bytes:
        """H, the signed header."""
        return strict.dumps(
            {
                "v": VERSION,
                "type": self.type,
                "from": self.sender,
                "to": list(self.recipients),
                "stream": self.stream,
                "seq": self.sequence,
                "round": self.round,
                "iat": self.issued_at,
                "exp": self.expires_at,
                "roster": self.roster,
                "policy": self.policy,
                "drill": self.drill,
                "commit": self.commit,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Header:
        """Read H; raises Refused."""
        h = strict.fields(strict.loads(data), _HEADER)
        names = ("type", "from", "stream", "round", "policy")
        counts = ("seq", "iat", "exp", "roster")
        require(h["v"] == VERSION and type(h["v"]) is int, Reason.FIELDS)
        require(all(strict.is_id(h[name]) for name in names), Reason.FIELDS)
        require(all(strict.is_integer(h[name], low=0) for name in counts), Reason.FIELDS)
        require(type(h["drill"]) is bool and _is_commitment(h["commit"]), Reason.FIELDS)
        require(type(h["to"]) is list and 1 <= len(h["to"]) <= MAX_RECIPIENTS, Reason.FIELDS)
        require(all(strict.is_id(name) for name in h["to"]) and len(set(h["to"])) == len(h["to"]), Reason.FIELDS)
        return cls(
            type=h["type"],
            sender=h["from"],
            recipients=tuple(h["to"]),
            stream=h["stream"],
            round=h["round"],
            sequence=h["seq"],
            issued_at=h["iat"],
            expires_at=h["exp"],
            roster=h["roster"],
            policy=h["policy"],
            drill=h["drill"],
            commit=h["commit"],
        )


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: lengths in bytes, so that no two pairs read alike."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(header: Header, body: Mapping[str, Any], signer: Signer, recipients: Sequence[Entity]) -> bytes:
    """The envelope's bytes.  ``header.recipients`` and ``header.commit`` are filled in here; raises Refused."""
    inner = pad(os.urandom(SALT_BYTES), body)
    header = replace(header, recipients=tuple(entity.name for entity in recipients), commit=commitment(inner))
    header_bytes = header.to_bytes()
    Header.from_bytes(header_bytes)
    info = hpke_info(header_bytes)
    keys = [entity.sealing_at(header.issued_at) for entity in recipients]
    sealed = {key.key_id: strict.b64encode(key.encrypt(inner, info)) for key in keys}
    payload = strict.dumps({"hdr": strict.b64encode(header_bytes), "ct": sealed})
    signature = signer.sign(pae(PAYLOAD_TYPE, payload))
    return frame(payload, signing_key_id(signer.public), signature)


def frame(payload: bytes, key_id: str, signature: bytes) -> bytes:
    """The outer document around signed bytes."""
    signatures = [{"keyid": key_id, "sig": strict.b64encode(signature)}]
    envelope = strict.dumps(
        {"payload": strict.b64encode(payload), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
    )
    require(len(envelope) <= strict.MAX_BYTES, Reason.SIZE)
    return envelope


def hpke_info(header_bytes: bytes) -> bytes:
    """The HPKE context, computed over header bytes as they were sent."""
    return _HPKE_INFO + hashlib.sha256(header_bytes).digest()


def commitment(inner: bytes) -> str:
    """SHA-256 of the padded body, hexadecimal: whoever holds salt and body can show what was said."""
    return hashlib.sha256(inner).hexdigest()


def _is_commitment(value: Any) -> bool:
    return type(value) is str and len(value) == 64 and set(value) <= set("0123456789abcdef")


def pad(salt: bytes, body: Mapping[str, Any]) -> bytes:
    """I: length, document and zeros; its size tells nothing but the number of blocks."""
    document = strict.dumps({"salt": strict.b64encode(salt), "body": body})
    framed = len(document).to_bytes(_LENGTH_BYTES, "big") + document
    return framed + bytes(-len(framed) % BLOCK_BYTES)


def unpad(inner: bytes) -> tuple[bytes, Any]:
    """Salt and body of I; refuses another length, non-zero padding or more padding than needed."""
    length = int.from_bytes(inner[:_LENGTH_BYTES], "big")
    end = _LENGTH_BYTES + length
    require(len(inner) == end + (-end % BLOCK_BYTES), Reason.PADDING)
    require(not any(inner[end:]), Reason.PADDING)
    document = strict.fields(strict.loads(inner[_LENGTH_BYTES:end]), _INNER)
    salt = strict.b64decode(document["salt"])
    require(len(salt) == SALT_BYTES, Reason.FIELDS)
    return salt, document["body"]
