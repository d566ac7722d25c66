"""A line to the marketplace as a carrier of alerts: one post a slot, always of one length, and a reply as long.

It is the other carrier of planner/security/post.py: what is sent waits for the next slot, what has come is given once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from planner.marketplace.client import SLOT_BYTES, Link, UnreachableError, padded
from planner.marketplace.mail import now
from planner.marketplace.messages import TYPES
from planner.marketplace.relay import ALERTING, READER_BYTES
from planner.security import strict
from planner.security.alerts import LIFE_S, PERIOD_S
from planner.security.keys import Identity
from planner.security.opening import message_hash
from planner.security.outgoing import send_notice
from planner.security.post import Letter
from planner.security.rights import ALERTS, Action
from planner.security.roster import Roster

POST = "post"
SLOT_S = 5.0
REMEMBERED = 4096
"""Hashes of letters that were given out: a relay that is told nothing of them gives them again."""


def blocks_of(roster: Roster, name: str, at: int, slot_s: float) -> int:
    """How many blocks every post of a node has: the largest envelope it may meet, and twice what comes in a slot."""
    me = roster.entity(name)
    zones = me.zones if me is not None else frozenset()
    streams = [(kind, zone) for kind in ALERTS for zone in sorted(zones)]
    mine = [s for s in streams if me is not None and any(roster.allows(me, action, *s, at) for action in Action)]
    largest = READER_BYTES * (1 + max((len(roster.readers(*stream, at)) for stream in mine), default=1))
    sources = sum(len(roster.senders(*stream, at)) for stream in mine)
    in_a_slot = 1 + int(2 * sources * slot_s / PERIOD_S)
    size = largest * in_a_slot + READER_BYTES * (1 + len(relays_of(roster, at)))
    return min(-(-size // SLOT_BYTES), strict.MAX_BYTES // SLOT_BYTES)


def relays_of(roster: Roster, at: int) -> list[str]:
    """Whom the roster lets relay alerts: nobody, where it was begun before there were relays."""
    return [entity.name for entity in roster.readers("fetch", POST, at)]


@dataclass
class Line:
    """``blocks`` is the length of every post; ``trouble`` why the last one was not taken, empty if it was."""

    me: Identity
    roster: Roster
    link: Link
    blocks: int
    clock: Callable[[], int] = now
    trouble: str = ""
    _waiting: deque[tuple[int, bytes]] = field(default_factory=deque)
    _recent: deque[tuple[int, bytes]] = field(default_factory=deque)
    _given: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _after: int = 0
    _number: int = 0

    @property
    def pending(self) -> bool:
        """Whether anything waits to be posted."""
        return bool(self._waiting)

    def send(self, data: bytes) -> None:
        """Post it with the next slot."""
        self._waiting.append((self.clock(), data))

    def letters(self) -> Iterator[Letter]:
        """One slot: post what waits, as far as it fits, and give what came."""
        for number, envelope in self._exchange():
            name = message_hash(envelope)
            if name not in self._given:
                yield Letter(name, envelope)
                self._given.append(name)
            self._after = max(self._after, number)

    def flush(self) -> bool:
        """Post what waits and leave what came for whoever listens; True if a marketplace took it."""
        self._exchange()
        return not self.trouble

    def _exchange(self) -> list[tuple[int, bytes]]:
        carried = self._fitting()
        self._number = max(self._number + 1, time.time_ns() // 1000)
        at, fetch, body = self.clock(), TYPES["fetch"], {"after": self._after}
        way = self.me, relays_of(self.roster, at), self.roster, at
        call = send_notice(fetch, body, *way, stream=POST, round_id=ALERTING, sequence=self._number)
        try:
            rows = self.link.post(padded([*(data for _, data in carried), call], self.blocks))
        except UnreachableError as error:
            # Another relay, or this one started again, may know nothing of what the last one took.
            self.trouble, self._after = str(error), 0
            self._waiting.extendleft(reversed(self._recent))
            self._recent.clear()
            return []
        self.trouble = ""
        for one in carried:
            self._waiting.remove(one)
            self._recent.append(one)
        while self._recent and self._recent[0][0] < self.clock() - LIFE_S:
            self._recent.popleft()
        return rows

    def _fitting(self) -> list[tuple[int, bytes]]:
        """What waits and is still worth saying, the oldest first, as far as it fits beside the call."""
        while self._waiting and self._waiting[0][0] < self.clock() - LIFE_S:
            self._waiting.popleft()
        room = self.blocks * SLOT_BYTES - READER_BYTES * len(relays_of(self.roster, self.clock()))
        fitting: list[tuple[int, bytes]] = []
        for one in self._waiting:
            room -= len(one[1]) + 1
            if room < 0:
                break
            fitting.append(one)
        return fitting
