"""Constructed conflicts are named in words, and what has an answer is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from asking import EXACT, model_of
from random_cities import city, exchange, house, only, random_city, unit

from planner_models.city import CityModel, build_city
from planner_models.explain import (
    COLUMNS,
    MARKET_COLUMNS,
    WORDS,
    Conflict,
    Infeasible,
    InfeasibleError,
    conflicting_rules,
)
from planner_models.linear import LinearModel
from planner_models.solve import SolveError, Solver, Status
from planner_models.words import BlockOrder, Building, Feeder, Load, Side, Vehicle


def load(kwh: float = 1.0, n: int = 1) -> Load:
    return Load("l", (kwh,) * n, 300.0)


def told(model: LinearModel, whole: CityModel | None = None) -> list[str]:
    return [str(c) for c in conflicting_rules(model, EXACT, whole.market if whole else None)]


def pinned(model: LinearModel, family: str, variable: str, value: float) -> LinearModel:
    """The model with a variable frozen."""
    lower, upper = model.lower.copy(), model.upper.copy()
    for group in model.members(family):
        columns = group.columns(variable).ravel()
        lower[columns] = upper[columns] = value
    return replace(model, lower=lower, upper=upper)


def test_what_has_an_answer_has_no_conflict() -> None:
    whole = build_city(random_city(3, houses=2, n=4), True)
    assert told(whole.model, whole) == []


def test_a_use_that_may_not_fall_and_a_connection_too_small_for_it() -> None:
    home = only(load(10.0, 3), 3, import_limit_kwh=(20.0, 4.0, 20.0))
    frozen = pinned(model_of(home, 3).model, "load", "unserved", 0.0)
    assert Solver(frozen, EXACT).lp().status is Status.INFEASIBLE
    words = told(frozen)
    assert words[0] == "connection limit of building b in interval 2 (C13), short by 6.000"
    assert "load to be served by load l of unit u of building b in interval 2 (C2)" in words
    assert not any("interval 1" in w or "interval 3" in w for w in words)


def test_a_unit_limit_against_a_frozen_use() -> None:
    home = house("b", unit("flat", (load(5.0),), 1, import_limit_kwh=(2.0,)), unit("shop", (), 1))
    words = told(pinned(model_of(home, 1).model, "load", "unserved", 0.0))
    assert words[0] == "import and export limits of unit flat of building b in interval 1 (C10), short by 3.000"
    assert not any("shop" in w for w in words)


def test_unit_limits_that_contradict_each_other() -> None:
    """At most 1 in, and at least 2 in (an export limit of -2)."""
    home = house("b", unit("u", (load(5.0),), 1, import_limit_kwh=(1.0,), export_limit_kwh=(-2.0,)))
    words = told(model_of(home, 1).model)
    assert words == ["import and export limits of unit u of building b in interval 1 (C10), short by 1.000"]


def test_two_units_that_must_use_more_than_their_building_may_draw() -> None:
    limits = {"import_limit_kwh": (9.0,), "export_limit_kwh": (-3.0,)}
    home = house("b", *(unit(name, (load(5.0),), 1, **limits) for name in ("u", "v")), import_limit_kwh=(5.0,))
    words = told(model_of(home, 1).model)
    assert words[0].endswith("short by 1.000")
    assert {w.split(" in interval")[0] for w in words} >= {
        "connection limit of building b",
        "import and export limits of unit u of building b",
        "import and export limits of unit v of building b",
    }


def test_a_car_that_may_not_leave_short() -> None:
    home = only(Vehicle("car", 0, 2, 9.0, 2.0), 3)
    words = told(pinned(model_of(home, 3).model, "vehicle", "shortfall", 0.0))
    assert words[0] == "energy needed by vehicle car of unit u of building b during its stay (C6), short by 5.000"


def test_whole_numbers_in_conflict_are_found_where_the_relaxation_is_not() -> None:
    """3 kWh from steps of 0 or 2 kWh: half a step would do."""
    home = only(Vehicle("car", 0, 2, 3.0, 2.0, 2.0), 2)
    frozen = pinned(model_of(home, 2).model, "vehicle", "shortfall", 0.0)
    assert Solver(frozen, EXACT).lp().status is Status.OPTIMAL
    assert Solver(frozen, EXACT).mip().status is Status.INFEASIBLE
    assert any("(C6), short by" in w for w in told(frozen))


def test_a_feeder_against_a_frozen_building() -> None:
    homes = tuple(Building(b, "z", (unit("u", (load(3.0),), 1),), feeders=("f",)) for b in ("a", "b"))
    whole = build_city(city(homes, 1, feeders=(Feeder("f", "z", (4.0,), (0.0,), (0.0,)),)))
    frozen = replace(whole, model=pinned_city(whole, "load", "unserved"))
    words = told(frozen.model, whole)
    assert words[0] == "limit of feeder f in interval 1 (C15), short by 2.000"
    assert "load to be served by load l of unit u of building a in interval 1 (C2)" in words


def pinned_city(whole: CityModel, family: str, variable: str, value: float = 0.0) -> LinearModel:
    lower, upper = whole.model.lower.copy(), whole.model.upper.copy()
    for group in whole.model.members(family):
        columns = group.columns(variable).ravel() + whole.market_columns
        lower[columns] = upper[columns] = value
    return replace(whole.model, lower=lower, upper=upper)


def test_a_zone_that_nobody_may_help_out() -> None:
    order = BlockOrder("k", (1,), "z", Side.BUY, (0,), (2.0,), 500.0)
    whole = build_city(city((), 1, exchanges=(exchange(1, most=1.0),), blocks=(order,)))
    lower, upper = whole.model.lower.copy(), whole.model.upper.copy()
    variables = whole.market.variables
    upper[variables["unserved"]["z", 0]] = 0.0
    lower[variables["taken"]["k"]] = lower[variables["ratio"]["k"]] = 1.0
    words = told(replace(whole.model, lower=lower, upper=upper), whole)
    assert words[0] == "balance of zone z in interval 1 (C14), short by 1.000"
    assert "import limit of zone z in interval 1 (C16)" in words
    assert "acceptance of block k (C18)" in words


def base(name: str) -> str:
    return name.split("[")[0]


@pytest.mark.parametrize("exclusive", [False, True])
def test_every_row_and_column_of_the_models_has_words(exclusive: bool) -> None:
    rows, columns, market = set(), set(), set()
    for seed in range(6):
        whole = build_city(random_city(seed, houses=3, n=4), exclusive)
        rows |= {base(name) for name in whole.market.row_names}
        market |= {base(name) for name in whole.market.column_names}
        for group in whole.model.groups:
            rows |= {base(name) for name in group.template.row_names}
            columns.add(group.template.family.name)
    assert {name.split("_")[0] for name in rows} <= set(WORDS)
    assert market == set(MARKET_COLUMNS)
    assert columns <= set(COLUMNS)
    assert {name.split("_")[0] for name in WORDS} == {f"C{i}" for i in range(2, 20)}
    assert {*COLUMNS.values(), *MARKET_COLUMNS.values()} <= set(WORDS)


def test_a_refusal_reads_as_sentences() -> None:
    refusal = Infeasible("building b3", (Conflict("C13", "connection limit of building b3 in interval 13", 1.5),))
    assert str(refusal).splitlines() == [
        "building b3: these rules cannot hold together",
        "  connection limit of building b3 in interval 13 (C13), short by 1.500",
    ]
    with pytest.raises(SolveError, match="interval 13") as raised:
        raise InfeasibleError(refusal)
    assert raised.value.refusal is refusal


def test_explaining_never_changes_the_model() -> None:
    home = house("b", unit("u", (load(5.0),), 1, import_limit_kwh=(1.0,), export_limit_kwh=(-2.0,)))
    model = model_of(home, 1).model
    before = model.lower.copy(), model.upper.copy()
    conflicting_rules(model, EXACT)
    assert np.array_equal(model.lower, before[0])
    assert np.array_equal(model.upper, before[1])
