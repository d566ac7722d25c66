"""Once only: the highest sequence number of every (sender, stream, round), stored with the effect it had.

The other direction is here too: the numbers this node gave to its own messages, so that none is given twice.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from planner.security.opening import Opened
from planner.security.refusal import Reason, require

Result = TypeVar("Result")

WAIT_S = 30.0
"""For another process that writes to the same file."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS seen (
        sender TEXT NOT NULL, stream TEXT NOT NULL, round TEXT NOT NULL, sequence INTEGER NOT NULL,
        PRIMARY KEY (sender, stream, round)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS sent (
        stream TEXT NOT NULL, round TEXT NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (stream, round)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS acted (one INTEGER PRIMARY KEY CHECK (one = 1), store TEXT, count INTEGER NOT NULL)",
)


class ReplayStore:
    """An SQLite file, or memory for a clear that runs in one process.

    The connection may be shared: what ``act`` runs, and what a log appends meanwhile, is one transaction.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.connection = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, timeout=WAIT_S)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        for statement in _SCHEMA:
            self.connection.execute(statement)
        self.connection.execute("INSERT OR IGNORE INTO acted VALUES (1, ?, 0)", (os.urandom(16).hex(),))

    @property
    def id(self) -> str:
        """A random name of this store, so that a mark of another one is not taken for its own."""
        return str(self.connection.execute("SELECT store FROM acted").fetchone()[0])

    @property
    def acted(self) -> int:
        """How many messages were acted on."""
        return int(self.connection.execute("SELECT count FROM acted").fetchone()[0])

    def last_sequence(self, sender: str, stream: str, round_id: str) -> int:
        """The highest number acted on, -1 if none."""
        key = (sender, stream, round_id)
        row = self.connection.execute(
            "SELECT sequence FROM seen WHERE sender = ? AND stream = ? AND round = ?", key
        ).fetchone()
        return -1 if row is None else int(row[0])

    def act(self, opened: Opened, effect: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run ``effect`` and remember the message in one transaction: both happen, or neither.

        Raises Refused if the message was acted on since it was opened, and whatever ``effect`` raises.
        """
        header = opened.header
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            last = self.last_sequence(header.sender, header.stream, header.round)
            require(header.sequence > last, Reason.REPLAY)
            self.remember(header.sender, header.stream, header.round, header.sequence)
            self.connection.execute("UPDATE acted SET count = count + 1")
            result = effect(self.connection)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        return result

    def remember(self, sender: str, stream: str, round_id: str, sequence: int) -> None:
        """Never again act on that number or a lower one."""
        row = (sender, stream, round_id, max(sequence, self.last_sequence(sender, stream, round_id)))
        self.connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", row)

    def next_sequence(self, stream: str, round_id: str, at: int, base: int = 0) -> int:
        """A number for a message of this node's own that it never gave before, at least ``base``."""
        statement = """INSERT INTO sent VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET sequence = max(sequence + 1, excluded.sequence), at = excluded.at
            RETURNING sequence"""
        (row,) = self.connection.execute(statement, (stream, round_id, base, at)).fetchall()
        return int(row[0])

    def sent_since(self, at: int) -> list[tuple[str, str, int]]:
        """(stream, round, highest number given) of everything sent at epoch second ``at`` or later."""
        rows = self.connection.execute("SELECT stream, round, sequence FROM sent WHERE at >= ? ORDER BY 1, 2", (at,))
        return [(str(stream), str(round_id), int(sequence)) for stream, round_id, sequence in rows]

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
