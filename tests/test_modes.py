"""The two modes of the clear against an independent reference, and the rules in the schedule they implement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clearing_desk import Desk, Outcome, in_one, in_rounds, rounding, whole_wh
from hypothesis import example, given, settings
from hypothesis import strategies as st
from random_cities import city, exchange, house, only, random_city, unit
from reference_milp import city_optimum

from planner.certifying import _status
from planner.coordination import Rules, coordinate
from planner.fleet import Frank
from planner.gateway import LocalGateway
from planner_models.words import (
    Appliance,
    Battery,
    Building,
    City,
    Feeder,
    Fees,
    Flexible,
    Generator,
    Load,
    Locality,
    Plant,
    Vehicle,
)

SEEDS = st.integers(0, 10**6)
few = settings(max_examples=3, derandomize=True, deadline=None)


def some_city(seed: int, lowest: float = 5.0) -> City:
    return random_city(seed, houses=2 + seed % 3, n=4 + seed % 3, lowest=lowest)


@pytest.mark.parametrize("lowest", [5.0, -60.0])
@given(seed=SEEDS)
@example(seed=4)
@example(seed=11)
@few
def test_the_monolith_costs_what_the_reference_says(lowest: float, seed: int) -> None:
    whole = some_city(seed, lowest)
    best, found = city_optimum(whole), in_one(whole)
    assert found.bound <= best + 1e-6
    assert abs(found.objective - best) <= rounding(whole)


@given(seed=SEEDS)
@few
def test_bounds_enclose_the_optimum_in_either_mode(seed: int) -> None:
    whole = some_city(seed)
    best = city_optimum(whole)
    one, rounds = in_one(whole, pricing="convex_hull"), in_rounds(whole)
    assert one.bound <= best + 1e-6
    assert rounds.bound <= best + 1e-6
    assert one.bound <= rounds.objective + rounding(whole)
    assert rounds.objective >= best - rounding(whole)


def test_many_small_buildings_leave_a_small_gap() -> None:
    """Shapley and Folkman: what is not convex vanishes in the number of buildings."""
    kinds = ("load", "plant", "battery", "appliance")
    whole = random_city(11, houses=14, n=4, kinds=kinds)
    whole = replace(whole, buildings=tuple(replace(b, feeders=()) for b in whole.buildings), feeders=(), blocks=())
    found = in_rounds(whole)
    assert found.objective - found.bound <= 0.01 * abs(found.objective) + rounding(whole)


@given(seed=SEEDS)
@few
def test_best_bounds_rise_and_the_masters_value_falls(seed: int) -> None:
    """At any one price of flow beyond a limit; a dearer one may lift it."""
    desk = Desk(some_city(seed))
    values: list[float] = []
    kinds: dict[float, list[float]] = {}
    blend = desk.master.blend

    def watched(soft: bool = False) -> object:
        found = blend(soft)
        values.append(found.value)
        kinds.setdefault(desk.master.penalty if soft else np.inf, []).append(found.value)
        return found

    desk.master.blend = watched  # type: ignore[method-assign]
    agreed = coordinate(
        desk.master,
        Frank(desk.gateways),
        Rules(gap=1e-4, max_rounds=12, lot_wh=1, seconds_left=lambda: 60.0),
    )
    bounds = [r.bound for r in agreed.rounds if np.isfinite(r.bound)]
    assert max(bounds) == agreed.bound
    assert agreed.bound <= agreed.value + rounding(desk.city)  # answers come in whole Wh
    for fallen in kinds.values():
        assert np.all(np.diff(fallen) <= 1e-6)
    assert len(values) > 3


@pytest.mark.parametrize("seed", [1, 4, 7])
def test_a_bound_read_off_answers_in_lots_is_a_bound(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no gateway may say its bound, answers in lots of 100 Wh prove a lower one, and still a bound."""
    whole = some_city(seed)
    best, exact = city_optimum(whole), in_rounds(whole, lot_wh=100)
    price = LocalGateway.price
    monkeypatch.setattr(LocalGateway, "price", lambda self, k, p: replace(price(self, k, p), bound_micro=None))
    desk = Desk(whole, lot_wh=100)
    rules = Rules(gap=1e-3, max_rounds=15, lot_wh=100, seconds_left=lambda: 60.0)
    agreed = coordinate(desk.master, Frank(desk.gateways), rules)
    proven = [r for r in agreed.rounds if np.isfinite(r.bound)]
    assert proven
    for said in proven:
        # the exact bound of the same question, from the buildings themselves
        known = sum(sum(g.bounds_at(said.prices[i])) for i, g in enumerate(desk.gateways))
        read = sum(r.cost_micro / 1e6 + said.prices[i] @ r.lots / 1e4 for i, r in said.replies.items())
        hidden = sum(float(np.abs(p).sum()) for p in said.prices.values()) * 0.05 / 1000
        assert read - hidden <= known + 1e-5
    assert agreed.bound <= best + 1e-6
    assert agreed.bound <= exact.bound + 1e-6 + 0.05 * abs(best)


