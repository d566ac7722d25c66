"""The answer that always exists, and a solver that says what it was given."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import EXACT, ask, model_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cities import grid, only, random_building
from scipy import sparse

from planner_models.answer import AnsweringBuilding, Ladder
from planner_models.linear import LinearModel
from planner_models.solve import Options, Solver, Status
from planner_models.words import Fees, Load, Plant

SEEDS = st.integers(0, 10**6)


@pytest.mark.parametrize("exclusive", [False, True])
@given(seed=SEEDS)
@settings(max_examples=8, derandomize=True, deadline=None)
def test_standing_still_keeps_every_rule(exclusive: bool, seed: int) -> None:
    home = random_building(np.random.default_rng(seed), "b", 5)
    model = model_of(home, 5, Fees(8.0, 3.0), exclusive=exclusive)
    assert model.model.residual(model.idle) < 1e-9
    assert np.abs(model.stamped.position.of(model.idle)).max() < 1e-9


def test_there_is_an_answer_at_any_time_limit() -> None:
    home = random_building(np.random.default_rng(3), "b", 5)
    model = AnsweringBuilding(home, grid(5), Fees(), Options(time_limit_s=0.0))
    answer = model.mip(Ladder.flat(np.full(5, 100.0)), 0.0, 0.0)
    assert model.model.residual(answer.x) < 1e-6


@given(seed=SEEDS)
@settings(max_examples=6, derandomize=True, deadline=None)
def test_a_ladder_of_one_price_is_that_price_wherever_its_base_lies(seed: int) -> None:
    """Questions follow each other in one warm solver; the answer to a price is the same around any base."""
    rng = np.random.default_rng(seed)
    home, price = random_building(rng, "b", 4), np.round(rng.uniform(-60, 200, 4))
    model = model_of(home, 4)
    base = np.round(rng.uniform(-2, 2, 4), 3)
    model.mip(Ladder.closed(4), 0.0, 60.0)
    around = model.mip(replace(Ladder.flat(price), base=base), 0.0, 60.0)
    flat = ask(home, price.tolist())
    assert around.objective + float(price @ base) / 1000 == pytest.approx(flat.objective, abs=1e-6)


def test_a_ladder_serves_its_steps_in_order_from_any_base() -> None:
    """Steps of 2 kWh at 50 and any at 100: 3 kWh cost 0.2, and 0.05 less where one of them is the base already."""
    home = only(Load("l", (3.0,), 300.0), 1)
    far = np.inf
    ladder = Ladder(np.zeros(1), np.array([[50.0], [100.0]]), np.array([[0.0], [2.0]]), np.array([[2.0], [far]]))
    model = model_of(home, 1)
    assert model.mip(ladder, 0.0, 60.0).objective == pytest.approx(0.2)
    moved = ladder.around(np.array([1.0]), np.array([1.0]))
    assert model.mip(moved, 0.0, 60.0).objective == pytest.approx(0.15)
    stepped_down = ladder.around(np.array([5.0]), np.array([5.0]))
    assert model.mip(stepped_down, 0.0, 60.0).objective == pytest.approx(-0.2)


def test_the_local_price_is_the_value_of_one_more_kwh() -> None:
    home = only(Load("l", (3.0,), 300.0), 1)
    model = model_of(home, 1, exclusive=False)
    assert model.lp(Ladder.closed(1)).price == pytest.approx([300.0])
    assert model.lp(Ladder.flat(np.array([70.0]))).price == pytest.approx([70.0])


def test_holding_an_answer_survives_the_direction_binaries() -> None:
    """Strict locality stands also where a later question needs the binaries (C5)."""
    home = only(Load("l", (1.0,), 300.0), 1)
    sunny = replace(home, units=(replace(home.units[0], assets=(*home.units[0].assets, Plant("p", (1.0,)))),))
    model = model_of(sunny, 1, exclusive=False)
    alone = model.mip(Ladder.closed(1), 0.0, 60.0)
    model.hold(alone.x)
    model.make_exclusive()
    # the load that was served from the roof is not given up for a price of 900
    assert model.mip(Ladder.flat(np.array([900.0])), 0.0, 60.0).position_kwh == pytest.approx([0.0])


def test_a_bound_is_what_was_proven_not_what_was_found() -> None:
    """An early stop leaves a gap: the bound stays below the exact optimum, the answer above it."""
    rng = np.random.default_rng(5)
    worth, weight = rng.integers(20, 90, 40).astype(float), rng.integers(10, 60, (3, 40)).astype(float)
    knapsack = LinearModel(
        matrix=sparse.csc_matrix(weight),
        row_lower=np.full(3, -np.inf),
        row_upper=weight.sum(axis=1) / 3,
        cost=-worth,
        lower=np.zeros(40),
        upper=np.ones(40),
        integer=np.ones(40, dtype=bool),
        groups=(),
        column_interval=np.full(40, -1),
    )
    early, exact = Solver(knapsack, EXACT).mip(gap=0.3), Solver(knapsack, EXACT).mip(gap=0.0)
    assert exact.bound == pytest.approx(exact.objective, abs=1e-6)
    assert early.bound <= exact.objective + 1e-6 <= early.objective + 2e-6
    assert early.bound < early.objective - 1e-3


def test_bounds_that_cross_have_no_answer() -> None:
    """No column is quietly set to one of two ends that contradict each other."""
    model = model_of(only(Load("l", (1.0,), 300.0), 1), 1).model
    lower = model.lower.copy()
    column = model.members("load")[0].columns("unserved")[0, 0]
    lower[column] = model.upper[column] + 1.0
    assert Solver(replace(model, lower=lower), EXACT).lp().status is Status.INFEASIBLE


def test_a_solver_keeps_to_the_columns_that_the_data_fix() -> None:
    model: LinearModel = model_of(only(Load("l", (0.0, 2.0), 300.0), 2), 2).model
    found = Solver(model, EXACT).lp()
    assert found.status is Status.OPTIMAL
    assert model.residual(found.x) < 1e-9


def test_the_first_solver_of_a_process_says_nothing() -> None:
    """HiGHS greets whoever makes its first solver; a command's words are the command's own."""
    code = (
        "import numpy as np; from scipy import sparse; from planner_models.linear import LinearModel;"
        "from planner_models.solve import Solver; one = np.ones(1);"
        "Solver(LinearModel(sparse.csc_matrix([[1.0]]), one, one, one, 0 * one, one, one > 2, (), np.zeros(1)))"
    )
    where = os.pathsep.join(str(Path(__file__).parents[2] / part) for part in (".", "models"))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": where}
    )
    assert (done.stdout, done.stderr) == ("", "")
