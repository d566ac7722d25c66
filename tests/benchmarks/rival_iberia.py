"""The iberian-day-ahead-market-simulator (PyPI) on an order book of that market; run by its own interpreter.

    RIVAL/bin/python tests/benchmarks/rival_iberia.py CASE

Turns the case back into the market's own tables (DET, CAB, capacities), runs the package on HiGHS with its defaults and
prints one line of JSON.  Seconds are counted from reading the files to its prices, imports apart.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from iberian_day_ahead_market_simulator.clearing_process import run_iberian_day_ahead_market_simulator

DAY = pd.Timestamp("2025-06-21")
FRONTIER = {"PT": 2, "FR": 3}


def book(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """(DET, CAB, zone of each unit)."""
    rows = pd.read_csv(folder / "orders.csv.gz")
    rows["id_order"] = rows["order_id"].str.extract(r"^[A-Z]+(\d+)")[0]
    block = rows["kind"] == "block"
    rows["int_num_block"] = 0
    rows.loc[block, "int_num_block"] = (
        rows[block].groupby("id_order")["order_id"].transform(lambda x: x.factorize()[0] + 1)
    )
    rows = rows.sort_values(["id_order", "interval", "int_num_block", "price_per_mwh"], kind="stable")
    rows["int_num_suborder"] = rows.groupby(["id_order", "interval", "int_num_block"]).cumcount() + 1
    group = rows["exclusive_group"].astype("str")
    rows["int_num_excl_group"] = group.where(rows["exclusive_group"].notna()).factorize()[0] + 1
    least = rows.groupby(["id_order", "interval"])["min_quantity_kwh"].transform("max").fillna(0.0) / 1000
    det = pd.DataFrame(
        {
            "date_sesion": DAY,
            "id_order": rows["id_order"],
            "int_period": rows["interval"],
            "int_num_block": rows["int_num_block"],
            "int_num_suborder": rows["int_num_suborder"],
            "int_num_excl_group": rows["int_num_excl_group"],
            "float_bid_price": rows["price_per_mwh"],
            "float_bid_power": rows["quantity_kwh"] / 1000,
            "float_mav": least.where((rows["int_num_suborder"] == 1) & (rows["kind"] == "complex"), 0.0),
            "float_mar": rows["min_acceptance_ratio"].where(block, 0.0).fillna(1.0),
        }
    )
    first = rows.groupby("id_order", sort=False).agg(
        unit=("participant", "first"), side=("side", "first"), zone=("zone", "first"), fixed=("fixed_cost", "max"),
        most=("quantity_kwh", "sum"),
    )  # fmt: skip
    unit = [f"{name}.{order}" for order, name in first["unit"].items()]
    cab = pd.DataFrame(
        {
            "date_sesion": DAY,
            "id_order": first.index,
            "id_unidad": unit,
            "cat_buy_sell": first["side"].map({"sell": "V", "buy": "C"}).astype("category").to_numpy(),
            "float_mic": first["fixed"].fillna(0.0).to_numpy(),
            "float_max_power": first["most"].to_numpy() / 1000,
        }
    )
    zones = pd.DataFrame({"id_unidad": unit, "cat_bidding_zone": first["zone"].astype("category").to_numpy()})
    return det.reset_index(drop=True), cab, zones


def capacities(folder: Path) -> pd.DataFrame:
    lines = pd.read_csv(folder / "lines.csv")
    return pd.DataFrame(
        {
            "date_sesion": DAY,
            "cat_frontier": pd.Categorical(lines["to_zone"].map(FRONTIER)),
            "int_period": lines["interval"],
            "float_import_capacity": -lines["reverse_kwh"] / 1000,
            "float_export_capacity": lines["forward_kwh"] / 1000,
        }
    )


def france(folder: Path) -> pd.DataFrame:
    grid = pd.read_csv(folder / "grid.csv")
    return pd.DataFrame(
        {"date_sesion": DAY, "int_period": grid["interval"], "float_price_fr": grid["import_price_per_mwh"]}
    )


def right_prices(folder: Path, found: pd.DataFrame) -> int:
    """How many published prices it meets to the cent."""
    published = pd.read_csv(folder / "expected_prices.csv").set_index(["zone", "interval"])["price_per_mwh"]
    own = found.reset_index().set_index(["cat_bidding_zone", "int_period"])["float_cleared_price"]
    return int(sum(abs(own[key] - price) < 0.0051 for key, price in published.items()))


def main() -> None:
    folder = Path(sys.argv[1])
    warnings.simplefilter("ignore")
    said: Any = io.StringIO()
    began, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(said):
        det, cab, zones = book(folder)
        results = run_iberian_day_ahead_market_simulator(
            det, cab, capacities(folder), france(folder), zones, solver_factory_type="highs"
        )
    wall, spent = time.perf_counter() - began, time.process_time() - cpu
    welfare = float(results["model_iteration_info"]["float_objective_value"])
    prices = right_prices(folder, results["clearing_prices"])
    print(json.dumps({"welfare": welfare, "wall_s": wall, "cpu_s": spent, "prices_right": prices}))


if __name__ == "__main__":
    main()
