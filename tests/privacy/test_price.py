"""The price of privacy, worked by hand: one building kept dark that would have bought for less."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from planner.answered import Prices
from planner.gateway import LocalGateway
from planner.groups import Group, GroupKind
from planner.privacy.price import price_of_privacy
from planner_models.answer import Ladder
from planner_models.solve import Options
from planner_models.words import Building, City, Fees, IntervalGrid, Load, Unit

START = datetime(2026, 6, 1, tzinfo=UTC)
GRID = IntervalGrid(tuple(START + timedelta(hours=h) for h in range(2)), 60, 2)
OPTIONS = Options(gap=1e-6, time_limit_s=10.0)


def test_what_a_dark_building_could_have_saved() -> None:
    """10 kWh at 300 a MWh cost 3.00; at 80 and a fee of 20 they cost 1.00: 2.00 is the price, 0 for a lit one."""
    house = Building("b", "z", (Unit("u", (Load("l", (4.0, 6.0), 4000.0),), (0.0, 0.0), (0.0, 0.0)),))
    city = City(GRID, ("z",), (house,), fees=Fees(market_buy_per_mwh=20.0))
    itself = Group("b", GroupKind.DARK, ("b",), "z")
    tariff = Ladder.tariff(np.full(2, 300.0), np.full(2, 20.0))
    schedule = LocalGateway(itself, (house,), GRID, Fees(), OPTIONS, 1).face(tariff)
    zone = np.full((1, 2), 80.0)
    prices = Prices(zone, zone, zone, np.zeros((1, 2), dtype=bool), np.zeros((0, 2)), True)
    forgone = price_of_privacy(city, {"b": schedule}, prices, (300.0, 20.0), OPTIONS)
    assert forgone == pytest.approx(2.0, abs=1e-6)
    assert price_of_privacy(city, {}, prices, (300.0, 20.0), OPTIONS) == 0.0
