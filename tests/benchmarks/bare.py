"""The floor: the welfare problem of an order book as one bare HiGHS model, files read and its answer written.

    python tests/benchmarks/bare.py CASE OUT [TIME_LIMIT]

Greatest welfare, what every row, line and neighbour trades, and the multipliers of the balances as prices (integers
fixed): no rule of pricing, no ties, no ranges, no settlement, no whole watt-hours, no check of the input, no copy of
it, no audit.  What it takes is what nobody can avoid; it prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv
from scipy import sparse

INF = highspy.kHighsInf


class Columns:
    """Columns and their entries, gathered family by family."""

    def __init__(self) -> None:
        self.count = 0
        self.cost: list[Any] = []
        self.high: list[Any] = []
        self.integer: list[Any] = []
        self.entries: list[tuple[Any, Any, Any]] = []
        self.rows = 0
        self.limits: list[tuple[Any, Any]] = []
        self.tables: list[tuple[str, dict[str, Any], Any]] = []

    def add(self, cost: Any, high: Any, integer: bool = False) -> Any:
        """New columns from 0 to ``high``; their numbers."""
        first, size = self.count, len(cost)
        self.count += size
        self.cost.append(np.asarray(cost, dtype=float))
        self.high.append(np.broadcast_to(np.asarray(high, dtype=float), size))
        self.integer.append(np.full(size, integer))
        return np.arange(first, self.count)

    def row(self, count: int, low: Any, high: Any) -> Any:
        first = self.rows
        self.rows += count
        self.limits.append((np.broadcast_to(low, count).astype(float), np.broadcast_to(high, count).astype(float)))
        return np.arange(first, self.rows)

    def tell(self, table: str, keys: dict[str, Any], columns: Any) -> None:
        """Rows of a table to be written: ``keys``, and the value of a column in each."""
        self.tables.append((table, keys, columns))

    def enter(self, rows: Any, columns: Any, values: Any) -> None:
        self.entries.append((np.asarray(rows), np.asarray(columns), np.broadcast_to(values, len(rows)).astype(float)))


def load(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """orders, lines, grid; empty frames where there is no file."""

    def table(stem: str) -> pd.DataFrame:
        found = [path for path in (folder / f"{stem}.csv", folder / f"{stem}.csv.gz") if path.exists()]
        return pd.read_csv(found[0]) if found else pd.DataFrame()

    return table("orders"), table("lines"), table("grid")


def build(folder: Path) -> tuple[Columns, dict[str, Any]]:
    """Everything in MWh; cost is minimised.  Also the zone and interval of every balance."""
    orders, lines, grid = load(folder)
    ends = [lines[c] for c in ("from_zone", "to_zone")] if len(lines) else []
    zones = pd.Index(pd.unique(pd.concat([orders["zone"], *ends, *([grid["zone"]] if len(grid) else [])])))
    n = int(orders["interval"].max())
    model = Columns()
    model.row(len(zones) * n, 0.0, 0.0)
    sign = np.where(orders["side"] == "sell", 1.0, -1.0)
    orders = orders.assign(
        place=zones.get_indexer(orders["zone"]) * n + orders["interval"] - 1,
        energy=sign * orders["quantity_kwh"] / 1000,
    )
    for kind, family in (("step", steps), ("block", blocks), ("complex", complexes)):
        rows = orders[orders["kind"] == kind]
        if len(rows):
            family(model, rows)
    if len(lines):
        network(model, lines, zones, n)
    if len(grid):
        neighbours(model, grid, zones, n)
    return model, {"zone": np.repeat(zones.to_numpy(object), n), "interval": np.tile(np.arange(1, n + 1), len(zones))}


def said(rows: pd.DataFrame) -> dict[str, Any]:
    """What tells a row of orders apart."""
    names = ("order_id", "interval", "price_per_mwh", "quantity_kwh")
    return {"row": rows.index + 1, **{name: rows[name] for name in names}}


def steps(model: Columns, rows: pd.DataFrame) -> None:
    at = model.add(rows["price_per_mwh"] * rows["energy"], 1.0)
    model.enter(rows["place"], at, rows["energy"])
    model.tell("acceptances", said(rows), at)


def blocks(model: Columns, rows: pd.DataFrame) -> None:
    rows = rows.assign(worth=rows["price_per_mwh"] * rows["energy"])
    each = rows.groupby("order_id", sort=False)
    code = each.ngroup().to_numpy()
    first, worth = each.first(), each["worth"].sum().to_numpy()
    ratio, on = model.add(worth, 1.0), model.add(np.zeros(len(first)), 1.0, integer=True)
    model.enter(rows["place"], ratio[code], rows["energy"])
    model.tell("acceptances", said(rows), ratio[code])
    least = (
        first["min_acceptance_ratio"].fillna(1.0).to_numpy() if "min_acceptance_ratio" in first else np.ones(len(first))
    )
    below, above = model.row(len(first), -INF, 0.0), model.row(len(first), 0.0, INF)
    model.enter(below, ratio, 1.0)
    model.enter(below, on, -1.0)
    model.enter(above, ratio, 1.0)
    model.enter(above, on, -least)
    if "exclusive_group" in first and first["exclusive_group"].notna().any():
        inside = np.flatnonzero(first["exclusive_group"].notna())
        group, names = pd.factorize(first["exclusive_group"].iloc[inside])
        model.enter(model.row(len(names), -INF, 1.0)[group], ratio[inside], 1.0)
    if "parent_order_id" in first and first["parent_order_id"].notna().any():
        inside = np.flatnonzero(first["parent_order_id"].notna())
        parent = pd.Index(first.index).get_indexer(first["parent_order_id"].iloc[inside])
        link = model.row(len(inside), -INF, 0.0)
        model.enter(link, ratio[inside], 1.0)
        model.enter(link, ratio[parent], -1.0)


def complexes(model: Columns, rows: pd.DataFrame) -> None:
    each = rows.groupby("order_id", sort=False)
    code = each.ngroup().to_numpy()
    on = model.add(each["fixed_cost"].first().fillna(0.0), 1.0, integer=True)
    at = model.add(rows["price_per_mwh"] * rows["energy"], 1.0)
    model.enter(rows["place"], at, rows["energy"])
    model.tell("acceptances", said(rows), at)
    below = model.row(len(rows), -INF, 0.0)
    model.enter(below, at, 1.0)
    model.enter(below, on[code], -1.0)
    window = rows.groupby(["order_id", "interval"], sort=False)
    least, which = window["min_quantity_kwh"].max().fillna(0.0).to_numpy() / 1000, window.ngroup().to_numpy()
    above = model.row(len(least), 0.0, INF)
    model.enter(above[which], at, rows["energy"])
    owner = np.zeros(len(least), dtype=int)
    owner[which] = code
    model.enter(above, on[owner], -least)


def network(model: Columns, lines: pd.DataFrame, zones: pd.Index, n: int) -> None:
    if "interval" not in lines or lines["interval"].isna().all():
        lines = lines.drop(columns="interval", errors="ignore").merge(
            pd.DataFrame({"interval": range(1, n + 1)}), how="cross"
        )
    half = lines["loss_ratio"].fillna(0.0).to_numpy() / 2 if "loss_ratio" in lines else 0.0
    here, there = (zones.get_indexer(lines[c]) * n + lines["interval"] - 1 for c in ("from_zone", "to_zone"))
    for start, end, limit in ((here, there, "forward_kwh"), (there, here, "reverse_kwh")):
        flow = model.add(np.zeros(len(lines)), lines[limit] / 1000)
        model.enter(start, flow, -(1 + half))
        model.enter(end, flow, 1 - half)
        model.tell(limit.replace("_kwh", ""), {name: lines[name] for name in ("line_id", "interval")}, flow)


def neighbours(model: Columns, grid: pd.DataFrame, zones: pd.Index, n: int) -> None:
    place = zones.get_indexer(grid["zone"]) * n + grid["interval"] - 1
    for way, sign in (("import", 1.0), ("export", -1.0)):
        limit = grid[f"{way}_limit_kw"] / 1000 if f"{way}_limit_kw" in grid else pd.Series(np.nan, index=grid.index)
        at = model.add(sign * grid[f"{way}_price_per_mwh"], limit.fillna(INF))
        model.enter(place, at, sign)
        model.tell(way, {name: grid[name] for name in ("zone", "interval")}, at)


@dataclass(frozen=True)
class Found:
    """What HiGHS found; ``y`` are the multipliers with every integer fixed."""

    welfare: float
    bound: float
    gap: float
    status: str
    x: Any
    y: Any


def solve(model: Columns, time_limit: float, gap: float = 0.0) -> Found:
    """Greatest welfare; with integers, once more with them fixed, for the prices."""
    lp = linear(model)
    whole = np.concatenate(model.integer)
    mixed = bool(whole.any())
    if mixed:
        lp.integrality_ = [highspy.HighsVarType.kInteger if one else highspy.HighsVarType.kContinuous for one in whole]
    highs = highspy.Highs()
    highs.silent()
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("mip_rel_gap", gap)
    highs.setOptionValue("time_limit", time_limit)
    highs.passModel(lp)
    highs.run()
    info, status = highs.getInfo(), highs.modelStatusToString(highs.getModelStatus())
    welfare, bound = -info.objective_function_value, -info.mip_dual_bound if mixed else -info.objective_function_value
    mip_gap = info.mip_gap if mixed else 0.0
    if mixed:
        at = np.flatnonzero(whole).astype(np.int32)
        value = np.rint(np.array(highs.getSolution().col_value)[at])
        highs.changeColsIntegrality(len(at), at, np.zeros(len(at), dtype=np.uint8))
        highs.changeColsBounds(len(at), at, value, value)
        highs.run()
    found = highs.getSolution()
    return Found(welfare, bound, mip_gap, status, np.array(found.col_value), np.array(found.row_dual))


def linear(model: Columns) -> Any:
    """The columns as HiGHS takes them."""
    rows, columns, values = (np.concatenate(parts) for parts in zip(*model.entries, strict=True))
    matrix = sparse.csc_matrix((values, (rows, columns)), shape=(model.rows, model.count))
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = model.count, model.rows
    lp.col_cost_, lp.col_lower_ = np.concatenate(model.cost), np.zeros(model.count)
    lp.col_upper_ = np.concatenate(model.high)
    lp.row_lower_, lp.row_upper_ = (np.concatenate(part) for part in zip(*model.limits, strict=True))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    return lp


def write(out: Path, model: Columns, balances: dict[str, Any], found: Found) -> None:
    """prices, acceptances, and what lines and neighbours carry each way."""
    out.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[pa.Table]] = {
        "prices": [pa.table({**balances, "price_per_mwh": found.y[: len(balances["zone"])]})]
    }
    for name, keys, columns in model.tables:
        value = found.x[columns]
        if name == "acceptances":
            accepted = value * keys["quantity_kwh"].to_numpy()
            keys = {**keys, "accepted_kwh": accepted}
        tables.setdefault(name, []).append(pa.table({**keys, "ratio" if name == "acceptances" else "mwh": value}))
    for name, parts in tables.items():
        csv.write_csv(pa.concat_tables(parts), out / f"{name}.csv")


def main() -> None:
    began, cpu = time.perf_counter(), time.process_time()
    folder, out, limit = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 600.0
    tomllib.loads((folder / "case.toml").read_text())
    model, balances = build(folder)
    found = solve(model, limit)
    write(out, model, balances, found)
    wall, spent = time.perf_counter() - began, time.process_time() - cpu
    told = {name: getattr(found, name) for name in ("welfare", "bound", "gap", "status")}
    print(json.dumps({**told, "wall_s": wall, "cpu_s": spent}))


if __name__ == "__main__":
    main()
