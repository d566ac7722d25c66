"""A gateway that fails at a chosen question, in every way one can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from planner.fleet import Kept, Spent
from planner.gateway import LocalGateway
from planner.groups import Group
from planner.questions import Bound, Commitment, Question, Reply, Silence, Word
from planner_models.solve import SolveError

FAULTS = (
    "silent",
    "late",
    "dies",
    "longer",
    "nan",
    "fraction",
    "absurd cost",
    "too good",
    "another round",
    "vast",
    "floods the feeder",
    "word before",
    "no papers",
)


class Faulty:
    """``inner``, until question number ``at`` (0 first); from then on it fails as ``kind`` says.

    ``watch`` is a clock in a list that a late gateway moves on.
    """

    def __init__(self, inner: LocalGateway, kind: str, at: int, watch: list[float] | None = None) -> None:
        self.inner, self.kind, self.at = inner, kind, at
        self.watch = watch if watch is not None else [0.0]
        self.asked = 0
        self.last: Word | None = None

    @property
    def group(self) -> Group:
        return self.inner.group

    @property
    def spent(self) -> Spent:
        return self.inner.spent

    @property
    def failed(self) -> bool:
        return self.asked > self.at

    def kept(self) -> Mapping[str, Kept]:
        return {} if self.failed and self.kind in ("dies", "no papers") else self.inner.kept()

    def answer(self, question: Question) -> Word:
        self.asked += 1
        before, word = self.last, self.inner.answer(question)
        self.last = word
        return self._spoilt(word, before) if self.failed else word

    def _spoilt(self, word: Word, before: Word | None) -> Word:
        match self.kind:
            case "silent":
                return Silence("says nothing")
            case "late":
                self.watch[0] += 100.0
            case "dies":
                raise SolveError("gone")
            case "word before":
                return before or Bound(0)
        if isinstance(word, Reply):
            return self._spoilt_reply(word)
        return self._spoilt_commitment(word) if isinstance(word, Commitment) else word

    def _spoilt_reply(self, word: Reply) -> Reply:
        n = len(word.lots)
        match self.kind:
            case "longer":
                return replace(word, lots=np.append(word.lots, 0))
            case "nan":
                return replace(word, lots=np.full(n, np.nan))
            case "fraction":
                return replace(word, lots=word.lots + 0.5)
            case "absurd cost":
                return replace(word, cost_micro=10**30)
            case "too good":
                return replace(word, cost_micro=-(10**12))
            case "another round":
                return replace(word, round=word.round + 7)
            case "vast" | "floods the feeder":
                return replace(word, lots=word.lots + (10**13 if self.kind == "vast" else 10**7))
        return word

    def _spoilt_commitment(self, word: Commitment) -> Commitment:
        n = len(word.position_wh)
        match self.kind:
            case "longer":
                return replace(word, position_wh=np.append(word.position_wh, 0))
            case "nan":
                return replace(word, position_wh=np.full(n, np.nan))
            case "fraction":
                return replace(word, position_wh=word.position_wh + 0.5)
            case "absurd cost":
                return replace(word, cost_micro=10**30)
            case "too good":
                return replace(word, cost_micro=-(10**12))
            case "vast" | "floods the feeder":
                return replace(word, position_wh=word.position_wh + (10**13 if self.kind == "vast" else 10**7))
        return word
