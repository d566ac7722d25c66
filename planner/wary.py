"""Words that cannot be are not believed: a fleet that looks at every word before the rounds do.

A gateway may answer another question than the one asked, or make numbers up.  What is found is a
``Fault`` and names what was wrong, never a number.  Costs are compared with the group's own earlier words: at a
price it answered, no plan of a group can be better than that answer, and none need be worse than doing nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from planner.fleet import Fleet, Kept, Spent
from planner.groups import Group
from planner.quantise import Floats
from planner.questions import (
    MICRO,
    Alone,
    Bound,
    BoundAt,
    Commit,
    Commitment,
    Fault,
    Price,
    Question,
    Refrain,
    Reply,
    Revert,
    Slice,
    Word,
)

VAST_WH = 10**12
VAST_MICRO = 10**18
NO_TRADE_WH = 50
"""What no trade in whole Wh may still be, per interval."""
DOUBT = 0.05
"""Share of a group's cost without trade within which its words may differ from each other: gaps and relaxations."""
DOUBT_MICRO = MICRO


class Wary:
    """A fleet whose words are of the asked kind, whole numbers of the right length, and possible."""

    def __init__(self, inner: Fleet, intervals: int, lot_wh: int) -> None:
        self.inner, self.intervals, self.lot_wh = inner, intervals, lot_wh
        self._alone: dict[int, int] = {}
        self._answers: defaultdict[int, list[tuple[Floats, float]]] = defaultdict(list)
        self._doubted: set[int] = set()

    @property
    def groups(self) -> Sequence[Group]:
        return self.inner.groups

    @property
    def spent(self) -> Spent:
        return self.inner.spent

    def kept(self) -> Mapping[str, Kept] | None:
        return self.inner.kept()

    def summed_bound(self, round: int) -> int | None:
        """The inner fleet's; none where a word of that round was not believed, for its bound may be in the sum."""
        return None if round in self._doubted else self.inner.summed_bound(round)

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Word]:
        words = self.inner.ask(questions)
        return {g: self._believed(g, question, words.get(g)) for g, question in questions.items()}

    def _believed(self, g: int, question: Question, word: Word | None) -> Word:
        """The word itself, or the fault that it is."""
        wrong = self._wrong(g, question, word)
        if wrong is None and word is not None:
            return word
        if isinstance(question, Price | BoundAt):
            self._doubted.add(question.round)
        return Fault(wrong or "gave no answer")

    def _wrong(self, g: int, question: Question, word: Word | None) -> str | None:
        """What is wrong with a word; None where nothing is."""
        match word, question:
            case Reply(), Alone() | Slice() | Price():
                return self._wrong_reply(g, question, word)
            case Commitment(), Commit() | Revert() | Refrain():
                return self._wrong_commitment(g, question, word)
            case Bound(), BoundAt():
                return None if word.micro is None else _wrong_number(word.micro, VAST_MICRO)
            case ((Reply() | Commitment() | Bound()), _):
                return "answered another question"
        return None

    def _wrong_reply(self, g: int, question: Alone | Slice | Price, word: Reply) -> str | None:
        if word.round != question.round and not word.repeated:
            return "answered another round"
        wrong = self._wrong_numbers(word.lots, word.cost_micro, VAST_WH // self.lot_wh)
        if wrong is not None:
            return wrong
        if isinstance(question, Alone):
            if word.lots.any():
                return "trades where it should do nothing"
            self._alone[g] = word.cost_micro
            return None
        position: Floats = np.asarray(word.lots * (self.lot_wh / 1000), dtype=float)
        if self._too_good(g, position, word.cost_micro):
            return "costs less than its own answers allow"
        if isinstance(question, Price) and not word.repeated:
            return self._wrong_price(g, question.price, position, word)
        return None

    def _wrong_price(self, g: int, price: Floats, position: Floats, word: Reply) -> str | None:
        """At its price a group does no worse than without trade, and its bound is one of its own answer."""
        value = word.cost_micro + float(price @ position) * MICRO / 1000
        margin = self._margin(g, price)
        if value > self._alone.get(g, VAST_MICRO) + margin:
            return "costs more than doing nothing"
        if word.bound_micro is not None:
            if _wrong_number(word.bound_micro, VAST_MICRO):
                return "says a bound that is no whole number"
            if word.bound_micro > value + margin:
                return "costs less than its own bound allows"
        self._answers[g].append((price, value))
        return None

    def _wrong_commitment(self, g: int, question: Question, word: Commitment) -> str | None:
        wrong = self._wrong_numbers(word.position_wh, word.cost_micro, VAST_WH)
        if wrong is not None:
            return wrong
        if isinstance(question, Refrain) and np.abs(word.position_wh).max(initial=0) > NO_TRADE_WH:
            return "trades where it should do nothing"
        if self._too_good(g, np.asarray(word.position_wh / 1000, dtype=float), word.cost_micro):
            return "costs less than its own answers allow"
        return None

    def _wrong_numbers(self, values: object, cost: object, most: int) -> str | None:
        if not isinstance(values, np.ndarray) or values.shape != (self.intervals,):
            return "answered with another number of intervals"
        if not np.issubdtype(values.dtype, np.integer) or _wrong_number(cost, VAST_MICRO):
            return "answered with what is no whole number"
        if np.abs(values).max(initial=0) > most:
            return "answered with an impossible quantity"
        return None

    def _too_good(self, g: int, position: Floats, cost_micro: int) -> bool:
        """Whether at a price that the group answered, this plan would have been better than its answer."""
        return any(
            cost_micro + float(price @ position) * MICRO / 1000 < best - self._margin(g, price)
            for price, best in self._answers[g]
        )

    def _margin(self, g: int, price: Floats) -> float:
        """How far two words may differ in micro-currency: lots of both, and gaps of the solver."""
        lots = float(np.abs(price).sum()) * self.lot_wh / MICRO
        return lots * MICRO + DOUBT * abs(self._alone.get(g, 0)) + DOUBT_MICRO


def _wrong_number(value: object, most: int) -> str | None:
    """None for a whole number within ``most`` either way."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) <= most:
        return None
    return "answered with what is no whole number"
