"""The files of a cleared order book (contract 2): whole columns, exact decimals."""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from planner.ledger.case_rows import COLUMNS, STEMS, in_order
from planner.ledger.documents import settings_toml, write_json
from planner.ledger.folder import open_partial, publish
from planner.ledger.tables import Clock, repeated, write_contract_table, write_csv, write_ledger
from planner.money import amount_text, energy_text, price_text
from planner.money import total as exact_sum
from planner_models.words import IntervalGrid

if TYPE_CHECKING:
    from planner.case import Case
    from planner.orderbook.clear import Cleared
    from planner.orderbook.outcome import Outcome

Part = tuple["Cleared", pd.DataFrame]
NOISE_NANO = 1000
TABLES = ("grid_prices", "lines", "orders")


def write_market_run(
    folder: Path, case: Case, grid: IntervalGrid, parts: Sequence[Part], began: float, force: bool
) -> None:
    """Write a whole run: each rule's clear and its ledger; ``began`` is when the clear did (perf_counter)."""
    partial = open_partial(folder, force=force)
    write_case(partial / "market" / "case", case)
    rules = [str(part.rule) for part, _ in parts]
    told = {}
    for (part, ledger), place in zip(parts, rule_folders(rules), strict=True):
        write_clear(partial / place, part, ledger, case, grid)
        told[str(part.rule)] = certificate_of(partial / place, part, case, grid)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for certificate, place in zip(told.values(), rule_folders(rules), strict=True):
        certificate |= {"wall_s": round(time.perf_counter() - began, 3), "peak_rss_mb": round(peak, 1)}
        write_json(partial / place / "certificate.json", certificate)
    whole = next(iter(told.values()))
    if len(told) > 1:
        whole = {"delivery_date": whole["delivery_date"], "mode": "market", "rules": told}
    write_json(partial / "certificate.json", whole)
    publish(partial, folder, force=force)


def rule_folders(rules: Sequence[str]) -> list[str]:
    """Where each rule's clear lies in the run folder."""
    return ["market"] if len(rules) == 1 else [f"market/{rule}" for rule in rules]


