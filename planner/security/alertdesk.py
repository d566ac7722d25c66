"""A node's alerts: sending with numbers that never repeat, hearing with a memory that survives a restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planner.security.acks import Answers, say
from planner.security.alerts import (
    Answer,
    Notice,
    Source,
    State,
    Word,
    alert_types,
    heard,
    missed,
)
from planner.security.node import Node
from planner.security.opening import Opened, message_hash
from planner.security.refusal import Reason, require
from planner.security.rights import ALERTS, DETECTORS, Action

TYPES = alert_types()
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS alert_source (
        sender TEXT, type TEXT, zone TEXT, drill INTEGER, heard_at INTEGER, state TEXT, event INTEGER, silent INTEGER,
        window_from INTEGER, in_window INTEGER, trip INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (sender, type, zone, drill)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS alert_own (
        type TEXT, zone TEXT, drill INTEGER, state TEXT, event INTEGER, trip INTEGER,
        PRIMARY KEY (type, zone, drill)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS alert_message (
        message TEXT PRIMARY KEY, type TEXT, zone TEXT, drill INTEGER, event INTEGER) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS alert_answer (
        type TEXT, zone TEXT, drill INTEGER, event INTEGER, reader TEXT, answer TEXT, at INTEGER,
        PRIMARY KEY (type, zone, drill, event, reader)) WITHOUT ROWID""",
)


@dataclass(frozen=True)
class Acknowledged:
    """Somebody answered one of this node's alerts."""

    sender: str
    zone: str
    drill: bool
    message: str
    answer: Answer
    at: int


@dataclass(frozen=True)
class Delivery:
    """One reader of one of this node's own events, and what it answered last; None while it did not."""

    type: str
    zone: str
    drill: bool
    event: int
    reader: str
    answer: Answer | None
    at: int


