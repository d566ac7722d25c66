"""Gateways in other places, such as the processes of a pool: models stay where they are, words come and go.

A *place* is home to some groups and works off what it is told in order.  When a place is lost its groups are made
anew elsewhere and hear again all they heard before, so that they stand where they stood; a group whose place is lost
a second time over the same question is at fault itself, and so is one that takes too long.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from planner.fitting import EVER
from planner.fleet import NO_TIME, InProcess, Kept, Spent, W
from planner.gateway import LocalGateway, Workshop
from planner.groups import Group
from planner.quantise import Ints
from planner.questions import Alone, Fault, Price, Question, Reply, Revert, Slice, Word
from planner_models.solve import SolveError

Recipe = Callable[[], LocalGateway]
"""Makes a group's gateway; it can be sent to another process."""

STARTING_S = 120.0
"""What a place may take beyond the patience for its first answer: models are built there."""


@dataclass(frozen=True)
class Repeat:
    """What was answered in round ``earlier`` stands for ``round``."""

    round: int
    earlier: int


Order = Question | Repeat


@dataclass(frozen=True, eq=False)
class Told:
    """A word from elsewhere; the positions of the units behind it (Wh, for the gate), and the time it took.

    ``error`` is what the group's own data made impossible: no fault of a gateway, to be raised by who asked.
    """

    word: Word
    delta_wh: Ints | None = None
    seconds: float = 0.0
    spent: Spent = NO_TIME
    error: Exception | None = None


class GoneError(Exception):
    """The place is lost, with all that was in it."""


class LateError(Exception):
    """The place did not answer in time."""


class Place(Protocol):
    """Home to the gateways of some groups."""

    def tell(self, orders: Sequence[tuple[int, Order]]) -> None:
        """Hand over orders; every question has one ``Told`` in ``hear``, in order.  Raises GoneError."""
        ...

    def hear(self, timeout_s: float) -> Told:
        """The next word; raises GoneError, LateError."""
        ...

    def kept(self) -> Mapping[str, Kept]:
        """What the buildings here keep to themselves; raises GoneError."""
        ...

    def close(self) -> None: ...


MakePlace = Callable[[Mapping[int, Recipe]], Place]


@dataclass
class Bench:
    """What runs in a place: gateways, made when they are first asked; ``most`` of them have their models at once."""

    recipes: Mapping[int, Recipe]
    gated: bool
    most: int = EVER

    def __post_init__(self) -> None:
        self.workshop = Workshop(self.recipes, self.most)

    def expect(self, orders: Iterable[tuple[int, Order]]) -> None:
        """What will be asked next."""
        self.workshop.expect(g for g, _ in orders)

    def work(self, g: int, order: Order) -> Told | None:
        began = time.perf_counter()
        gateway = self.workshop.ready(g)
        if isinstance(order, Repeat):
            gateway.repeat(order.round, order.earlier)
            return None
        try:
            word = gateway.answer(order)
        except SolveError:
            return Told(Fault("found no answer"))
        except Exception as error:
            if getattr(error, "refusal", None) is None:
                raise
            return Told(Fault("has no feasible plan"), error=error)
        delta = _delta_wh(gateway, order, word) if self.gated else None
        return Told(word, delta, time.perf_counter() - began, gateway.spent)

    def kept(self) -> Mapping[str, Kept]:
        return {name: kept for gateway in self.workshop.gateways.values() for name, kept in gateway.kept().items()}


def _delta_wh(gateway: LocalGateway, order: Question, word: Word) -> Ints | None:
    """The units' positions behind an answer or a commitment."""
    if isinstance(order, Alone | Slice | Price):
        return gateway.answer_delta_wh(word.round) if isinstance(word, Reply) else None
    return gateway.delta_wh()


