"""market/case/: what the marketplace needs to audit its part, cut out of the cleared case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from planner.cleared import Wh
from planner.ledger.case_rows import (
    INSIDE,
    Horizon,
    allocation_rows,
    finite,
    in_order,
    on_starts,
    stacked,
    starts_of,
    writer,
)
from planner_models.words import City


def write_market_case(root: Path, case: Any, city: City, horizon: Horizon, allocated_wh: Mapping[str, Wh]) -> None:
    """The tree above the buildings and the buildings' names, supply, exchange, orders, lines.

    ``allocated_wh`` is A by building, over the horizon.
    """
    write = writer(root, case, horizon)
    inside = case.nodes["kind"].isin(INSIDE)
    above = case.nodes[~inside].drop(columns=["metering_point", "occupant", "tariff"], errors="ignore")
    buildings = case.nodes.loc[case.nodes["kind"] == "building", ["node", "parent", "kind", "loss_ratio"]]
    write("nodes", pd.concat([above, buildings], ignore_index=True))
    write("limits", on_starts(case.limits[case.limits["node"].isin(above["node"])], ["node"], horizon))
    write("grid_prices", _exchange_rows(city, horizon))
    write("supply", on_starts(case.supply, ["contract", "zone"], horizon))
    write("orders", in_order(case.orders))
    write("lines", case.lines)
    write("allocations", allocation_rows({name: allocated_wh[name] for name in sorted(allocated_wh)}, horizon))


def _exchange_rows(city: City, horizon: Horizon) -> pd.DataFrame:
    hours, n = horizon.minutes / 60, len(horizon.starts)
    return stacked(
        [
            pd.DataFrame(
                {
                    "zone": exchange.zone,
                    "start": starts_of(horizon),
                    "import_price_per_mwh": exchange.import_price_per_mwh,
                    "export_price_per_mwh": exchange.export_price_per_mwh,
                    "import_limit_kw": finite(exchange.import_limit_kwh, n) / hours,
                    "export_limit_kw": finite(exchange.export_limit_kwh, n) / hours,
                }
            )
            for exchange in city.exchanges
        ]
    )
