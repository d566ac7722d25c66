"""What allocated energy costs: the price of the contracts that back it."""

from __future__ import annotations

import numpy as np

from planner.case import Case
from planner.quantise import Floats
from planner.timeseries import on_grid
from planner_models.words import City


def contract_prices(case: Case, city: City) -> dict[str, Floats]:
    """Price of allocated energy per zone and interval: the contracts' mean, weighted by energy."""
    supply = case.supply
    if supply.empty:
        return {}
    out: dict[str, Floats] = {}
    for zone, rows in supply.groupby("zone"):
        energy = on_grid(rows, "contract", "energy_kwh", city.grid, fill=0.0)
        price = on_grid(rows, "contract", "price_per_mwh", city.grid, fill=0.0)
        total = np.sum([energy[k] for k in energy], axis=0)
        paid = np.sum([energy[k] * price[k] for k in energy], axis=0)
        out[str(zone)] = np.divide(paid, total, out=np.zeros_like(total), where=total > 0)
    return out
