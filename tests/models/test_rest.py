"""A building that rests without its model between questions goes on exactly where it stood."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from random_cities import random_city

from planner_models.answer import Answer, AnsweringBuilding, Ladder
from planner_models.solve import Options, Standing

OPTIONS = Options(gap=1e-6, time_limit_s=20.0)


def questions(n: int) -> list[Callable[[AnsweringBuilding], Answer]]:
    """No trade, slices, prices, a commitment, and a price with its runs held."""
    rng = np.random.default_rng(0)
    prices = [rng.uniform(-20, 150, n) for _ in range(4)]
    tariff = Ladder.tariff(np.full(n, 120.0), np.full(n, 30.0))
    return [
        AnsweringBuilding.alone,
        lambda b: b.lp(tariff.scaled(0.5)),
        *(lambda b, p=p: b.at_price(p) for p in prices),
        lambda b: b.whole(tariff, 1e-4, 20.0),
        *(lambda b, p=p: b.at_price(p) for p in reversed(prices)),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_who_rests_after_every_question_answers_as_who_never_does(seed: int) -> None:
    city = random_city(seed, houses=2, n=6)
    for building in city.buildings:
        stays, rests = (AnsweringBuilding(building, city.grid, city.fees, OPTIONS) for _ in range(2))
        for ask in questions(len(city.grid)):
            rests.wake(None)
            same(ask(stays), ask(rests))
            same(stays.relaxed.standing, rests.relaxed.standing)
            assert stays.last_x.tobytes() == rests.last_x.tobytes()
            rests.rest()
            assert not hasattr(rests, "model")
        assert rests.seconds > 0


def same(one: Answer | Standing, other: Answer | Standing) -> None:
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "basis":
            a, b = (None if basis is None else status(basis) for basis in (a, b))
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, field.name


def status(basis: object) -> tuple[list[object], list[object]]:
    return list(basis.col_status), list(basis.row_status)  # type: ignore[attr-defined]


def test_an_exclusive_building_stays_exclusive() -> None:
    city = random_city(1, houses=1, n=4)
    building = AnsweringBuilding(city.buildings[0], city.grid, city.fees, OPTIONS)
    building.make_exclusive()
    columns = len(building.model.cost)
    building.rest()
    building.wake(None)
    assert building.exclusive
    assert len(building.model.cost) == columns


def test_what_is_held_stays_held() -> None:
    city = random_city(2, houses=1, n=4)
    building = AnsweringBuilding(city.buildings[0], city.grid, city.fees, OPTIONS)
    alone = building.alone()
    building.hold(alone.x)
    price = np.full(4, 60.0)
    before = building.at_price(price)
    building.rest()
    building.wake(None)
    assert np.array_equal(building.at_price(price).x, before.x)
