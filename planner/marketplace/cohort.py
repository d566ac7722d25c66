"""A cohort's named gateway: it asks its members' gateways, each for one building, and sums what they say.

To the release gate and the marketplace it is a group's gateway like any other (planner/gateway.py); only that its
buildings' models run elsewhere.  What it sees of a member is a ``Part``: position, cost and bound of the building, and
the positions of its units, without which nobody could tell whether the sum may be said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from planner.fleet import NO_TIME, Kept, Spent
from planner.gateway import LocalGateway, micro, micro_below, summed_reply
from planner.groups import Group
from planner.marketplace.numbers import pack, unpack
from planner.quantise import Floats, Ints
from planner.questions import (
    Alone,
    Bound,
    BoundAt,
    Commit,
    Commitment,
    Price,
    Question,
    Refrain,
    Reply,
    Revert,
    Slice,
    Word,
)
from planner.security.refusal import Reason, require


@dataclass(frozen=True, eq=False)
class Part:
    """One building's answer: position (kWh, n), cost and proven bound (currency), positions of its units (Wh)."""

    position_kwh: Floats
    cost: float
    bound: float
    delta_wh: Ints

    def body(self) -> dict[str, Any]:
        """whole and exact of a ``part`` message."""
        exact = pack(self.position_kwh, [self.cost, self.bound])
        return {"whole": [len(self.delta_wh), *self.delta_wh.ravel().tolist()], "exact": exact}

    @classmethod
    def read(cls, body: Mapping[str, Any], n: int) -> Part:
        """The part in a message over ``n`` intervals; raises Refused."""
        exact, whole = unpack(body["exact"]), body["whole"]
        require(len(exact) == n + 2 and len(whole) >= 1 and len(whole) == 1 + whole[0] * n, Reason.SCHEMA)
        require(bool(np.isfinite(exact[: n + 1]).all()), Reason.SCHEMA)
        delta = np.array(whole[1:], dtype=np.int64).reshape(whole[0], n)
        return cls(exact[:n], float(exact[n]), float(exact[n + 1]), delta)


def part_of(gateway: LocalGateway, question: Question) -> Part:
    """The only building of a gateway asked: its part in the group's word."""
    gateway.answer(question)
    n = len(gateway.grid)
    match question:
        case Alone(round=round) | Slice(round=round) | Price(round=round):
            answer = gateway.answered[round][0]
            delta = gateway.answer_delta_wh(round)
            return Part(np.asarray(answer.position_kwh, dtype=float), float(answer.cost), float(answer.bound), delta)
        case BoundAt():
            return Part(np.zeros(n), 0.0, float(gateway.proven[0]), np.zeros((0, n), dtype=np.int64))
    schedule = gateway.schedules[0]
    return Part(schedule.position_wh / 1000, float(schedule.cost), -np.inf, gateway.delta_wh())


class Members(Protocol):
    """The buildings of a cohort, by their place in the group."""

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Part]: ...


@dataclass
class CohortGateway:
    """The group's own gateway over members elsewhere; the arithmetic is LocalGateway's, building by building."""

    group: Group
    members: Members
    shares: Sequence[float]
    intervals: int
    lot_wh: int
    answered: dict[int, list[Part]] = field(default_factory=dict)
    spent: Spent = NO_TIME

    def __post_init__(self) -> None:
        self._standing: list[Part] = []
        self._without: list[Part] = []
        self._before: list[Part] = []

    @property
    def schedules(self) -> list[Part]:
        """What stands, building by building."""
        return self._standing

    @schedules.setter
    def schedules(self, before: list[Part]) -> None:
        """Put back what stood before the last commitment, which the gate did not let out."""
        if before is not self._standing:
            self._all(Revert())
            self._standing = before

    @property
    def stands(self) -> tuple[Commitment, int]:
        """What stands, and what it cost without trade (micro-currency), both as told."""
        return self._stand(), micro(sum(part.cost for part in self._without))

    def kept(self) -> Mapping[str, Kept]:
        """Every member writes its own papers."""
        return {}

    def answer(self, question: Question) -> Word:
        """The word to one question."""
        match question:
            case Alone(round):
                self._without = self._standing = self._all(question)
                return self._reply(round, self._without, None)
            case Slice(round, ladder):
                return self._reply(round, self._each([Slice(round, ladder.scaled(s)) for s in self.shares]), None)
            case Price(round):
                parts = self._all(question)
                return self._reply(round, parts, sum(part.bound for part in parts))
            case Commit():
                return self._commit(question)
            case Refrain():
                self._before, self._standing = self._standing, self._all(question)
                return self._stand()
            case Revert():
                self._standing = self._all(question)
                return self._stand()
            case BoundAt(_, _, tolerance):
                each = None if tolerance is None else tolerance / len(self.shares)
                return Bound(micro_below(sum(p.bound for p in self._all(replace(question, tolerance=each)))))

    def _all(self, question: Question) -> list[Part]:
        return self._each([question] * len(self.shares))

    def _each(self, questions: Sequence[Question]) -> list[Part]:
        parts = self.members.ask(dict(enumerate(questions)))
        return [parts[i] for i in range(len(questions))]

    def _commit(self, question: Commit) -> Commitment:
        """One building after another climbs what is left of the ladder."""
        standing = self._before = self._standing
        made: list[Part] = []
        moved: Floats = np.zeros(self.intervals)
        ladder, each = question.ladder, question.tolerance / len(self.shares)
        for i in range(len(self.shares)):
            target = standing[i].position_kwh
            if question.weights:
                target = np.sum([w * self.answered[k][i].position_kwh for k, w in question.weights.items()], axis=0)
            asked = Commit(ladder.around(ladder.base, moved), each, question.weights)
            part = self.members.ask({i: asked})[i]
            moved = moved + part.position_kwh - target
            made.append(part)
        self._standing = made
        return self._stand()

    def _stand(self) -> Commitment:
        position = np.rint(np.sum([p.position_kwh for p in self._standing], axis=0) * 1000).astype(np.int64)
        return Commitment(position, micro(sum(p.cost for p in self._standing)))

    def repeat(self, round: int, earlier: int) -> None:
        """What was answered in ``earlier`` stands for ``round`` as well."""
        self.answered[round] = self.answered[earlier]

    def delta_wh(self) -> Ints:
        """Positions of all units as they stand, (units, intervals)."""
        return np.concatenate([part.delta_wh for part in self._standing])

    def answer_delta_wh(self, round: int) -> Ints:
        """The same for an answer."""
        return np.concatenate([part.delta_wh for part in self.answered[round]])

    def _reply(self, round: int, parts: list[Part], bound: float | None) -> Reply:
        self.answered[round] = parts
        return summed_reply(round, parts, bound, self.lot_wh)
