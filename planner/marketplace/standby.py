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
from planner.security.opening import Opened, open_envelope, verify_envelope
from planner.security.refusal import Reason, Refused, require

TAIL = "tail"
TAIL_S = 0.25
TAKEOVER_S = 5.0
TURNS = 3
"""Refused so often from the beginning a standby gives up: whoever refuses it is there, and shares nothing with it."""


@dataclass
class Standby(Marketplace):
    """``primary`` is where the first one is; after ``takeover_s`` without it this one opens.

    Nothing that comes from there stops this one: an answer that cannot be used is no sign of life.  What
    happens, and why, is said.
    """

    second: ClassVar[bool] = True
    primary: str = ""
    tail_s: float = TAIL_S
    takeover_s: float = TAKEOVER_S

    def __post_init__(self) -> None:
        super().__post_init__()
        self.office.open = False
        self.link = Link([self.primary], self.tls, limit_s=self.takeover_s)
        self._tails, self._trouble = 0, "was not asked"

    async def ready(self) -> None:
        """Copy until nobody is there any more."""
        loop = asyncio.get_running_loop()
        heard, refusals, known = time.monotonic(), 0, False
        while time.monotonic() - heard < self.takeover_s and not self.stop.is_set():
            copied = await loop.run_in_executor(None, self._try_to_copy)
            if copied is not None:
                heard, known = time.monotonic(), True
            elif self._trouble == _REFUSED and not known:
                heard, refusals = time.monotonic(), refusals + 1
                if refusals >= TURNS:
                    hint = "give both the same keys, the same roster and clocks that agree"
                    raise InvalidInput([Problem(self.primary, 0, _REFUSED, hint=hint)])
            if not copied:  # else there may be more
                await asyncio.sleep(self.tail_s)
        self.link.close()
        if not self.stop.is_set():
            self.say(f"{self.primary} {self._trouble}: going on in its place")
        self.office.open = True
        self.office.relearn()

    def _try_to_copy(self) -> int | None:
        """How many rows came; None where nothing usable did, for a reason that is said when it changes."""
        try:
            copied, trouble = self.copy(), ""
        except TurnedAwayError:
            copied, trouble = None, _REFUSED
        except UnreachableError as error:
            copied, trouble = None, f"does not answer ({error})"
        except Refused as refused:
            copied, trouble = None, f"sends messages that do not hold ({refused.reason})"
        except Exception as error:
            copied, trouble = None, f"cannot be copied ({type(error).__name__})"
        if trouble != self._trouble:
            self._trouble = trouble
            self.say(f"{self.primary} {trouble}" if trouble else f"copying {self.primary}")
        return copied

    def copy(self) -> int:
        """Fetch the rows beyond the last one; how many there were.  Raises UnreachableError, or Refused for a row."""
        last = self.store.last_id
        self._tails = max(self._tails + 1, time.time_ns() // 1_000_000)
        where = Numbered(TAIL, self.market.clear_id, self._tails)
        request = notice(self.me, self.roster, TAIL, {"after": last}, MARKET, where, self.office.now())
        rows = self.link.post(request)
        for number, envelope in rows:
            require(number > last, Reason.REPLAY)
            opened = self._opened(envelope)
            self.store.add(opened, envelope, opened.header.issued_at, number)
            last = number
        return len(rows)

    def _opened(self, envelope: bytes) -> Opened:
        """A row as the first one should have taken it: of this clear, and one that opens where it is for us."""
        verified = verify_envelope(envelope, self.roster)
        header = verified.header
        require(header.round == self.market.clear_id, Reason.ROUND)
        if header.type in self.office.reader.types:
            return open_envelope(envelope, self.office.reader, header.issued_at, lambda *_: -1)
        return Opened(header, verified.sender, verified.message_hash, b"", None)


_REFUSED = "refuses this standby"
