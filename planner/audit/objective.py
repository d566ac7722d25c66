"""C20: what the implemented schedule costs, added up from the files.

Tolerance: energy is whole Wh and cost is not recomputed from floats, so a sum may differ by half a Wh times a price
for each number in it.  RELATIVE of the cost is far above that for any city and far below what anybody is billed for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.audit.appliances import cost_of_appliances
from planner.audit.assets import WH_PER_MWH, cost_of_generators, cost_of_loads, cost_of_plants
from planner.audit.battery import cost_of_batteries
from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.market import Market
from planner.audit.orders import welfare
from planner.audit.series import case_series
from planner.audit.shifting import cost_of_bands, cost_of_vehicles
from planner.audit.table import DamagedFileError

RELATIVE = 1e-5
EXACT = 1e-6
COSTS = (
    cost_of_loads,
    cost_of_plants,
    cost_of_batteries,
    cost_of_vehicles,
    cost_of_appliances,
    cost_of_bands,
    cost_of_generators,
)


def building_cost(b: Building) -> float:
    """c_b in currency: its assets, minus the reserve of what is withheld, plus fees on its position; counted once."""
    if b.counted_cost is None:
        b.counted_cost = sum(cost(b) for cost in COSTS) - reserve_kept(b) + price_of_trading(b)
    return b.counted_cost


def reserve_kept(b: Building) -> float:
    """What withheld allocation is worth to its holders."""
    table = b.case("allocations")
    if table is None or not b.withheld.any():
        return 0.0
    reserve = case_series(table, b.grid, "node", b.units, "reserve_per_mwh", resource=True)
    of_building = case_series(table, b.grid, "node", (b.id,), "reserve_per_mwh", 0.0, resource=True)
    return float((np.where(np.isnan(reserve), of_building, reserve) * b.withheld).sum()) / WH_PER_MWH


def price_of_trading(b: Building) -> float:
    """Market fees on the position; what a dark building pays its default supplier is a price and no cost."""
    if b.dark:
        return 0.0
    bought, sold = np.maximum(b.position, 0).sum(), np.maximum(-b.position, 0).sum()
    return float(bought * b.terms.fee_buy + sold * b.terms.fee_sell) / WH_PER_MWH


def market_cost(m: Market) -> float:
    """The exchange at its prices, minus the orders' welfare, unserved energy at the cap; currency.

    What the default supplier delivers of rounding is bought at the zone's price.
    """
    cost = float((m.of_zones("unserved_kwh") * m.terms.price_cap + m.of_zones("remainder_kwh") * m.prices / 1000).sum())
    for side, energy in (("import", m.of_zones("import_kwh")), ("export", -m.of_zones("export_kwh"))):
        price = case_series(m.case("grid"), m.grid, "zone", m.zones, f"{side}_price_per_mwh", 0.0)
        cost += float((price * energy).sum())
    fixed = 0.0
    if m.case("orders") is not None:
        fixed = float(m.lumps.fixed_nano[m.lumps.accepted > 0].sum()) / 1e9
    return cost / WH_PER_MWH - float(welfare(m.book).sum()) + fixed


def check_cost(b: Building, found: Findings) -> None:
    """C20 for one building."""
    stated, cost = number(b.answer, "cost", b.file("answer.json")), building_cost(b)
    if not abs(stated - cost) <= RELATIVE * max(1.0, abs(cost)):
        found.add("C20", b.file("answer.json"), "cost is not that of its schedule", stated, cost, name=b.id)


def check_objective(run: Evidence, found: Findings) -> None:
    """C20 for all who trade; dark buildings cost what they cost beside it."""
    stated = number(run.certificate, "objective", "certificate.json")
    cost = sum(building_cost(b) for b in run.complete() if not b.dark) + market_cost(run.market)
    if not abs(stated - cost) <= RELATIVE * max(1.0, abs(cost)):
        found.add(
            "C20", "certificate.json", "objective is not the cost of the schedule", stated, cost, name="objective"
        )


def number(content: dict[str, Any], key: str, file: str) -> float:
    """A finite number of a JSON object; anything else is damage."""
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise DamagedFileError(file, f"{key} is not a number: {str(value)[:40]}")
    return float(value)
