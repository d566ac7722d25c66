"""From a case and a forecast to the numbers of the model: one frozen City on one grid.

Series become kWh per interval of the horizon in whole Wh.  Buildings, units and assets are sorted by id, so the
City is the same however the rows of the files are ordered.  Every problem found is raised together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from planner.allocation import allocation_table
from planner.preparation.allotted import Allotted, allot
from planner.preparation.desk import Desk, kwh
from planner.preparation.houses import buildings, feeders
from planner.preparation.located import located_assets
from planner.preparation.market import exchanges, lines
from planner.preparation.members import read_members
from planner.preparation.network import read_network
from planner.preparation.orders import orders
from planner.problems import InvalidInput
from planner_models.words import City, Fees, Remainder

if TYPE_CHECKING:
    from planner.case import Case
    from planner.forecast import Forecast

__all__ = ["allocations", "prepare"]


def prepare(case: Case, forecast: Forecast | None = None) -> City:
    """The City of the case's delivery day.

    ``forecast`` serves metered loads and plants; None suffices where there are none.  Raises InvalidInput.
    """
    desk = Desk(case, case.grid, forecast)
    network = read_network(desk)
    members = read_members(desk, network, located_assets(desk))
    _refuse(desk)
    allotted = allot(desk, network, members)
    steps, blocks, complexes = orders(desk)
    neighbours, wires = exchanges(desk, network.limits), lines(desk)
    _refuse(desk)
    houses = buildings(desk, network, members, allotted)
    market, fees = case.settings.market, case.settings.fees
    joint = case.settings.allocation.locality == "joint"
    return City(
        grid=desk.grid,
        zones=network.zones,
        buildings=houses,
        feeders=feeders(desk, network, houses),
        exchanges=neighbours,
        remainders=_remainders(allotted),
        steps=steps,
        blocks=blocks,
        complexes=complexes,
        lines=wires,
        fees=Fees() if joint else Fees(fees.market_buy_per_mwh, fees.market_sell_per_mwh),
        price_floor=market.price_floor,
        price_cap=market.price_cap,
    )


def allocations(case: Case, forecast: Forecast | None = None) -> pd.DataFrame:
    """What the case's policy gives each unit, as rows of allocations.csv by start over the horizon."""
    desk = Desk(case, case.grid, forecast)
    network = read_network(desk)
    members = read_members(desk, network, located_assets(desk))
    _refuse(desk)
    allotted = allot(desk, network, members)
    _refuse(desk)
    return allocation_table(allotted.unit_wh, desk.grid.starts)


def _remainders(allotted: Allotted) -> tuple[Remainder, ...]:
    """One per zone with supply left; none where every interval is handed out to the Wh."""
    left = sorted(allotted.remainder_wh.items())
    return tuple(Remainder(zone, kwh(rest / 1000)) for zone, rest in left if rest.any())


def _refuse(desk: Desk) -> None:
    if desk.problems:
        raise InvalidInput(sorted(set(desk.problems), key=str))
