"""The rosters a node has trusted, on disk: every version as it was signed, and which one is held.

    <folder>/000007.json   version 7, signed
    <folder>/held.json     {"version", "sha256", "fetched"}: the high-water mark; what is below it is never taken again

Earlier versions stay, because an archive is verified with the roster of its own time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from planner.security import strict
from planner.security.documents import MAX_DOCUMENT_BYTES, ROSTER_TYPE, payload_of
from planner.security.files import PUBLIC, private_folder, write_atomically
from planner.security.refusal import Reason, require
from planner.security.roster import Roster
from planner.security.trust import first_roster, require_fresh, succeeding_roster

_HELD = frozenset({"version", "sha256", "fetched"})


@dataclass(frozen=True)
class Held:
    """The roster a node trusts now, and the epoch second at which it last fetched it."""

    roster: Roster
    fetched_at: int

    def require_fresh(self, at: int) -> None:
        """Raises Refused where a node may no longer send."""
        require_fresh(self.roster, self.fetched_at, at)


class RosterStore:
    """A folder of signed rosters.  Its methods raise Refused and leave the folder as it was when they do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_empty(self) -> bool:
        """True until the first roster is trusted."""
        return not (self.folder / "held.json").exists()

    def start(self, data: bytes, root_fingerprint: str, at: int) -> Roster:
        """Trust a first roster by the fingerprint of its root, told out of band."""
        require(self.is_empty, Reason.ROLLBACK)
        return self._hold(first_roster(data, root_fingerprint, at), data, at)

    def accept(self, data: bytes, at: int) -> Roster:
        """Take the next version; the one that is held, fetched again, only shows that it is still current."""
        held = self.held()
        if data == self.document(held.roster.version):
            require(at < held.roster.expires_at, Reason.FREEZE)
            return self._hold(held.roster, data, at)
        return self._hold(succeeding_roster(held.roster, data, at), data, at)

    def held(self) -> Held:
        """What is trusted now; Refused if the folder was emptied, altered, or put back to an earlier state."""
        mark = strict.fields(strict.loads(self._read("held.json")), _HELD)
        require(strict.is_integer(mark["version"], low=1) and strict.is_integer(mark["fetched"], low=0), Reason.ROSTER)
        newest = max(self.versions(), default=0)
        data = self.document(mark["version"])
        intact = hashlib.sha256(data).hexdigest() == mark["sha256"]
        # One version more is a power cut between the two files of _hold; what is not held may come again.
        require(intact and newest <= mark["version"] + 1, Reason.ROLLBACK)
        return Held(Roster.from_bytes(payload_of(data, ROSTER_TYPE)), mark["fetched"])

    def version(self, number: int) -> Roster:
        """An earlier roster, for messages of its time."""
        return Roster.from_bytes(payload_of(self.document(number), ROSTER_TYPE))

    def document(self, number: int) -> bytes:
        """The signed bytes of one version."""
        return self._read(f"{number:06d}.json")

    def versions(self) -> tuple[int, ...]:
        """The versions on disk, rising."""
        return tuple(sorted(int(path.stem) for path in self.folder.glob("[0-9]*.json")))

    def _hold(self, roster: Roster, data: bytes, at: int) -> Roster:
        private_folder(self.folder)
        mark = {"version": roster.version, "sha256": hashlib.sha256(data).hexdigest(), "fetched": at}
        path = self.folder / f"{roster.version:06d}.json"
        write_atomically(path, data, PUBLIC)
        write_atomically(self.folder / "held.json", strict.dumps(mark))
        return roster

    def _read(self, name: str) -> bytes:
        path = self.folder / name
        require(path.is_file() and path.stat().st_size <= MAX_DOCUMENT_BYTES, Reason.ROSTER)
        return path.read_bytes()
