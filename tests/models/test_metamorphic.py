"""What must not change, or must change in a known way, when a city is written down differently (formulation 5)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from asking import EXACT, clear, optimum
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cities import KINDS, random_asset, random_city

from planner_models.city import build_city
from planner_models.solve import Solver
from planner_models.words import Appliance, Battery, Building, City, Unit

SEEDS = st.integers(0, 10**6)
few = settings(max_examples=3, derandomize=True, deadline=None)


@given(seed=SEEDS)
@few
def test_the_order_of_everything_changes_nothing(seed: int) -> None:
    whole = random_city(seed)
    turned = replace(
        whole,
        zones=whole.zones[::-1],
        buildings=tuple(
            replace(b, units=tuple(replace(u, assets=u.assets[::-1]) for u in b.units[::-1]))
            for b in whole.buildings[::-1]
        ),
        steps=whole.steps[::-1],
        blocks=whole.blocks[::-1],
    )
    assert optimum(turned) == pytest.approx(optimum(whole), abs=1e-6)


@given(seed=SEEDS)
@few
def test_names_change_nothing(seed: int) -> None:
    whole = random_city(seed)
    renamed = tuple(
        replace(
            b,
            id=f"zz{i}",
            units=tuple(
                replace(u, id=f"q{j}", assets=tuple(replace(a, id=f"m{k}") for k, a in enumerate(u.assets)))
                for j, u in enumerate(b.units)
            ),
        )
        for i, b in enumerate(whole.buildings)
    )
    assert optimum(replace(whole, buildings=renamed)) == pytest.approx(optimum(whole), abs=1e-6)


ENERGY = {
    *("energy_kwh", "available_kwh", "min_kwh", "max_kwh", "min_cumulative_kwh", "max_cumulative_kwh", "profile_kwh"),
    *("charge_kw", "discharge_kw", "minimum_kwh", "initial_kwh", "final_kwh", "max_kw", "min_kw", "allocation_kwh"),
    *("import_limit_kwh", "export_limit_kwh", "quantity_kwh", "quantities_kwh", "forward_kwh", "reverse_kwh"),
}
MONEY = {"skip_cost", "start_cost"}
PRICES = {
    *("value_per_mwh", "curtailment_cost_per_mwh", "support_per_mwh", "spill_cost_per_mwh", "wear_per_mwh"),
    *("shortfall_cost_per_mwh", "deviation_cost_per_mwh", "cost_per_mwh", "reserve_per_mwh", "price_per_mwh"),
    *("import_price_per_mwh", "export_price_per_mwh", "market_buy_per_mwh", "market_sell_per_mwh"),
    *("price_floor", "price_cap"),
}


def scaled(thing: Any, names: set[str], factor: float) -> Any:
    """Every number of a city that is named, multiplied; nested values as well."""
    if isinstance(thing, tuple):
        return tuple(scaled(part, names, factor) for part in thing)
    if not hasattr(thing, "__dataclass_fields__") or type(thing).__name__ == "IntervalGrid":
        return thing
    changed: dict[str, Any] = {}
    for f in fields(thing):
        value = getattr(thing, f.name)
        if f.name in names and value is not None:
            changed[f.name] = tuple(factor * v for v in value) if isinstance(value, tuple) else factor * value
        elif f.name not in names:
            changed[f.name] = scaled(value, names, factor)
    return replace(thing, **changed)


@given(seed=SEEDS)
@few
def test_twice_the_energy_costs_twice_as_much(seed: int) -> None:
    whole = random_city(seed)
    assert optimum(scaled(whole, ENERGY | MONEY, 2.0)) == pytest.approx(2 * optimum(whole), abs=4e-6)


@given(seed=SEEDS)
@few
def test_three_times_the_prices_cost_three_times_as_much(seed: int) -> None:
    whole = random_city(seed)
    assert optimum(scaled(whole, PRICES | MONEY, 3.0)) == pytest.approx(3 * optimum(whole), abs=6e-6)


# --- more options never cost more ----------------------------------------------------------------------------------


def changed_unit(whole: City, change: Any) -> City:
    """The city with the first unit of the first building changed."""
    first, *others = whole.buildings
    unit, *rest = first.units
    return replace(whole, buildings=(replace(first, units=(change(unit), *rest)), *others))


def with_battery(whole: City) -> City:
    cell = Battery("more", 3.0, 1.0, 1.0, 0.9, 0.9)
    return changed_unit(whole, lambda u: replace(u, assets=(*u.assets, cell)))


def easier_skips(whole: City) -> City:
    def ease(u: Unit) -> Unit:
        assets = [replace(a, skip_cost=a.skip_cost / 2) if isinstance(a, Appliance) else a for a in u.assets]
        return replace(u, assets=tuple(assets))

    return replace(whole, buildings=tuple(replace(b, units=tuple(ease(u) for u in b.units)) for b in whole.buildings))


def wider_connections(whole: City) -> City:
    def widen(b: Building) -> Building:
        limit = b.import_limit_kwh
        return replace(b, import_limit_kwh=None if limit is None else tuple(2 * kwh for kwh in limit))

    return replace(whole, buildings=tuple(widen(b) for b in whole.buildings))


def wider_feeder(whole: City) -> City:
    wide = [replace(f, import_limit_kwh=tuple(kwh + 2 for kwh in f.import_limit_kwh)) for f in whole.feeders]
    return replace(whole, feeders=tuple(wide))


def wider_windows(whole: City) -> City:
    def widen(u: Unit) -> Unit:
        assets = [replace(a, first_start=0) if isinstance(a, Appliance) else a for a in u.assets]
        return replace(u, assets=tuple(assets))

    return replace(whole, buildings=tuple(replace(b, units=tuple(widen(u) for u in b.units)) for b in whole.buildings))


def lower_fees(whole: City) -> City:
    return replace(whole, fees=replace(whole.fees, market_buy_per_mwh=0.0))


def without_lines_losses(whole: City) -> City:
    return replace(whole, lines=tuple(replace(line, loss_ratio=0.0) for line in whole.lines))


@pytest.mark.parametrize(
    "option",
    [with_battery, easier_skips, wider_connections, wider_feeder, wider_windows, lower_fees, without_lines_losses],
)
@given(seed=SEEDS)
@settings(max_examples=2, derandomize=True, deadline=None)
def test_an_option_more_never_costs_more(option: Any, seed: int) -> None:
    whole = random_city(seed)
    assert optimum(option(whole)) <= optimum(whole) + 1e-6


@pytest.mark.parametrize("kind", [k for k in KINDS if k in ("plant", "generator")])
def test_a_producer_that_may_stand_still_never_costs_more(kind: str) -> None:
    for seed in (1, 2, 3):
        whole = random_city(seed)
        more = random_asset(np.random.default_rng(seed), kind, "more", len(whole.grid))
        if kind == "plant":
            more = replace(more, curtailable=True)  # type: ignore[call-arg]
        assert (
            optimum(changed_unit(whole, lambda u, a=more: replace(u, assets=(*u.assets, a)))) <= optimum(whole) + 1e-6
        )


# --- the city twice ------------------------------------------------------------------------------------------------


def twice(whole: City) -> City:
    """Two copies under one roof: zones, limits and offers doubled, every building and order a second time."""
    copies = tuple(replace(b, id=f"{b.id}-copy") for b in whole.buildings)
    market = scaled(replace(whole, buildings=(), steps=(), blocks=()), ENERGY, 2.0)
    again = tuple(replace(s, id=f"{s.id}-copy", row=s.row + 100) for s in whole.steps)
    blocks = tuple(replace(k, id=f"{k.id}-copy", rows=tuple(r + 100 for r in k.rows)) for k in whole.blocks)
    return replace(market, buildings=whole.buildings + copies, steps=whole.steps + again, blocks=whole.blocks + blocks)


def balance_prices(whole: City) -> np.ndarray:
    """Converged prices of the relaxation: the multipliers of the balance rows."""
    model = build_city(whole)
    found = Solver(model.model, EXACT).lp()
    return -1000 * found.row_dual[model.market.balance_rows.ravel()]


@given(seed=SEEDS)
@few
def test_two_equal_cities_cost_at_most_twice_one_and_keep_the_relaxations_value(seed: int) -> None:
    whole = random_city(seed)
    assert optimum(twice(whole)) <= 2 * optimum(whole) + 1e-6
    one, two = (Solver(build_city(c).model, EXACT).lp().objective for c in (whole, twice(whole)))
    assert two == pytest.approx(2 * one, abs=1e-6)


def test_two_equal_cities_have_the_prices_of_one() -> None:
    """Both prices prove both relaxations: tolerance 1e-6 of the cost, prices themselves where they are unique."""
    for seed in (1, 5):
        whole = random_city(seed)
        one, two = balance_prices(whole), balance_prices(twice(whole))
        for city, price in ((whole, two), (twice(whole), one)):
            model = build_city(city)
            best = Solver(model.model, EXACT).lp()
            assert _dual_value(city, price) == pytest.approx(best.objective, abs=1e-5)


def _dual_value(whole: City, price: np.ndarray) -> float:
    """The relaxation with the balance rows priced instead of held."""
    model = build_city(whole)
    linear, rows = model.model, model.market.balance_rows.ravel()
    y = -price / 1000
    cost = linear.cost - linear.matrix[rows].T @ y
    lower, upper = linear.row_lower.copy(), linear.row_upper.copy()
    held = float(y @ np.where(np.isfinite(lower[rows]), lower[rows], 0.0))
    lower[rows], upper[rows] = -np.inf, np.inf
    return Solver(replace(linear, cost=cost, row_lower=lower, row_upper=upper), EXACT).lp().objective + held


def test_a_second_clear_gives_the_same_numbers() -> None:
    whole = random_city(6)
    first, again = clear(whole)[1], clear(whole)[1]
    assert np.array_equal(first.x, again.x)
