"""Sending: a building's numbers leave as a Release of the gate or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from planner.security import strict
from planner.security.entities import Entity
from planner.security.envelope import Header, seal
from planner.security.gate import Release
from planner.security.keys import Identity
from planner.security.messages import RELEASE_TYPES, MessageType, release_types
from planner.security.refusal import Reason, Refused, require
from planner.security.roster import Roster

_TYPES = release_types()


def send_release(release: Release, sender: Identity, to: Sequence[str], roster: Roster, at: int) -> bytes:
    """The envelope of ``release`` to the entities named ``to``, issued at epoch second ``at``; raises Refused.

    Stream is the group, round the clear: sequence numbers rise within one clear of one group.
    """
    if not isinstance(release, Release):
        raise TypeError("only a Release of the release gate can be sent")
    require(release.policy == roster.policy, Reason.POLICY)
    _require_fresh(_TYPES[release.kind], roster, at)
    header = _header(_TYPES[release.kind], sender, roster, at, release.group, release.clear_id, release.sequence)
    return seal(header, strict.loads(release.body), sender.signer, _readers(to, roster))


def send_notice(
    message_type: MessageType,
    body: Mapping[str, Any],
    sender: Identity,
    to: Sequence[str],
    roster: Roster,
    at: int,
    *,
    stream: str,
    round_id: str,
    sequence: int,
    drill: bool = False,
) -> bytes:
    """The envelope of a message that tells nothing of a building's occupants, such as prices; raises Refused."""
    require(message_type.name not in RELEASE_TYPES, Reason.UNAUTHORISED)
    require(message_type.urgent or not drill, Reason.UNAUTHORISED)
    message_type.check(dict(body))
    _require_fresh(message_type, roster, at)
    header = replace(_header(message_type, sender, roster, at, stream, round_id, sequence), drill=drill)
    return seal(header, body, sender.signer, _readers(to, roster))


def _require_fresh(message_type: MessageType, roster: Roster, at: int) -> None:
    """Under an expired roster only alerts are sent: whoever freezes a node's roster must not gain by it."""
    require(message_type.urgent or at < roster.expires_at, Reason.FREEZE)


def _header(
    kind: MessageType, sender: Identity, roster: Roster, at: int, stream: str, round_id: str, sequence: int
) -> Header:
    return Header(
        type=kind.name,
        sender=sender.name,
        recipients=(),
        stream=stream,
        round=round_id,
        sequence=sequence,
        issued_at=at,
        expires_at=at + kind.max_life_s,
        roster=roster.version,
        policy=roster.policy,
    )


def _readers(names: Sequence[str], roster: Roster) -> tuple[Entity, ...]:
    found = tuple(entity for entity in map(roster.entity, names) if entity is not None)
    if len(found) != len(names):
        raise Refused(Reason.RECIPIENT)
    return found
