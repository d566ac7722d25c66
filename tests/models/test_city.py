"""The city in one MILP against an independent MILP, its pieces, and what no trade and locality leave of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from asking import EXACT, clear, optimum
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_cities import KINDS, city, exchange, only, random_building, random_city
from reference_milp import city_optimum, write_city

from planner_models.city import build_city, pieces_of, solve_pieces
from planner_models.locality import freeze
from planner_models.solve import Options, Solution, Solver, Status
from planner_models.words import Battery, BlockOrder, Building, City, Fees, Load, Plant, Side

SEEDS = st.integers(0, 10**6)
UNCOUPLED = ("load", "plant")


@pytest.mark.parametrize("lowest", [5.0, -80.0])
@given(seed=SEEDS)
@example(seed=100)
@example(seed=11)
@settings(max_examples=7, derandomize=True, deadline=None)
def test_a_city_costs_what_the_reference_says(lowest: float, seed: int) -> None:
    whole = random_city(seed, houses=2 + seed % 3, n=4 + seed % 5, lowest=lowest)
    assert optimum(whole) == pytest.approx(city_optimum(whole), abs=2e-6)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_city_of_one_kind_of_asset_costs_what_the_reference_says(kind: str) -> None:
    for seed in (1, 2):
        whole = random_city(seed, houses=2, n=5, kinds=("load", kind))
        assert optimum(whole) == pytest.approx(city_optimum(whole), abs=2e-6)


@given(seed=SEEDS)
@settings(max_examples=4, derandomize=True, deadline=None)
def test_the_relaxation_bounds_the_city(seed: int) -> None:
    whole = random_city(seed)
    model = build_city(whole)
    assert Solver(model.model, EXACT).lp().objective <= city_optimum(whole) + 1e-6


def test_directions_are_binary_where_energy_is_worth_less_than_nothing() -> None:
    """Somewhere the relaxed directions would be paid for burning energy; the exclusive model never is."""
    cheaper = 0
    for seed in (4, 6, 11):
        whole = random_city(seed, houses=2 + seed % 3, n=4 + seed % 3, lowest=-60.0)
        best = city_optimum(whole)
        loose = optimum(whole, exclusive=False)
        assert optimum(whole) == pytest.approx(best, abs=2e-6)
        assert loose <= best + 1e-6
        cheaper += loose < best - 1e-3
    assert cheaper


# --- pieces --------------------------------------------------------------------------------------------------------


def simple(seed: int, n: int) -> City:
    return replace(random_city(seed, n=n, kinds=UNCOUPLED), blocks=())


@given(seed=SEEDS)
@settings(max_examples=5, derandomize=True, deadline=None)
def test_without_storage_the_clear_falls_into_its_intervals(seed: int) -> None:
    whole = simple(seed, 5)
    model = build_city(whole)
    solution, pieces = solve_pieces(model.model, EXACT)
    assert [(p.first_interval, p.last_interval) for p in pieces] == [(t, t) for t in range(1, 6)]
    together = Solver(model.model, EXACT).mip()
    assert solution.objective == pytest.approx(together.objective, abs=1e-7)
    assert solution.bound == pytest.approx(together.bound, abs=1e-6)
    assert model.model.residual(solution.x) < 1e-6


def test_pieces_share_no_row_and_leave_none_out() -> None:
    model = build_city(simple(5, 4)).model
    parts = pieces_of(model)
    rows, columns = (np.concatenate([part[k] for part in parts]) for k in (1, 0))
    assert sorted(rows.tolist()) == list(range(model.matrix.shape[0]))
    assert sorted(columns.tolist()) == list(range(model.matrix.shape[1]))
    for mine, here in parts:
        outside = np.setdiff1d(np.arange(model.matrix.shape[1]), mine)
        assert model.matrix[here][:, outside].nnz == 0


def test_one_battery_couples_the_day_and_a_block_its_own_intervals() -> None:
    whole = simple(2, 4)
    cell = only(Battery("c", 2.0, 1.0, 1.0), 4)
    stored = replace(whole, buildings=(*whole.buildings, replace(cell, zone="east")))
    assert len(pieces_of(build_city(stored).model)) == 1
    block = BlockOrder("k", (9, 10), "east", Side.SELL, (1, 2), (1.0, 1.0), 60.0)
    spans = solve_pieces(build_city(replace(whole, blocks=(block,))).model, EXACT)[1]
    assert [(p.first_interval, p.last_interval) for p in spans] == [(1, 1), (2, 3), (4, 4)]


def test_a_piece_without_an_answer_leaves_no_bound_that_its_successors_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not solved may earn money: nothing is proven about it."""
    whole = city((only(Plant("p", (1.0, 2.0, 3.0)), 3),), 3)
    best = optimum(whole)
    assert best == pytest.approx(-0.05 * 6)

    def out_of_time(self: Solver) -> Solution:
        found = self.lp()
        return replace(found, status=Status.NO_ANSWER, x=np.empty(0), objective=np.inf)

    monkeypatch.setattr(Solver, "mip", out_of_time)
    assert solve_pieces(build_city(whole).model, EXACT)[0].bound <= best + 1e-9


