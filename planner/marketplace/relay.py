"""The marketplace as a relay of alerts, which it cannot read: from whoever may say them to whoever subscribes.

A post is a bundle like that of the clear: envelopes, a line each, and a ``fetch`` that names the sender and what it
has.  The reply is as long as the post, whatever is in it; a carrier posts at fixed times, so that nobody who sees the
lengths and the times of both learns whether there was an alert.  What is wrong with an envelope of a bundle is logged
here, not told: its sender sees who answered.

Nothing is kept on disk.  A source says its state again every minute, so a relay that was restarted knows soon what
there is to know; whoever posts hands in again what a lost relay may have lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from planner.marketplace.messages import TYPES
from planner.marketplace.office import MAX_ENVELOPES
from planner.security import strict
from planner.security.alerts import LIFE_S, MOST_IN_WINDOW, WINDOW_S
from planner.security.keys import Identity
from planner.security.opening import Opened, Reader, Verified, open_envelope, verify_envelope
from planner.security.refusal import Reason, Refused, require
from planner.security.rights import ALERTS, Action
from planner.security.roster import Roster

ALERTING = "alerts"
"""The round of every ``fetch``: alerts belong to no clear."""
RELAYED = frozenset({*ALERTS, "ack"})
MOST_HELD = MOST_IN_WINDOW + 1
"""Of one source: what does not fit replaces the last, so that the first of a storm arrives, and that it is one."""
READER_BYTES = 12_000
"""More than one reader's part in an envelope of the relayed types takes."""

Key = tuple[str, str, str, bool]


@dataclass
class _Held:
    """An envelope, and who has not said yet that it has it."""

    number: int
    at: int
    envelope: bytes
    readers: set[str]


@dataclass
class Relay:
    """``on_refused`` learns what was not taken, and why."""

    me: Identity
    roster: Roster
    now: Callable[[], int]
    on_refused: Callable[[Refused, bytes], None] = lambda refused, envelope: None
    relayed: int = 0
    _held: dict[Key, list[_Held]] = field(default_factory=dict)
    _seen: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _last: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._reader = Reader(self.me, self.roster, {"fetch": TYPES["fetch"]}, ALERTING)

    def receive(self, body: bytes) -> bytes:
        """What is held for the sender, as lines of number and envelope, as long as the post; raises Refused."""
        require(len(body) <= strict.MAX_BYTES, Reason.SIZE)
        *carried, last = body.rstrip(b"\n").split(b"\n", MAX_ENVELOPES)
        with self._lock:
            call = open_envelope(last, self._reader, self.now(), self._last_sequence)
            self._remember(call)
            for envelope in carried:
                try:
                    self._keep(envelope, call.header.sender)
                except Refused as refused:
                    self.on_refused(refused, envelope)
            found = self._waiting(call.header.sender, call.body["after"], len(body))
        return found + b"\n" * (len(body) - len(found))

    def _keep(self, envelope: bytes, sender: str) -> None:
        """Hold one envelope for its readers; all is checked that can be without opening it."""
        at = self.now()
        verified = verify_envelope(envelope, self.roster, at)
        header = verified.header
        require(header.sender == sender, Reason.SENDER)
        require(header.type in RELAYED, Reason.TYPE)
        require(len(envelope) <= READER_BYTES * (1 + len(header.recipients)), Reason.SIZE)
        self._require_rights(verified, at)
        self._remember(verified)
        self._last = max(self._last + 1, time.time_ns() // 1000)
        held = self._held.setdefault((header.sender, header.type, header.stream, header.drill), [])
        if len(held) >= MOST_HELD:
            held.pop(-1 if at < held[0].at + WINDOW_S else 0)
        held.append(_Held(self._last, at, envelope, set(header.recipients)))
        self.relayed += 1

    def _require_rights(self, verified: Verified, at: int) -> None:
        """By the roster the sender may say it there, and everybody whom it is sealed to may read it.

        A wrong clock or roster is for the reader to judge, as it is where alerts travel in folders.
        """
        header, entity = verified.header, self.roster.entity
        readers = [entity(name) for name in header.recipients]
        subscribed = all(
            reader is not None and self.roster.allows(reader, Action.READ, header.type, header.stream, at)
            for reader in readers
        )
        may_send = self.roster.allows(verified.sender, Action.SEND, header.type, header.stream, at)
        require(subscribed and may_send and len(readers) > 0, Reason.UNAUTHORISED)

    def _waiting(self, reader: str, after: int, size: int) -> bytes:
        """The oldest that fit; what the reader has, or nobody fetched in a message's life, is let go."""
        expired = self.now() - LIFE_S
        waiting: list[_Held] = []
        for key, held in list(self._held.items()):
            for one in held:
                if one.number <= after:
                    one.readers.discard(reader)
            self._held[key] = held = [one for one in held if one.readers and one.at >= expired]
            waiting += [one for one in held if reader in one.readers]
            if not held:
                del self._held[key]
        lines: list[bytes] = []
        for one in sorted(waiting, key=lambda one: one.number):
            line = b"%d %b" % (one.number, one.envelope)
            size -= len(line) + 1
            if size < 0:
                break
            lines.append(line)
        return b"\n".join(lines)

    def _remember(self, message: Opened | Verified) -> None:
        header = message.header
        require(header.sequence > self._last_sequence(header.sender, header.stream, header.round), Reason.REPLAY)
        self._seen[header.sender, header.stream, header.round] = header.sequence

    def _last_sequence(self, sender: str, stream: str, round_id: str) -> int:
        return self._seen.get((sender, stream, round_id), -1)
