"""A second marketplace that copies the first one's store, and goes on where it stopped once it is gone.

It holds the same keys, since gateways seal to them.  Rows keep their numbers and their order, so what it holds at any
moment is a beginning of what the first one held, and the same messages lead to the same next question.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import ClassVar

from planner.hearing import MARKET
from planner.marketplace.client import Link, TurnedAwayError, UnreachableError
from planner.marketplace.mail import Numbered, notice
from planner.marketplace.service import Marketplace
from planner.problems import InvalidInput, Problem
from planner.security.opening import Opened, verify_envelope

TAIL = "tail"
TAIL_S = 0.25
TAKEOVER_S = 5.0
TURNS = 3
"""Refused so often a standby gives up: whoever refuses it is there, and nothing is to be taken over."""


@dataclass
class Standby(Marketplace):
    """``primary`` is where the first one is; after ``takeover_s`` without it this one opens."""

    second: ClassVar[bool] = True
    primary: str = ""
    tail_s: float = TAIL_S
    takeover_s: float = TAKEOVER_S

    def __post_init__(self) -> None:
        super().__post_init__()
        self.office.open = False
        self.link = Link([self.primary], self.tls)
        self._tails = 0

    async def ready(self) -> None:
        """Copy until nobody is there any more."""
        loop = asyncio.get_running_loop()
        heard, turned_away = time.monotonic(), 0
        while time.monotonic() - heard < self.takeover_s and not self.stop.is_set():
            try:
                if await loop.run_in_executor(None, self.copy):
                    heard = time.monotonic()
                    continue  # there may be more
                heard = time.monotonic()
                turned_away = 0
            except TurnedAwayError:
                heard, turned_away = time.monotonic(), turned_away + 1
                if turned_away >= TURNS:
                    hint = "give both the same keys, the same roster and clocks that agree"
                    raise InvalidInput([Problem(self.primary, 0, "refuses this standby", hint=hint)]) from None
            except UnreachableError:
                pass
            await asyncio.sleep(self.tail_s)
        self.link.close()
        self.office.open = True
        self.office.relearn()

    def copy(self) -> int:
        """Fetch the rows beyond the last one; how many there were."""
        last = self.store.last_id
        self._tails = max(self._tails + 1, time.time_ns() // 1_000_000)
        where = Numbered(TAIL, self.market.clear_id, self._tails)
        request = notice(self.me, self.roster, TAIL, {"after": last}, MARKET, where, self.office.now())
        rows = self.link.post(request)
        for number, envelope in rows:
            verified = verify_envelope(envelope, self.roster)
            header = verified.header
            opened = Opened(header, verified.sender, verified.message_hash, b"", None)
            self.store.add(opened, envelope, header.issued_at, number)
        return len(rows)
