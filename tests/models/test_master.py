"""The marketplace's side of the rounds: its dual function, what bounds it, and the master over answers."""

from __future__ import annotations

import numpy as np
import pytest
from asking import EXACT
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cities import city, exchange, random_city

from planner_models.marketplace import MarketModel, build_marketplace
from planner_models.master import Column, Master
from planner_models.words import City, Feeder, Line

SEEDS = st.integers(0, 10**6)
few = settings(max_examples=6, derandomize=True, deadline=None)


def master_of(whole: City) -> Master:
    return Master(build_marketplace(whole), [(b.zone, tuple(sorted(b.feeders))) for b in whole.buildings], EXACT)


def some(seed: int) -> tuple[Master, list[np.ndarray]]:
    """A market without blocks, and positions that its feeder allows."""
    whole = random_city(seed, houses=3, n=4)
    rng = np.random.default_rng(seed)
    return master_of(City(**{f: getattr(whole, f) for f in whole.__dataclass_fields__} | {"blocks": ()})), [
        np.round(rng.uniform(-0.9, 0.9, 4), 3) for _ in range(3)
    ]


def priced(master: Master, y: np.ndarray, positions: list[np.ndarray]) -> float:
    """market(y) and what the groups pay for their positions: a lower bound of the dispatch for any y."""
    paid = sum(float(master.node_price(y, g) @ q) for g, q in enumerate(positions)) / 1000
    return master.market_value(y) + paid


@given(seed=SEEDS)
@few
def test_the_market_at_any_multipliers_is_below_its_dispatch(seed: int) -> None:
    master, positions = some(seed)
    rng = np.random.default_rng(seed)
    found = master.dispatch(positions, 60.0, 0.0)
    best = found.objective
    for scale in (0.001, 0.01, 0.3, 20.0):
        y = master.clip(found.row_dual + rng.normal(0, scale, len(master.market.row_lower)))
        value = priced(master, y, positions)
        assert np.isfinite(value)
        assert value <= best + 1e-6


@given(seed=SEEDS)
@few
def test_the_right_multipliers_prove_the_dispatch(seed: int) -> None:
    master, positions = some(seed)
    found = master.dispatch(positions, 60.0, 0.0)
    y = master.clip(found.row_dual)
    assert priced(master, y, positions) == pytest.approx(found.objective, abs=1e-6)


def test_clip_keeps_prices_where_no_unlimited_step_runs_away() -> None:
    master = master_of(city((), 2, exchanges=(exchange(2, (100, 90), (50, 40)),)))
    market = master.market
    far = np.zeros(len(market.row_lower))
    for price, expected in ((900.0, [100, 90]), (-900.0, [50, 40]), (70.0, [70, 70])):
        far[market.balance_rows[0]] = -price / 1000 * signs(market)
        y = master.clip(far)
        assert master.zone_price(y, "z") == pytest.approx(expected)
        assert np.isfinite(master.market_value(y))
    assert master.market_value(far * 0 - signs(market)[0] * 0.9) == -np.inf


def signs(market: MarketModel) -> np.ndarray:
    return np.array([market.socket[row, t] for t, row in enumerate(market.balance_rows[0])])


def test_clip_keeps_prices_between_floor_and_cap_and_feeders_one_sided() -> None:
    feeder = Feeder("f", "z", (2.0,), (np.inf,), (0.0,))
    master = master_of(city((), 1, exchanges=(), feeders=(feeder,)))
    for size in (1e3, -1e3):
        y = master.clip(np.full(len(master.market.row_lower), size))
        assert -500 - 1e-9 <= master.zone_price(y, "z")[0] <= 4000 + 1e-9
        assert np.isfinite(master.market_value(y))
    assert np.array_equal(master.clip(y), y)


def test_a_node_price_is_its_zones_and_its_feeders() -> None:
    whole = random_city(1, houses=3, n=4)
    master = master_of(whole)
    y = np.random.default_rng(1).normal(size=len(master.market.row_lower))
    inside, outside = master.sites.index(("east", ("street",))), master.sites.index(("west", ()))
    assert np.allclose(master.node_price(y, outside), master.zone_price(y, "west"))
    assert not np.allclose(master.node_price(y, inside), master.zone_price(y, "east"))


