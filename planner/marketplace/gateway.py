"""A gateway at work: a slot after another, whether it has something to say or not, until the day is settled.

The slots keep their time while answers are worked out beside them.  Nothing is ever said twice in two ways: what a
question was answered with is kept by its number, and a question that comes again is answered with the same bytes.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.marketplace.client import SLOT_BYTES, Link, TurnedAwayError, UnreachableError, padded
from planner.marketplace.mail import Mail
from planner.marketplace.memory import BrokenWordError, Memory, Said
from planner.marketplace.messages import CLOSE, ENROL, SETTLE
from planner.marketplace.site import Site
from planner.marketplace.voices import (
    ABSENT,
    NO_PART,
    PRIVACY,
    RemoteMembers,
    Speaking,
    digest,
    largest_bundle,
    marked,
    member_answers,
    read_settle,
    speaking_alone,
    speaking_for_cohort,
    word,
)
from planner.security.journal import Journal
from planner.security.log import Kind
from planner.security.opening import Opened, message_hash
from planner.security.refusal import Reason, Refused

NOTHING, FAREWELL = word("nothing"), word("closed")
FAREWELLS = 20
"""How often a gateway tries to take leave of a marketplace that is gone already."""
CHANGED, BROKEN = "asked twice in two ways", "came back with other plans than it had told"


NOTED_S = 5.0
"""A marketplace that is gone so long is told of."""


class LeftAloneError(Exception):
    """No marketplace was to be reached for too long; ``refused`` if one was there and took nothing."""

    def __init__(self, words: str = "", refused: bool = False) -> None:
        super().__init__(words)
        self.refused = refused


@dataclass
class GatewayLoop:
    """``slot_s`` between two messages; after ``patience_s`` without a marketplace the building goes its own way.

    ``journal`` is the node's log.  Once ``tripped`` says that the building is without electricity it is silent, and
    the others are cleared without its group.
    """

    site: Site
    mail: Mail
    link: Link
    slot_s: float
    patience_s: float
    journal: Journal | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    tripped: Callable[[], bool] = lambda: False
    taken: bool = False
    say: Callable[[str], None] = lambda words: None

    def __post_init__(self) -> None:
        self.memory = Memory(self.site.out.with_name(f"{self.site.out.name}.said"))
        self._speaking: Speaking | None = None
        self._broken = self._shy = self._turned_away = False
        self._trouble = ""
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
        if self.journal is not None:
            self.journal.begin(self.mail.roster)
        self.memory.lock()
        try:
            self._run()
        finally:
            self.memory.unlock()

    def _run(self) -> None:
        worker = threading.Thread(target=self._work, name="answers", daemon=True)
        worker.start()
        next_slot, heard, noted = time.monotonic(), time.monotonic(), False
        while not self._left:
            if self._failure is not None:
                raise self._failure
            if self.stop.is_set():
                return
            if self._post():
                heard, noted = time.monotonic(), False
            elif time.monotonic() - heard > self.patience_s:
                raise LeftAloneError(self._trouble, self._turned_away)
            elif time.monotonic() - heard > NOTED_S and not noted:
                noted = True
                self.say(f"no marketplace takes this gateway's messages ({self._trouble}); trying on")
            next_slot = max(next_slot + self.slot_s, time.monotonic())
            time.sleep(max(0.0, next_slot - time.monotonic()))
        self._end()

    def go_alone(self) -> None:
        """No marketplace is there: what was settled stays settled, else the day is one without trade."""
        if not self.site.out.exists():
            self.site.alone()
            if self._speaking is not None:
                self._speaking.report(spoke=False)
        if self._speaking is not None:
            self._speaking.close()
        self._end()

    def _end(self) -> None:
        """The clear has ended for this gateway: its papers go into the log, under one signed root."""
        if self.journal is not None:
            spoke = self._speaking is not None and self._speaking.sent
            papers = {Kind.RESULT: "settlement.csv"} | ({Kind.REPORT: PRIVACY} if spoke else {})
            hashes = {kind: message_hash((self.site.out / name).read_bytes()) for kind, name in papers.items()}
            self.journal.end(*hashes.items())
        self.memory.forget()

    @property
    def _leaving(self) -> bool:
        """Nothing is left to be said but farewell."""
        return self._closed.is_set() and not self._letters and self._current is None

    def _post(self) -> bool:
        """One slot; True if a marketplace took it."""
        leaving, current = self._leaving, self._current
        if self._shy:
            current = None
        lines = [] if current is None else list(current[1].lines)
        letters = [] if self._shy else self._fitting(sum(map(len, lines)))
        slot = (FAREWELL if leaving else NOTHING) if current is None else current[1].slot
        number = 0 if current is None else current[0]
        said = {**slot, "number": number, "group": self.site.told.group.id, "seen": self.seen}
        envelopes = [*lines, *letters, self.mail.slot(said)]
        body = padded(envelopes, self.blocks)
        at = self.link.at
        try:
            rows = self.link.post(body)
        except UnreachableError as error:
            # What was refused is tried again, but not until it was asked whether there is anything new.
            self._trouble, self._turned_away = str(error), isinstance(error, TurnedAwayError)
            self._shy = self._turned_away and not self._shy
            self._farewells += leaving
            self._left = self._farewells >= FAREWELLS
            if self.link.at != at:  # another marketplace: what the last one took may never have reached it
                self._letters.extendleft(reversed(self._recent))
                self._recent.clear()
                self.seen = self._latest = 0
            return False
        if current is not None or letters:
            self._log(*((Kind.SENT, message_hash(envelope)) for envelope in envelopes))
        for letter in letters:
            self._letters.popleft()
            self._recent.append(letter)
        self._left = leaving
        self._shy = False
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
        except Refused as refused:
            self._refuse(message_hash(envelope), refused.reason)
            return
        self._log((Kind.RECEIVED, opened.message_hash))
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
            self._speaking = speaking = self._begin()
            if speaking is not None:
                speaking.turned_away = lambda: self.refused
            while not self._closed.is_set():
                opened = self._inbox.get()
                if opened.header.type == "inquiry":
                    self._answer_inquiry(opened)
                elif speaking is not None:
                    self._answer_question(speaking, opened)
        except BaseException as error:  # the loop raises it where the caller can see it
            self._failure = error

    def _log(self, *events: tuple[Kind, str]) -> None:
        if self.journal is not None:
            self.journal.note(*events)

    def _refuse(self, message: str, reason: Reason) -> None:
        self.refused += 1
        if self.journal is not None:
            self.journal.refused(message, reason)

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
        if number not in self._said:
            self._said[number] = self._worked_out(speaking, number, asked, body)
            self._log(*((Kind.DECISION, message_hash(line)) for line in self._said[number][1].lines))
        if number < self._latest:
            return  # told again from the beginning: only the last question may still wait for its answer
        first, said = self._said[number]
        self._current = number, said if first == asked else Said(slot=word("silent", reason=CHANGED))

    def _worked_out(self, speaking: Speaking, number: int, asked: str, body: Mapping[str, Any]) -> tuple[str, Said]:
        """The answer, kept before it is posted; nothing but silence once it was not what had been said before."""
        if self._broken and body["ask"] == SETTLE and read_settle(body, self.site.intervals).taken:
            raise BrokenWordError
        silence = Said(slot=word("silent", reason=BROKEN), mark=BROKEN)
        if body["ask"] == SETTLE:
            self.taken = read_settle(body, self.site.intervals).taken
            said = speaking.answer(body)
        elif self._broken:
            said = silence
        elif self._stays_out(number):
            said = Said(slot=word("silent", reason=ABSENT), mark=ABSENT)
        else:
            said = speaking.answer(body)
        try:
            return self.memory.keep(number, asked, said)
        except BrokenWordError:
            self._broken = True
            return asked, silence

    def _stays_out(self, number: int) -> bool:
        """Whether the building's trip keeps it from answering; what it had said before it was cut off stands."""
        before = self.memory.mark_of(number)
        return self.tripped() if before is None else before == ABSENT

    def _answer_inquiry(self, opened: Opened) -> None:
        body, number = opened.body, opened.body["number"]
        if opened.header.sender != self.site.told.speaker:
            self._refuse(opened.message_hash, Reason.SENDER)
            return
        if body["ask"] == CLOSE:
            self._closed.set()
            return
        if number not in self._said:
            if body["ask"] == SETTLE:
                self.taken = read_settle(body, self.site.intervals).taken
            absent = body["ask"] not in (SETTLE, ENROL) and self._stays_out(number)
            answer = NO_PART if absent else member_answers(self.site, body)
            part = {"number": number, "group": self.site.told.group.id, **answer}
            letter = self.mail.letter("part", part, opened.header.sender)
            said = Said((letter,), mark=ABSENT if absent else marked((part["whole"], part["exact"])))
            self._said[number] = self.memory.keep(number, digest(body), said)
        if number >= self._latest:
            self._letters.extend(self._said[number][1].lines)

    def _await_part(self, sender: str, number: int) -> Mapping[str, Any]:
        deadline = time.monotonic() + self.patience_s
        with self._arrived:
            while (sender, number) not in self._parts:
                if time.monotonic() > deadline or self.stop.is_set():
                    raise LeftAloneError(f"{sender} of its cohort does not answer")
                self._arrived.wait(0.1)
            return self._parts.pop((sender, number))


_CLOSE_BODY: Mapping[str, Any] = {"ask": CLOSE, "whole": [], "exact": ""}
