"""Random assets, units and buildings against a second, independent reading of FORMULATION.md, and brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from asking import ask, relaxed
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cities import KINDS, grid, only, random_asset, random_building
from reference_milp import Reference, building_optimum, draw_of

from planner_models.words import Appliance, Asset, Building, Fees, Generator, Vehicle

SEEDS = st.integers(0, 10**6)
few = settings(max_examples=6, derandomize=True, deadline=None)


def prices(rng: np.random.Generator, n: int) -> list[float]:
    return [float(p) for p in np.round(rng.uniform(-80, 250, n))]


@pytest.mark.parametrize("kind", KINDS)
@given(seed=SEEDS)
@few
def test_an_asset_costs_what_the_reference_says(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    home = only(random_asset(rng, kind, "a", n), n)
    price = prices(rng, n)
    assert ask(home, price).objective == pytest.approx(building_optimum(home, grid(n), Fees(), price), abs=1e-6)


@given(seed=SEEDS)
@settings(max_examples=12, derandomize=True, deadline=None)
def test_a_building_costs_what_the_reference_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    home = random_building(rng, "b", n)
    fees = Fees(float(rng.choice([0.0, 8.0])), float(rng.choice([0.0, 3.0])))
    price = prices(rng, n)
    assert ask(home, price, fees=fees).objective == pytest.approx(
        building_optimum(home, grid(n), fees, price), abs=1e-6
    )
    assert ask(home, None, n, fees=fees).cost == pytest.approx(building_optimum(home, grid(n), fees), abs=1e-6)


@pytest.mark.parametrize(("n", "minutes"), [(1, 60), (3, 15), (2, 30)])
def test_any_number_and_length_of_intervals(n: int, minutes: int) -> None:
    kinds = ("load", "plant", "battery", "flexible", "generator") + (("vehicle", "appliance") if n > 1 else ())
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        home = random_building(rng, "b", n, kinds=kinds)
        price = prices(rng, n)
        expected = building_optimum(home, grid(n, minutes), Fees(), price)
        assert ask(home, price, minutes=minutes).objective == pytest.approx(expected, abs=1e-6)


@given(seed=SEEDS)
@few
def test_the_relaxation_is_a_lower_bound_of_the_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    home = random_building(rng, "b", 4)
    price = prices(rng, 4)
    assert relaxed(home, price).bound <= building_optimum(home, grid(4), Fees(), price) + 1e-7


@given(seed=SEEDS)
@few
def test_a_relaxation_is_exact_where_the_polyhedra_are_integral(seed: int) -> None:
    """On/off-free cars, runs and plain storage have tight relaxations at prices above zero (formulation 12)."""
    rng = np.random.default_rng(seed)
    price = [float(p) for p in np.round(rng.uniform(1, 250, 4))]
    for kind in ("load", "plant", "appliance", "flexible", "battery"):
        home = only(random_asset(rng, kind, "a", 4), 4)
        assert relaxed(home, price).objective == pytest.approx(ask(home, price).objective, abs=1e-7), kind


def switch_patterns(asset: Asset, n: int) -> list[tuple[int, ...]]:
    """Every whole-number decision that the words of the rule allow, found by looking at runs of ones and noughts."""
    if isinstance(asset, Appliance):
        starts = range(asset.first_start, asset.last_start + 1)
        return [tuple(int(t == s) for t in range(n)) for s in starts] + [(0,) * n]
    if isinstance(asset, Vehicle):
        inside = [range(2) if asset.first <= t < asset.last else range(1) for t in range(n)]
        return list(product(*inside))
    assert isinstance(asset, Generator)
    return [p for p in product(range(2), repeat=n) if _keeps_times(p, asset)]


def _keeps_times(pattern: tuple[int, ...], g: Generator) -> bool:
    """Every run that begins inside the horizon and ends before it does is long enough."""
    runs: list[list[int]] = []
    for t, on in enumerate(pattern):
        if runs and runs[-1][0] == on:
            runs[-1][2] += 1
        else:
            runs.append([on, t, 1])
    before = int(g.initially_on)
    for on, first, length in runs:
        begins_inside = first > 0 or on != before
        ends_inside = first + length < len(pattern)
        least = g.min_up_intervals if on else g.min_down_intervals
        if begins_inside and ends_inside and length < least:
            return False
    return True


def brute_force(asset: Asset, n: int, price: list[float]) -> float:
    """The least cost over all patterns, the rest of every one an LP (or a sum)."""
    costs = [_cost_of(asset, pattern, n, price) for pattern in switch_patterns(asset, n)]
    return min(c for c in costs if c is not None)


def _cost_of(asset: Asset, pattern: tuple[int, ...], n: int, price: list[float]) -> float | None:
    p = np.array(price) / 1000
    if isinstance(asset, Appliance):
        if not any(pattern):
            return asset.skip_cost
        first = pattern.index(1)
        return float(p[first : first + len(asset.profile_kwh)] @ np.array(asset.profile_kwh))
    if isinstance(asset, Generator):
        margin = p - asset.cost_per_mwh / 1000
        best = np.maximum(margin * asset.max_kw, margin * asset.min_kw)
        starts = sum(max(0, on - was) for on, was in zip(pattern, (int(asset.initially_on), *pattern), strict=False))
        return float(-(best @ np.array(pattern)) + starts * asset.start_cost)
    assert isinstance(asset, Vehicle)
    return _car(asset, pattern, p)


def _car(car: Vehicle, pattern: tuple[int, ...], p: np.ndarray) -> float | None:
    """Cheapest first from the minimum up; short where even that is too little or dearer than missing it."""
    on = np.flatnonzero(pattern)
    charge = np.zeros(len(p))
    charge[on] = car.min_kw
    left = car.energy_kwh - car.charge_efficiency * charge.sum()
    if left < -1e-9:
        return None
    for t in sorted(on, key=lambda t: p[t]):
        if p[t] / car.charge_efficiency <= car.shortfall_cost_per_mwh / 1000:
            more = min(car.max_kw - charge[t], max(left, 0.0) / car.charge_efficiency)
            charge[t] += more
            left -= more * car.charge_efficiency
    return float(p @ charge + max(left, 0.0) * car.shortfall_cost_per_mwh / 1000)


@pytest.mark.parametrize("kind", ["appliance", "vehicle", "generator"])
@given(seed=SEEDS)
@settings(max_examples=10, derandomize=True, deadline=None)
def test_whole_decisions_are_the_best_of_all_patterns(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    asset = random_asset(rng, kind, "a", n)
    price = prices(rng, n)
    assert ask(only(asset, n), price).objective == pytest.approx(brute_force(asset, n, price), abs=1e-6)


@given(seed=SEEDS)
@few
def test_the_modes_of_a_battery_are_the_best_of_all_patterns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = random_asset(rng, "battery", "c", 3)
    price = prices(rng, 3)
    m = Reference()
    for t, draw in enumerate(draw_of(m, cell, grid(3))):
        m.pay(draw, price[t] / 1000)
    modes = [j for j, whole in enumerate(m.integer) if whole]
    found = [m.solve_fixed(dict(zip(modes, p, strict=True))) for p in product((0.0, 1.0), repeat=3)]
    best = min(c for c in found if c is not None)
    assert ask(only(cell, 3), price).objective == pytest.approx(best, abs=1e-6)


def test_losses_need_their_direction_only_where_energy_is_worth_less_than_nothing() -> None:
    rng = np.random.default_rng(7)
    homes = [random_building(rng, f"b{i}", 3) for i in range(6)]
    lossy = [Building(b.id, b.zone, b.units, b.import_limit_kwh, b.export_limit_kwh, 0.1) for b in homes]
    for home in lossy:
        assert ask(home, [50, 90, 70], exclusive=False).objective == pytest.approx(
            building_optimum(home, grid(3), Fees(), [50, 90, 70]), abs=1e-6
        )
