"""The stamped arrays are the nested Pyomo model that a reader sees."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo
import pytest
from asking import ask, clear
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cities import grid, only, random_building, random_city

from planner_models.whole import as_pyomo
from planner_models.words import Fees, Load

SEEDS = st.integers(0, 10**6)


def best(model: pyo.ConcreteModel) -> float:
    solver = pyo.SolverFactory("appsi_highs")
    solver.highs_options = {"mip_rel_gap": 0.0}
    solver.solve(model)
    return float(pyo.value(model.objective))


@pytest.mark.parametrize("exclusive", [False, True])
@given(seed=SEEDS)
@settings(max_examples=6, derandomize=True, deadline=None)
def test_a_building_is_its_nested_model(exclusive: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    home, fees = random_building(rng, "b", 4), Fees(8.0, 3.0)
    price = [float(p) for p in np.round(rng.uniform(-80, 250, 4))]
    stamped = ask(home, price, fees=fees, exclusive=exclusive).objective
    assert stamped == pytest.approx(best(as_pyomo(home, grid(4), fees, price, exclusive=exclusive)), abs=1e-6)


@given(seed=SEEDS)
@settings(max_examples=4, derandomize=True, deadline=None)
def test_a_building_without_trade_is_its_nested_model(seed: int) -> None:
    home = random_building(np.random.default_rng(seed), "b", 4)
    stamped = ask(home, None, 4, exclusive=False).cost
    assert stamped == pytest.approx(best(as_pyomo(home, grid(4))), abs=1e-6)


@pytest.mark.parametrize("exclusive", [False, True])
@given(seed=SEEDS)
@settings(max_examples=4, derandomize=True, deadline=None)
def test_a_city_is_its_nested_model(exclusive: bool, seed: int) -> None:
    whole = random_city(seed, houses=3, n=4, lowest=-60.0)
    assert clear(whole, exclusive)[1].objective == pytest.approx(best(as_pyomo(whole, exclusive)), abs=1e-6)


def test_the_nested_model_names_its_parts() -> None:
    whole = random_city(3, houses=2, n=4)
    m = as_pyomo(whole)
    house = whole.buildings[0]
    block = m.buildings[house.id]
    assert [u.id for u in house.units] == list(block.units.keys())
    assert block.component("C12_position") is not None
    assert block.units[house.units[0].id].assets[0].component("unserved") is not None
    assert m.component("C14_balance") is not None


def test_only_cities_and_buildings_have_models() -> None:
    with pytest.raises(TypeError, match="no model of a Load"):
        as_pyomo(Load("l", (1.0,), 300.0))


def test_the_same_numbers_of_rows_and_columns() -> None:
    """Nothing is stamped that is not written, and nothing written is lost."""
    home = only(Load("l", (1.0, 2.0), 300.0, 0.5, 100.0), 2, import_limit_kwh=(1.0, 1.0))
    m = as_pyomo(home, grid(2), Fees(), [100, 100])
    written = {v.parent_component().local_name for v in m.component_data_objects(pyo.Var)}
    assert written == {"unserved", "curtailed", "requested", "offered", "flow"}
