"""What makes answers fast, against the whole MILP: sleeping columns, rounding, closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from asking import EXACT, ask, model_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cities import house, only, random_asset, random_building, same, unit

from planner_models.answer import AnsweringBuilding, Ladder
from planner_models.closed import Stays, effective_cost, generator_run, whole_surplus
from planner_models.solve import Solver, Status
from planner_models.words import Generator, Load, Vehicle

N = 6
SEEDS = st.integers(0, 10**6)
few = settings(max_examples=40, derandomize=True, deadline=None)
Rng = np.random.Generator


def some_building(seed: int) -> tuple[Rng, AnsweringBuilding]:
    rng = np.random.default_rng(seed)
    return rng, model_of(random_building(rng, "b", N), N, exclusive=False)


def some_ladders(rng: Rng) -> list[Ladder]:
    """Questions as the rounds ask them: a price (also far from the ordinary), a target, no trade, a tariff."""
    price = np.round(rng.uniform(-60, 250, N))
    near, far = Ladder.flat(price), Ladder.flat(np.round(rng.uniform(-400, 3000, N)))
    target = Ladder.target(np.round(rng.uniform(-2, 2, N), 1), price, np.full(N, 50.0))
    return [near, target, Ladder.closed(N), near, far, Ladder.tariff(price + 40, price), near]


@given(seed=SEEDS)
@few
def test_what_sleeps_wakes_when_it_matters(seed: int) -> None:
    rng, model = some_building(seed)
    whole = Solver(model.model, EXACT)
    for ladder in some_ladders(rng):
        lean = model.lp(ladder)
        model._face(whole, ladder)
        full = whole.lp()
        assert lean.objective == pytest.approx(full.objective, abs=1e-6)
        assert model._as_faced().residual(lean.x) < 1e-6, "restored columns keep every row"


@given(seed=SEEDS)
@few
def test_duals_of_a_lean_model_prove_its_value(seed: int) -> None:
    rng, model = some_building(seed)
    for ladder in some_ladders(rng):
        model._face(model.relaxed, ladder)
        found = model.relaxed.lp()
        faced, y = model._as_faced(), found.row_dual
        reduced = model.relaxed.cost - faced.matrix.T @ y
        reduced[np.abs(reduced) < 1e-7] = 0.0
        with np.errstate(invalid="ignore"):
            columns = np.where(reduced > 0, faced.lower * reduced, np.where(reduced < 0, faced.upper * reduced, 0.0))
            rows = np.where(y > 1e-9, faced.row_lower * y, np.where(y < -1e-9, faced.row_upper * y, 0.0))
        assert columns.sum() + rows.sum() == pytest.approx(found.objective, abs=1e-4)


@given(seed=SEEDS)
@few
def test_bounds_and_rounded_answers_enclose_the_best_whole_answer(seed: int) -> None:
    rng, model = some_building(seed)
    price = np.round(rng.uniform(5, 250, N))
    best = model.mip(Ladder.flat(price), 0.0, 60.0)
    said = model.at_price(price)
    assert said.objective <= said.bound + 1e-7, "whole runs never cost less than their relaxation"
    assert said.bound <= best.objective + 1e-6
    for ladder in some_ladders(rng):
        exact = model.mip(ladder, 0.0, 60.0)
        rounded = model.dive(ladder)
        if rounded is None:
            continue
        assert rounded.bound <= exact.objective + 1e-6
        assert exact.objective <= rounded.objective + 1e-6
        integers = rounded.x[model.model.integer]
        assert np.abs(integers - np.rint(integers)).max(initial=0.0) < 1e-6
        assert model._as_faced().residual(rounded.x) < 1e-6


@given(seed=SEEDS)
@few
def test_no_trade_is_found_without_branching(seed: int) -> None:
    _, model = some_building(seed)
    exact = model.mip(Ladder.closed(N), 0.0, 60.0).objective
    alone = model.alone()
    assert np.abs(alone.position_kwh).max() < 1e-6
    assert exact - 1e-6 <= alone.objective
    assert alone.objective <= model.model.cost @ model.idle + 1e-6


@given(seed=SEEDS)
@few
def test_a_stay_in_closed_form_is_the_milps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    most = float(np.round(rng.uniform(1, 4), 1))
    least = float(np.round(most * rng.uniform(0.1, 1.0), 2))
    first = int(rng.integers(0, N - 1))
    last = int(rng.integers(first + 1, N + 1))
    vehicle = Vehicle("v", first, last, float(np.round(rng.uniform(0.2, 9), 2)), most, least, 0.9, 150.0)
    price = np.round(rng.uniform(-50, 300, N), 1)
    model = model_of(only(vehicle, N), N)
    (group,) = model.model.members("vehicle")
    limit = model.model.upper[group.columns("charge")]
    numbers = [group.parameters(k)[:, 0] for k in ("min_kwh", "efficiency", "need_kwh", "shortfall_cost")]
    stays = Stays(price[None, :] / 1000, limit, *numbers)
    assert stays.whole()[0] == pytest.approx(model.mip(Ladder.flat(price), 0.0, 60.0).objective, abs=1e-6)
    assert stays.relaxed()[0] == pytest.approx(model.lp(Ladder.flat(price)).objective, abs=1e-6)


@given(seed=SEEDS)
@few
def test_a_generator_in_closed_form_is_the_milps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    engine = random_asset(rng, "generator", "g", N)
    assert isinstance(engine, Generator)
    price = np.round(rng.uniform(0, 250, N), 1)
    model = model_of(only(engine, N), N)
    (group,) = model.model.members("generator")
    if "on" not in group.template.variables:
        return
    model._face(model.relaxed, Ladder.flat(price))
    loose = model.relaxed.lp()
    cost = effective_cost(model.model, loose.row_dual)[group.columns("output")[0]]
    numbers = [float(group.parameters(k)[0, 0]) for k in ("min_kwh", "max_kwh", "start_cost")]
    value, on = generator_run(cost, *numbers, group.shape)
    exact = model.mip(Ladder.flat(price), 0.0, 60.0)
    assert value == pytest.approx(exact.objective, abs=1e-6)
    assert loose.objective == pytest.approx(exact.objective, abs=1e-6), "the convex hull needs no branching"
    assert set(np.unique(on)) <= {0, 1}


def test_whole_runs_lift_the_bound_where_a_minimum_cannot_be_split() -> None:
    # 3 kWh at 2..2.5 kW: one interval at 2.5 and a shortfall of 0.5, or two of 2 would be 4: too much.
    car = Vehicle("v", 0, 2, 3.0, 2.5, 2.0, 1.0, 900.0)
    model = model_of(only(car, 2), 2)
    price = [100.0, 110.0]
    assert model.lp(Ladder.flat(np.array(price))).objective == pytest.approx(0.25 + 0.055)
    assert model.at_price(np.array(price)).bound == pytest.approx(0.25 + 0.45)
    assert ask(only(car, 2), price).objective == pytest.approx(0.25 + 0.45)


def test_a_vehicle_is_never_offered_more_than_it_needs_nor_less_than_its_minimum() -> None:
    model = model_of(only(Vehicle("v", 0, 2, 1.0, 4.0, 1.5, 1.0, 900.0), 2), 2)
    (group,) = model.model.members("vehicle")
    assert model.model.upper[group.columns("charge")].max() == 0.0
    model = model_of(only(Vehicle("v", 0, 2, 1.8, 4.0, 1.5, 0.9, 900.0), 2), 2)
    (group,) = model.model.members("vehicle")
    assert model.model.upper[group.columns("charge")].max() == pytest.approx(2.0)


def test_a_binding_connection_is_priced_into_the_closed_forms() -> None:
    # Two cars share a connection of 4 kWh: each needs 3 kWh, at least 2 at a time; both charge, one an interval.
    cars = [unit(f"u{i}", (Vehicle(f"v{i}", 0, 2, 3.0, 3.0, 2.0, 1.0, 900.0),), 2) for i in range(2)]
    crowd = house("b", *cars, import_limit_kwh=same(4.0, 2))
    model = model_of(crowd, 2)
    price = [10.0, 100.0]
    best = ask(crowd, price)
    assert best.objective == pytest.approx(3 * 0.01 + 3 * 0.1)
    assert model.at_price(np.array(price)).bound <= best.objective + 1e-9
    assert model.lp(Ladder.flat(np.array(price))).objective == pytest.approx(4 * 0.01 + 2 * 0.1)
    model._face(model.relaxed, Ladder.flat(np.array(price)))
    assert whole_surplus(model.model, effective_cost(model.model, model.relaxed.lp().row_dual)) >= 0.0


def test_a_relaxation_without_an_answer_wakes_everything_before_it_says_so() -> None:
    # No trade: the load can only go unserved, and that column sleeps.
    model = model_of(only(Load("l", (1.0,), 500.0), 1), 1)
    assert model.lp(Ladder.closed(1)).objective == pytest.approx(0.5)
    model.relaxed.set_bounds(model.base, np.array([-9.0]), np.array([-9.0]))
    assert model.relaxed.lp().status is Status.INFEASIBLE
