"""The release ledger: what every group of a site has said so far, in an SQLite file that never leaves it.

It holds rosters (salted hashes of occupants), which group spoke of which instants under which clear, a hash of every
body, and a salted hash of every occupant's position in every answer; no name, no position, no amount.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from planner.security.enrolment import Enrolment, Level, Member, Place
from planner.security.slot import Slot

if TYPE_CHECKING:
    from planner.security.gate import Release, ReleaseCandidate

DIGEST_BYTES = 16
WAIT_S = 30.0
VERSION = 2
"""Of the tables below; a ledger of another one is not read, since what it remembers could not be compared."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS site (salt BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS member (
    epoch TEXT NOT NULL, building TEXT NOT NULL, occupant TEXT NOT NULL, contracted_wh INTEGER NOT NULL,
    units INTEGER NOT NULL, PRIMARY KEY (epoch, building, occupant)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS roster (sha256 TEXT PRIMARY KEY, places TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS release (
    grp TEXT NOT NULL, clear TEXT NOT NULL, product TEXT NOT NULL, day TEXT NOT NULL, first INTEGER NOT NULL,
    settled INTEGER NOT NULL, until INTEGER NOT NULL, step INTEGER NOT NULL, level TEXT NOT NULL, policy TEXT NOT NULL,
    roster TEXT NOT NULL, PRIMARY KEY (grp, clear, product, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS said (
    grp TEXT NOT NULL, clear TEXT NOT NULL, first INTEGER NOT NULL, until INTEGER NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL, digests TEXT NOT NULL, PRIMARY KEY (grp, clear, body)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS day (
    grp TEXT NOT NULL, epoch TEXT NOT NULL, day TEXT NOT NULL, spoke INTEGER NOT NULL,
    PRIMARY KEY (grp, day)) WITHOUT ROWID;
"""

_SPOKEN = "grp, clear, day, first, settled, until, product, step, level, policy, roster"


@dataclass(frozen=True)
class Spoken:
    """One group's releases under one clear: which group, when, about whom."""

    group: str
    clear_id: str
    slot: Slot
    level: Level
    policy: str
    roster: frozenset[Place]


@dataclass(frozen=True)
class Said:
    """One thing that a group says: about whom, and a hash of the position of each place that has one."""

    group: str
    roster: frozenset[Place]
    digests: Mapping[Place, str]

    @property
    def buildings(self) -> set[str]:
        """Those that are spoken for, whether or not anybody in them is on the roster."""
        return {building for building, _ in (*self.roster, *self.digests)}

    def changed(self, other: Said) -> set[Place]:
        """The places whose positions differ.

        Between two groups, those in buildings that both speak for; who is on one roster alone is told apart by the
        rosters already.
        """
        every = self.digests.keys() | other.digests.keys()
        differ = {place for place in every if self.digests.get(place) != other.digests.get(place)}
        if self.group == other.group:
            return differ
        return {p for p in differ - (self.roster ^ other.roster) if p[0] in self.buildings & other.buildings}


class Exposure(NamedTuple):
    """How much a group has said so far: delivery days, intervals (each once, look-ahead included), clears, answers."""

    days: int
    intervals: int
    clears: int
    answers: int


class NoLedgerError(Exception):
    """The file is no release ledger, or one of another version."""


class ReleaseLedger:
    """``path`` None keeps it in memory: nothing is remembered beyond this object."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._rosters: dict[str, frozenset[Place]] = {}

    @cached_property
    def _db(self) -> sqlite3.Connection:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        # Not tied to the thread that opened it: a gateway whose marketplace is gone ends in another than it spoke in.
        name = ":memory:" if self.path is None else self.path
        db = sqlite3.connect(name, isolation_level=None, timeout=WAIT_S, check_same_thread=False)
        _require_ledger(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version = {VERSION}")
        return db

    def __reduce__(self) -> tuple[type[ReleaseLedger], tuple[Path]]:
        """Another process opens the same file; what is in memory alone cannot go there."""
        if self.path is None:
            raise TypeError("a release ledger in memory belongs to one process")
        return type(self), (self.path,)

    @classmethod
    def copy_of(cls, path: Path, target: Path | None = None) -> ReleaseLedger:
        """What stands at ``path`` (nothing, where there is no file) in memory or at ``target``, to try things out.

        Raises NoLedgerError; so does the first question to a ledger that is opened in place.
        """
        copy = cls(target)
        if path.is_file():
            source = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=WAIT_S)
            try:
                _require_ledger(source)
                source.backup(copy._db)
            finally:
                source.close()
        return copy

    def close(self) -> None:
        """Close the file, whole in itself; the next question opens it again.

        Without this even a reader would leave a log beside the file, and who copies one without the other copies half.
        """
        if "_db" in self.__dict__:
            db = self.__dict__.pop("_db")
            db.execute("PRAGMA busy_timeout = 0")
            with suppress(sqlite3.OperationalError):  # another process is at work in it: the last one does this
                db.execute("PRAGMA journal_mode = DELETE")
            db.close()

    def __enter__(self) -> ReleaseLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- occupants

    @cached_property
    def _salt(self) -> bytes:
        with self._writing():
            row = self._db.execute("SELECT salt FROM site").fetchone()
            if row is None:
                row = (secrets.token_bytes(32),)
                self._db.execute("INSERT INTO site VALUES (?)", row)
        return bytes(row[0])

    def hashed(self, occupant: str) -> str:
        """The name under which this site's ledger knows an occupant."""
        return hashlib.sha256(self._salt + b"occupant\0" + occupant.encode()).hexdigest()[: 2 * DIGEST_BYTES]

    # --- the month's rosters

    def roster_of(self, epoch: str) -> tuple[Member, ...]:
        """Everybody enrolled for that month; nobody if it was never fixed."""
        query = "SELECT building, occupant, contracted_wh, units FROM member WHERE epoch = ?"
        return tuple(sorted(Member(*row) for row in self._db.execute(query, (epoch,))))

    def places_of(self, epoch: str, buildings: Iterable[str]) -> frozenset[Place]:
        """The month's roster of some buildings."""
        query = "SELECT building, occupant FROM member WHERE epoch = ? AND building = ?"
        return frozenset(row for building in buildings for row in self._db.execute(query, (epoch, building)))

    def fix_roster(self, epoch: str, members: Iterable[Member]) -> tuple[Member, ...]:
        """Fix who is enrolled for a month, and give it.

        The first release of the month closes the roster; until then it may be written anew.
        """
        with self._writing():
            if not self._db.execute("SELECT 1 FROM release WHERE substr(day, 1, 7) = ? LIMIT 1", (epoch,)).fetchone():
                rows = [(epoch, m.building, m.occupant, m.contracted_wh, m.units) for m in members]
                self._db.execute("DELETE FROM member WHERE epoch = ?", (epoch,))
                self._db.executemany("INSERT INTO member VALUES (?, ?, ?, ?, ?)", rows)
        return self.roster_of(epoch)

    def last_roster(self, group: str, before: str) -> frozenset[Place] | None:
        """Whom the group's last release of an earlier month was about."""
        query = "SELECT roster FROM release WHERE grp = ? AND substr(day, 1, 7) < ? ORDER BY day DESC, first DESC"
        row = self._db.execute(query, (group, before)).fetchone()
        return None if row is None else self._roster(row[0])

    # --- releases

    def rosters_beside(self, slot: Slot) -> set[frozenset[Place]]:
        """What releases that share an instant with ``slot`` are about, whichever group; look-ahead included."""
        query = "SELECT DISTINCT roster FROM release WHERE first < ? AND until > ?"
        return {self._roster(key) for (key,) in self._db.execute(query, (slot.until, slot.begin))}

    def same_day(self, enrolment: Enrolment, slot: Slot) -> list[Spoken]:
        """Releases of the same product, by the group or about anybody in it, of in part the same settled instants."""
        query = f"SELECT {_SPOKEN} FROM release WHERE product = ? AND first < ? AND settled > ? ORDER BY clear, grp"
        found = self._db.execute(query, (slot.product, slot.settled_until, slot.begin))
        every = (self._spoken(row) for row in found)
        return [s for s in every if s.group == enrolment.group or not s.roster.isdisjoint(enrolment.places)]

    def all(self) -> list[Spoken]:
        """Every release, by day, clear and group."""
        query = f"SELECT {_SPOKEN} FROM release ORDER BY day, clear, grp"
        return [self._spoken(row) for row in self._db.execute(query)]

    def exposure(self, group: str) -> Exposure:
        """All that the ledger remembers of a group."""
        query = "SELECT DISTINCT first, until, step FROM release WHERE grp = ? ORDER BY first, until"
        intervals, reached = 0, 0
        for first, until, step in self._db.execute(query, (group,)):
            intervals += max(0, until - max(first, reached)) // step
            reached = max(reached, until)
        query = "SELECT count(DISTINCT day), count(DISTINCT clear) FROM release WHERE grp = ?"
        days, clears = self._db.execute(query, (group,)).fetchone()
        (answers,) = self._db.execute("SELECT count(DISTINCT body) FROM said WHERE grp = ?", (group,)).fetchone()
        return Exposure(days, intervals, clears, answers)

    def _spoken(self, row: Sequence) -> Spoken:
        group, clear_id, day, first, settled, until, product, step, level, policy, roster = row
        slot = Slot(day, first, settled, until, product, step)
        return Spoken(group, clear_id, slot, Level(level), policy, self._roster(roster))

    def said_of(self, slot: Slot, among: frozenset[Place] | None = None, group: str = "") -> Iterator[Said]:
        """All that was said of exactly these instants, or of it what ``group`` said or what is about ``among``."""
        query = "SELECT DISTINCT grp, roster FROM release WHERE first = ? AND until = ? ORDER BY grp"
        groups = self._db.execute(query, (slot.begin, slot.until)).fetchall()
        query = "SELECT DISTINCT digests FROM said WHERE grp = ? AND first = ? AND until = ?"
        for name, key in groups:
            roster = self._roster(key)
            if among is None or name == group or not roster.isdisjoint(among):
                for (digests,) in self._db.execute(query, (name, slot.begin, slot.until)):
                    yield Said(name, roster, {(b, o): value for b, o, value in json.loads(digests)})

    def would_say(self, candidate: ReleaseCandidate) -> Said:
        """What the ledger would remember: a salted hash of each place's position, units in the order of their ids."""
        enrolment, digests = candidate.enrolment, {}
        for place, rows in enrolment.rows_of_places().items():
            values = candidate.delta_wh[sorted(rows, key=lambda row: enrolment.units[row].id)].astype("<i8")
            if values.any():
                hashed = hashlib.sha256(self._salt + b"position\0" + values.tobytes())
                digests[place] = hashed.hexdigest()[: 2 * DIGEST_BYTES]
        return Said(enrolment.group, enrolment.places, digests)

    def record(self, candidate: ReleaseCandidate, release: Release) -> None:
        """Remember a release; to be called before its bytes leave."""
        enrolment, slot = candidate.enrolment, candidate.slot
        roster = self._keep_roster(enrolment.places)
        body = hashlib.sha256(release.kind.encode() + b"\0" + release.body).hexdigest()
        digests = json.dumps(sorted([*place, value] for place, value in self.would_say(candidate).digests.items()))
        with self._writing():
            self._db.execute(
                "INSERT OR IGNORE INTO release VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    enrolment.group,
                    release.clear_id,
                    slot.product,
                    slot.day,
                    slot.begin,
                    slot.settled_until,
                    slot.until,
                    slot.step_s,
                    enrolment.level.value,
                    release.policy,
                    roster,
                ),
            )
            self._db.execute(
                "INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?, ?, ?, ?)",
                (enrolment.group, release.clear_id, slot.begin, slot.until, release.kind, body, digests),
            )

    def forget(self, clear_id: str) -> None:
        """Leave out what one clear said: for a copy in which that clear is tried again."""
        with self._writing():
            self._db.execute("DELETE FROM release WHERE clear = ?", (clear_id,))
            self._db.execute("DELETE FROM said WHERE clear = ?", (clear_id,))

    # --- days

    def note_day(self, group: str, slot: Slot, spoke: bool) -> None:
        """Whether a group that may speak did so on that day, in any clear of it."""
        query = (
            "INSERT INTO day VALUES (?, ?, ?, ?) "
            "ON CONFLICT (grp, day) DO UPDATE SET spoke = max(spoke, excluded.spoke)"
        )
        with self._writing():
            self._db.execute(query, (group, slot.epoch, slot.day, int(spoke)))

    def flips(self, group: str, epoch: str, before: str) -> int:
        """How often the group changed between speaking and silence on the days of a month before one of them."""
        query = "SELECT spoke FROM day WHERE grp = ? AND epoch = ? AND day < ? ORDER BY day"
        spoke = [row[0] for row in self._db.execute(query, (group, epoch, before))]
        return sum(a != b for a, b in pairwise(spoke))

    # --- storage

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _keep_roster(self, places: frozenset[Place]) -> str:
        text = json.dumps(sorted(places))
        key = hashlib.sha256(self._salt + text.encode()).hexdigest()
        if key not in self._rosters:
            with self._writing():
                self._db.execute("INSERT OR IGNORE INTO roster VALUES (?, ?)", (key, text))
            self._rosters[key] = places
        return key

    def _roster(self, key: str) -> frozenset[Place]:
        if key not in self._rosters:
            (text,) = self._db.execute("SELECT places FROM roster WHERE sha256 = ?", (key,)).fetchone()
            self._rosters[key] = frozenset((building, occupant) for building, occupant in json.loads(text))
        return self._rosters[key]


def _require_ledger(db: sqlite3.Connection) -> None:
    """Raises NoLedgerError, and closes ``db``, unless it is empty or a ledger of this version."""
    try:
        empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty or db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            return
    except sqlite3.DatabaseError:
        pass
    db.close()
    raise NoLedgerError
