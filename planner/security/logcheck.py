"""Checking a log from what is written: chain, signatures, checkpoints, and the records that are still there.

Entries are checked in order, so that the first broken index is named; whoever holds an earlier checkpoint also checks
that the log only grew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from planner.security import strict
from planner.security.documents import CHECKPOINT_TYPE, payload_of, verify_document
from planner.security.envelope import pae
from planner.security.keys import verify
from planner.security.log import LINK_TYPE, Entry, Kind, Record, first_link, leaf_of, link_of
from planner.security.merkle import Peaks, grown, root_of_peaks
from planner.security.refusal import Reason, Refused, require

_CHECKPOINT = frozenset({"log", "round", "at", "size", "link", "root"})
_HEAD, _SIGNED = frozenset({"log"}), frozenset({"checkpoint"})
_KEPT = frozenset({"of", "salt", "record"})
_ENTRY = frozenset({"n", "leaf", "link", "key", "sig"})


@dataclass(frozen=True)
class Checkpoint:
    """What was signed at the end of a clear."""

    log: str
    round: str
    at: int
    size: int
    link: str
    root: str

    @classmethod
    def of(cls, data: bytes, keys: Mapping[str, bytes]) -> Checkpoint:
        """From a document signed by one of ``keys`` (id -> public key); raises Refused."""
        payload = verify_document(data, CHECKPOINT_TYPE, keys, 1)
        return cls.read(payload)

    @classmethod
    def read(cls, payload: bytes) -> Checkpoint:
        """From the bytes inside, of which the signature was checked elsewhere; raises Refused."""
        told = strict.fields(strict.loads(payload), _CHECKPOINT)
        require(all(strict.is_id(told[name]) for name in ("log", "round", "link", "root")), Reason.LOG)
        require(all(strict.is_integer(told[name], low=0) for name in ("at", "size")), Reason.LOG)
        return cls(told["log"], told["round"], told["at"], told["size"], told["link"], told["root"])


@dataclass(frozen=True)
class LogVerdict:
    """What a log turned out to be: entries, checkpoints and records looked at, and the first thing that is wrong.

    ``broken`` is the index of the first entry that fails, and ``why`` what fails there; None if everything holds.
    ``unsigned`` entries came after the last checkpoint.
    """

    owner: str
    entries: int
    checkpoints: int
    records: int
    unsigned: int
    broken: int | None = None
    why: str = ""
    root: str = ""
    rounds: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        return self.broken is None


def check_log(
    owner: str,
    entries: Iterable[Entry],
    checkpoints: Sequence[bytes],
    keys: Mapping[str, bytes],
    records: Mapping[int, tuple[bytes, bytes]],
) -> LogVerdict:
    """Check everything; ``keys`` are the owner's (id -> public key), ``records`` the salts and records still there."""
    walk = _Walk(owner, keys, records)
    due = _Due(checkpoints)
    try:
        for entry in entries:
            due.meet(walk)
            walk.step(entry)
        due.meet(walk)
        walk.fail_if(due.left > 0, "a checkpoint speaks of entries that are not there")
    except _Broken as broken:
        return walk.verdict(due, broken.index, broken.why)
    return walk.verdict(due, None, "")


class _Broken(Exception):  # noqa: N818 - ends a walk, is no error of the program
    def __init__(self, index: int, why: str) -> None:
        super().__init__(index, why)
        self.index, self.why = index, why


class _Walk:
    """Where the check stands: how many entries hold, their last link and their peaks."""

    def __init__(self, owner: str, keys: Mapping[str, bytes], records: Mapping[int, tuple[bytes, bytes]]) -> None:
        self.owner, self.keys, self.records = owner, keys, records
        self.size, self.link = 0, first_link(owner)
        self.peaks: Peaks = ()
        self.seen: list[tuple[int, Kind]] = []
        self.read = 0

    def fail_if(self, broken: bool, why: str) -> None:
        if broken:
            raise _Broken(self.size, why)

    def step(self, entry: Entry) -> None:
        self.fail_if(entry.n != self.size, f"entry {self.size} is missing")
        self.fail_if(link_of(self.link, entry.leaf) != entry.link, "the link does not follow from the one before")
        public = self.keys.get(entry.key)
        self.fail_if(public is None, "signed with a key that is not the owner's")
        try:
            verify(public or b"", entry.signature, pae(LINK_TYPE, entry.link))
        except Refused:
            self.fail_if(True, "the signature does not hold")
        self._read_record(entry)
        self.peaks = grown(self.peaks, self.size, entry.leaf)
        self.size, self.link = self.size + 1, entry.link

    def _read_record(self, entry: Entry) -> None:
        kept = self.records.get(entry.n)
        if kept is None:
            return
        salt, document = kept
        self.fail_if(leaf_of(salt, document) != entry.leaf, "the record is not the one that was logged")
        try:
            self.seen.append((entry.n, Record.from_bytes(document).kind))
        except Refused:
            self.fail_if(True, "the record is not of the form")
        self.read += 1

    def close_clear(self) -> None:
        """A clear that released something has its report, and a report speaks of something released."""
        kinds = {kind: n for n, kind in reversed(self.seen)}
        released, reported = kinds.get(Kind.DECISION), kinds.get(Kind.REPORT)
        if released is not None and reported is None:
            raise _Broken(released, "a release without a report of its clear")
        if reported is not None and released is None:
            raise _Broken(reported, "a report without a release in its clear")
        self.seen.clear()

    def verdict(self, due: _Due, broken: int | None, why: str) -> LogVerdict:
        root, rounds = root_of_peaks(self.peaks).hex(), tuple(due.rounds)
        after = self.size - due.last_size
        return LogVerdict(self.owner, self.size, len(rounds), self.read, after, broken, why, root, rounds)


