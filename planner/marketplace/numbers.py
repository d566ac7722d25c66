"""Questions as integers and exact doubles: what is asked must arrive to the last bit, or bounds prove nothing.

A message holds integers and ids alone.  Prices and ladders are doubles, so they travel as the base64 of their IEEE
754 bytes, big-endian, in one field; infinite values mark what is unlimited, and nothing that is no number is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from planner.quantise import Floats
from planner.questions import Alone, BoundAt, Commit, Price, Question, Refrain, Revert, Slice
from planner.security import strict
from planner.security.refusal import Reason, Refused, require
from planner_models.answer import Ladder
from planner_models.apart import STEPS

MAX_DOUBLES = 60_000
MAX_ROUNDS = 10_000


def pack(*arrays: Any) -> str:
    """Doubles as one word."""
    flat = np.concatenate([np.asarray(a, dtype=float).ravel() for a in arrays]) if arrays else np.zeros(0)
    return strict.b64encode(flat.astype(">f8").tobytes())


def unpack(word: Any) -> Floats:
    """The doubles of a word; raises Refused."""
    data = strict.b64decode(word)
    require(len(data) % 8 == 0 and len(data) <= 8 * MAX_DOUBLES, Reason.SCHEMA)
    found = np.frombuffer(data, dtype=">f8").astype(float)
    require(not np.isnan(found).any(), Reason.SCHEMA)
    return found


def is_packed(value: Any) -> bool:
    """True for a word of doubles."""
    try:
        unpack(value)
    except Refused:
        return False
    return True


def question_body(question: Question) -> dict[str, Any]:
    """ask, whole and exact of a question."""
    match question:
        case Alone(round, binds):
            return _body("alone", [round, int(binds)])
        case Slice(round, ladder):
            return _body("slice", [round], _ladder(ladder))
        case Price(round, price, committed):
            return _body("price", [round, int(committed)], [price])
        case Commit(ladder, tolerance, weights):
            return _body("commit", list(weights), [[tolerance], list(weights.values()), *_ladder(ladder)])
        case Revert():
            return _body("revert", [])
        case Refrain():
            return _body("refrain", [])
        case BoundAt(round, price, tolerance):
            return _body("bound", [round], [price, [] if tolerance is None else [tolerance]])


def read_question(body: dict[str, Any], n: int) -> Question:
    """The question of a body, over ``n`` intervals; raises Refused where its numbers are not of its form."""
    ask, whole, exact = body["ask"], body["whole"], unpack(body["exact"])
    require(all(strict.is_integer(k, low=0, high=MAX_ROUNDS) for k in whole), Reason.SCHEMA)
    try:
        return _READERS[ask](whole, exact, n)
    except (KeyError, ValueError, IndexError):
        raise Refused(Reason.SCHEMA) from None


def _body(ask: str, whole: Sequence[int], exact: Sequence[Any] = ()) -> dict[str, Any]:
    return {"ask": ask, "whole": [int(k) for k in whole], "exact": pack(*exact)}


def _ladder(ladder: Ladder) -> list[Floats]:
    return [ladder.base, ladder.price, ladder.begins, ladder.ends]


def _read_ladder(exact: Floats, n: int) -> Ladder:
    steps, rest = divmod(len(exact) - n, 3 * n)
    require(rest == 0 and 0 < steps <= STEPS, Reason.SCHEMA)
    base, (price, begins, ends) = exact[:n], exact[n:].reshape(3, steps, n)
    require(bool(np.isfinite(base).all() and np.isfinite(price).all()), Reason.SCHEMA)
    return Ladder(base, price, begins, ends)


def _price(exact: Floats, n: int) -> Floats:
    require(len(exact) == n and bool(np.isfinite(exact).all()), Reason.SCHEMA)
    return exact


def _read_commit(whole: list[int], exact: Floats, n: int) -> Commit:
    k = len(whole)
    require(len(exact) > 1 + k and bool(exact[0] >= 0 and np.isfinite(exact[1 : 1 + k]).all()), Reason.SCHEMA)
    weights = dict(zip(whole, exact[1 : 1 + k].tolist(), strict=True))
    require(len(weights) == k, Reason.SCHEMA)
    return Commit(_read_ladder(exact[1 + k :], n), float(exact[0]), weights)


def _read_bound(whole: list[int], exact: Floats, n: int) -> BoundAt:
    (round,) = whole
    tolerance = float(exact[n]) if len(exact) == n + 1 else None
    return BoundAt(round, _price(exact[:n] if tolerance is not None else exact, n), tolerance)


def _read_alone(whole: list[int], exact: Floats, n: int) -> Alone:
    round, binds = whole
    require(len(exact) == 0 and binds <= 1, Reason.SCHEMA)
    return Alone(round, bool(binds))


def _read_slice(whole: list[int], exact: Floats, n: int) -> Slice:
    (round,) = whole
    return Slice(round, _read_ladder(exact, n))


def _read_price(whole: list[int], exact: Floats, n: int) -> Price:
    round, committed = whole
    require(committed <= 1, Reason.SCHEMA)
    return Price(round, _price(exact, n), bool(committed))


def _nothing(question: Question) -> Any:
    def read(whole: list[int], exact: Floats, n: int) -> Question:
        require(not whole and len(exact) == 0, Reason.SCHEMA)
        return question

    return read


_READERS: dict[str, Any] = {
    "alone": _read_alone,
    "slice": _read_slice,
    "price": _read_price,
    "commit": _read_commit,
    "revert": _nothing(Revert()),
    "refrain": _nothing(Refrain()),
    "bound": _read_bound,
}
