"""Opening an envelope: every check in its order, each failure a named refusal, time an argument.

The order is part of the design: nothing is parsed deeply before the signature holds, nothing is decrypted before
sender, reader, roster, time and rights are known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from planner.security import strict
from planner.security.entities import Entity, SigningRecord
from planner.security.envelope import PAYLOAD_TYPE, Header, commitment, hpke_info, pae, unpad
from planner.security.hpke import SealingKey
from planner.security.keys import Identity, verify
from planner.security.messages import MAX_LIFE_S, RELEASE_TYPES, MessageType
from planner.security.policy import may_be_released
from planner.security.refusal import Reason, Refused, require
from planner.security.rights import Action
from planner.security.roster import Roster

SKEW_S = 120

LastSequence = Callable[[str, str, str], int]
"""Highest sequence number acted on for (sender, stream, round); -1 if there was none."""

_OUTER = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE = frozenset({"keyid", "sig"})
_PAYLOAD = frozenset({"hdr", "ct"})
_UNKNOWN = MessageType("", {}, MAX_LIFE_S)


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

    ``salt`` with ``body`` opens ``header.commit`` to a third party: ``commitment(pad(salt, body))``.  ``doubts`` are
    what would have refused a message that is not urgent: clock, roster or policy of sender and reader differ.
    """

    header: Header
    sender: Entity
    message_hash: str
    salt: bytes
    body: Any
    doubts: tuple[Reason, ...] = ()

    @property
    def time_suspect(self) -> bool:
        """True if the clocks of sender and reader do not agree that this message is current."""
        return Reason.TIME in self.doubts or Reason.FREEZE in self.doubts


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
    return Verified(header, entity, message_hash(data), header_bytes, document["ct"])


def open_envelope(data: bytes, reader: Reader, at: int, last_sequence: LastSequence) -> Opened:
    """Check and decrypt one message at epoch second ``at``; raises Refused and nothing else."""
    verified = verify_envelope(data, reader.roster, at)
    header = verified.header
    require(reader.me.name in header.recipients, Reason.RECIPIENT)
    require(len(verified.sealed) == len(header.recipients), Reason.RECIPIENT)
    message_type = reader.types.get(header.type, _UNKNOWN)
    doubts = tuple(_out_of_date(header, reader.roster, at))
    # A refused true fire alert is worse than one that comes with a doubt.
    require(not doubts or message_type.urgent, doubts[0] if doubts else Reason.TIME)
    require(reader.round is None or header.round == reader.round, Reason.ROUND)
    require(0 < header.expires_at - header.issued_at <= message_type.max_life_s, Reason.TIME)
    _require_rights(verified, reader, message_type, at)
    require(header.type not in RELEASE_TYPES or may_be_released(header.policy), Reason.POLICY)
    require(header.sequence > last_sequence(header.sender, header.stream, header.round), Reason.REPLAY)
    inner = _decrypt(verified, reader.me.sealing)
    require(commitment(inner) == header.commit, Reason.COMMITMENT)
    salt, body = unpad(inner)
    message_type.check(body)
    return Opened(header, verified.sender, verified.message_hash, salt, body, doubts)


def sealed_to(data: bytes) -> frozenset[str]:
    """Ids of the sealing keys an envelope was sealed to, of which nothing is verified; raises Refused."""
    document = strict.fields(strict.loads(_unframe(data)[0]), _PAYLOAD)
    require(type(document["ct"]) is dict, Reason.FIELDS)
    return frozenset(document["ct"])


def refusal_reply(data: bytes) -> bytes:
    """All that a peer is told: the hash of what it sent.  The same length for every cause."""
    return strict.dumps({"refused": message_hash(data)})


def message_hash(data: bytes) -> str:
    """SHA-256 of an envelope as it was sent, hexadecimal: how log and answers name it."""
    return hashlib.sha256(data).hexdigest()


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


def _out_of_date(header: Header, roster: Roster, at: int) -> Iterator[Reason]:
    """Whatever of roster, policy and clock is not as it should be: written under mine, issued, not yet expired."""
    if header.roster != roster.version:
        yield Reason.ROSTER
    if header.policy != roster.policy:
        yield Reason.POLICY
    if at >= roster.expires_at:
        yield Reason.FREEZE
    if header.issued_at > at + SKEW_S or at >= header.expires_at:
        yield Reason.TIME


def _require_rights(verified: Verified, reader: Reader, message_type: MessageType, at: int) -> None:
    """The sender may send it, I may read it, and only an alert is ever an exercise."""
    header, me = verified.header, reader.roster.entity(reader.me.name)
    may_send = reader.roster.allows(verified.sender, Action.SEND, header.type, header.stream, at)
    may_read = me is not None and reader.roster.allows(me, Action.READ, header.type, header.stream, at)
    require(message_type is not _UNKNOWN and may_send and may_read, Reason.UNAUTHORISED)
    require(message_type.urgent or not header.drill, Reason.UNAUTHORISED)


def _decrypt(verified: Verified, keys: tuple[SealingKey, ...]) -> bytes:
    """The padded body, by whichever of the reader's keys it was sealed to."""
    for key in keys:
        sealed = verified.sealed.get(key.public.key_id)
        if sealed is not None:
            return key.decrypt(strict.b64decode(sealed), hpke_info(verified.header_bytes))
    raise Refused(Reason.DECRYPT)