def write_case(root: Path, case: Case) -> None:
    """The orders, lines and neighbours as given, each order in its own row: what an audit needs."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "case.toml").write_text(settings_toml(case.settings), encoding="utf-8")
    for name in TABLES:
        frame = getattr(case, name)
        frame = in_order(frame) if name == "orders" else frame
        kept = frame[[column for column in COLUMNS[name] if column in frame]]
        write_contract_table(root / f"{STEMS[name]}.csv", kept, case.settings.timezone)


def write_clear(root: Path, found: Cleared, ledger: pd.DataFrame, case: Case, grid: IntervalGrid) -> None:
    """prices, acceptances, flows, exchange, opportunity and settlement of one rule."""
    root.mkdir(parents=True, exist_ok=True)
    clock = Clock(grid.starts, case.settings.timezone)
    _prices(root, found, clock)
    _acceptances(root, found, case)
    _flows(root, found, clock)
    _exchange(root, found, clock)
    _opportunity(root, found)
    write_ledger(root / "settlement.csv", ledger, clock)


def _prices(root: Path, found: Cleared, clock: Clock) -> None:
    book, prices = found.book, found.prices
    n, zones = book.intervals, len(book.zones)
    columns: dict[str, Any] = {
        "zone": repeated(book.zones, n),
        "resource": repeated(["electricity"], n * zones),
        **clock.columns(np.arange(n), zones),
        "price_per_mwh": price_text(prices.nano, missing=np.isnan(prices.price)),
        "price_low": prices.low,
        "price_high": prices.high,
        "indicative": prices.indicative | (found.rule == "pay_as_bid"),
    }
    if prices.off_tick.any():
        columns["off_tick"] = prices.off_tick
    write_csv(root / "prices.csv", columns)


def _acceptances(root: Path, found: Cleared, case: Case) -> None:
    rows, result = found.outcome.energy.rows, found.outcome
    order = np.argsort(rows.row, kind="stable")
    ids = _by_row(case, "order_id")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(rows.quantity > 0, rows.accepted / np.maximum(rows.quantity, 1), 0.0)
    write_csv(
        root / "acceptances.csv",
        {
            "order_id": pa.array(ids, type=pa.string()).take(pa.array(rows.row[order] - 1)),
            "row": rows.row[order],
            "interval": rows.place[order] % found.book.intervals + 1,
            "price_per_mwh": price_text(np.rint(rows.price[order] * 1000).astype(np.int64)),
            "accepted_kwh": energy_text(rows.accepted[order]),
            "ratio": np.round(ratio[order], 12),  # one row may be of several GWh
            "surplus": amount_text(_surplus(found, result)[order]),
            "reason": pa.array(result.reason[order].tolist(), type=pa.string()),
        },
    )


def _surplus(found: Cleared, result: Outcome) -> npt.NDArray[np.int64]:
    """Paid as bid, nobody has one."""
    return np.zeros_like(result.surplus) if found.rule == "pay_as_bid" else result.surplus


def _by_row(case: Case, column: str) -> npt.NDArray[np.object_]:
    """A column of the orders in the rows of the file."""
    frame = case.orders
    out = np.empty(int(frame["row"].max()) if len(frame) else 0, dtype=object)
    out[frame["row"].to_numpy(dtype=np.int64) - 1] = frame[column].to_numpy(dtype=object)
    return out


def _flows(root: Path, found: Cleared, clock: Clock) -> None:
    book, flow, n = found.book, found.outcome.energy.flow, found.book.intervals
    zonal = found.price_nano.reshape(len(book.zones), n)
    rent = flow * (zonal[book.wires.target] - zonal[book.wires.source])
    write_csv(
        root / "flows.csv",
        {
            "line_id": repeated(book.wires.id, n),
            **clock.columns(np.arange(n), len(book.wires.id)),
            "flow_kwh": energy_text(flow.ravel()),
            "rent": amount_text(rent.ravel()),
        },
    )


def _exchange(root: Path, found: Cleared, clock: Clock) -> None:
    book, net, n = found.book, found.outcome.energy.imported, found.book.intervals
    zones = [book.zones[z] for z in book.neighbours.zone]
    write_csv(
        root / "exchange.csv",
        {
            "zone": repeated(zones, n),
            **clock.columns(np.arange(n), len(zones)),
            "import_kwh": energy_text(np.maximum(net, 0).ravel()),
            "export_kwh": energy_text(np.maximum(-net, 0).ravel()),
        },
    )


def _opportunity(root: Path, found: Cleared) -> None:
    """Blocks and complex orders: own surplus, what a rejected one missed, what its party forgoes, make-whole."""
    result = found.outcome
    blocks = len(found.book.blocks)
    write_csv(
        root / "opportunity.csv",
        {
            "order_id": pa.array(list(result.names), type=pa.string()),
            "kind": pa.array(["block" if k < blocks else "complex" for k in range(len(result.names))], pa.string()),
            "accepted": result.accepted,
            "surplus": amount_text(result.own),
            "missed": amount_text(result.missed),
            "lost_opportunity_cost": amount_text(result.forgone),
            "make_whole": amount_text(result.make_whole),
        },
    )


def certificate_of(root: Path, found: Cleared, case: Case, grid: IntervalGrid) -> dict[str, Any]:
    """What was decided, how good it provably is, and fingerprints; times are added when all is written."""
    decision, result, book = found.decision, found.outcome, found.book
    proven = decision.status.value == "optimal" and decision.bound >= decision.cost
    cost = cost_of(found)
    bound = cost if proven else min(book.money(decision.bound), cost)
    gap = max(cost - bound, 0.0)
    output = output_of(root)
    return {
        "run_id": hashlib.sha256(f"{case.sha256}{output}".encode()).hexdigest()[:16],
        "delivery_date": str(case.settings.delivery_date),
        "version": 1,
        "supersedes": None,
        "case_sha256": case.sha256,
        "output_sha256": output,
        "status": decision.status.value,
        "mode": "market",
        "information": "central",
        "answer_from": "market",
        "intervals": len(grid),
        "orders": len(set(_by_row(case, "order_id")[result.energy.rows.row - 1].tolist())),
        "rows": len(result.energy.rows.row),
        "zones": list(book.zones),
        "pricing": str(found.rule),
        "objective": cost,
        "welfare": -cost,
        "bound": bound,
        "gap_absolute": gap,
        "gap_relative": gap / abs(cost) if cost else 0.0,
        "proven": proven,
        "supported": found.supported,
        "cuts": decision.cuts,
        "ties": len(decision.answers) - 1,
        "volume_kwh": int(result.energy.rows.accepted[result.energy.rows.sign < 0].sum()) / 1000,
        "lost_opportunity_cost": _lost(found),
        "make_whole": (exact_sum(result.make_whole) + exact_sum(result.step_make_whole)) / 1e9,
        "paradoxically_rejected": _missed(found),
        "build_s": round(found.build_s, 3),
        "solver_s": round(found.solver_s, 3),
        "seed": book.seed,
        "versions": {name: version(name) for name in ("pyomo", "highspy", "pandas", "numpy", "clarabel")},
    }


def cost_of(found: Cleared) -> float:
    """C20: the cost of what was cleared in whole Wh, currency; what rounding left is bought at its place's price."""
    energy, book = found.outcome.energy, found.book
    rows, e = energy.rows, book.neighbours
    nano = exact_sum(rows.sign * rows.accepted * np.rint(rows.price * 1000).astype(np.int64))
    fixed = found.outcome.accepted[len(book.blocks) :] * book.complexes.fixed_cost
    bought, sold = np.maximum(energy.imported, 0), np.minimum(energy.imported, 0)
    for price, net in ((e.import_price, bought), (e.export_price, sold)):
        nano += exact_sum((np.rint(price * 1000).astype(np.int64) * net).ravel())
    nano += exact_sum(energy.rest * found.price_nano)
    return nano / 1e9 + book.money(float(fixed.sum()))


def output_of(root: Path) -> str:
    """SHA-256 over the tables of one rule's folder."""
    digest = hashlib.sha256()
    for path in sorted(root.glob("*.csv")):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _lost(found: Cleared) -> dict[str, Any]:
    """Lost-opportunity cost of all orders, and of those that sell and buy."""
    result, rows = found.outcome, found.outcome.energy.rows
    blocks = found.book.blocks
    sells = np.concatenate([blocks.sign > 0, np.ones(len(found.book.complexes), dtype=bool)])
    step_sells = rows.sign > 0
    sold = exact_sum(result.forgone[sells]) + exact_sum(result.step_forgone[step_sells])
    bought = exact_sum(result.forgone[~sells]) + exact_sum(result.step_forgone[~step_sells])
    return {"total": (sold + bought) / 1e9, "by_side": {"sell": sold / 1e9, "buy": bought / 1e9}}


def _missed(found: Cleared) -> list[dict[str, Any]]:
    """Rejected blocks and complex orders that would have earned, with what they missed."""
    result = found.outcome
    rows = result.energy.rows
    first = {int(k): reason for k, reason in zip(rows.lump, result.reason, strict=True) if k >= 0}
    return [
        {"order_id": result.names[k], "missed": int(result.missed[k]) / 1e9, "reason": first[int(k)]}
        for k in np.flatnonzero(~result.accepted & (result.missed > NOISE_NANO))
    ]