def test_only_a_gap_as_small_as_asked_is_called_optimal() -> None:
    """Rounds may converge while the implemented schedule stays away from the bound: an answer is no proof."""
    for seed in (2, 7):
        found = in_rounds(random_city(seed, houses=2 + seed % 3, n=4 + seed % 3))
        assert found.answered.status == "answered"
        assert _status("answered", 1.1e-3, 1e-3) == "stopped"
        assert _status("answered", 0.9e-3, 1e-3) == "optimal"


def test_buildings_that_speak_together_are_bounded_like_buildings_that_do_not() -> None:
    whole = random_city(21, houses=4, n=5)
    best, found = city_optimum(whole), in_rounds(whole, cohorts=True)
    assert len(found.cleared.buildings) == 4
    assert found.bound <= best + 1e-6 <= found.objective + rounding(whole)
    check_schedule(whole, found)


# --- what is implemented -------------------------------------------------------------------------------------------


def net_of(found: Outcome, asset: str) -> np.ndarray:
    """Draw of one asset in kWh, over the intervals."""
    return _column(found, asset, "energy_kwh")


def _column(found: Outcome, asset: str, name: str) -> np.ndarray:
    for b in found.cleared.buildings:
        rows = b.dispatch[b.dispatch.asset == asset]
        if len(rows):
            return rows[name].to_numpy(dtype=float)
    raise AssertionError(f"no {asset}")


def check_schedule(whole: City, found: Outcome) -> None:
    """Every rule of the formulation again, on whole Wh, with the words of its text."""
    cleared = {b.building: b for b in found.cleared.buildings}
    for b in whole.buildings:
        units = {u.unit: u for u in cleared[b.id].units}
        slack = sum(len(u.assets) for u in b.units) + 1
        for u in b.units:
            drawn = [net_of(found, a.id) for a in u.assets]
            use = whole_wh(np.sum(drawn, axis=0)) if drawn else np.zeros(len(whole.grid), dtype=np.int64)
            assert np.array_equal(units[u.id].use_wh, use), "C10"
            within(use, u.import_limit_kwh, u.export_limit_kwh, len(u.assets) + 1, "C10")
            for a in u.assets:
                check_asset(whole, found, a)
        flow = np.sum([u.use_wh for u in units.values()], axis=0)
        within(flow, b.import_limit_kwh, b.export_limit_kwh, slack, "C13")
        loss = b.loss_ratio * np.abs(flow)
        assert np.all(np.abs(cleared[b.id].loss_wh - loss) <= 1), "C12"
    check_feeders(whole, found)


def check_feeders(whole: City, found: Outcome, slack_wh: int | None = None) -> None:
    for f in whole.feeders:
        below = [b for b in whole.buildings if f.id in b.feeders]
        slack = sum(len(u.assets) + 1 for b in below for u in b.units) if slack_wh is None else slack_wh
        position = {b.building: b.position_wh for b in found.cleared.buildings}
        flow = np.sum([position[b.id] for b in below], axis=0) + whole_wh(f.allocation_kwh)
        within(flow, f.import_limit_kwh, f.export_limit_kwh, slack, "C15")


