"""market/case/: what the marketplace needs to audit its part, cut out of the cleared case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from planner.cleared import Cleared
from planner.ledger.case_rows import (
    INSIDE,
    allocated_wh,
    allocation_rows,
    finite,
    in_order,
    on_starts,
    stacked,
    starts_of,
    writer,
)
from planner_models.words import City


def write_market_case(root: Path, case: Any, city: City, cleared: Cleared) -> None:
    """market/case/: the tree above the buildings and the buildings' names, supply, exchange, orders, lines."""
    write = writer(root, case, cleared)
    inside = case.nodes["kind"].isin(INSIDE)
    above = case.nodes[~inside].drop(columns=["metering_point", "occupant", "tariff"], errors="ignore")
    buildings = case.nodes.loc[case.nodes["kind"] == "building", ["node", "parent", "kind", "loss_ratio"]]
    write("nodes", pd.concat([above, buildings], ignore_index=True))
    write("limits", on_starts(case.limits[case.limits["node"].isin(above["node"])], ["node"], cleared))
    write("grid_prices", _exchange_rows(city, cleared))
    write("supply", on_starts(case.supply, ["contract", "zone"], cleared))
    write("orders", in_order(case.orders))
    write("lines", case.lines)
    allocated = {b.building: allocated_wh(b) for b in sorted(cleared.buildings, key=lambda b: b.building)}
    write("allocations", allocation_rows(allocated, cleared))


def _exchange_rows(city: City, cleared: Cleared) -> pd.DataFrame:
    hours, n = cleared.minutes / 60, len(cleared.starts)
    return stacked(
        [
            pd.DataFrame(
                {
                    "zone": exchange.zone,
                    "start": starts_of(cleared),
                    "import_price_per_mwh": exchange.import_price_per_mwh,
                    "export_price_per_mwh": exchange.export_price_per_mwh,
                    "import_limit_kw": finite(exchange.import_limit_kwh, n) / hours,
                    "export_limit_kw": finite(exchange.export_limit_kwh, n) / hours,
                }
            )
            for exchange in city.exchanges
        ]
    )
