"""The price of privacy: what those who said nothing could have saved at the day's prices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planner.answered import Prices
from planner.closing import node_price
from planner.gateway import LocalGateway
from planner.groups import Group, GroupKind
from planner.schedule import Schedule
from planner_models.solve import Options
from planner_models.words import City

LOT_WH = 1


def price_of_privacy(
    city: City, dark: Mapping[str, Schedule], prices: Prices, default_tariff: tuple[float, float], options: Options
) -> float:
    """Currency over the horizon: cost at the default tariff less the proven least cost at the published prices.

    Prices stand as they were found without these buildings, and what the relaxation can do is a bound: they could have
    saved at most this.
    """
    buy, sell = default_tariff
    forgone = 0.0
    for building in city.buildings:
        if (schedule := dark.get(building.id)) is None:
            continue
        position = schedule.position_wh / 1e6
        paid = buy * np.maximum(position, 0).sum() - sell * np.maximum(-position, 0).sum()
        itself = Group(building.id, GroupKind.DARK, (building.id,), building.zone, building.feeders)
        gateway = LocalGateway(itself, (building,), city.grid, city.fees, options, LOT_WH)
        least = gateway.bounds_at(node_price(city, building, prices) / 1000)[0]
        forgone += max(0.0, schedule.cost + float(paid) - least)
    return forgone