def within(wh: np.ndarray, imports: object, exports: object, slack: int, rule: str) -> None:
    if imports is not None:
        assert np.all(wh <= whole_wh(imports) + slack), rule
    if exports is not None:
        assert np.all(wh >= -whole_wh(exports) - slack), rule


def check_asset(whole: City, found: Outcome, a: object) -> None:
    hours, wh, n = whole.grid.hours, 0.0011, len(whole.grid)
    draw = net_of(found, a.id)  # type: ignore[attr-defined]
    if isinstance(a, Load):
        assert np.all((draw >= -wh) & (draw <= np.array(a.energy_kwh) + wh)), "C2"
    elif isinstance(a, Plant):
        assert np.all((-draw >= -wh) & (-draw <= np.array(a.available_kwh) + wh)), "C3"
    elif isinstance(a, Battery):
        check_battery(a, draw, _column(found, a.id, "state_of_charge_kwh"), hours)
    elif isinstance(a, Vehicle):
        inside = (np.arange(n) >= a.first) & (np.arange(n) < a.last)
        assert np.all(draw[~inside] == 0), "C6"
        assert np.all(draw <= a.max_kw * hours + wh), "C6"
        charging = draw > 0
        assert np.all(draw[charging] >= a.min_kw * hours - wh), "C6"
        assert draw.sum() * a.charge_efficiency <= a.energy_kwh + wh, "C6"
    elif isinstance(a, Appliance):
        ran = np.flatnonzero(_column(found, a.id, "on") == 1)
        if len(ran):
            assert a.first_start <= ran[0] <= a.last_start, "C7"
            assert np.allclose(draw[ran], a.profile_kwh, atol=wh), "C7"
    elif isinstance(a, Generator):
        check_generator(a, draw, _column(found, a.id, "on"), hours)


def check_battery(a: Battery, draw: np.ndarray, stored: np.ndarray, hours: float) -> None:
    """The state follows from the net draw alone: in no interval both ways."""
    level, fills = a.initial_kwh, a.standing_loss_per_h > 0 or a.final_kwh > a.initial_kwh
    for t, kwh in enumerate(draw):
        moved = (1 - a.standing_loss_per_h * hours) * level
        moved += a.charge_efficiency * kwh if kwh > 0 else kwh / a.discharge_efficiency
        assert stored[t] >= moved - 0.003, "C4"
        assert stored[t] <= moved + 0.003 or fills, "C4"
        assert a.minimum_kwh - 0.003 <= stored[t] <= a.energy_kwh + 0.003, "C4"
        level = stored[t]
    assert level >= a.final_kwh - 0.003, "C4"
    assert np.all((draw <= a.charge_kw * hours + 0.0011) & (draw >= -a.discharge_kw * hours - 0.0011)), "C4"


def check_generator(a: Generator, draw: np.ndarray, on: np.ndarray, hours: float) -> None:
    wh, running = 0.0011, on == 1 if not np.isnan(on).all() else -draw > 0
    assert np.all(np.abs(draw[~running]) <= wh), "C9"
    assert np.all(-draw[running] >= a.min_kw * hours - wh), "C9"
    assert np.all(-draw <= a.max_kw * hours + wh), "C9"
    before, since = bool(a.initially_on), 10**6
    for now in running:
        if bool(now) != before:
            assert since >= (a.min_up_intervals if before else a.min_down_intervals), "C9"
            since = 0
        before, since = bool(now), since + 1


@pytest.mark.parametrize("lowest", [5.0, -60.0])
@pytest.mark.parametrize("seed", [2, 6, 10])
def test_what_is_implemented_keeps_every_rule(lowest: float, seed: int) -> None:
    whole = some_city(seed, lowest)
    check_schedule(whole, in_one(whole))
    check_schedule(whole, in_rounds(whole, max_rounds=6))