class _Due:
    """The checkpoints in their order, each met when the walk reaches its size."""

    def __init__(self, checkpoints: Sequence[bytes]) -> None:
        self.waiting = list(checkpoints)
        self.rounds: list[str] = []
        self.last_size = 0

    @property
    def left(self) -> int:
        return len(self.waiting)

    def meet(self, walk: _Walk) -> None:
        while self.waiting:
            try:
                size = Checkpoint.read(payload_of(self.waiting[0], CHECKPOINT_TYPE)).size
            except Refused:
                raise _Broken(walk.size, "a checkpoint is not of the form") from None
            walk.fail_if(size < walk.size, "checkpoints are not in order")
            if size > walk.size:
                return
            self._compare(walk, self.waiting.pop(0))

    def _compare(self, walk: _Walk, data: bytes) -> None:
        try:
            told = Checkpoint.of(data, walk.keys)
        except Refused:
            raise _Broken(walk.size, "a checkpoint is not signed by the owner") from None
        walk.fail_if(told.log != walk.owner or told.link != walk.link.hex(), "a checkpoint of another chain")
        walk.fail_if(
            told.root != root_of_peaks(walk.peaks).hex(), "the root of a checkpoint is not that of its entries"
        )
        walk.close_clear()
        self.rounds.append(told.round)
        self.last_size = told.size


@dataclass(frozen=True)
class Extract:
    """What was read of an extract: owner, entries, signed checkpoints, and salt and record where they were given."""

    owner: str
    entries: list[Entry]
    checkpoints: list[bytes]
    records: dict[int, tuple[bytes, bytes]]


def extract(
    entries: Iterable[Entry],
    checkpoints: Sequence[bytes],
    owner: str,
    records: Mapping[int, tuple[bytes, bytes]] = MappingProxyType({}),
) -> bytes:
    """A log as lines of JSON; without ``records`` (salt and record by index) an auditor learns no record from it."""
    lines: list[dict[str, Any]] = [{"log": owner}]
    for e in entries:
        sig = strict.b64encode(e.signature)
        lines.append({"n": e.n, "leaf": e.leaf.hex(), "link": e.link.hex(), "key": e.key, "sig": sig})
    for n, (salt, record) in sorted(records.items()):
        lines.append({"of": n, "salt": salt.hex(), "record": record.decode()})
    lines += [{"checkpoint": strict.b64encode(data)} for data in checkpoints]
    return b"".join(strict.dumps(line) + b"\n" for line in lines)


def read_extract(data: bytes) -> Extract:
    """What ``extract`` wrote; raises Refused if a line is not of the form."""
    head, *rest = [strict.loads(line) for line in data.splitlines()] or [None]
    owner = strict.fields(head, _HEAD)["log"]
    require(strict.is_id(owner) and all(type(line) is dict for line in rest), Reason.LOG)
    found = Extract(owner, [], [], {})
    for line in rest:
        if line.keys() == _SIGNED:
            found.checkpoints.append(strict.b64decode(line["checkpoint"]))
        elif line.keys() == _KEPT:
            require(strict.is_integer(line["of"], low=0) and type(line["record"]) is str, Reason.LOG)
            found.records[line["of"]] = (_hex(line["salt"]), line["record"].encode())
        else:
            found.entries.append(_entry(line))
    return found


def _entry(line: Any) -> Entry:
    told = strict.fields(line, _ENTRY)
    require(strict.is_integer(told["n"], low=0) and type(told["key"]) is str, Reason.LOG)
    return Entry(told["n"], _hex(told["leaf"]), _hex(told["link"]), told["key"], strict.b64decode(told["sig"]))


def _hex(text: Any) -> bytes:
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        raise Refused(Reason.LOG) from None
