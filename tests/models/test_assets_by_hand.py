"""Every asset family against arithmetic that fits in the test.  Prices per MWh, so 100 is 0.1 a kWh."""

from __future__ import annotations

import numpy as np
import pytest
from asking import ask, relaxed
from random_cities import only

from planner_models.words import Appliance, Battery, Flexible, Generator, Load, Plant, Vehicle


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-7)


def test_c2_load_is_curtailed_by_agreement_before_it_is_left_unserved() -> None:
    home = only(Load("l", (2.0, 3.0, 2.0), 300.0, 0.5, 100.0), 3)
    answer = ask(home, [200, 50, 400])
    # 1: the agreed kWh is cut at 100 < 200, the firm one bought; 2: all served; 3: all cut, 1 at 100 and 1 at 300
    assert answer.position_kwh == near([1, 3, 0])
    assert answer.cost == near(0.1 + 0 + 0.1 + 0.3)
    assert answer.objective == near(0.5 + 0.2 + 3 * 0.05)


def test_c2_an_agreement_dearer_than_the_value_is_never_used() -> None:
    assert ask(only(Load("l", (2.0,), 300.0, 0.5, 500.0), 1), [400]).objective == near(2 * 0.3)


def test_c2_without_trade_everything_is_unserved() -> None:
    assert ask(only(Load("l", (2.0, 1.0), 300.0), 2), None, 2).cost == near(3 * 0.3)


def test_c3_support_decides_when_a_plant_stops() -> None:
    sun = only(Plant("p", (2.0, 1.0), support_per_mwh=30.0), 2)
    answer = ask(sun, [-20, -40])
    # -20 + 30 of support is worth 10 a MWh: 2 kWh earn 0.02; -40 + 30 is not worth producing
    assert answer.position_kwh == near([-2, 0])
    assert answer.objective == near(-0.02)


def test_c3_production_that_may_not_be_curtailed_is_sold_at_any_price_and_spills_as_an_emergency() -> None:
    wind = only(Plant("p", (2.0,), False, 0.0, 4000.0), 1)
    assert ask(wind, [-300]).objective == near(2 * 0.3)
    assert ask(wind, None, 1).cost == near(2 * 4.0)


def test_c4_a_battery_carries_energy_through_both_efficiencies_and_wears_when_it_discharges() -> None:
    cell = Battery("c", 2.0, 1.0, 1.0, 0.9, 0.8, wear_per_mwh=20.0)
    answer = ask(only(cell, 2), [10, 100])
    # 1 kWh bought fills 0.9, of which 0.72 comes back; wear on 0.72
    assert answer.position_kwh == near([1, -0.72])
    assert answer.objective == near(0.01 - 0.072 + 0.02 * 0.72)


def test_c4_power_limits_are_energy_per_interval() -> None:
    answer = ask(only(Battery("c", 2.0, 1.0, 3.0), 2), [10, 100], minutes=15)
    assert answer.position_kwh == near([0.25, -0.25])


def test_c4_the_final_content_is_due_at_the_end_of_the_horizon_only() -> None:
    answer = ask(only(Battery("c", 2.0, 1.0, 1.0, initial_kwh=1.0, final_kwh=1.0), 2), [100, 10])
    assert answer.position_kwh == near([-1, 1])
    assert answer.objective == near(-0.1 + 0.01)


def test_c4_a_leaking_battery_without_trade_is_filled_as_an_emergency() -> None:
    leaking = Battery("c", 2.0, 1.0, 1.0, initial_kwh=1.0, final_kwh=1.0, standing_loss_per_h=0.1)
    # 1 -> 0.9 -> 0.81: 0.19 kWh at 4000
    assert ask(only(leaking, 2), None, 2).cost == near(0.19 * 4)


def test_c4_what_leaks_is_a_share_of_what_stands_in_the_battery() -> None:
    leaking = Battery("c", 5.0, 0.0, 5.0, initial_kwh=2.0, standing_loss_per_h=0.1)
    # half an hour loses 5 %: 2 -> 1.9, then 1.805, all sold in the second interval
    assert ask(only(leaking, 2), [0, 100], minutes=30).position_kwh[1] == near(-1.805)


def test_c5_burning_energy_by_charging_and_discharging_is_only_possible_in_the_relaxation() -> None:
    full = only(Battery("c", 1.0, 1.0, 1.0, 0.5, 0.5, initial_kwh=1.0), 1)
    assert ask(full, [-100]).objective == near(0)
    # c + d <= 1 and 0.5 c <= 2 d: c = 0.8, d = 0.2 draw 0.6 kWh for 0.06
    assert relaxed(full, [-100]).objective == near(-0.06)


def test_c6_a_vehicle_charges_in_the_cheapest_hours_of_its_stay() -> None:
    car = only(Vehicle("v", 1, 3, 3.0, 2.0), 4)
    answer = ask(car, [0, 100, 50, 0])
    assert answer.position_kwh == near([0, 1, 2, 0])
    assert answer.objective == near(0.1 + 2 * 0.05)


