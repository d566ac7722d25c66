"""The marketplace's memory: an append-only list of envelopes in one SQLite file, and nothing beside it.

Every envelope that was accepted or sent is a row, in the order in which it was; what was decided by the clock is an
envelope of the marketplace to itself.  A message and the number that must never come again are one transaction.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.security.opening import Opened
from planner.security.replay import ReplayStore

_SCHEMA = """CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL UNIQUE, type TEXT NOT NULL, sender TEXT NOT NULL,
    reader TEXT NOT NULL, at INTEGER NOT NULL, envelope BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS by_reader ON message (reader, id)"""


@dataclass(frozen=True)
class Row:
    """One envelope of the store; ``reader`` is the first it is addressed to."""

    id: int
    hash: str
    type: str
    sender: str
    reader: str
    at: int
    envelope: bytes


class MessageStore:
    """The rows of one clear's marketplace; safe to be used from several threads."""

    def __init__(self, path: Path) -> None:
        ReplayStore(path).close()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        self._lock = threading.RLock()
        self.arrived = threading.Condition()

    def last_sequence(self, sender: str, stream: str, round_id: str) -> int:
        """The highest number accepted, -1 if none."""
        key = (sender, stream, round_id)
        with self._lock:
            sql = "SELECT sequence FROM seen WHERE sender = ? AND stream = ? AND round = ?"
            row = self._db.execute(sql, key).fetchone()
        return -1 if row is None else int(row[0])

    def remember(self, opened: Opened) -> None:
        """Only the number of a message that leaves no row behind."""
        with self._lock:
            self._number(opened)

    def _number(self, opened: Opened) -> None:
        h = opened.header
        sql = (
            "INSERT INTO seen VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)"
        )
        self._db.execute(sql, (h.sender, h.stream, h.round, h.sequence))

    def add(self, opened: Opened, envelope: bytes, at: int, number: int | None = None) -> bool:
        """Keep an envelope and its number, both or neither; False if it is here already.

        ``number`` is its place where it is a copy of another store's row.
        """
        h = opened.header
        row = (number, opened.message_hash, h.type, h.sender, h.recipients[0], at, envelope)
        columns = "(id, hash, type, sender, reader, at, envelope)"
        sql = f"INSERT OR IGNORE INTO message {columns} VALUES (?, ?, ?, ?, ?, ?, ?)"
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                new = self._db.execute(sql, row).rowcount == 1
                self._number(opened)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        with self.arrived:
            self.arrived.notify_all()
        return new

    def has(self, message_hash: str) -> bool:
        """True if that very envelope was accepted before."""
        with self._lock:
            return self._db.execute("SELECT 1 FROM message WHERE hash = ?", (message_hash,)).fetchone() is not None

    def rows(self, after: int = 0, reader: str | None = None, limit: int = -1) -> Iterator[Row]:
        """Rows in order, those beyond ``after``; with ``reader`` only what is addressed to it."""
        where, values = "id > ?", [after]
        if reader is not None:
            where, values = "id > ? AND reader = ?", [after, reader]  # type: ignore[list-item]
        sql = f"SELECT id, hash, type, sender, reader, at, envelope FROM message WHERE {where} ORDER BY id LIMIT ?"
        with self._lock:
            found = self._db.execute(sql, (*values, limit)).fetchall()
        for row in found:
            yield Row(*row)

    @property
    def last_id(self) -> int:
        """The number of the last row, 0 where there is none."""
        with self._lock:
            return int(self._db.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0])

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM message").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            self._db.close()