class Spread:
    """A carrier over places; group g lives in place g modulo their number, which no word depends on."""

    def __init__(
        self,
        groups: Sequence[Group],
        recipes: Sequence[Recipe],
        make_place: MakePlace,
        places: int,
        patience_s: float = math.inf,
    ) -> None:
        self._groups, self.recipes, self.make_place, self.patience_s = list(groups), recipes, make_place, patience_s
        self.count = max(1, min(places, len(recipes)))
        self.lost: set[int] = set()
        self._places: dict[int, Place] = {}
        self._history: defaultdict[int, list[Order]] = defaultdict(list)
        self._told: dict[int, Told] = {}
        self._strikes: defaultdict[int, int] = defaultdict(int)

    @property
    def groups(self) -> Sequence[Group]:
        return self._groups

    @property
    def spent(self) -> Spent:
        return Spent.sum(told.spent for told in self._told.values())

    def summed_bound(self, round: int) -> int | None:
        return None

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Word]:
        return {g: told.word for g, told in self.fetch(questions).items()}

    def fetch(self, questions: Mapping[int, Question]) -> dict[int, Told]:
        """All answers at once; places work side by side."""
        waiting: defaultdict[int, list[int]] = defaultdict(list)
        found = {g: Told(Fault("is lost")) for g in questions if g in self.lost}
        for g in questions:
            if g not in self.lost:
                waiting[g % self.count].append(g)
        for place, todo in waiting.items():
            self._hand_over(place, todo, questions)
        for place, todo in waiting.items():
            found |= dict(self._collect(place, todo, questions))
        for told in found.values():
            if told.error is not None:
                raise told.error
        self._told |= found
        return {g: found[g] for g in questions}

    def note(self, g: int, order: Repeat) -> None:
        """Something to remember that needs no answer."""
        self._history[g].append(order)
        try:
            self._at(g % self.count).tell([(g, order)])
        except GoneError:
            self._drop(g % self.count)

    def kept(self) -> Mapping[str, Kept]:
        found: dict[str, Kept] = {}
        for place in sorted({g % self.count for g in self._history}):
            for _ in range(2):
                try:
                    found |= self._at(place).kept()
                    break
                except (GoneError, LateError):
                    self._drop(place)
        gone = {name for g in self.lost for name in self._groups[g].buildings}
        return {name: kept for name, kept in found.items() if name not in gone}

    def close(self) -> None:
        for place in list(self._places):
            self._drop(place)

    def _hand_over(self, place: int, todo: Sequence[int], questions: Mapping[int, Question]) -> None:
        try:
            self._at(place).tell([(g, questions[g]) for g in todo])
        except GoneError:
            self._drop(place)

    def _collect(
        self, place: int, todo: Sequence[int], questions: Mapping[int, Question]
    ) -> Iterator[tuple[int, Told]]:
        """Words of one place in the order asked; a place that is lost is made anew for who still has to answer."""
        left = list(todo)
        while left:
            g, told = left[0], None
            try:
                if place not in self._places:
                    self._at(place).tell([(other, questions[other]) for other in left])
                told = self._at(place).hear(self.patience_s + STARTING_S * (not self._history[g]))
                if told.seconds > self.patience_s and self._history[g]:
                    told = Told(Fault("came too late"))
            except LateError:
                told = Told(Fault("came too late"))
                self._drop(place)
            except GoneError:
                self._drop(place)
                self._strikes[g] += 1
                told = Told(Fault("is gone")) if self._strikes[g] > 1 else None
            if told is not None:
                left.pop(0)
                self._settle(g, questions[g], told)
                yield g, told

    def _settle(self, g: int, question: Question, told: Told) -> None:
        """Remember what the group heard, or that it is lost."""
        self._history[g].append(question)
        self._strikes[g] = 0
        if isinstance(told.word, Fault):
            self.lost.add(g)

    def _at(self, place: int) -> Place:
        """The place, made anew and brought to where it was if it is not there; raises GoneError."""
        if place not in self._places:
            homes = {
                g: recipe for g, recipe in enumerate(self.recipes) if g % self.count == place and g not in self.lost
            }
            self._places[place] = fresh = self.make_place(homes)
            for g in homes:
                for order in self._history[g]:
                    fresh.tell([(g, order)])
                    if not isinstance(order, Repeat):
                        fresh.hear(self.patience_s + STARTING_S)
        return self._places[place]

    def _drop(self, place: int) -> None:
        gone = self._places.pop(place, None)
        if gone is not None:
            gone.close()


@dataclass
class Elsewhere:
    """A gateway as its voice knows it, when its models live in another place: words were fetched for all together."""

    spread: Spread
    place: int
    _told: Told | None = None
    _made: int = 0

    @property
    def group(self) -> Group:
        return self.spread.groups[self.place]

    @property
    def spent(self) -> Spent:
        return NO_TIME

    def kept(self) -> Mapping[str, Kept]:
        return {}

    def fetched(self, told: Told) -> None:
        self._told = told

    def answer(self, question: Question) -> Word:
        told = self._last
        if not isinstance(question, Revert):
            self._made += 1
        return told.word

    def delta_wh(self) -> Ints:
        return self._delta

    def answer_delta_wh(self, round: int) -> Ints:
        return self._delta

    def repeat(self, round: int, earlier: int) -> None:
        self.spread.note(self.place, Repeat(round, earlier))

    @property
    def schedules(self) -> int:
        """Which schedules stand, by number: they are elsewhere."""
        return self._made

    @schedules.setter
    def schedules(self, number: int) -> None:
        """Back to what stood before the last commitment."""
        if number != self._made:
            self._made = number
            self.spread.ask({self.place: Revert()})

    @property
    def _last(self) -> Told:
        if self._told is None:
            raise TypeError("nothing was fetched")
        return self._told

    @property
    def _delta(self) -> Ints:
        delta = self._last.delta_wh
        if delta is None:
            raise TypeError("no positions were fetched")
        return delta


class Fetched(InProcess[W]):
    """Voices here, models elsewhere: answers are fetched for all who are asked, then said one after another."""

    def __init__(self, voices: Sequence, gateways: Sequence[Elsewhere], spread: Spread) -> None:
        super().__init__(voices)
        self.elsewhere, self.spread = gateways, spread

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, W | Fault]:
        told = self.spread.fetch(questions)
        for g, one in told.items():
            self.elsewhere[g].fetched(one)
        sound = {g: question for g, question in questions.items() if not isinstance(told[g].word, Fault)}
        said = super().ask(sound)
        faults = {g: one.word for g, one in told.items() if isinstance(one.word, Fault)}
        return {g: faults[g] if g in faults else said[g] for g in questions}

    def kept(self) -> Mapping[str, Kept]:
        return self.spread.kept()

    @property
    def spent(self) -> Spent:
        return self.spread.spent