def test_c6_a_minimum_power_makes_charging_all_or_something() -> None:
    car = only(Vehicle("v", 1, 3, 3.0, 2.0, 1.5), 4)
    assert ask(car, [0, 100, 50, 0]).position_kwh == near([0, 1.5, 1.5, 0])
    picky = only(Vehicle("v", 0, 2, 2.5, 2.0, 1.0, shortfall_cost_per_mwh=60.0), 2)
    # 2 kWh at 50; the last half would have to be a whole one more: 1.5 + 1 costs 0.175, missing it 0.1 + 0.03
    assert ask(picky, [50, 100]).objective == near(0.1 + 0.5 * 0.06)


def test_c6_efficiency_counts_what_arrives_and_what_is_missing_is_priced() -> None:
    car = only(Vehicle("v", 0, 2, 3.0, 2.0, 0.0, 0.5, 900.0), 2)
    answer = ask(car, [100, 100])
    assert answer.position_kwh == near([2, 2])  # 4 kWh drawn, 2 arrive
    assert answer.cost == near(1.0 * 0.9)


def test_c7_a_run_starts_where_its_whole_profile_is_cheapest() -> None:
    price = [50, 20, 60, 10]
    # starts: 50 + 10 = 60, 20 + 30 = 50, 60 + 5 = 65
    answer = ask(only(Appliance("a", 0, 2, (1.0, 0.5), 5.0), 4), price)
    assert answer.position_kwh == near([0, 1, 0.5, 0])
    assert answer.objective == near(0.05)
    assert ask(only(Appliance("a", 0, 0, (1.0, 0.5), 5.0), 4), price).objective == near(0.06)
    assert ask(only(Appliance("a", 2, 2, (1.0, 0.5), 5.0), 4), price).objective == near(0.065)


def test_c7_a_run_is_skipped_where_that_is_cheaper() -> None:
    answer = ask(only(Appliance("a", 0, 2, (1.0, 0.5), 0.04), 4), [50, 20, 60, 10])
    assert answer.position_kwh == near([0, 0, 0, 0])
    assert answer.objective == near(0.04)


def test_c8_a_cumulative_floor_is_met_as_late_as_the_limits_allow() -> None:
    pump = only(Flexible("f", (0.0, 0.0), (2.0, 2.0), (0.0, 3.0)), 2)
    answer = ask(pump, [100, 20])
    assert answer.position_kwh == near([1, 2])
    assert answer.objective == near(0.1 + 0.04)


def test_c8_being_behind_for_two_intervals_costs_twice() -> None:
    pump = only(Flexible("f", (0.0, 0.0), (0.0, 0.0), (1.0, 1.0), None, 500.0), 2)
    assert ask(pump, None, 2).cost == near(2 * 0.5)


def test_c8_being_below_the_minimum_or_ahead_of_the_ceiling_costs_a_deviation() -> None:
    low = only(Flexible("f", (1.0,), (2.0,), None, None, 500.0), 1)
    assert ask(low, None, 1).cost == near(0.5)
    assert ask(low, [400]).objective == near(0.4)
    high = only(Flexible("f", (0.0,), (2.0,), None, (0.5,), 50.0), 1)
    assert ask(high, [-100]).objective == near(-0.2 + 1.5 * 0.05)


def chp(**more: object) -> object:
    return only(Generator("g", 2.0, 1.0, 50.0, 0.1, **more), 3)  # type: ignore[arg-type]


def test_c9_minimum_up_times_carry_a_generator_through_hours_that_lose() -> None:
    price = [40, 200, 30]
    # hour 2 earns 2 x 0.15 less the start of 0.1; an hour more at the minimum loses 0.01 (first) or 0.02 (third);
    # of three hours up from hour 2 the last lies beyond the horizon
    earned = [ask(chp(min_up_intervals=k), price).objective for k in (1, 2, 3)]  # type: ignore[arg-type]
    assert earned == near([-0.2, -0.19, -0.18])


def test_c9_minimum_down_times_keep_a_generator_running() -> None:
    price = [200, 0, 200]
    # stopping in hour 2 saves 0.05 and costs a start of 0.1 less: here a start costs 0.01
    cheap = [ask(only(Generator("g", 2.0, 1.0, 50.0, 0.01, 1, down, True), 3), price).objective for down in (1, 2, 3)]
    assert cheap == near([-0.59, -0.55, -0.55])


def test_c9_a_generator_that_ran_before_may_stop_at_once_but_not_come_back_at_once() -> None:
    running = Generator("g", 2.0, 1.0, 50.0, 0.0, 3, 2, True)
    assert ask(only(running, 2), [0, 200]).objective == near(0.05 - 0.3)  # on at the minimum in the first hour
    assert ask(only(running, 3), [0, 0, 200]).objective == near(-0.3)  # two hours down, then a fresh start


def test_c9_a_generator_without_minimum_is_only_an_output() -> None:
    assert ask(only(Generator("g", 2.0, 0.0, 50.0), 2), [40, 90], minutes=30).objective == near(-0.04)


def test_a_unit_without_assets_draws_nothing() -> None:
    from random_cities import house, unit

    assert np.allclose(ask(house("b", unit("u", (), 2)), [100, 100]).position_kwh, 0)
