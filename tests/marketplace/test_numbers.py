"""Questions travel to the last bit, and nothing that is no question is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.marketplace.cohort import Part
from planner.marketplace.numbers import is_packed, pack, question_body, read_question, unpack
from planner.questions import Alone, BoundAt, Commit, Price, Question, Refrain, Revert, Slice
from planner.security import strict
from planner.security.refusal import Refused
from planner_models.answer import Ladder

N = 3
doubles = st.lists(st.floats(allow_nan=False), max_size=9)
finite = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=N, max_size=N).map(np.array)


@given(doubles)
def test_doubles_arrive_to_the_last_bit(values: list[float]) -> None:
    found = unpack(pack(values))
    assert found.tobytes() == np.array(values, dtype=float).tobytes()


def ladder(base: np.ndarray, steps: int) -> Ladder:
    edges = np.array([-np.inf, *np.arange(steps - 1) / 8, np.inf])
    grid = np.repeat(edges[:, None], N, axis=1)
    return Ladder(base, np.full((steps, N), 0.1) * np.arange(1, steps + 1)[:, None], grid[:-1], grid[1:])


def same(one: object, other: object) -> bool:
    """Equal in every field, arrays to the last bit."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.shape == other.shape and one.tobytes() == other.tobytes()
    if hasattr(one, "__dataclass_fields__"):
        fields = one.__dataclass_fields__
        return type(one) is type(other) and all(same(getattr(one, f), getattr(other, f)) for f in fields)
    return one == other


@given(base=finite, steps=st.integers(1, 8), round=st.integers(0, 99), tolerance=st.sampled_from([0.0, 0.3, np.inf]))
def test_every_question_comes_back(base: np.ndarray, steps: int, round: int, tolerance: float) -> None:
    asked: list[Question] = [
        *(Alone(round), Alone(round, True), Slice(round, ladder(base, steps)), Price(round, base)),
        *(Commit(ladder(base, steps), tolerance), Commit(ladder(base, steps), tolerance, {1: 0.25, 7: 0.75})),
        *(Revert(), Refrain(), BoundAt(round, base), BoundAt(round, base, 0.5)),
    ]
    for question in asked:
        body = strict.loads(strict.dumps(question_body(question)))
        assert same(read_question(body, N), question), question


GOOD = question_body(Price(4, np.array([1.0, 2.0, 3.0])))


@pytest.mark.parametrize(
    "changed",
    [
        {"ask": "meters"},
        {"ask": "slice"},
        {"whole": []},
        {"whole": [-1]},
        {"whole": [True]},
        {"whole": [10**9]},
        {"exact": pack([1.0, 2.0])},
        {"exact": pack([1.0, 2.0, np.inf])},
        {"exact": "AAAA"},
    ],
)
def test_what_is_no_question_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(Refused):
        read_question({**GOOD, **changed}, N)


def test_no_number_is_no_word() -> None:
    nan = strict.b64encode(np.array([np.nan], dtype=">f8").tobytes())
    assert is_packed(pack([1.0, np.inf]))
    assert not is_packed(nan)
    assert not is_packed("AAAA")
    assert not is_packed(7)


def test_parts_come_back_and_crooked_ones_do_not() -> None:
    part = Part(np.array([0.1, 0.2, 0.3]), 4.5, -np.inf, np.array([[1, 2, 3], [-4, 5, 6]]))
    body = strict.loads(strict.dumps(part.body()))
    assert same(Part.read(body, N), part)
    for wrong in (
        {"whole": body["whole"][:-1]},
        {"whole": []},
        {"exact": pack([1.0])},
        {"whole": [1, *body["whole"][1:]]},
    ):
        with pytest.raises(Refused):
            Part.read({**body, **wrong}, N)
