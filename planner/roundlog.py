"""The rounds as they happen, one line a question, so that a clear that was cut off goes on where it was.

A clear is a function of its input and of the words it hears.  The log is append-only: first what is cleared, then for
every question that was put its fingerprint and the words that came back, each line on disk before the next question.
Taken up again, the rounds ask the same questions.  Gateways that went down with the marketplace hear them once more,
to stand where they stood, and must say the same; from the first word that differs the log is worth nothing and is cut.
Gateways that are still there are not asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from planner.fleet import Fleet, Kept, Spent
from planner.groups import Group
from planner.ledger import RoundLog
from planner.questions import Bound, Commitment, Fault, Question, Reply, Silence, Word

_WORDS: dict[str, type] = {kind.__name__: kind for kind in (Reply, Commitment, Bound, Silence, Fault)}


class Remembering:
    """A fleet that writes down what it hears, and takes up what was written.

    ``alive``: gateways are where they were when the log ended, and need not be asked again.
    """

    def __init__(self, inner: Fleet, log: RoundLog, alive: bool, tell: Callable[[str], None]) -> None:
        self.inner, self.log, self.alive, self.tell = inner, log, alive, tell
        self._summed: dict[int, int | None] = {}

    @property
    def groups(self) -> Sequence[Group]:
        return self.inner.groups

    @property
    def spent(self) -> Spent:
        return self.inner.spent

    def kept(self) -> Mapping[str, Kept] | None:
        return self.inner.kept()

    def summed_bound(self, round: int) -> int | None:
        return self._summed[round] if round in self._summed else self.inner.summed_bound(round)

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Word]:
        asked = fingerprint(questions)
        line = self.log.recall(asked)
        if line is not None and self.alive:
            self._summed |= {int(k): v for k, v in line["summed"].items()}
            return {int(g): _word(word) for g, word in line["words"].items()}
        words = self.inner.ask(questions)
        said = {str(g): _plain(words[g]) for g in questions}
        if line is not None and line["words"] == said:
            return words
        if line is not None:
            self.tell("gateways answer otherwise than the log says: it is cut here")
            self.log.unrecall()
        rounds = {q.round for q in questions.values() if hasattr(q, "round")}
        summed = {str(k): self.inner.summed_bound(k) for k in sorted(rounds)}
        self.log.append({"asked": asked, "words": said, "summed": summed})
        return words


def fingerprint(questions: Mapping[int, Question]) -> str:
    """SHA-256 of what is asked of whom."""
    digest = hashlib.sha256()
    for g, question in questions.items():
        digest.update(f"{g}:".encode())
        _feed(digest, question)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    """Every value with its kind and its exact bytes."""
    digest.update(type(value).__name__.encode() + b"(")
    if is_dataclass(value):
        for f in fields(value):
            _feed(digest, getattr(value, f.name))
    elif isinstance(value, np.ndarray):
        digest.update(str(value.shape).encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        for key in sorted(value):
            _feed(digest, key)
            _feed(digest, value[key])
    else:
        digest.update(repr(value).encode())
    digest.update(b")")


def _plain(word: Word) -> dict[str, Any]:
    """A word as JSON knows it."""
    values = {f.name: getattr(word, f.name) for f in fields(word)}
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}
    return {"word": type(word).__name__, **plain}


def _word(plain: Mapping[str, Any]) -> Word:
    """The word that ``_plain`` wrote."""
    values = {k: np.array(v, dtype=np.int64) if isinstance(v, list) else v for k, v in plain.items() if k != "word"}
    word: Word = _WORDS[plain["word"]](**values)
    return word
