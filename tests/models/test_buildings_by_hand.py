"""Units, buildings and the marketplace against arithmetic that fits in the test (C10 to C19)."""

from __future__ import annotations

import numpy as np
import pytest
from asking import ask, clear, optimum
from random_cities import city, exchange, house, only, unit

from planner_models.words import (
    BlockOrder,
    Building,
    Feeder,
    Fees,
    Line,
    Load,
    Plant,
    Remainder,
    Side,
    StepOrder,
)


def near(value: object) -> object:
    return pytest.approx(value, abs=1e-7)


def load(kwh: float = 1.0, value: float = 300.0, n: int = 1) -> Load:
    return Load("l", (kwh,) * n, value)


def sun(kwh: float = 1.0, n: int = 1) -> Plant:
    return Plant("p", (kwh,) * n)


def holder(name: str, allocation: float, reserve: float = 0.0) -> Building:
    return house("b", unit(name, (), 1, allocation, reserve))


def test_c10_a_unit_limit_leaves_load_unserved_and_production_spilled() -> None:
    tight = house("b", unit("u", (load(2.0),), 1, import_limit_kwh=(1.0,)))
    assert ask(tight, [100]).objective == near(0.1 + 0.3)
    roof = house("b", unit("u", (sun(2.0),), 1, export_limit_kwh=(0.5,)))
    assert ask(roof, [100]).position_kwh == near([-0.5])


def test_c10_limits_act_on_the_unit_not_on_its_neighbours() -> None:
    two = house("b", unit("u", (load(2.0),), 1, import_limit_kwh=(1.0,)), unit("v", (load(2.0),), 1))
    assert ask(two, [100]).position_kwh == near([3])


def test_c11_allocation_is_offered_above_its_reserve_and_withheld_below() -> None:
    assert ask(holder("u", 1.0, 50.0), [100]).position_kwh == near([-1])
    kept = ask(holder("u", 1.0, 150.0), [100])
    assert kept.position_kwh == near([0])
    assert kept.cost == near(-0.15)


def test_c11_a_unit_that_uses_its_allocation_has_no_position() -> None:
    assert ask(house("b", unit("u", (load(),), 1, 1.0)), [100]).position_kwh == near([0])


def test_c12_neighbours_net_before_the_fee_is_paid() -> None:
    pair = house("b", unit("u", (load(2.0),), 1), unit("v", (), 1, 0.5))
    answer = ask(pair, [100], fees=Fees(8.0, 3.0))
    assert answer.position_kwh == near([1.5])
    assert answer.cost == near(1.5 * 0.008)


def test_c12_the_selling_fee_lies_on_what_is_offered() -> None:
    assert ask(only(sun(2.0), 1), [100], fees=Fees(8.0, 3.0)).cost == near(2 * 0.003)


def test_c12_losses_follow_the_physical_flow_in_both_directions() -> None:
    assert ask(only(load(), 1, loss_ratio=0.1), [100]).position_kwh == near([1.1])
    assert ask(only(sun(), 1, loss_ratio=0.1), [100]).position_kwh == near([-0.9])
    # energy that is allotted has to be brought as well: flow 1, position 1 - 1 + 0.1
    assert ask(house("b", unit("u", (load(),), 1, 1.0), loss_ratio=0.1), [100]).position_kwh == near([0.1])


def test_c12_losses_are_not_burnt_for_money() -> None:
    """At a negative price a flow in and out at once would be paid for; one direction at a time forbids it."""
    shut = house("b", unit("u", (load(), sun(3.0)), 1), loss_ratio=0.1)
    answer = ask(shut, [-100])
    assert answer.position_kwh == near([1.1])
    assert answer.objective == near(-0.11)


def test_c13_the_connection_limits_the_flow_not_the_position() -> None:
    tight = only(load(3.0), 1, import_limit_kwh=(2.0,), loss_ratio=0.1)
    assert ask(tight, [100]).position_kwh == near([2.2])
    allotted = house("b", unit("u", (load(3.0),), 1, 1.5), import_limit_kwh=(2.0,))
    assert ask(allotted, [100]).position_kwh == near([0.5])  # 2 flow, 1.5 of it allotted
    unused = house("b", unit("u", (load(),), 1, 5.0, 150.0), import_limit_kwh=(2.0,))
    assert ask(unused, [100]).position_kwh == near([1])  # 5 kWh withheld at 150 do not flow, 1 bought at 100 does


def test_c14_the_city_buys_where_it_is_cheapest() -> None:
    sell = StepOrder("s", 1, "z", Side.SELL, 0, 120.0, 5.0)
    whole = city((only(load(2.0), 1),), 1, exchanges=(exchange(1, 100, 50, 1.0),), steps=(sell,))
    assert optimum(whole) == near(0.1 + 0.12)


