"""Once only: the highest sequence number of every (sender, stream, round), stored with the effect it had."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from planner.security.opening import Opened
from planner.security.refusal import Reason, require

Result = TypeVar("Result")

_SCHEMA = """CREATE TABLE IF NOT EXISTS seen (
    sender TEXT NOT NULL, stream TEXT NOT NULL, round TEXT NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (sender, stream, round)) WITHOUT ROWID"""


class ReplayStore:
    """An SQLite file, or memory for a clear that runs in one process."""

    def __init__(self, path: Path | None = None) -> None:
        self._db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(_SCHEMA)

    def last_sequence(self, sender: str, stream: str, round_id: str) -> int:
        """The highest number acted on, -1 if none."""
        key = (sender, stream, round_id)
        row = self._db.execute(
            "SELECT sequence FROM seen WHERE sender = ? AND stream = ? AND round = ?", key
        ).fetchone()
        return -1 if row is None else int(row[0])

    def act(self, opened: Opened, effect: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run ``effect`` and remember the message in one transaction: both happen, or neither.

        Raises Refused if the message was acted on since it was opened, and whatever ``effect`` raises.
        """
        header = opened.header
        self._db.execute("BEGIN IMMEDIATE")
        try:
            last = self.last_sequence(header.sender, header.stream, header.round)
            require(header.sequence > last, Reason.REPLAY)
            key = (header.sender, header.stream, header.round, header.sequence)
            self._db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", key)
            result = effect(self._db)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return result

    def close(self) -> None:
        """Close the file."""
        self._db.close()
