"""The audit log: a signed hash chain with a Merkle root per clear.

    leaf        SHA-256(salt + record)           salt and record stay inside; without them a leaf says nothing
    link        SHA-256("allotment/log/v1\\0" + link before + leaf), every one signed
    checkpoint  size, link and RFC 6962 root over the leaves, signed, one per clear

Records hold hashes, versions and fixed words: no amount, no name, no count.  The log lives in the database of the
replay store, so that an entry is written in the very transaction of what it tells of.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from planner.security import strict
from planner.security.documents import CHECKPOINT_TYPE, sign_document
from planner.security.envelope import pae
from planner.security.keys import Signer, signing_key_id
from planner.security.merkle import grown, root_of_peaks
from planner.security.refusal import Reason, require

LINK_TYPE = "application/vnd.allotment.log.v1"
HASH_BYTES = 32

_RECORD = frozenset({"kind", "at", "subject", "reason"})
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS log_entry (
        n INTEGER PRIMARY KEY, leaf BLOB NOT NULL, link BLOB NOT NULL, key TEXT NOT NULL, sig BLOB NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS log_private (n INTEGER PRIMARY KEY, salt BLOB NOT NULL, record BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS log_checkpoint (n INTEGER PRIMARY KEY, document BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS log_peaks (one INTEGER PRIMARY KEY CHECK (one = 1), peaks BLOB NOT NULL)",
)


class Kind(StrEnum):
    """What a record tells of."""

    RECEIVED = "received"
    SENT = "sent"
    REFUSED = "refused"
    ROSTER = "roster"
    POLICY = "policy"
    DECISION = "decision"
    REPORT = "report"
    RESULT = "result"


@dataclass(frozen=True)
class Record:
    """One event at epoch second ``at``: its ``subject`` is a SHA-256 in hexadecimal, ``reason`` a fixed word."""

    kind: Kind
    at: int
    subject: str
    reason: str = ""

    def to_bytes(self) -> bytes:
        """The canonical document; raises Refused for anything that is not of the form."""
        hexadecimal = len(self.subject) == 2 * HASH_BYTES and set(self.subject) <= set("0123456789abcdef")
        require(hexadecimal and strict.is_integer(self.at, low=0), Reason.LOG)
        require(self.reason == "" or self.reason in set(Reason), Reason.LOG)
        kept = {"kind": self.kind.value, "at": self.at, "subject": self.subject, "reason": str(self.reason)}
        return strict.dumps(kept)

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        """Read a document written by ``to_bytes``; raises Refused."""
        document = strict.fields(strict.loads(data), _RECORD)
        require(document["kind"] in set(Kind), Reason.LOG)
        record = cls(Kind(document["kind"]), document["at"], document["subject"], document["reason"])
        require(record.to_bytes() == data, Reason.LOG)
        return record


@dataclass(frozen=True)
class Entry:
    """The public part of entry ``n``: leaf and link, and the signature over the link by the key of that id."""

    n: int
    leaf: bytes
    link: bytes
    key: str
    signature: bytes


class Log:
    """The log of one owner in an SQLite database; appends join the transaction that is open, if one is."""

    def __init__(self, db: sqlite3.Connection, owner: str, signer: Signer) -> None:
        self._db, self.owner, self._signer = db, owner, signer
        for statement in _SCHEMA:
            db.execute(statement)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(n), -1) + 1 FROM log_entry").fetchone()[0])

    def append(self, record: Record) -> int:
        """Write one record and give its index; nobody else adds to the chain meanwhile."""
        joins = self._db.in_transaction
        self._db.execute("SAVEPOINT log_append" if joins else "BEGIN IMMEDIATE")
        try:
            n = self._append(record)
        except BaseException:
            self._db.execute("ROLLBACK TO log_append" if joins else "ROLLBACK")
            raise
        self._db.execute("RELEASE log_append" if joins else "COMMIT")
        return n

    def _append(self, record: Record) -> int:
        salt, document = os.urandom(HASH_BYTES), record.to_bytes()
        leaf = leaf_of(salt, document)
        n = len(self)
        link = link_of(self._last_link(n), leaf)
        signature = self._signer.sign(pae(LINK_TYPE, link))
        peaks = grown(self._peaks(), n, leaf)
        row = (n, leaf, link, signing_key_id(self._signer.public), signature)
        self._db.execute("INSERT INTO log_entry VALUES (?, ?, ?, ?, ?)", row)
        self._db.execute("INSERT INTO log_private VALUES (?, ?, ?)", (n, salt, document))
        self._db.execute("INSERT OR REPLACE INTO log_peaks VALUES (1, ?)", (b"".join(peaks),))
        return n

    def checkpoint(self, round_id: str, at: int) -> bytes:
        """Sign size, last link and root for one clear; the document is kept and given to whoever wants to hold it."""
        n = len(self)
        root, link = root_of_peaks(self._peaks()).hex(), self._last_link(n).hex()
        kept = {"log": self.owner, "round": round_id, "at": at, "size": n, "link": link, "root": root}
        document = sign_document(CHECKPOINT_TYPE, strict.dumps(kept), [self._signer])
        number = self._db.execute("SELECT coalesce(max(n), -1) + 1 FROM log_checkpoint").fetchone()[0]
        self._db.execute("INSERT INTO log_checkpoint VALUES (?, ?)", (number, document))
        return document

    def entries(self) -> Iterator[Entry]:
        """The public part, in order."""
        return entries_of(self._db)

    def _last_link(self, n: int) -> bytes:
        if n == 0:
            return first_link(self.owner)
        return bytes(self._db.execute("SELECT link FROM log_entry WHERE n = ?", (n - 1,)).fetchone()[0])

    def _peaks(self) -> tuple[bytes, ...]:
        row = self._db.execute("SELECT peaks FROM log_peaks").fetchone()
        return () if row is None else tuple(row[0][i : i + HASH_BYTES] for i in range(0, len(row[0]), HASH_BYTES))


def forget(db: sqlite3.Connection, entries: Iterable[int]) -> None:
    """Erase salt and record of entries: the chain and the tree still verify, the leaves say nothing."""
    db.execute("PRAGMA secure_delete = ON")
    db.executemany("DELETE FROM log_private WHERE n = ?", ((n,) for n in entries))


def leaf_of(salt: bytes, record: bytes) -> bytes:
    """What stands in the tree for a record."""
    return hashlib.sha256(salt + record).digest()


def link_of(before: bytes, leaf: bytes) -> bytes:
    """The next link of the chain."""
    return hashlib.sha256(b"allotment/log/v1\0" + before + leaf).digest()


def first_link(owner: str) -> bytes:
    """What the first link hangs on."""
    return hashlib.sha256(b"allotment/log-owner/v1\0" + owner.encode()).digest()


def entries_of(db: sqlite3.Connection) -> Iterator[Entry]:
    """The public part of the log in a database, in order."""
    for row in db.execute("SELECT n, leaf, link, key, sig FROM log_entry ORDER BY n"):
        yield Entry(*row)


def privates_of(db: sqlite3.Connection) -> dict[int, tuple[bytes, bytes]]:
    """Salt and record of every entry that was not erased."""
    return {n: (salt, record) for n, salt, record in db.execute("SELECT n, salt, record FROM log_private")}


def checkpoints_of(db: sqlite3.Connection) -> tuple[bytes, ...]:
    """The signed checkpoints, in order."""
    return tuple(row[0] for row in db.execute("SELECT document FROM log_checkpoint ORDER BY n"))