@pytest.mark.parametrize("clear", [in_one, in_rounds])
def test_a_full_battery_burns_nothing_for_money(clear: object) -> None:
    """At -100 a full battery would charge and discharge at once for 0.06; the binary sends it idle."""
    cell = Battery("c", 1.0, 1.0, 1.0, 0.5, 0.5, initial_kwh=1.0)
    whole = city((only(cell, 1),), 1, exchanges=(exchange(1, -90, -100),))
    found = clear(whole)  # type: ignore[operator]
    assert net_of(found, "c").tolist() == [0.0]
    assert found.objective == pytest.approx(0.0, abs=1e-6)
    assert found.bound <= 1e-9


@pytest.mark.parametrize("clear", [in_one, in_rounds])
@pytest.mark.parametrize("running", [True, False])
def test_a_generator_that_ran_before_pays_no_start(clear: object, running: bool) -> None:
    """2 kWh sold at 90 and made at 50, twice; a start costs 0.1 where it is one."""
    chp = Generator("g", 2.0, 1.0, 50.0, 0.1, initially_on=running)
    whole = city((only(chp, 2),), 2, exchanges=(exchange(2, 100, 90),))
    found = clear(whole)  # type: ignore[operator]
    assert found.objective == pytest.approx(-0.16 + (0 if running else 0.1), abs=1e-6)


@pytest.mark.parametrize("clear", [in_one, in_rounds])
def test_what_assets_cost_is_counted_again_from_whole_wh(clear: object) -> None:
    """One hour, everything forced by prices: 3 bought at 100, or made, cut, charged and left, each at its own cost."""
    assets = (
        Load("l", (2.0,), 90.0, 0.5, 60.0),  # 1 kWh cut at 0.06, 1 unserved at 0.09
        Plant("p", (1.0,), support_per_mwh=20.0),  # sold at 95, and 0.02 of support
        Battery("c", 1.0, 1.0, 1.0, initial_kwh=1.0, wear_per_mwh=10.0),  # sold, 0.01 of wear
        Vehicle("v", 0, 1, 2.0, 1.0, shortfall_cost_per_mwh=900.0),  # 1 bought, 1 short at 0.9
        Appliance("a", 0, 0, (1.0,), 0.04),  # skipped
        Flexible("f", (0.5,), (1.0,), None, None, 70.0),  # 0.5 below its least, 0.035
    )
    whole = city((house("b", unit("u", assets, 1, 2.0, 97.0)),), 1, exchanges=(exchange(1, 100, 95),))
    found = clear(whole)  # type: ignore[operator]
    # 1 charged, 1 made, 1 discharged, 2 allotted: 1 of it used or sold is worth 95 outside, 97 where it is kept
    own = 0.06 + 0.09 - 0.02 + 0.01 + 0.9 + 0.04 + 0.035
    assert found.objective == pytest.approx(own - 0.095 - 2 * 0.097, abs=1e-6)


@pytest.mark.parametrize("clear", [in_one, in_rounds])
def test_losses_are_not_burnt_for_money(clear: object) -> None:
    """At -100 the lossy building fetches its 1 kWh and 10 % of it, and spills its own sun."""
    units = unit("u", (Load("l", (1.0,), 300.0), Plant("p", (3.0,))), 1)
    whole = city((house("b", units, loss_ratio=0.1),), 1, exchanges=(exchange(1, -100, -110),))
    found = clear(whole)  # type: ignore[operator]
    assert found.cleared.buildings[0].position_wh.tolist() == [1100]
    assert found.objective == pytest.approx(-0.11, abs=1e-6)


@pytest.mark.parametrize("clear", [in_one, in_rounds])
def test_a_plant_that_would_only_run_for_burnt_losses_stands_still(clear: object) -> None:
    """At -100 a kWh of sun earns 105 of support and loses 110: what it displaces, and the losses on that.

    With both directions at once the losses would be there anyway, and the sun would run.
    """
    units = unit("u", (Load("l", (4.0,), 300.0), Plant("p", (3.0,), support_per_mwh=105.0)), 1)
    whole = city((house("b", units, loss_ratio=0.1),), 1, exchanges=(exchange(1, -100, -110),))
    found = clear(whole)  # type: ignore[operator]
    assert found.objective == pytest.approx(-0.44, abs=1e-6)


