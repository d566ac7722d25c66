"""One gateway's letters: sealed, numbered, opened; what it says goes out through here and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.hearing import MARKET
from planner.marketplace.messages import TYPES
from planner.security.keys import Identity
from planner.security.opening import Opened, Reader, open_envelope
from planner.security.outgoing import send_notice
from planner.security.roster import Roster

SLOTS = "slots"
NOBODY = "none"


def now() -> int:
    """Epoch seconds."""
    return int(time.time())


@dataclass(frozen=True)
class Numbered:
    """A message's place: its stream, its clear, and its number there."""

    stream: str
    clear_id: str
    sequence: int


def notice(
    me: Identity, roster: Roster, kind: str, body: Mapping[str, Any], to: str, where: Numbered, at: int
) -> bytes:
    """The envelope of one message of a clear that is no release; raises Refused."""
    stream, clear_id, sequence = where.stream, where.clear_id, where.sequence
    return send_notice(TYPES[kind], body, me, [to], roster, at, stream=stream, round_id=clear_id, sequence=sequence)


@dataclass
class Mail:
    """``within`` is the stream of the cohort's own talk."""

    me: Identity
    roster: Roster
    clear_id: str
    within: str
    clock: Callable[[], int] = now

    def __post_init__(self) -> None:
        self._slot = 0
        self._letter = 0
        reads = {name: TYPES[name] for name in ("question", "inquiry", "part")}
        self.reader = Reader(self.me, self.roster, reads, self.clear_id)

    def slot(self, said: Mapping[str, Any]) -> bytes:
        """The last envelope of a bundle; its number is the time, so that it rises over restarts as well."""
        self._slot = max(self._slot + 1, time.time_ns() // 1_000_000)
        return self._send("slot", said, MARKET, SLOTS, self._slot)

    def letter(self, kind: str, body: Mapping[str, Any], to: str) -> bytes:
        """An inquiry or a part to another gateway of the cohort."""
        self._letter = max(self._letter + 1, time.time_ns() // 1_000_000)
        return self._send(kind, body, to, self.within, self._letter)

    def _send(self, kind: str, body: Mapping[str, Any], to: str, stream: str, sequence: int) -> bytes:
        where = Numbered(stream, self.clear_id, sequence)
        return notice(self.me, self.roster, kind, body, to, where, self.clock())

    def open(self, envelope: bytes) -> Opened:
        """What came; raises Refused.  A question asked again is the same question: its number is looked at, later."""
        return open_envelope(envelope, self.reader, self.clock(), lambda *_: -1)


def within(group: str) -> str:
    """The stream, and the zone in the roster, of a cohort's own talk."""
    return f"within.{group}"
