"""Prices with integers fixed, found in rounds: they support what was committed, as the monolith's do."""

from __future__ import annotations

import numpy as np
import pytest
from clearing_desk import Desk, in_one, in_rounds, rounding
from random_cities import city, exchange, house, random_city, same, unit

from planner.coordination import Rules, coordinate
from planner.fleet import Frank
from planner_models.words import Appliance, Generator, Load


def a_generator_that_must_run() -> object:
    """8 kWh of load, 5 from a neighbour at 100, the rest from an engine that starts for 1 and makes at least 3."""
    engine = Generator("g", 5.0, 3.0, 40.0, 1.0, 1, 1, False)
    houses = (
        house("a", unit("a.u", (Load("l", same(8, 1), 900.0),), 1)),
        house("b", unit("b.u", (engine,), 1)),
    )
    return city(houses, 1, exchanges=(exchange(1, 100.0, 20.0, 5.0),))


def test_with_the_engine_on_its_running_cost_sets_the_price_or_the_neighbours_does() -> None:
    whole = a_generator_that_must_run()
    rounds, one = in_rounds(whole, max_rounds=36, pricing="fixed_integers"), in_one(whole)
    assert rounds.objective == pytest.approx(one.objective, abs=rounding(whole))
    price = rounds.answered.prices
    assert price.converged
    assert price.zone[0, 0] == pytest.approx(one.answered.prices.zone[0, 0], abs=0.5)


@pytest.mark.parametrize("seed", [3, 5, 8, 12])
def test_supporting_prices_prove_what_was_committed(seed: int) -> None:
    """With integers fixed the commitments are nearly the best answer to their own prices."""
    whole = random_city(seed, houses=4, n=4, orders=False)
    desk = Desk(whole)
    rules = Rules(gap=1e-3, max_rounds=40, lot_wh=1, seconds_left=lambda: 60.0, fixed_integers=True)
    agreed = coordinate(desk.master, Frank(desk.gateways), rules)
    held = agreed.supported
    assert held is not None
    assert held.bound <= agreed.cost + rounding(whole)
    assert held.bound <= held.value + rounding(whole)
    assert held.bound >= held.value - 5e-3 * abs(agreed.cost) - rounding(whole)
    kinds = [r.kind for r in agreed.rounds]
    assert kinds.index("support") > max(i for i, kind in enumerate(kinds) if kind == "price")


def test_a_run_that_was_skipped_stays_skipped_at_prices_that_would_have_it() -> None:
    wash = Appliance("w", 0, 1, (1.0,), 0.05)
    whole = city((house("a", unit("a.u", (wash,), 2)),), 2, exchanges=(exchange(2, 100.0, 20.0),))
    desk = Desk(whole)
    (gateway,) = desk.gateways
    gateway.alone(0)
    assert gateway.price(1, np.array([10.0, 20.0])).lots.tolist() == [1000, 0]
    assert gateway.price_as_committed(2, np.array([10.0, 20.0])).lots.tolist() == [0, 0]
