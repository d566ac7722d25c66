"""A gateway at work: a slot after another, whether it has something to say or not, until the day is settled.

The slots keep their time while answers are worked out beside them.  Nothing is ever said twice in two ways: what a
question was answered with is kept by its number, and a question that comes again is answered with the same bytes.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.marketplace.client import SLOT_BYTES, Link, UnreachableError, padded
from planner.marketplace.mail import Mail
from planner.marketplace.messages import CLOSE
from planner.marketplace.site import Site
from planner.marketplace.voices import (
    RemoteMembers,
    Said,
    Speaking,
    digest,
    largest_bundle,
    member_answers,
    speaking_alone,
    speaking_for_cohort,
    word,
)
from planner.security.opening import Opened
from planner.security.refusal import Refused

NOTHING, FAREWELL = word("nothing"), word("closed")
FAREWELLS = 20
"""How often a gateway tries to take leave of a marketplace that is gone already."""
CHANGED = "asked twice in two ways"


class LeftAloneError(Exception):
    """No marketplace was to be reached for too long."""


@dataclass
class GatewayLoop:
    """``slot_s`` between two messages; after ``patience_s`` without a marketplace the building goes its own way."""

    site: Site
    mail: Mail
    link: Link
    slot_s: float
    patience_s: float
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.blocks = -(-largest_bundle(self.site) // SLOT_BYTES)
        self.seen = self.refused = self._latest = 0
        self._inbox: queue.Queue[Opened] = queue.Queue()
        self._letters: deque[bytes] = deque()
        self._recent: deque[bytes] = deque(maxlen=32)
        self._parts: dict[tuple[str, int], Mapping[str, Any]] = {}
        self._arrived = threading.Condition()
        self._said: dict[int, tuple[str, Said]] = {}
        self._current: tuple[int, Said] | None = None
        self._closed = threading.Event()
        self._left, self._farewells = False, 0
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Take part in one clear; raises LeftAloneError, or what the work itself raised."""
        worker = threading.Thread(target=self._work, name="answers", daemon=True)
        worker.start()
        next_slot, heard = time.monotonic(), time.monotonic()
        while not self._left:
            if self._failure is not None:
                raise self._failure
            if self.stop.is_set():
                return
            if self._post():
                heard = time.monotonic()
            elif time.monotonic() - heard > self.patience_s:
                raise LeftAloneError
            next_slot = max(next_slot + self.slot_s, time.monotonic())
            time.sleep(max(0.0, next_slot - time.monotonic()))

    @property
    def _leaving(self) -> bool:
        """Nothing is left to be said but farewell."""
        return self._closed.is_set() and not self._letters and self._current is None

    def _post(self) -> bool:
        """One slot; True if a marketplace took it."""
        leaving, current = self._leaving, self._current
        lines: list[bytes] = [] if current is None else list(current[1].lines)
        letters = self._fitting(sum(map(len, lines)))
        slot = (FAREWELL if leaving else NOTHING) if current is None else current[1].slot
        number = 0 if current is None else current[0]
        said = {**slot, "number": number, "group": self.site.told.group.id, "seen": self.seen}
        body = padded([*lines, *letters, self.mail.slot(said)], self.blocks)
        at = self.link.at
        try:
            rows = self.link.post(body)
        except UnreachableError:
            self._farewells += leaving
            self._left = self._farewells >= FAREWELLS
            if self.link.at != at:  # another marketplace: what the last one took may never have reached it
                self._letters.extendleft(reversed(self._recent))
                self._recent.clear()
                self.seen = self._latest = 0
            return False
        for letter in letters:
            self._letters.popleft()
            self._recent.append(letter)
        self._left = leaving
        if self._current is current:
            self._current = None
        for row, envelope in rows:
            self.seen = max(self.seen, row)
            self._take(envelope)
        return True

    def _fitting(self, taken: int) -> list[bytes]:
        """The letters that wait, as far as they fit beside an answer and a slot."""
        room = self.blocks * SLOT_BYTES - taken - SLOT_BYTES
        letters: list[bytes] = []
        for letter in list(self._letters):
            room -= len(letter) + 1
            if room < 0:
                break
            letters.append(letter)
        return letters

    def _take(self, envelope: bytes) -> None:
        """One letter that came: a part goes to who waits for it, a question to the worker."""
        try:
            opened = self.mail.open(envelope)
        except Refused:
            self.refused += 1
            return
        if opened.header.type == "part":
            with self._arrived:
                self._parts[opened.header.sender, opened.body["number"]] = opened.body
                self._arrived.notify_all()
        else:
            self._latest = max(self._latest, opened.body["number"])
            self._inbox.put(opened)

    def _work(self) -> None:
        """Answer what comes, in the order in which it came."""
        try:
            speaking = self._begin()
            while not self._closed.is_set():
                opened = self._inbox.get()
                if opened.header.type == "inquiry":
                    self._answer_inquiry(opened)
                elif speaking is not None:
                    self._answer_question(speaking, opened)
        except BaseException as error:  # the loop raises it where the caller can see it
            self._failure = error

    def _begin(self) -> Speaking | None:
        if self.site.told.members:
            names = self.site.told.members
            members = RemoteMembers(self.site, self.mail, names, self._letters.append, self._await_part)
            self._members: RemoteMembers | None = members
            return speaking_for_cohort(self.site, self.mail, members)
        self._members = None
        return speaking_alone(self.site, self.mail) if self.site.told.speaks else None

    def _answer_question(self, speaking: Speaking, opened: Opened) -> None:
        body, number = opened.body, opened.body["number"]
        if body["ask"] == CLOSE:
            if self._members is not None:
                self._members.exchange(dict.fromkeys(range(len(self.site.told.members)), _CLOSE_BODY))
            speaking.close()
            self._closed.set()
            return
        asked = digest(body)
        if number in self._said and number < self._latest:
            return  # told again from the beginning: only the last question may still wait for its answer
        if number not in self._said:
            self._said[number] = asked, speaking.answer(body)
        first, said = self._said[number]
        self._current = number, said if first == asked else Said(slot=word("silent", reason=CHANGED))

    def _answer_inquiry(self, opened: Opened) -> None:
        body, number = opened.body, opened.body["number"]
        if opened.header.sender != self.site.told.speaker:
            self.refused += 1
            return
        if body["ask"] == CLOSE:
            self._closed.set()
            return
        if number in self._said and number < self._latest:
            return
        if number not in self._said:
            part = {"number": number, "group": self.site.told.group.id, **member_answers(self.site, body)}
            self._said[number] = digest(body), Said((self.mail.letter("part", part, opened.header.sender),))
        self._letters.extend(self._said[number][1].lines)

    def _await_part(self, sender: str, number: int) -> Mapping[str, Any]:
        deadline = time.monotonic() + self.patience_s
        with self._arrived:
            while (sender, number) not in self._parts:
                if time.monotonic() > deadline or self.stop.is_set():
                    raise LeftAloneError
                self._arrived.wait(0.1)
            return self._parts.pop((sender, number))


_CLOSE_BODY: Mapping[str, Any] = {"ask": CLOSE, "whole": [], "exact": ""}