def test_the_master_weighs_answers_and_costs_what_the_market_then_costs() -> None:
    """Two answers of one group, 0 and 2 kWh, and a neighbour that sells 1 kWh at 100: half of each."""
    master = Master(build_marketplace(city((), 1, exchanges=(exchange(1, 100, 50, 1.0),))), [("z", ())], EXACT)
    master.columns += [Column(0, np.array([0.0]), 0.6, 0), Column(0, np.array([2.0]), 0.0, 1)]
    blend = master.blend()
    assert blend.weights == pytest.approx([0.5, 0.5])
    assert blend.value == pytest.approx(0.5 * 0.6 + 0.1)
    # the price at which both answers are worth the same: 2 kWh for 0.6
    assert master.zone_price(blend.multipliers, "z") == pytest.approx([300.0])


def test_flow_beyond_a_limit_is_bought_until_it_is_too_dear() -> None:
    """Answers 0 kWh for 20 and 2 kWh for 0 below a feeder of 1 kWh; energy costs 0.1, flow beyond the limit 4.5 a kWh.

    Paying for 1 kWh beyond is best, 4.7 in all, and prices the node at 4.6.  Four times as dear it is not: half of
    each answer, and the price at which both are worth the same.
    """
    street = Feeder("f", "z", (1.0,), (1.0,), (0.0,))
    market = build_marketplace(city((), 1, exchanges=(exchange(1, 100, 50),), feeders=(street,)))
    master = Master(market, [("z", ("f",))], EXACT)
    master.columns += [Column(0, np.array([0.0]), 20.0, 0), Column(0, np.array([2.0]), 0.0, 1)]
    cheap = master.blend(soft=True)
    assert cheap.overdrawn
    assert cheap.value == pytest.approx(4.7)
    assert master.node_price(cheap.multipliers, 0) == pytest.approx([4600.0])
    assert master.node_price(master.clip(10 * cheap.multipliers), 0) == pytest.approx([4600.0])
    master.stiffen()
    dear, hard = master.blend(soft=True), master.blend()
    assert not dear.overdrawn
    assert dear.value == pytest.approx(hard.value) == pytest.approx(10.1)
    assert master.node_price(dear.multipliers, 0) == pytest.approx([10_000.0])


def test_the_level_step_stays_where_the_model_promises_enough() -> None:
    master = Master(build_marketplace(city((), 1, exchanges=(exchange(1, 100, 50, 1.0),))), [("z", ())], EXACT)
    master.columns += [Column(0, np.array([0.0]), 0.6, 0), Column(0, np.array([2.0]), 0.0, 1)]
    best = master.blend()
    centre = master.clip(0.2 * best.multipliers)
    level = best.value - 0.05
    found = master.level_step(centre, level)
    assert found is not None
    price = master.zone_price(found, "z")[0] / 1000
    promise = min(0.6, 2 * price) + master.market_value(found)
    assert promise == pytest.approx(level, abs=1e-5)  # the nearest point lies on the level
    assert master.level_step(centre, best.value + 0.1) is None


def test_a_smooth_step_keeps_the_mean_and_a_twenty_first_of_the_change() -> None:
    """Where every price is promised enough, d^2 + 0.1 (d - 210)^2 / 2 is least at d = 10."""
    master = Master(build_marketplace(city((), 2, exchanges=())), [("z", ())], EXACT)
    master.columns += [Column(0, np.zeros(2), 0.6, 0)]
    centre = np.zeros(len(master.market.row_lower))
    centre[master.market.balance_rows[0]] = -np.array([0.1, 0.31]) * signs(master.market)
    level = master.market_value(centre) - 1000.0
    for smooth, expected in ((False, [100, 310]), (True, [200, 210])):
        found = master.level_step(centre, level, smooth)
        assert found is not None
        assert master.zone_price(found, "z") == pytest.approx(expected, abs=0.01)


def test_positions_reach_their_zone_and_every_feeder_above() -> None:
    feeders = (Feeder("f", "a", (5.0,), (5.0,), (0.0,)), Feeder("g", "a", (5.0,), (5.0,), (0.0,)))
    tie = Line("t", "a", "b", (9.0,), (9.0,))
    market = build_marketplace(city((), 1, zones=("a", "b"), exchanges=(), feeders=feeders, lines=(tie,)))
    rows = [market.row_names[i].split("[")[1] for i in market.gather("a", ("f", "g")).tocoo().row]
    assert sorted(rows) == ["a,0]", "f,0]", "g,0]"]
    assert [market.row_names[i] for i in market.gather("b", ()).tocoo().row] == ["C14_balance[b,0]"]
