"""Gateways behind sockets as a fleet: questions go into the store, answers are read from it.

Everything that is asked and everything that comes back lies in the store, in order.  A carrier begun over a store
that already holds part of a clear finds there what it is about to ask, asks nothing twice, and goes on where it stops.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.fleet import NO_TIME, Kept, Spent
from planner.groups import Group
from planner.hearing import BOUNDS_NEEDED, Hearing, HeldBack, Sealed, Uttered
from planner.marketplace.mail import Numbered, notice
from planner.marketplace.messages import CLOSE, SETTLE
from planner.marketplace.numbers import question_body
from planner.marketplace.office import Office
from planner.marketplace.store import Row
from planner.questions import Bound, BoundAt, Fault, Price, Question, Silence
from planner.security.masking import LANE, unmasked_sum
from planner.security.opening import Opened, message_hash, open_envelope, verify_envelope
from planner.security.refusal import Reason, require

CLOCK = "clock"
MILLI = 1000


class StoppedError(Exception):
    """The marketplace was told to stop while it waited."""


class DesertedError(Exception):
    """Too few gateways are here to say of the others that they are gone: they may be with another marketplace."""


@dataclass(frozen=True)
class Settle:
    """How the day ended: the price at the group's node and of allocated energy, nano-currency per Wh.

    ``taken`` is False for a group that does not trade after all.
    """

    node_nano: tuple[int, ...]
    contract_nano: tuple[int, ...]
    taken: bool = True


@dataclass
class Carrier:
    """``names`` are the gateways that speak for ``groups``; who does not answer within ``patience_s`` is lost.

    That is decided only while half of them are here, by a ``second`` marketplace while more than half are: so of two
    that do not see each other at most one goes on.
    """

    office: Office
    groups: Sequence[Group]
    names: Sequence[str]
    patience_s: float
    spent: Spent = NO_TIME
    number: int = 0
    stopped: Callable[[], bool] = lambda: False
    second: bool = False
    _cursor: int = 0
    _ticks: int = 0
    _questions: set[tuple[str, int]] = field(default_factory=set)
    _slots: dict[tuple[str, int], Opened] = field(default_factory=dict)
    _decisions: dict[tuple[int, str], int] = field(default_factory=dict)
    envelopes: dict[str, Row] = field(default_factory=dict)

    def kept(self) -> Mapping[str, Kept] | None:
        """Every gateway writes its own papers."""
        return None

    def summed_bound(self, round: int) -> int | None:
        return None

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Uttered | Fault]:
        slots = self.exchange(
            {g: question_body(question) for g, question in questions.items()}, self._bounds(questions)
        )
        return {g: Fault("came too late") if slot is None else self._uttered(slot.body) for g, slot in slots.items()}

    def settle(self, results: Mapping[int, Settle]) -> None:
        """Tell every group how the day ended; it says that it knows, and nothing else."""
        bodies = {
            g: {"ask": SETTLE, "whole": [int(r.taken), *r.node_nano, *r.contract_nano], "exact": ""}
            for g, r in results.items()
        }
        self.exchange(bodies, [])

    def close(self) -> None:
        """Tell every gateway that the day is settled; nobody is waited for."""
        self.number += 1
        self.absorb()
        for g, name in enumerate(self.names):
            if (name, self.number) not in self._questions:
                self._send(g, {"ask": CLOSE, "whole": [], "exact": "", "bounds": []})

    def _bounds(self, questions: Mapping[int, Question]) -> list[str]:
        """Whose bounds are to be summed, where enough of them speak for the sum to be said."""
        priced = all(isinstance(question, Price | BoundAt) for question in questions.values())
        return sorted(self.names[g] for g in questions) if priced and len(questions) >= BOUNDS_NEEDED else []

    def exchange(self, bodies: Mapping[int, dict[str, Any]], bounds: list[str]) -> dict[int, Opened | None]:
        """One question to each group, and the slot that answers it; None for who came too late."""
        self.number += 1
        self.absorb()
        for g, body in bodies.items():
            if (self.names[g], self.number) not in self._questions:
                self._send(g, {**body, "bounds": bounds})
        self.office.watch("asked")
        self._wait([self.names[g] for g in bodies])
        self.office.watch("answered")
        return {g: self._slots.get((self.names[g], self.number)) for g in bodies}

    def _send(self, g: int, body: dict[str, Any]) -> None:
        group = self.groups[g].id
        said = {"number": self.number, "group": group, **body}
        self._post("question", said, self.names[g], group, self.number)
        self._questions.add((self.names[g], self.number))
        self.office.watch("sent")

    def _post(self, kind: str, body: dict[str, Any], to: str, stream: str, sequence: int) -> None:
        office = self.office
        at = office.now()
        data = notice(office.me, office.roster, kind, body, to, Numbered(stream, office.clear_id, sequence), at)
        verified = verify_envelope(data, office.roster)
        office.store.add(Opened(verified.header, verified.sender, verified.message_hash, b"", None), data, at)

    def _wait(self, names: Sequence[str]) -> None:
        """Until everybody answered or was given up, now or before a restart."""
        deadline = time.monotonic() + self.patience_s
        while missing := [n for n in names if (n, self.number) not in self._slots and not self._given_up(n)]:
            if self.stopped():
                raise StoppedError
            with self.office.store.arrived:
                self.office.store.arrived.wait(0.05)
            self.absorb()
            if time.monotonic() > deadline:
                if 2 * self.office.present(self.names, self.patience_s) < len(self.names) + self.second:
                    raise DesertedError
                for name in (n for n in missing if (n, self.number) not in self._slots):
                    self._decide(self.number, name, 1)

    def _given_up(self, name: str) -> bool:
        return (self.number, name) in self._decisions

    def seconds_left(self, clock: Callable[[], float]) -> float:
        """What the clock said when it was first asked, so that the rounds end alike whenever they are run again."""
        self._ticks += 1
        self.absorb()
        if (self._ticks, CLOCK) not in self._decisions:
            self._decide(self._ticks, CLOCK, round(clock() * MILLI))
        return self._decisions[self._ticks, CLOCK] / MILLI

    def _decide(self, number: int, what: str, value: int) -> None:
        body = {"number": number, "what": what, "value": value}
        self._post("decision", body, self.office.me.name, f"decision.{what}", number)
        self.absorb()

    def absorb(self) -> None:
        """What the store holds beyond what was read."""
        rows = list(self.office.store.rows(self._cursor))
        self.office.note(rows)
        for row in rows:
            self._cursor = row.id
            self._read(row)

    def _read(self, row: Row) -> None:
        office = self.office
        if row.type in ("answer", "commit"):
            self.envelopes[row.hash] = row
        elif row.type == "slot":
            opened = self.opened(row)
            self._slots.setdefault((row.sender, opened.body["number"]), opened)
        elif row.type == "question":
            # Sealed to its reader; the number is the sequence it was sent under.
            header = verify_envelope(row.envelope, office.roster).header
            self._questions.add((row.reader, header.sequence))
        elif row.type == "decision":
            body = self.opened(row).body
            self._decisions.setdefault((body["number"], body["what"]), body["value"])

    def opened(self, row: Row) -> Opened:
        """A message to the marketplace as it was opened when it came, at its own time."""
        return open_envelope(row.envelope, self.office.reader, row.at, lambda *_: -1)

    def _uttered(self, body: Mapping[str, Any]) -> Uttered | Fault:
        """What a slot says in answer to a question."""
        bound = joined(body["value"])
        match body["word"]:
            case "said" if body["about"] in self.envelopes:
                return Sealed(self.envelopes[body["about"]].envelope, bound)
            case "held":
                return HeldBack(bound)
            case "bound":
                return Bound(bound)
            case "silent":
                return Silence(body["reason"])
        return Fault("answered another question")


def joined(value: Sequence[int]) -> int | None:
    """Two masked lanes of 64 bits, sent as four integers of 32, in one number; None where nothing is said."""
    if len(value) != 4:
        return None
    a, b, c, d = (int(part) % (1 << 32) for part in value)
    return ((c << 32 | d) << 64) | (a << 32 | b)


def parted(lanes: tuple[int, int]) -> list[int]:
    """Both lanes as integers that a message may hold."""
    return [part for lane in lanes for part in (lane >> 32, lane & 0xFFFFFFFF)]


class Heard(Hearing):
    """What the marketplace knows of groups behind sockets: opened envelopes, and sums of masked bounds."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__(carrier, carrier.office.reader, carrier.office.now)
        self.wire = carrier
        self._members: dict[int, int] = {}

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Any]:
        for question in questions.values():
            if isinstance(question, Price | BoundAt):
                self._members[question.round] = len(questions)
        return super().ask(questions)

    def summed_bound(self, round: int) -> int | None:
        """The sum over all who were asked; None where one of them is missing or fewer than five were."""
        lanes = [(value % LANE, value >> 64) for value in self._bounds.get(round, [])]
        members = self._members.get(round, 0)
        return unmasked_sum(lanes, members) if members >= BOUNDS_NEEDED else None

    def _open(self, g: int, envelope: bytes) -> Opened:
        """As the store has it: an envelope of this very group."""
        opened = self.wire.opened(self.wire.envelopes[message_hash(envelope)])
        name = self.groups[g].id
        require(opened.header.stream == name and opened.body["group"] == name, Reason.UNAUTHORISED)
        self.sent.setdefault(name, []).append(envelope)
        return opened
