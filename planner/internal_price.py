"""The price of trades between units of one building (formulation 2.2).

Where the building buys from the marketplace, a unit's energy is worth the node price and the fee saved; where it
sells, the node price less the fee.  Where it does neither, any price between the two that its own units support is
right, and the middle is taken: units that kept using bound it from above by what their use is worth, units that
offered bound it from below by what they wanted.  Storage and runs can only narrow that range; they are left out.
"""

from __future__ import annotations

import numpy as np

from planner.cleared import NanoPerWh, Wh
from planner.quantise import Floats
from planner.schedule import Schedule
from planner_models.words import Building, Load, Plant


def internal_price_nano(schedule: Schedule, selling: NanoPerWh, buying: NanoPerWh) -> NanoPerWh:
    """rho per interval, nano-currency per Wh.

    ``selling`` and ``buying`` are what a Wh brings and costs outside the building: node price less or plus the fee,
    for a dark building the default tariff.
    """
    position = schedule.position_wh
    low, high = selling.astype(float), buying.astype(float)
    support_low, support_high = _support(schedule)
    inner_low, inner_high = np.maximum(low, support_low), np.minimum(high, support_high)
    crossed = inner_low > inner_high
    inner_low, inner_high = np.where(crossed, low, inner_low), np.where(crossed, high, inner_high)
    middle = np.floor((inner_low + inner_high) / 2).astype(np.int64)
    return np.where(position > 0, buying, np.where(position < 0, selling, middle))


def _support(schedule: Schedule) -> tuple[Floats, Floats]:
    """Ends that loads, spilled production and withheld allocation set, nano-currency per Wh."""
    building: Building = schedule.building
    n = len(schedule.loss_wh)
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    drawn = {key: rows.draw_wh[i] for rows in schedule.assets for i, key in enumerate(rows.keys)}
    for unit, cleared in zip(building.units, schedule.units, strict=True):
        reserve = np.array(unit.reserve_per_mwh) * 1000
        has = cleared.allocation_wh > 0
        low = np.where(has & (cleared.withheld_wh < cleared.allocation_wh), np.maximum(low, reserve), low)
        high = np.where(cleared.withheld_wh > 0, np.minimum(high, reserve), high)
        for asset in unit.assets:
            if isinstance(asset, Load):
                low, high = _load(asset, drawn[unit.id, asset.id], low, high)
            elif isinstance(asset, Plant):
                low, high = _plant(asset, drawn[unit.id, asset.id], low, high)
    return low, high


def _load(load: Load, served: Wh, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    energy = np.rint(np.array(load.energy_kwh) * 1000)
    agreed = (
        np.floor(energy * load.curtailable_ratio) if load.curtailment_cost_per_mwh < load.value_per_mwh else 0 * energy
    )
    value, cheap = load.value_per_mwh * 1000, load.curtailment_cost_per_mwh * 1000
    cut = energy - served
    high = np.where((served > 0) & (cut >= agreed), np.minimum(high, value), high)
    low = np.where(cut > agreed, np.maximum(low, value), low)
    high = np.where((agreed > 0) & (cut < agreed), np.minimum(high, cheap), high)
    low = np.where((agreed > 0) & (cut > 0), np.maximum(low, cheap), low)
    return low, high


def _plant(plant: Plant, drawn: Wh, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    produced = -drawn
    available = np.rint(np.array(plant.available_kwh) * 1000)
    worth = -1000 * (plant.support_per_mwh + (0.0 if plant.curtailable else plant.spill_cost_per_mwh))
    low = np.where(produced > 0, np.maximum(low, worth), low)
    high = np.where(produced < available, np.minimum(high, worth), high)
    return low, high