@pytest.mark.parametrize("clear", [in_one, in_rounds])
def test_a_binding_feeder_holds_in_whole_wh(clear: object) -> None:
    """Three homes share 1.0004 kWh of feeder; rounding every home's third may not break it by more than itself."""
    homes = tuple(
        Building(f"b{i}", "z", (unit(f"u{i}", (Load(f"l{i}", (1.0, 1.0, 1.0), 300.0 + i),), 3),), feeders=("f",))
        for i in range(3)
    )
    feeder = Feeder("f", "z", (1.0004, 1.5002, 2.7006), (9.0, 9.0, 9.0), (0.0, 0.0, 0.0))
    whole = city(homes, 3, feeders=(feeder,))
    found = clear(whole)  # type: ignore[operator]
    check_feeders(whole, found)
    assert found.objective == pytest.approx(city_optimum(whole), abs=rounding(whole))


@pytest.mark.parametrize("clear", [in_one, in_rounds])
def test_an_island_behind_a_closed_feeder_has_an_answer(clear: object) -> None:
    """No energy may pass at all, and what is made and used below is not in whole Wh."""
    assets = (Load("l", (1.0004, 1.0004, 0.7003), 300.0), Plant("p", (2.0, 2.0, 2.0)))
    home = Building("b", "z", (unit("u", assets, 3),), feeders=("f",))
    shut = Feeder("f", "z", (0.0,) * 3, (0.0,) * 3, (0.0,) * 3)
    whole = city((home,), 3, feeders=(shut,))
    found = clear(whole)  # type: ignore[operator]
    check_feeders(whole, found)
    assert found.objective <= rounding(whole)


# --- locality ------------------------------------------------------------------------------------------------------


@given(seed=SEEDS)
@few
def test_no_locality_beats_joint_and_strict_never_beats_netting(seed: int) -> None:
    whole = some_city(seed)
    netting, strict = in_one(whole), in_one(whole, Locality.STRICT)
    joint = in_one(replace(whole, fees=Fees()), Locality.JOINT)
    slack = rounding(whole)
    assert netting.bound <= strict.objective + slack
    assert netting.objective <= strict.objective + slack
    for mode in (netting, strict):
        assert mode.objective - fees_of(whole, mode) >= joint.bound - slack


def fees_of(whole: City, found: Outcome) -> float:
    paid = 0.0
    for b in found.cleared.buildings:
        q = b.position_wh / 1e6
        paid += whole.fees.market_buy_per_mwh * np.maximum(q, 0).sum()
        paid += whole.fees.market_sell_per_mwh * np.maximum(-q, 0).sum()
    return float(paid)


def neighbours(value: float) -> City:
    """Two hours: sun in the second, and a battery that would rather sell it; the load is worth little."""
    assets = (Load("l", (0.0, 1.0), value), Plant("p", (0.0, 1.0)))
    return city((house("b", unit("u", assets, 2)),), 2, exchanges=(exchange(2, 100, 90),))


@pytest.mark.parametrize("clear", [in_one, in_rounds])
def test_strict_serves_the_neighbour_before_the_market(clear: object) -> None:
    """A load worth 40 would be left unserved to sell its sun at 90: not where the building comes first."""
    free = clear(neighbours(40.0))  # type: ignore[operator]
    strict = clear(neighbours(40.0), Locality.STRICT)  # type: ignore[operator]
    assert free.objective == pytest.approx(0.04 - 0.09, abs=1e-6)
    assert strict.objective == pytest.approx(0.0, abs=1e-6)


def test_no_trade_is_the_worst_answer() -> None:
    for seed in (1, 2):
        whole = some_city(seed)
        found = in_one(whole)
        assert found.objective <= found.answered.no_trade + rounding(whole)
        assert in_rounds(whole).objective <= found.answered.no_trade + rounding(whole)
