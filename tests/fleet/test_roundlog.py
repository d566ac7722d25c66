"""A clear that is cut off goes on to what it would have been."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clearing_desk import Desk
from random_cities import random_city

from planner.answered import Answered
from planner.decentralised import clear_in_rounds
from planner.fleet import Fleet, Frank, Spent
from planner.ledger import RoundLog
from planner.ledger.folder import LOG
from planner.questions import Commit, Price, Refrain, Slice
from planner.roundlog import Remembering, fingerprint
from planner_models.answer import Ladder
from planner_models.words import Locality

CITY = random_city(3, houses=3, n=4, kinds=("load", "plant", "battery", "vehicle"))


class KilledError(Exception):
    """The marketplace is gone."""


class Mortal:
    """A fleet of which the marketplace survives ``lives`` questions; ``asked`` counts them."""

    def __init__(self, inner: Fleet, lives: int = 10**9) -> None:
        self.inner, self.lives, self.asked = inner, lives, 0
        self.groups, self.kept, self.summed_bound = inner.groups, inner.kept, inner.summed_bound

    @property
    def spent(self) -> Spent:
        return Spent()

    def ask(self, questions):
        if self.asked == self.lives:
            raise KilledError
        self.asked += 1
        return self.inner.ask(questions)


def cleared(desk: Desk, fleet: Fleet) -> Answered:
    return clear_in_rounds(
        desk.master, fleet, 1, 1e-3, max_rounds=8, locality=Locality.NETTING, tick=0.01, seconds_left=lambda: 60.0
    )


def same(one: Answered, other: Answered) -> None:
    assert one.rounds.equals(other.rounds)
    assert (one.bound, dict(one.proven)) == (other.bound, dict(other.proven))
    for name, schedule in one.schedules.items():
        assert np.array_equal(schedule.position_wh, other.schedules[name].position_wh)


@pytest.fixture(scope="module")
def whole() -> tuple[Answered, int]:
    desk = Desk(CITY)
    fleet = Mortal(Frank(desk.gateways))
    return cleared(desk, fleet), fleet.asked


@pytest.mark.parametrize("lives", [0, 1, 3, 5, 7, 8])
def test_gateways_that_went_down_too_answer_again(lives: int, whole: tuple[Answered, int], tmp_path: Path) -> None:
    said: list[str] = []
    desk = Desk(CITY)
    assert lives < whole[1]
    with pytest.raises(KilledError):
        cleared(desk, Remembering(Mortal(Frank(desk.gateways), lives), RoundLog(tmp_path, "a"), False, said.append))
    desk, log = Desk(CITY), RoundLog(tmp_path, "a")
    assert log.found == lives
    same(cleared(desk, Remembering(Frank(desk.gateways), log, False, said.append)), whole[0])
    assert said == []


@pytest.mark.parametrize("lives", [1, 4, 7])
def test_gateways_that_are_still_there_are_not_asked_again(
    lives: int, whole: tuple[Answered, int], tmp_path: Path
) -> None:
    gateways = Frank(Desk(CITY).gateways)
    with pytest.raises(KilledError):
        cleared(Desk(CITY), Remembering(Mortal(gateways, lives), RoundLog(tmp_path, "a"), True, print))
    fleet = Mortal(gateways)
    same(cleared(Desk(CITY), Remembering(fleet, RoundLog(tmp_path, "a"), True, print)), whole[0])
    assert fleet.asked == whole[1] - lives


def test_another_clear_or_a_torn_line_or_another_answer_is_no_memory(
    whole: tuple[Answered, int], tmp_path: Path
) -> None:
    desk = Desk(CITY)
    cleared(desk, Remembering(Frank(desk.gateways), RoundLog(tmp_path, "a"), False, print))
    path = tmp_path / LOG
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:20])
    assert RoundLog(tmp_path, "a").found == 3
    spoilt = json.loads(lines[2])
    spoilt["words"]["0"]["cost_micro"] += 1
    path.write_bytes(b"".join([*lines[:2], json.dumps(spoilt).encode() + b"\n", *lines[3:]]))
    said: list[str] = []
    desk = Desk(CITY)
    same(cleared(desk, Remembering(Frank(desk.gateways), RoundLog(tmp_path, "a"), False, said.append)), whole[0])
    assert len(said) == 1
    assert len(path.read_bytes().splitlines()) == len(lines)
    assert RoundLog(tmp_path, "b").found == 0


def test_a_fingerprint_tells_every_part_of_a_question() -> None:
    flat, price = Ladder.flat(np.ones(2)), np.ones(2)
    questions = [
        {0: Price(1, price)},
        {1: Price(1, price)},
        {0: Price(2, price)},
        {0: Price(1, price + 1e-15)},
        {0: Slice(1, flat)},
        {0: Commit(flat, np.inf)},
        {0: Commit(flat, 1.0)},
        {0: Commit(flat, 1.0, {1: 0.5, 2: 0.5})},
        {0: Commit(flat, 1.0, {1: 0.4, 2: 0.6})},
        {0: Refrain()},
        {0: Refrain(), 1: Refrain()},
    ]
    assert len({fingerprint(q) for q in questions}) == len(questions)
