"""Lost opportunity by side (C22) on known answers: the certificate of the table, to the cent."""

from __future__ import annotations

import pandas as pd
import pytest
from factories_cleared import building, clear_of, order, starts, unit, whole, zone

from planner.cleared import ClearedExchange, Flow
from planner.settlement.opportunity import lost_opportunity
from planner_models.words import Building, City, Exchange, Feeder, IntervalGrid, Line, Remainder


def city(**parts: object) -> City:
    return City(grid=IntervalGrid(starts(1), 60, 1), zones=("city",), **{"buildings": (), **parts})  # type: ignore[arg-type]


def test_k09_the_convex_hull_price_leaves_the_first_buyer_forty() -> None:
    orders = [
        order("b1", "buy", 10, 50, row=1, quantity_kwh=11, reason="partly_accepted"),
        order("b2", "buy", 0, 10, row=2, quantity_kwh=14),
        order("c", "sell", 10, 5, row=3, kind="block"),
        order("d", "sell", 0, 10, row=4, quantity_kwh=20, kind="block"),
    ]
    lost = lost_opportunity(clear_of([], [zone(price=10)], acceptances=orders), city(exchanges=(_outside(10, 10),)))
    assert lost["orders"] == pytest.approx(0.040)
    assert lost["total"] == pytest.approx(0.040)


def test_k10_the_step_seller_loses_sixty() -> None:
    orders = [
        order("b", "buy", 8, 100, row=1),
        order("s", "sell", 3, 10, row=2, quantity_kwh=5),
        order("k", "sell", 5, 40, row=3, kind="block"),
    ]
    lost = lost_opportunity(clear_of([], [zone(price=40)], acceptances=orders), city(exchanges=(_outside(40, 40),)))
    assert lost["total"] == pytest.approx(0.060)


def test_k12_an_exclusive_group_answers_with_its_best_member() -> None:
    orders = [
        order("in1", "buy", 0, 30, row=1, quantity_kwh=2, kind="block"),
        order("in2", "buy", 2, 25, row=2, kind="block"),
    ]
    table = pd.DataFrame({"order_id": ["in1", "in2"], "exclusive_group": "run", "parent_order_id": ""})
    lost = lost_opportunity(
        clear_of([], [zone(price=17)], acceptances=orders), city(exchanges=(_outside(17, 17),)), table
    )
    assert lost["orders"] == pytest.approx(2 * (30 - 17) / 1000 - 2 * (25 - 17) / 1000)


def test_a_binding_outside_line_and_feeder_lose_nothing_when_full() -> None:
    b1 = building("b1", [unit("u", 5)], zone="south", price=44, cost=1.0)
    zones = [zone("north", price=20), zone("south", price=40)]
    cleared = clear_of([b1], zones, flows=[Flow("l", "north", "south", whole(4, 1, 1000), 0.0)])
    words = city(
        buildings=(Building("b1", "south", (), feeders=("f",)),),
        feeders=(Feeder("f", "south", (5.0,), (5.0,), (0.0,)),),
        lines=(Line("l", "north", "south", (4.0,), (4.0,)),),
        exchanges=(_outside(20, 20, "north"), _outside(40, 40, "south")),
    )
    assert lost_opportunity(cleared, words)["network"] == pytest.approx(0, abs=1e-12)
    wider = city(
        buildings=words.buildings,
        feeders=(Feeder("f", "south", (6.0,), (5.0,), (0.0,)),),
        lines=(Line("l", "north", "south", (4.5,), (4.0,)),),
        exchanges=words.exchanges,
    )
    assert lost_opportunity(cleared, wider)["network"] == pytest.approx((0.5 * 20 + 1 * 4) / 1000)


def test_unused_supply_and_a_neighbour_that_could_bring_more() -> None:
    cleared = clear_of([building("b1", [unit("u", 5)], cost=0.0)], [zone(price=20, supply_wh=1000)])
    outside = ClearedExchange("city", cleared.exchanges[0].net_import_wh, whole(15, 1, 1000), whole(10, 1, 1000))
    cleared = type(cleared)(**{**cleared.__dict__, "exchanges": (outside,)})
    words = city(exchanges=(_outside(15, 10, limit=6.0),), remainders=(Remainder("city", (3.0,)),))
    lost = lost_opportunity(cleared, words)
    assert lost["supply"] == pytest.approx(2 * 20 / 1000)
    assert lost["exchange"] == pytest.approx(2 * 5 / 1000)
    assert lost["buildings"] == pytest.approx(5 * 20 / 1000)


def _outside(buy: float, sell: float, name: str = "city", limit: float = 100.0) -> Exchange:
    return Exchange(name, (buy,), (sell,), (limit,), (limit,))
