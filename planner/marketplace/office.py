"""The marketplace's counter: what is posted is verified, kept, and answered with what waits for the sender.

One POST is a bundle of envelopes, a line each; the last is the ``slot``, which names the sender and what it has seen.
Whatever is wrong with any of them, the peer learns nothing but that it was refused.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from planner.marketplace.messages import TYPES
from planner.marketplace.store import MessageStore, Row
from planner.security import strict
from planner.security.journal import Journal
from planner.security.keys import Identity
from planner.security.log import Kind
from planner.security.messages import release_types
from planner.security.opening import SKEW_S, Opened, Reader, message_hash, open_envelope, verify_envelope
from planner.security.refusal import Reason, Refused, require
from planner.security.rights import Action
from planner.security.roster import Roster

MARKET = "marketplace"
MAX_REPLY_BYTES = 1 << 20
MAX_ENVELOPES = 256
"""What comes after so many in one bundle is no envelope any more, and the bundle is refused."""
CAUSES = {
    Reason.TIME: " (the clocks differ by more than two minutes, or it came too late)",
    Reason.VALIDITY: " (a key before or after its time: planner keys rotate at its owner)",
    Reason.ROSTER: " (another version of the roster is held there: planner roster accept on both sides)",
    Reason.ROUND: " (a gateway clears another day, or under another --clear-id)",
    Reason.UNKNOWN_KEY: " (whose key it is, the roster does not say)",
}
"""What a refusal most often comes from, for the marketplace's own people."""
RELAYED = ("inquiry", "part")
RECEIVED = ("slot", "answer", "commit")


def idle(step: str) -> None:
    """Nobody watches."""


@dataclass
class Office:
    """Who receives (``me``) for which clear; ``watch`` is told of every step that a crash could follow.

    ``open`` is False while a standby only copies: then everything is refused.
    """

    me: Identity
    roster: Roster
    store: MessageStore
    clear_id: str
    intervals: int
    now: Callable[[], int]
    watch: Callable[[str], None] = idle
    open: bool = True
    journal: Journal | None = None
    refusals: Counter[Reason] = field(default_factory=Counter)
    say: Callable[[str], None] = lambda words: None
    here: dict[str, float] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    _answered: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        received = {name: TYPES[name] for name in ("slot", "tail", "decision")}
        self.reader = Reader(self.me, self.roster, {**received, **release_types(self.intervals)}, self.clear_id)
        self.relearn()

    def relearn(self) -> None:
        """Which questions the store has answers to."""
        self._answered = {self._answer(row.envelope, row.at) for row in self.store.rows() if row.type == "slot"}

    def _answer(self, envelope: bytes, at: int) -> tuple[str, int]:
        opened = open_envelope(envelope, self.reader, at, lambda *_: -1)
        return opened.header.sender, opened.body["number"]

    def receive(self, body: bytes) -> bytes:
        """What waits for the sender, as lines of a row's number and an envelope; raises Refused and nothing else."""
        require(self.open, Reason.UNAUTHORISED)
        require(len(body) <= strict.MAX_BYTES, Reason.SIZE)
        *carried, last = body.rstrip(b"\n").split(b"\n", MAX_ENVELOPES)
        slot = self._read(last)
        require(slot.header.type in ("slot", "tail"), Reason.TYPE)
        self.watch("opened")
        for envelope in carried:
            self._keep(envelope, slot.header.sender)
        if slot.header.type == "tail":
            self.store.remember(slot)
            return self._waiting(None, slot.body["after"])
        self._note(slot, last)
        self.watch("noted")
        self.here[slot.header.sender] = time.monotonic()
        return self._waiting(slot.header.sender, slot.body["seen"])

    def _read(self, envelope: bytes) -> Opened:
        return open_envelope(envelope, self.reader, self.now(), self.store.last_sequence)

    def _keep(self, envelope: bytes, sender: str) -> None:
        """One carried envelope into the store; one that is there already stays as it is."""
        verified = verify_envelope(envelope, self.roster, self.now())
        require(verified.header.sender == sender, Reason.SENDER)
        if self.store.has(verified.message_hash):
            return
        kept = self._relayed(envelope) if verified.header.type in RELAYED else self._read(envelope)
        require(kept.header.type in RELAYED or kept.header.type in ("answer", "commit"), Reason.TYPE)
        self.store.add(kept, envelope, self.now())
        self.watch("kept")

    def _relayed(self, envelope: bytes) -> Opened:
        """A letter between gateways: all that can be checked without opening it."""
        at = self.now()
        verified = verify_envelope(envelope, self.roster, at)
        header = verified.header
        require(header.roster == self.roster.version, Reason.ROSTER)
        require(header.policy == self.roster.policy, Reason.POLICY)
        require(header.round == self.clear_id, Reason.ROUND)
        require(header.issued_at <= at + SKEW_S and at < header.expires_at, Reason.TIME)
        require(len(header.recipients) == 1, Reason.RECIPIENT)
        require(at < self.roster.expires_at, Reason.FREEZE)
        allowed = self.roster.allows(verified.sender, Action.SEND, header.type, header.stream, at)
        require(allowed, Reason.UNAUTHORISED)
        last = self.store.last_sequence(header.sender, header.stream, header.round)
        require(header.sequence > last, Reason.REPLAY)
        return Opened(header, verified.sender, verified.message_hash, b"", None)

    def _note(self, slot: Opened, envelope: bytes) -> None:
        """The first slot that answers a question is kept; those that repeat it or say nothing leave a number only."""
        key = (slot.header.sender, slot.body["number"])
        if slot.body["word"] == "closed":
            self.closed.add(slot.header.sender)
        if slot.body["word"] in ("nothing", "closed") or key in self._answered:
            self.store.remember(slot)
            return
        self.store.add(slot, envelope, self.now())
        self._answered.add(key)

    def _waiting(self, reader: str | None, after: int) -> bytes:
        lines, size = [], 0
        for row in self.store.rows(after, reader, limit=1000):
            line = b"%d %b" % (row.id, row.envelope)
            size += len(line) + 1
            if size > MAX_REPLY_BYTES:
                break
            lines.append(line)
        return b"\n".join(lines)

    @property
    def refused(self) -> int:
        """How many messages were."""
        return self.refusals.total()

    def present(self, names: Iterable[str], within_s: float) -> int:
        """How many of ``names`` were heard that lately."""
        since = time.monotonic() - within_s
        return sum(self.here.get(name, -math.inf) >= since for name in names)

    def refuse(self, refused: Refused, body: bytes) -> None:
        """Count and log what was refused; the reason stays here, and is said once."""
        self.refusals[refused.reason] += 1
        if self.refusals[refused.reason] == 1:
            self.say(f"a message was refused: {refused.reason.value}{CAUSES.get(refused.reason, '')}")
        if self.journal is not None:
            self.journal.refused(message_hash(body), refused.reason)

    def note(self, rows: Sequence[Row]) -> None:
        """Log rows of the store before they are acted on; what is the marketplace's own it has sent."""
        if self.journal is not None:
            sent = (Kind.RECEIVED, Kind.SENT)
            self.journal.note(*((sent[row.sender == self.me.name], row.hash) for row in rows))
