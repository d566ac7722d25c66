"""Enrolment: a one-time invite out of band, a signed request in answer, and every check before a key is listed.

    invite    operator, root's fingerprint, name, role, zones, nonce, 128-bit secret, 24 hours
    request   card (name and public keys), role, zones, operator, nonce, MAC under the secret, all of it signed by
              the newest key; a renewal has neither nonce nor MAC and is signed by a key of the roster as well

A signature alone shows no possession: for a key of small order anybody can make one, so that weak keys are refused
by their form.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from planner.security import strict
from planner.security.cards import Card
from planner.security.documents import REQUEST_TYPE, payload_of, sign_document, signed_by, verify_document
from planner.security.entities import Entity
from planner.security.keys import Signer, is_weak
from planner.security.refusal import Reason, Refused, require
from planner.security.roster import Roster

INVITE_S = 24 * 3600
_PREFIX = "invite-v1."
_INVITE = frozenset({"operator", "root", "name", "role", "zones", "nonce", "secret", "expires"})
_REQUEST = frozenset({"card", "role", "zones", "operator", "nonce", "mac"})


@dataclass(frozen=True)
class Invite:
    """What an operator offers to one future node until epoch second ``expires_at``."""

    operator: str
    root: str
    name: str
    role: str
    zones: frozenset[str]
    nonce: str
    secret: bytes
    expires_at: int

    @property
    def token(self) -> str:
        """One line of text, to be handed over by a way that the network does not see."""
        return _PREFIX + base64.urlsafe_b64encode(self.to_bytes()).decode()

    @classmethod
    def from_token(cls, token: str) -> Invite:
        """Read a line written by ``token``; raises Refused."""
        require(token.startswith(_PREFIX), Reason.INVITE)
        try:
            data = base64.urlsafe_b64decode(token.removeprefix(_PREFIX).encode())
        except (binascii.Error, ValueError):
            raise Refused(Reason.INVITE) from None
        return cls.from_bytes(data)

    def to_bytes(self) -> bytes:
        """The canonical document."""
        told = {"operator": self.operator, "root": self.root, "name": self.name, "role": self.role}
        kept = {"zones": sorted(self.zones), "nonce": self.nonce, "expires": self.expires_at}
        return strict.dumps(told | kept | {"secret": strict.b64encode(self.secret)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Invite:
        """Read a document written by ``to_bytes``; raises Refused."""
        told = strict.fields(strict.loads(data), _INVITE)
        zones = strict.array(told["zones"])
        texts = (told["operator"], told["root"], told["name"], told["role"], told["nonce"], *zones)
        require(all(map(strict.is_id, texts)) and strict.is_integer(told["expires"], low=0), Reason.INVITE)
        names = told["operator"], told["root"], told["name"], told["role"]
        return cls(*names, frozenset(zones), told["nonce"], strict.b64decode(told["secret"]), told["expires"])


def new_invite(operator: str, root: str, name: str, role: str, zones: Iterable[str], at: int) -> Invite:
    """A fresh invite; raises Refused if a name or zone is no id."""
    invite = Invite(operator, root, name, role, frozenset(zones), os.urandom(16).hex(), os.urandom(16), at + INVITE_S)
    return Invite.from_bytes(invite.to_bytes())


def request(card: Card, invite: Invite, signer: Signer) -> bytes:
    """A node's answer to its invite."""
    require(card.name == invite.name, Reason.INVITE)
    body = _body(card, invite.role, invite.zones, invite.operator, invite.nonce, _mac(card, invite))
    return sign_document(REQUEST_TYPE, body, [signer])


def renewal(card: Card, entity: Entity, operator: str, signers: Iterable[Signer]) -> bytes:
    """A node's request to replace its keys, signed by a key the roster lists and by its newest."""
    return sign_document(REQUEST_TYPE, _body(card, entity.role, entity.zones, operator, "", ""), signers)


def enrolled(data: bytes, invites: Iterable[Invite], operator: str, at: int) -> tuple[Invite, Entity]:
    """The invite that a request answers, and the entity to be listed; raises Refused.

    ``invites`` are those not used yet.  Whether a key is listed under another name, the roster itself refuses.
    """
    told, card = _read(data)
    by_nonce = {invite.nonce: invite for invite in invites if at < invite.expires_at}
    invite = by_nonce.get(told["nonce"]) if type(told["nonce"]) is str else None
    if invite is None:
        raise Refused(Reason.INVITE)
    agreed = told["operator"] == operator == invite.operator and card.name == invite.name
    require(agreed and told["role"] == invite.role and told["zones"] == sorted(invite.zones), Reason.INVITE)
    require(type(told["mac"]) is str and hmac.compare_digest(told["mac"], _mac(card, invite)), Reason.INVITE)
    current = _sound(card, at)
    newest = current.newest
    verify_document(data, REQUEST_TYPE, {newest.key_id: newest.public}, 1)
    return invite, Entity(card.name, invite.role, current.signing, current.sealing, invite.zones)


def renewed(data: bytes, roster: Roster, operator: str, at: int) -> Entity:
    """The entity with its new keys; raises Refused.  Role and zones stay; no listed key comes to live longer."""
    told, card = _read(data)
    entity = roster.entity(card.name)
    if entity is None:
        raise Refused(Reason.UNKNOWN_KEY)
    require(told["nonce"] == "" == told["mac"] and told["operator"] == operator, Reason.INVITE)
    require(told["role"] == entity.role and told["zones"] == sorted(entity.zones), Reason.INVITE)
    listed = {record.key_id: record.public for record in entity.signing if record.is_valid(at)}
    require(len(signed_by(data, REQUEST_TYPE, listed)) > 0, Reason.SIGNATURE)
    current = _sound(card, at)
    verify_document(data, REQUEST_TYPE, {current.newest.key_id: current.newest.public}, 1)
    until = {record.public: record.valid_until for record in entity.signing}
    signing = tuple(
        replace(r, valid_until=min(r.valid_until, until.get(r.public, r.valid_until))) for r in current.signing
    )
    return replace(entity, signing=signing, sealing=current.sealing)


def card_in(data: bytes) -> Card:
    """The card that a request holds, of which nothing is checked yet; raises Refused."""
    return _read(data)[1]


def _sound(card: Card, at: int) -> Card:
    """The keys that count from now on; raises Refused for weak ones, before any signature is looked at."""
    require(not any(is_weak(record.public) for record in card.signing), Reason.WEAK_KEY)
    current = card.current(at)
    require(len(current.sealing) > 0, Reason.VALIDITY)
    return current


def _read(data: bytes) -> tuple[dict[str, object], Card]:
    told = strict.fields(strict.loads(payload_of(data, REQUEST_TYPE)), _REQUEST)
    return told, Card.from_bytes(strict.b64decode(told["card"]))


def _body(card: Card, role: str, zones: frozenset[str], operator: str, nonce: str, mac: str) -> bytes:
    told = {"card": strict.b64encode(card.to_bytes()), "role": role, "zones": sorted(zones)}
    return strict.dumps(told | {"operator": operator, "nonce": nonce, "mac": mac})


def _mac(card: Card, invite: Invite) -> str:
    said = _body(card, invite.role, invite.zones, invite.operator, invite.nonce, "")
    return hmac.new(invite.secret, b"allotment/enrol/v1\0" + said, hashlib.sha256).hexdigest()