def test_a_single_interval_is_one_piece() -> None:
    whole = city((only(Load("l", (1.0,), 300.0), 1),), 1)
    solution, pieces = solve_pieces(build_city(whole).model, EXACT)
    assert [(p.first_interval, p.last_interval, p.status) for p in pieces] == [(1, 1, "optimal")]
    assert solution.objective == pytest.approx(0.1)


# --- no trade and locality -----------------------------------------------------------------------------------------


@given(seed=SEEDS)
@settings(max_examples=4, derandomize=True, deadline=None)
def test_trade_is_never_worse_than_none(seed: int) -> None:
    whole = random_city(seed)
    alone = write_city(whole, closed=True).solve()[0]
    assert optimum(whole) <= alone + 1e-6


def strict_cost(whole: City) -> float:
    """Every building without trade first; what it did stands (formulation 6)."""
    from asking import model_of

    from planner_models.answer import Ladder

    alone = []
    for b in whole.buildings:
        model = model_of(b, len(whole.grid), whole.fees)
        alone.append((model.model, model.mip(Ladder.closed(len(whole.grid)), 0.0, 60.0).x))
    model = build_city(whole, True)
    frozen = freeze(model.model, model.market_columns, alone)
    solution, _ = solve_pieces(frozen, Options(gap=1e-9))
    assert solution.has_answer, solution.status
    return solution.objective


@given(seed=SEEDS)
@settings(max_examples=5, derandomize=True, deadline=None)
def test_strict_never_beats_netting_and_joint_never_loses(seed: int) -> None:
    whole = random_city(seed)
    model, netting = clear(whole)
    alone = write_city(whole, closed=True).solve()[0]
    strict = strict_cost(whole)
    assert netting.objective - 1e-6 <= strict <= alone + 1e-6
    q = model.positions(netting.x)
    fees = (whole.fees.market_buy_per_mwh * np.maximum(q, 0) + whole.fees.market_sell_per_mwh * np.maximum(-q, 0)).sum()
    assert optimum(replace(whole, fees=Fees())) <= netting.objective - fees / 1000 + 1e-6


def test_no_building_buys_and_sells_at_once() -> None:
    whole = replace(random_city(8), fees=Fees(8.0, 3.0))
    model, solution = clear(whole)
    x = model.buildings_part(solution.x)
    for group in model.model.members("building"):
        both = np.minimum(x[group.columns("requested")], x[group.columns("offered")])
        assert both.max() < 1e-6


def test_a_building_without_units_assets_or_trade_costs_nothing() -> None:
    rng = np.random.default_rng(1)
    empty = replace(random_building(rng, "b", 3, kinds=()), zone="z")
    whole = city((empty,), 3, exchanges=(exchange(3, 100, 0),))
    assert optimum(whole) == pytest.approx(city_optimum(whole), abs=1e-6)


def test_names_of_the_citys_columns_reach_their_buildings() -> None:
    whole = city((Building("b", "z", only(Load("l", (1.0,), 300.0), 1).units),), 1)
    model = build_city(whole)
    columns = {model.model.column_name(j) for j in range(model.model.matrix.shape[1] - model.market_columns)}
    assert "unserved[0] of b/u/l/0" in columns
