"""The log of a node while its services run: written from any thread, every message once.

A message is kept first and logged next, so that what a crash leaves out is logged when the service starts again: what
of this clear the log has already is read back and not written a second time.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from planner.security.documents import CHECKPOINT_TYPE, payload_of
from planner.security.keys import Identity
from planner.security.log import Kind, Log, Record, checkpoints_of
from planner.security.logcheck import Checkpoint
from planner.security.refusal import Reason
from planner.security.roster import Roster

MINUTE_S = 60
REFUSALS_A_MINUTE = 600
"""More refusals than these are counted and not logged: who sends rubbish must not fill the disk."""


class Journal:
    """The log in ``database`` for one clear of one node; ``now`` gives epoch seconds."""

    def __init__(self, database: Path, me: Identity, clear_id: str, now: Callable[[], int]) -> None:
        self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False, timeout=30)
        self._db.execute("PRAGMA synchronous = FULL")
        self._log = Log(self._db, me.name, me.signer)
        self._clear_id, self._now = clear_id, now
        self._lock = threading.RLock()
        self._known = self._logged()
        self._minute, self._refusals = 0, 0

    def begin(self, roster: Roster) -> None:
        """Under which roster and policy the clear is."""
        self.note((Kind.ROSTER, hashlib.sha256(roster.to_bytes()).hexdigest()), (Kind.POLICY, roster.policy))

    def note(self, *events: tuple[Kind, str]) -> None:
        """Log what is not logged yet, in one transaction; an event is its kind and a SHA-256."""
        with self._lock:
            new = list(dict.fromkeys(event for event in events if event not in self._known))
            if new:
                self._append([Record(kind, self._now(), subject) for kind, subject in new])
                self._known.update(new)

    def refused(self, subject: str, reason: Reason) -> None:
        """Log that a message was refused; each time it comes."""
        with self._lock:
            at = self._now()
            if at // MINUTE_S != self._minute:
                self._minute, self._refusals = at // MINUTE_S, 0
            self._refusals += 1
            if self._refusals <= REFUSALS_A_MINUTE:
                self._append([Record(Kind.REFUSED, at, subject, reason)])

    def end(self, *events: tuple[Kind, str]) -> None:
        """Log how the clear ended, and sign a checkpoint over all of it."""
        with self._lock:
            self.note(*events)
            with self._alone():
                if self._rounds()[-1:] != [(self._clear_id, len(self._log))]:
                    self._log.checkpoint(self._clear_id, self._now())

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _append(self, records: Iterable[Record]) -> None:
        with self._alone():
            for record in records:
                self._log.append(record)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """All or nothing, and no other process adds to the chain meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _rounds(self) -> list[tuple[str, int]]:
        """Clear and size of every checkpoint."""
        told = (Checkpoint.read(payload_of(document, CHECKPOINT_TYPE)) for document in checkpoints_of(self._db))
        return [(one.round, one.size) for one in told]

    def _logged(self) -> set[tuple[Kind, str]]:
        """What was logged since the last checkpoint of another clear; refusals are logged each time."""
        begin = max((size for clear_id, size in self._rounds() if clear_id != self._clear_id), default=0)
        rows = self._db.execute("SELECT record FROM log_private WHERE n >= ?", (begin,)).fetchall()
        records = (Record.from_bytes(document) for (document,) in rows)
        return {(record.kind, record.subject) for record in records if record.kind is not Kind.REFUSED}