def test_c14_what_nobody_delivers_is_unserved_at_the_price_cap_and_excess_costs_the_floor() -> None:
    alone = city((), 1, exchanges=(), blocks=(BlockOrder("k", (1,), "z", Side.BUY, (0,), (1.0,), 5000.0),))
    assert optimum(alone) == near(4.0 - 5.0)
    wind = city((only(Plant("p", (2.0,), False, 0.0, 4000.0), 1),), 1, exchanges=())
    assert optimum(wind) == near(2 * 0.5)


def test_c15_a_feeder_limits_what_flows_allocations_included() -> None:
    behind = Building("b", "z", (unit("u", (load(3.0),), 1, 1.0),), feeders=("f",))
    feeder = Feeder("f", "z", (2.5,), (9.0,), (1.0,))
    # 2.5 may flow: 1 is allotted, 1.5 bought, 0.5 unserved
    assert optimum(city((behind,), 1, feeders=(feeder,))) == near(1.5 * 0.1 + 0.5 * 0.3)
    roof = Building("b", "z", (unit("u", (sun(3.0),), 1),), feeders=("f",))
    feeder = Feeder("f", "z", (9.0,), (2.0,), (0.0,))
    assert optimum(city((roof,), 1, feeders=(feeder,))) == near(-2 * 0.05)


def test_c16_the_neighbour_buys_and_sells_up_to_its_limits() -> None:
    roof = city((only(sun(3.0), 1),), 1, exchanges=(exchange(1, 100, 50, 2.0),))
    assert optimum(roof) == near(-2 * 0.05)


def two_zones(loss: float, room: float = 9.0) -> float:
    west = Building("b", "west", (unit("u", (load(),), 1),))
    tie = Line("tie", "east", "west", (room,), (0.0,), loss)
    whole = city((west,), 1, zones=("east", "west"), exchanges=(exchange(1, zone="east"),), lines=(tie,))
    return optimum(whole)


def test_c17_each_end_of_a_line_bears_half_its_losses() -> None:
    assert two_zones(0.1) == near(0.1 * 1.05 / 0.95)
    assert two_zones(0.0, room=0.4) == near(0.4 * 0.1 + 0.6 * 0.3)


def test_c17_the_reverse_direction_has_its_own_limit_and_the_same_losses() -> None:
    east = Building("b", "east", (unit("u", (load(),), 1),))
    tie = Line("tie", "east", "west", (0.0,), (0.5,), 0.1)
    whole = city((east,), 1, zones=("east", "west"), exchanges=(exchange(1, zone="west"),), lines=(tie,))
    assert optimum(whole) == near(0.1 * 0.5 * 1.05 + 0.3 * (1 - 0.5 * 0.95))


def block(ratio: float, price: float = 60.0) -> BlockOrder:
    return BlockOrder("k", (1, 2), "z", Side.SELL, (0, 1), (1.0, 1.0), price, ratio)


def test_c18_a_block_is_taken_as_a_whole_or_from_its_minimum_ratio() -> None:
    home = only(Load("l", (1.0, 0.0), 300.0), 2)
    # whole: 0.12 less 0.05 for what is not needed; without it 0.1
    assert optimum(city((home,), 2, blocks=(block(1.0),))) == near(0.12 - 0.05)
    # at 90 the whole block costs 0.18 - 0.05 and half of it 0.09 - 0.025 + 0.05: both above 0.1
    assert optimum(city((home,), 2, blocks=(block(0.5, 90.0),))) == near(0.1)
    closed = city((home,), 2, exchanges=(), blocks=(block(0.5, 130.0),))
    # without a neighbour: the whole block 0.26 + 0.5 of excess, nothing 0.3
    assert optimum(closed) == near(0.3)


def test_c18_a_step_is_taken_in_part() -> None:
    buy = StepOrder("d", 1, "z", Side.BUY, 0, 150.0, 3.0)
    whole = city((), 1, exchanges=(exchange(1, 100, 50, 2.0),), steps=(buy,))
    model, solution = clear(whole)
    assert solution.objective == near(2 * 0.1 - 2 * 0.15)
    assert solution.x[model.market.variables["accepted"][1]] == near(2)


def test_c19_supply_that_nobody_is_allotted_is_taken_at_nothing() -> None:
    whole = city((only(load(3.0), 1),), 1, remainders=(Remainder("z", (1.0,)),))
    assert optimum(whole) == near(2 * 0.1)


def test_c20_a_citys_cost_is_its_buildings_and_its_markets() -> None:
    whole = city((only(load(2.0), 1), house("c", unit("u", (sun(),), 1))), 1, fees=Fees(8.0, 3.0))
    assert optimum(whole) == near(0.1 + 2 * 0.008 + 0.003)


def test_c21_the_bound_is_never_above_the_objective() -> None:
    _, solution = clear(city((only(load(2.0), 1),), 1))
    assert solution.bound <= solution.objective + 1e-12
    assert np.isfinite(solution.bound)
