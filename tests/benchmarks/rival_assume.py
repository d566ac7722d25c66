"""ASSUME's complex clearing (PyPI assume-framework) on an order book of one zone; run by its own interpreter.

    RIVAL/bin/python tests/benchmarks/rival_assume.py CASE...

Steps and blocks with minimum acceptance ratios, which is what it can express of a book without lines.  Prints one line
of JSON per case; welfare is that of the volumes it accepts, seconds are counted from reading the file to its results.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from assume.common.market_objects import MarketConfig, MarketProduct
from assume.markets.clearing_algorithms.complex_clearing import ComplexClearingRole
from dateutil import rrule
from dateutil.relativedelta import relativedelta

START = dt.datetime(2026, 6, 15)
HOUR = dt.timedelta(hours=1)


def orders(folder: Path) -> list[dict[str, Any]]:
    """Its order dictionaries: volume in MWh, positive for sellers, one entry per step row and per block."""
    found: list[dict[str, Any]] = []
    blocks: dict[str, dict[str, Any]] = {}
    with (folder / "orders.csv").open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            start = START + (int(row["interval"]) - 1) * HOUR
            volume = float(row["quantity_kwh"]) / 1000 * (1 if row["side"] == "sell" else -1)
            if row["kind"] == "block" and row["order_id"] in blocks:
                block = blocks[row["order_id"]]
                block["volume"][start] = volume
                block["end_time"] = max(block["end_time"], start + HOUR)
                block["start_time"] = min(block["start_time"], start)
                continue
            kind = "BB" if row["kind"] == "block" else "SB"
            order = {
                "bid_id": f"{row['order_id']}#{number}",
                "agent_addr": "agent",
                "start_time": start,
                "end_time": start + HOUR,
                "only_hours": None,
                "price": float(row["price_per_mwh"]),
                "volume": {start: volume} if kind == "BB" else volume,
                "bid_type": kind,
                "node": "node0",
                "min_acceptance_ratio": float(row.get("min_acceptance_ratio") or 1) if kind == "BB" else None,
                "parent_bid_id": None,
            }
            if kind == "BB":
                blocks[row["order_id"]] = order
            found.append(order)
    return found


def role() -> ComplexClearingRole:
    config = MarketConfig(
        "market",
        opening_hours=rrule.rrule(rrule.HOURLY, dtstart=START, until=START + dt.timedelta(days=2)),
        opening_duration=HOUR,
        market_mechanism="complex_clearing",
        market_products=[MarketProduct(relativedelta(hours=+1), 24, relativedelta(hours=+0))],
        additional_fields=["bid_type", "min_acceptance_ratio", "parent_bid_id", "node"],
        maximum_bid_volume=1e6,
        maximum_bid_price=4000.0,
    )
    return ComplexClearingRole(config)


def welfare(accepted: list[dict[str, Any]]) -> float:
    total = 0.0
    for order in accepted:
        volume = order["accepted_volume"]
        total -= order["price"] * (sum(volume.values()) if isinstance(volume, dict) else volume)
    return total


def main() -> None:
    logging.disable(logging.CRITICAL)
    for name in sys.argv[1:]:
        began, cpu = time.perf_counter(), time.process_time()
        book = orders(Path(name))
        hours = {time for o in book for time in (o["volume"] if o["bid_type"] == "BB" else [o["start_time"]])}
        products = [(time, time + HOUR, None) for time in sorted(hours)]
        accepted, _, _, _ = role().clear(book, products)
        wall, spent = time.perf_counter() - began, time.process_time() - cpu
        print(json.dumps({"welfare": welfare(accepted), "wall_s": wall, "cpu_s": spent}), flush=True)


if __name__ == "__main__":
    main()