class AlertDesk:
    """Alerts of one node at epoch seconds given by the caller.  Methods raise Refused."""

    def __init__(self, node: Node) -> None:
        self.node, self._db, self.answers = node, node.store.connection, Answers(node)
        for statement in _SCHEMA:
            self._db.execute(statement)
        columns = {row[1] for row in self._db.execute("PRAGMA table_info(alert_source)")}
        if "trip" not in columns:  # a node that listened before this was remembered
            self._db.execute("ALTER TABLE alert_source ADD COLUMN trip INTEGER NOT NULL DEFAULT 0")

    def raise_alert(self, kind: str, zone: str, at: int, trip: bool = False, drill: bool = False) -> bytes:
        """The envelope of a new event to every subscriber of that zone."""
        last = self._own(kind, zone, drill)
        return self._say(kind, zone, Word(State.RAISED, max(at, last.event + 1), trip), drill, at)

    def clear(self, kind: str, zone: str, at: int, drill: bool = False) -> bytes:
        """The envelope that ends the event that is open; Refused if there is none."""
        last = self._own(kind, zone, drill)
        require(last.state is State.RAISED, Reason.SCHEMA)
        return self._say(kind, zone, Word(State.CLEARED, last.event, last.trip), drill, at)

    def heartbeat(self, kind: str, zone: str, at: int) -> bytes:
        """The envelope that says the state again: a word that was lost is made good within a minute."""
        last = self._own(kind, zone, drill=False)
        return self._say(kind, zone, last, False, at)

    def own_streams(self, at: int) -> Iterator[tuple[str, str]]:
        """(type, zone) of everything this node may raise and somebody subscribes to."""
        for kind, zone in self._mine(Action.SEND, at):
            if self._readers(kind, zone, at):
                yield kind, zone

    def hear(self, data: bytes, at: int) -> tuple[Opened, tuple[Notice | Acknowledged, ...]]:
        """Open one envelope; the notices it gives rise to, written down in the same transaction."""
        return self.node.receive(data, TYPES, at, lambda opened, _: self._act(opened, at))

    def watch(self, at: int) -> tuple[Notice, ...]:
        """Who has not been heard for three periods; detectors of the roster are missed without ever being heard."""
        for kind, zone in self._mine(Action.READ, at):
            for sender in self.node.roster.senders(kind, zone, at):
                if sender.role in DETECTORS and self._source(sender.name, kind, zone, False) is None:
                    self._keep(Source(sender.name, kind, zone, False, at))
        notices: list[Notice] = []
        for source in self.sources():
            now, told = missed(source, at)
            if told:
                self._keep(now)
                notices.extend(told)
        return tuple(notices)

    def sources(self) -> tuple[Source, ...]:
        """Everybody who was heard, or should have been, as last known."""
        rows = self._db.execute("SELECT * FROM alert_source ORDER BY zone, type, sender, drill").fetchall()
        return tuple(_source(row) for row in rows)

    def deliveries(self) -> tuple[Delivery, ...]:
        """Of this node's own events, the newest first: every reader, and whether it answered."""
        sql = "SELECT * FROM alert_answer ORDER BY event DESC, zone, type, drill, reader"
        return tuple(
            Delivery(kind, zone, bool(drill), event, reader, None if answer is None else Answer(answer), at)
            for kind, zone, drill, event, reader, answer, at in self._db.execute(sql)
        )

    def reads(self, at: int) -> list[tuple[str, str]]:
        """(type, zone) of everything this node subscribes to."""
        return list(self._mine(Action.READ, at))

    def _act(self, opened: Opened, at: int) -> tuple[Notice | Acknowledged, ...]:
        header = opened.header
        if header.type == "ack":
            answer = Answer(opened.body["state"])
            self._note_answer(opened.body["message"], header.sender, answer, at)
            said = (header.sender, header.stream, header.drill, opened.body["message"], answer, at)
            return (Acknowledged(*said),)
        fresh = Source(header.sender, header.type, header.stream, header.drill, at)
        source = self._source(header.sender, header.type, header.stream, header.drill) or fresh
        now, notices = heard(source, Word.of(opened.body), opened, at)
        self._keep(now)
        if notices:
            self.answers.remember(opened.message_hash, header)
        return notices

    def _say(self, kind: str, zone: str, word: Word, drill: bool, at: int) -> bytes:
        readers = self._readers(kind, zone, at)
        require(len(readers) > 0, Reason.RECIPIENT)
        row = (kind, zone, int(drill), word.state.value, word.event, int(word.trip))
        self._db.execute("INSERT OR REPLACE INTO alert_own VALUES (?, ?, ?, ?, ?, ?)", row)
        data = say(self.node, TYPES[kind], zone, readers, word.body, at, drill)
        if word.state is State.RAISED:
            self._expect(message_hash(data), (kind, zone, int(drill), word.event), readers)
        return data

    def _expect(self, message: str, event: tuple[str, str, int, int], readers: Sequence[str]) -> None:
        """Who is to answer; every message that tells of an event may be the one that is answered."""
        self._db.execute("INSERT INTO alert_message VALUES (?, ?, ?, ?, ?)", (message, *event))
        rows = [(*event, reader, None, 0) for reader in readers]
        self._db.executemany("INSERT OR IGNORE INTO alert_answer VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _note_answer(self, message: str, reader: str, answer: Answer, at: int) -> None:
        self._db.execute(
            """UPDATE alert_answer SET answer = ?, at = ? WHERE reader = ? AND (type, zone, drill, event) IN
            (SELECT type, zone, drill, event FROM alert_message WHERE message = ?)""",
            (answer.value, at, reader, message),
        )

    def _readers(self, kind: str, zone: str, at: int) -> list[str]:
        found = self.node.roster.readers(kind, zone, at)
        return [entity.name for entity in found if entity.name != self.node.identity.name]

    def _mine(self, action: Action, at: int) -> Iterator[tuple[str, str]]:
        me = self.node.roster.entity(self.node.identity.name)
        zones = sorted(me.zones) if me is not None else []
        for zone in zones:
            for kind in ALERTS:
                if me is not None and self.node.roster.allows(me, action, kind, zone, at):
                    yield kind, zone

    def _own(self, kind: str, zone: str, drill: bool) -> Word:
        row = self._db.execute(
            "SELECT state, event, trip FROM alert_own WHERE type = ? AND zone = ? AND drill = ?",
            (kind, zone, int(drill)),
        ).fetchone()
        return Word(State.QUIET, 0) if row is None else Word(State(row[0]), row[1], bool(row[2]))

    def _source(self, sender: str, kind: str, zone: str, drill: bool) -> Source | None:
        row = self._db.execute(
            "SELECT * FROM alert_source WHERE sender = ? AND type = ? AND zone = ? AND drill = ?",
            (sender, kind, zone, int(drill)),
        ).fetchone()
        return None if row is None else _source(row)

    def _keep(self, s: Source) -> None:
        row = (s.sender, s.type, s.zone, int(s.drill), s.heard_at, s.state.value, s.event, int(s.silent))
        values = (*row, s.window_from, s.in_window, int(s.trip))
        self._db.execute("INSERT OR REPLACE INTO alert_source VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def _source(row: tuple) -> Source:
    sender, kind, zone, drill, heard_at, state, event, silent, window_from, in_window, trip = row
    told = (State(state), event, bool(silent), window_from, in_window, bool(trip))
    return Source(sender, kind, zone, bool(drill), heard_at, *told)
