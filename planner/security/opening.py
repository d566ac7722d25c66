"""Opening an envelope: every check in its order, each failure a named refusal, time an argument.

The order is part of the design: nothing is parsed deeply before the signature holds, nothing is decrypted before
sender, reader, roster, time and rights are known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.security import strict
from planner.security.envelope import PAYLOAD_TYPE, Header, commitment, hpke_info, pae, unpad
from planner.security.hpke import SealingKey
from planner.security.keys import Identity, verify
from planner.security.messages import MessageType
from planner.security.refusal import Reason, Refused, require
from planner.security.roster import Entity, Roster, SigningRecord

SKEW_S = 120

LastSequence = Callable[[str, str, str], int]
"""Highest sequence number acted on for (sender, stream, round); -1 if there was none."""

_OUTER = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE = frozenset({"keyid", "sig"})
_PAYLOAD = frozenset({"hdr", "ct"})


@dataclass(frozen=True)
class Verified:
    """An envelope whose signature holds: what anybody with the roster can check without opening it."""

    header: Header
    sender: Entity
    message_hash: str
    header_bytes: bytes
    sealed: Mapping[str, Any]


@dataclass(frozen=True)
class Opened:
    """A message to act on.  The effect and ``header.sequence`` belong into one transaction (see replay.py).

    ``salt`` with ``body`` opens ``header.commit`` to a third party: ``commitment(pad(salt, body))``.
    """

    header: Header
    sender: Entity
    message_hash: str
    salt: bytes
    body: Any


@dataclass(frozen=True)
class Reader:
    """Who reads, and by which rules: identity, roster, message types, and the policy hash and round expected.

    ``round`` None accepts any round.
    """

    me: Identity
    roster: Roster
    types: Mapping[str, MessageType]
    round: str | None = None


def verify_envelope(data: bytes, roster: Roster, at: int | None = None) -> Verified:
    """Check frame, key, signature and header without decrypting; raises Refused.

    ``at`` is the epoch second at which the key must be valid; None takes the message's own time of issue, which
    is right for an archive and wrong for a live message.
    """
    payload, key_id, signature = _unframe(data)
    entity, record = _owner(roster, key_id)
    require(at is None or record.is_valid(at), Reason.VALIDITY)
    verify(record.public, signature, pae(PAYLOAD_TYPE, payload))
    document = strict.fields(strict.loads(payload), _PAYLOAD)
    require(type(document["ct"]) is dict, Reason.FIELDS)
    header_bytes = strict.b64decode(document["hdr"])
    header = Header.from_bytes(header_bytes)
    require(header.sender == entity.name, Reason.SENDER)
    require(record.is_valid(header.issued_at), Reason.VALIDITY)
    return Verified(header, entity, hashlib.sha256(data).hexdigest(), header_bytes, document["ct"])


def open_envelope(data: bytes, reader: Reader, at: int, last_sequence: LastSequence) -> Opened:
    """Check and decrypt one message at epoch second ``at``; raises Refused and nothing else."""
    verified = verify_envelope(data, reader.roster, at)
    header = verified.header
    require(reader.me.name in header.recipients, Reason.RECIPIENT)
    require(len(verified.sealed) == len(header.recipients), Reason.RECIPIENT)
    require(header.roster == reader.roster.version, Reason.ROSTER)
    require(header.policy == reader.roster.policy, Reason.POLICY)
    require(reader.round is None or header.round == reader.round, Reason.ROUND)
    message_type = _message_type(reader, header)
    _require_timely(header, message_type, at)
    require(reader.roster.allows(verified.sender, header.type, header.stream, at), Reason.UNAUTHORISED)
    require(header.sequence > last_sequence(header.sender, header.stream, header.round), Reason.REPLAY)
    inner = _decrypt(verified, reader.me.sealing)
    require(commitment(inner) == header.commit, Reason.COMMITMENT)
    salt, body = unpad(inner)
    message_type.check(body)
    return Opened(header, verified.sender, verified.message_hash, salt, body)


def refusal_reply(data: bytes) -> bytes:
    """All that a peer is told: the hash of what it sent.  The same length for every cause."""
    return strict.dumps({"refused": hashlib.sha256(data).hexdigest()})


def _unframe(data: bytes) -> tuple[bytes, str, bytes]:
    """Payload, key id and signature of the outer document, which must be canonical to the byte."""
    outer = strict.fields(strict.loads(data), _OUTER)
    require(outer["payloadType"] == PAYLOAD_TYPE, Reason.TYPE)
    signatures = outer["signatures"]
    require(type(signatures) is list and len(signatures) == 1, Reason.SIGNATURES)
    signature = strict.fields(signatures[0], _SIGNATURE)
    require(type(signature["keyid"]) is str, Reason.FIELDS)
    payload, sig = strict.b64decode(outer["payload"]), strict.b64decode(signature["sig"])
    require(strict.dumps(outer) == data, Reason.CANONICAL)
    return payload, signature["keyid"], sig


def _owner(roster: Roster, key_id: str) -> tuple[Entity, SigningRecord]:
    found = roster.owner_of(key_id)
    if found is None:
        raise Refused(Reason.UNKNOWN_KEY)
    return found


def _message_type(reader: Reader, header: Header) -> MessageType:
    found = reader.types.get(header.type)
    if found is None:
        raise Refused(Reason.UNAUTHORISED)
    return found


def _require_timely(header: Header, message_type: MessageType, at: int) -> None:
    """Issued no later than the skew allows, not expired, and not made to live longer than its type may."""
    require(header.issued_at <= at + SKEW_S and at < header.expires_at, Reason.TIME)
    require(0 < header.expires_at - header.issued_at <= message_type.max_life_s, Reason.TIME)


def _decrypt(verified: Verified, keys: tuple[SealingKey, ...]) -> bytes:
    """The padded body, by whichever of the reader's keys it was sealed to."""
    for key in keys:
        sealed = verified.sealed.get(key.public.key_id)
        if sealed is not None:
            return key.decrypt(strict.b64decode(sealed), hpke_info(verified.header_bytes))
    raise Refused(Reason.DECRYPT)
