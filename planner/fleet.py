"""Where gateways run: one interface for this process, a pool of processes, a cluster, and gateways behind HTTP.

A fleet carries one question to each of some groups at a time and brings back one word of each.  Groups are known by
their place, 0 .., in ``groups``.  Whoever implements it keeps four promises:

* every group asked has a word in what comes back: an answer, or ``Silence`` or ``Fault`` with its reason.  Nothing is
  raised for what a gateway does or fails to do;
* a group's questions reach it one after another, in the order in which they were asked;
* words do not depend on where gateways run, how many run at once, or who answers first;
* what a building keeps to itself (``Kept``) is for its own folder; the marketplace's decisions use words alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from planner.groups import Group
from planner.questions import Fault, Question, Word
from planner.schedule import Schedule
from planner_models.solve import SolveError

W = TypeVar("W")
W_co = TypeVar("W_co", covariant=True)


@dataclass(frozen=True, eq=False)
class Kept:
    """What a building knows at the end and tells nobody: its schedule, and v_b at its published node price.

    ``without_trade`` is its cost without trade; ``proven`` is minus infinity until ``BoundAt`` was asked.
    """

    schedule: Schedule
    without_trade: float
    proven: float


class Spent(NamedTuple):
    """Time spent on answers, seconds: inside HiGHS, and in closed forms."""

    solver_s: float = 0.0
    closed_form_s: float = 0.0

    @staticmethod
    def sum(parts: Iterable[Spent]) -> Spent:
        own = list(parts)
        return Spent(sum(p.solver_s for p in own), sum(p.closed_form_s for p in own))


NO_TIME = Spent()


class Carrier(Protocol[W_co]):
    """Groups that can be asked, and what comes back of them: words, or on a wire the envelopes that hold words."""

    @property
    def groups(self) -> Sequence[Group]: ...

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, W_co | Fault]:
        """One word of every group asked."""
        ...

    def summed_bound(self, round: int) -> int | None:
        """Sum of the bounds of all groups that answered in ``round``, micro-currency.

        None where every group says its own, and where too few spoke for their sum to be said.
        """
        ...

    def kept(self) -> Mapping[str, Kept] | None:
        """By building, of every group that is still there; None where gateways keep their own papers."""
        ...

    @property
    def spent(self) -> Spent:
        """By all gateways."""
        ...


Fleet = Carrier[Word]
"""What the rounds ask."""


class Answering(Protocol[W_co]):
    """A gateway that lives where it is asked."""

    @property
    def group(self) -> Group: ...

    def answer(self, question: Question) -> W_co: ...

    def kept(self) -> Mapping[str, Kept]: ...

    @property
    def spent(self) -> Spent: ...


class InProcess(Generic[W]):
    """Gateways in this process, asked one after another.

    Who takes longer than ``patience_s`` by ``clock`` (seconds) is too late; who finds no answer where one exists is
    lost.  A building without any feasible plan of its own is no fault of its gateway: that is raised.
    """

    def __init__(
        self,
        gateways: Sequence[Answering[W]],
        patience_s: float = math.inf,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.gateways, self.patience_s, self.clock = gateways, patience_s, clock

    @property
    def groups(self) -> Sequence[Group]:
        return [gateway.group for gateway in self.gateways]

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, W | Fault]:
        return {g: self._ask(self.gateways[g], question) for g, question in questions.items()}

    def _ask(self, gateway: Answering[W], question: Question) -> W | Fault:
        began = self.clock()
        try:
            word = gateway.answer(question)
        except SolveError:
            return Fault("found no answer")
        return word if self.clock() - began <= self.patience_s else Fault("came too late")

    def summed_bound(self, round: int) -> int | None:
        return None

    def kept(self) -> Mapping[str, Kept]:
        return {name: kept for gateway in self.gateways for name, kept in gateway.kept().items()}

    @property
    def spent(self) -> Spent:
        return Spent.sum(gateway.spent for gateway in self.gateways)


Frank = InProcess[Word]
"""Gateways in this process that say their words plainly, bounds included: where nothing is released."""
