"""High-water marks: a replay store that was deleted or put back from a backup would act on old messages again.

A node signs a mark beside its store after it acted; a store behind its mark does not start.  It starts again when
everybody who may write to it has signed which numbers they gave: then nothing that is older is acted on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from planner.security import strict
from planner.security.documents import MARK_TYPE, payload_of, sign_document, signed_by, verify_document
from planner.security.entities import Entity
from planner.security.keys import Signer, signing_key_id
from planner.security.messages import MAX_LIFE_S
from planner.security.refusal import Reason, Refused, require
from planner.security.replay import ReplayStore
from planner.security.rights import Action
from planner.security.roster import Roster

_MARK = frozenset({"store", "acted"})
_STATEMENT = frozenset({"sender", "at", "sent"})


@dataclass(frozen=True)
class Statement:
    """What ``sender`` says at epoch second ``at`` of the numbers it gave: (stream, round, highest)."""

    sender: str
    at: int
    sent: tuple[tuple[str, str, int], ...]


def sign_mark(store: ReplayStore, signer: Signer) -> bytes:
    """The mark of ``store`` as it is now."""
    return sign_document(MARK_TYPE, strict.dumps({"store": store.id, "acted": store.acted}), [signer])


def require_not_behind(store: ReplayStore, mark: bytes, publics: Iterable[bytes]) -> None:
    """Raises Refused unless ``mark`` is of this very store, signed by one of ``publics``, and not ahead of it."""
    keys = {signing_key_id(public): public for public in publics}
    document = strict.fields(strict.loads(verify_document(mark, MARK_TYPE, keys, 1)), _MARK)
    require(strict.is_integer(document["acted"], low=0), Reason.FIELDS)
    require(document["store"] == store.id and document["acted"] <= store.acted, Reason.STORE)


def sign_statement(store: ReplayStore, name: str, signer: Signer, at: int) -> bytes:
    """What this node gave to its messages that may still be alive: for a peer that lost its store."""
    # Alerts outlive their time, so their streams are always told; they all bear one round.
    sent = [list(row) for row in store.sent_since(at - 2 * MAX_LIFE_S)]
    return sign_document(MARK_TYPE, strict.dumps({"sender": name, "at": at, "sent": sent}), [signer])


def resynchronise(store: ReplayStore, statements: Iterable[bytes], roster: Roster, me: str, at: int) -> None:
    """Bring ``store`` up to the statements of everybody who may write to ``me``; raises Refused if one is missing."""
    said = {statement.sender: statement for statement in (_read(data, roster, at) for data in statements)}
    require(writers(roster, me, at) <= said.keys(), Reason.STORE)
    for statement in said.values():
        for stream, round_id, sequence in statement.sent:
            store.remember(statement.sender, stream, round_id, sequence)


def writers(roster: Roster, me: str, at: int) -> frozenset[str]:
    """The names of all who may send something that ``me`` may read."""
    reader = roster.entity(me)
    require(reader is not None, Reason.UNKNOWN_KEY)
    assert reader is not None
    return frozenset(e.name for e in roster.entities if e.name != me and _may_write(roster, e, reader, at))


def _may_write(roster: Roster, sender: Entity, reader: Entity, at: int) -> bool:
    streams = sender.zones | reader.zones | {rule.stream.rstrip("*") for rule in roster.rules}
    kinds = {rule.type for rule in roster.rules if rule.role == reader.role and rule.action is Action.READ}
    return any(
        roster.allows(sender, Action.SEND, kind, stream, at) and roster.allows(reader, Action.READ, kind, stream, at)
        for kind in kinds
        for stream in streams
    )


def _read(data: bytes, roster: Roster, at: int) -> Statement:
    document = strict.fields(strict.loads(payload_of(data, MARK_TYPE)), _STATEMENT)
    entity = roster.entity(document["sender"]) if type(document["sender"]) is str else None
    if entity is None:
        raise Refused(Reason.SENDER)
    keys = {record.key_id: record.public for record in entity.signing if record.is_valid(at)}
    require(len(signed_by(data, MARK_TYPE, keys)) == 1, Reason.SIGNATURE)
    require(strict.is_integer(document["at"]) and abs(document["at"] - at) <= MAX_LIFE_S, Reason.TIME)
    rows = strict.array(document["sent"])
    require(all(_is_row(row) for row in rows), Reason.FIELDS)
    return Statement(entity.name, document["at"], tuple((row[0], row[1], row[2]) for row in rows))


def _is_row(row: object) -> bool:
    if type(row) is not list or len(row) != 3:
        return False
    return strict.is_id(row[0]) and strict.is_id(row[1]) and strict.is_integer(row[2], low=0)
