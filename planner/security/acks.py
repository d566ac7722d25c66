"""Answers to messages: whose message it was is remembered, so that an answer goes to its sender and nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.security.alerts import Answer, alert_types, round_of
from planner.security.envelope import Header
from planner.security.messages import MessageType
from planner.security.node import Node
from planner.security.outgoing import send_notice
from planner.security.refusal import Reason, require
from planner.security.rights import Action

ACK = alert_types()["ack"]
_SHORTEST = 8
_SCHEMA = """CREATE TABLE IF NOT EXISTS answerable (
    message TEXT PRIMARY KEY, sender TEXT, zone TEXT, drill INTEGER) WITHOUT ROWID"""


class Answers:
    """The messages of one node that may be answered."""

    def __init__(self, node: Node) -> None:
        self.node, self._db = node, node.store.connection
        self._db.execute(_SCHEMA)

    def remember(self, message: str, header: Header) -> None:
        """Keep whose message it was; part of the transaction that is open."""
        row = (message, header.sender, header.stream, int(header.drill))
        self._db.execute("INSERT OR REPLACE INTO answerable VALUES (?, ?, ?, ?)", row)

    def acknowledge(self, message: str, answer: Answer, at: int) -> bytes:
        """The envelope that answers ``message``, its hash or the beginning of it; Refused unless one fits."""
        require(len(message) >= _SHORTEST and set(message) <= set("0123456789abcdef"), Reason.RECIPIENT)
        rows = self._db.execute("SELECT * FROM answerable WHERE message LIKE ?", (message + "%",)).fetchall()
        require(len(rows) == 1, Reason.RECIPIENT)
        whole, sender, zone, drill = rows[0]
        return say(self.node, ACK, zone, [sender], {"message": whole, "state": answer.value}, at, bool(drill))


def say(
    node: Node, kind: MessageType, zone: str, to: Sequence[str], body: Mapping[str, Any], at: int, drill: bool = False
) -> bytes:
    """The envelope of a message of ``node`` about ``zone``, numbered and logged; Refused if it may not say so."""
    me = node.roster.entity(node.identity.name)
    allowed = me is not None and node.roster.allows(me, Action.SEND, kind.name, zone, at)
    require(allowed, Reason.UNAUTHORISED)
    round_id = round_of(kind.name, drill)
    # Numbers begin with the time, so that they also rise for a node that lost its database.
    number = node.store.next_sequence(zone, round_id, at, base=at)
    way = node.identity, to, node.roster, at
    data = send_notice(kind, body, *way, stream=zone, round_id=round_id, sequence=number, drill=drill)
    return node.sent(data, at)
