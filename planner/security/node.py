"""A node: one folder with keys, the rosters it trusted, and its database of what it acted on and logged.

<folder>/identity.json, *.pem   keyfiles.py
<folder>/roster/                rosterstore.py
<folder>/node.sqlite            replay.py and log.py
<folder>/node.mark              marks.py
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from planner.security.files import write_atomically
from planner.security.keyfiles import load_identity, read_card
from planner.security.keyring import destroy_expired
from planner.security.keys import Identity
from planner.security.log import Kind, Log, Record
from planner.security.marks import require_not_behind, resynchronise, sign_mark
from planner.security.messages import MessageType
from planner.security.opening import Opened, Reader, message_hash, open_envelope
from planner.security.refusal import Reason, Refused, require
from planner.security.replay import ReplayStore
from planner.security.roster import Roster
from planner.security.rosterstore import Held, RosterStore

Result = TypeVar("Result")


@dataclass(frozen=True)
class Node:
    """An identity at work under the roster it holds."""

    folder: Path
    identity: Identity
    held: Held
    store: ReplayStore
    log: Log

    @property
    def roster(self) -> Roster:
        return self.held.roster

    def receive(
        self,
        data: bytes,
        types: Mapping[str, MessageType],
        at: int,
        effect: Callable[[Opened, sqlite3.Connection], Result],
        round_id: str | None = None,
    ) -> tuple[Opened, Result]:
        """Open one envelope and act on it: number, effect and log entry are one transaction.

        Raises Refused, after the refusal was logged; the peer is told ``refusal_reply(data)`` and no more.
        """

        def act(opened: Opened, db: sqlite3.Connection) -> Result:
            doubt = opened.doubts[0] if opened.doubts else ""
            self.log.append(Record(Kind.RECEIVED, at, opened.message_hash, doubt))
            return effect(opened, db)

        reader = Reader(self.identity, self.roster, types, round_id)
        try:
            opened = open_envelope(data, reader, at, self.store.last_sequence)
            return opened, self.store.act(opened, lambda db: act(opened, db))
        except Refused as refused:
            self.log.append(Record(Kind.REFUSED, at, message_hash(data), refused.reason))
            raise

    def sent(self, data: bytes, at: int) -> bytes:
        """Log an envelope of this node's own before it leaves; the same bytes."""
        self.log.append(Record(Kind.SENT, at, message_hash(data)))
        return data

    def mark(self) -> None:
        """Write down how far the store is, so that an older one is known for what it is."""
        write_atomically(self.folder / "node.mark", sign_mark(self.store, self.identity.signer))

    def close(self) -> None:
        """Mark the store and close it."""
        self.mark()
        self.store.close()


def open_node(folder: Path, passphrase: bytes, at: int) -> Node:
    """The node in ``folder`` as it may act at epoch second ``at``; raises Refused.

    Sealing keys past their time are destroyed.  A database that is missing or older than its mark does not start.
    """
    held = RosterStore(folder / "roster").held()
    destroy_expired(folder, at)
    identity = load_identity(folder, passphrase, at, held.roster)
    database, mark = folder / "node.sqlite", folder / "node.mark"
    require(database.is_file() and mark.is_file(), Reason.STORE)
    store = ReplayStore(database)
    try:
        require_not_behind(store, mark.read_bytes(), [record.public for record in read_card(folder).signing])
    except Refused:
        store.close()
        raise
    return Node(folder, identity, held, store, Log(store.connection, identity.name, identity.signer))


def start_node(folder: Path, data: bytes, root_fingerprint: str, passphrase: bytes, at: int) -> Roster:
    """Trust a first roster by the fingerprint of its root, and begin an empty database; raises Refused.

    Once in the life of a node: where there is a roster already, the next one is accepted, never started.
    """
    identity = load_identity(folder, passphrase, at)
    rosters = RosterStore(folder / "roster")
    require(rosters.is_empty, Reason.ROLLBACK)
    _begin(folder, identity)
    return rosters.start(data, root_fingerprint, at)


def recover_node(folder: Path, statements: Iterable[bytes], passphrase: bytes, at: int) -> None:
    """Begin a new database from what every writer vouches for (marks.py); raises Refused, and then changes nothing.

    The one that was lost or put back is kept beside it.
    """
    held = RosterStore(folder / "roster").held()
    identity = load_identity(folder, passphrase, at, held.roster)
    aside = folder / "node.sqlite.new"
    aside.unlink(missing_ok=True)
    store = ReplayStore(aside)
    try:
        resynchronise(store, statements, held.roster, identity.name, at)
    except Refused:
        store.close()
        aside.unlink()
        raise
    _settle(folder, store, identity, aside)


def _begin(folder: Path, identity: Identity) -> None:
    """An empty database; one that never acted is what an interrupted beginning left behind."""
    database = folder / "node.sqlite"
    require(not database.exists() or not _was_used(database), Reason.STORE)
    aside = folder / "node.sqlite.new"
    aside.unlink(missing_ok=True)
    _settle(folder, ReplayStore(aside), identity, aside)


def _was_used(database: Path) -> bool:
    store = ReplayStore(database)
    try:
        return store.acted > 0 or store.sent_since(0) != []
    finally:
        store.close()


def _settle(folder: Path, store: ReplayStore, identity: Identity, aside: Path) -> None:
    """Close a new database, put it in place, and write its mark: a crash between leaves a node that does not start."""
    mark = sign_mark(store, identity.signer)
    store.close()
    aside.chmod(0o600)
    for end in ("", "-wal", "-shm"):
        if (old := folder / f"node.sqlite{end}").exists():
            old.replace(folder / f"node.sqlite.lost{end}")
    aside.replace(folder / "node.sqlite")
    write_atomically(folder / "node.mark", mark)
