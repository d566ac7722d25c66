"""Outsiders' orders on the delivery day.  Orders by start that lie outside it are another day's; none is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from planner.preparation.desk import Desk, number, records, text
from planner_models.words import BlockOrder, ComplexOrder, Side, StepOrder

Row = dict[str, Any]


def orders(desk: Desk) -> tuple[tuple[StepOrder, ...], tuple[BlockOrder, ...], tuple[ComplexOrder, ...]]:
    """Step, block and complex orders, sorted by what they say and never by their place in the file."""
    rows = [row for row in _placed(desk) if _known(desk, row)]
    steps = [_step(row) for row in rows if row["kind"] == "step"]
    lumps: dict[str, dict[str, list[Row]]] = {"block": {}, "complex": {}}
    for row in rows:
        if row["kind"] in lumps:
            lumps[row["kind"]].setdefault(row["order_id"], []).append(row)
    blocks, complexes = lumps["block"], lumps["complex"]
    _parents_are_here(desk, blocks)
    return (
        tuple(sorted(steps, key=_step_key)),
        tuple(_block(desk, blocks[name]) for name in sorted(blocks)),
        tuple(_complex(complexes[name]) for name in sorted(complexes)),
    )


def _parents_are_here(desk: Desk, blocks: dict[str, list[Row]]) -> None:
    """A child whose parent trades on another day could never be accepted: that is said, not assumed."""
    for name in sorted(blocks):
        parent = text(blocks[name][0]["parent_order_id"])
        if parent and parent not in blocks:
            desk.problem(
                "orders", f"the parent of {name} has no row on the delivery day", parent, "add it or unlink it"
            )


def _placed(desk: Desk) -> list[Row]:
    """Rows of the delivery day with ``at`` (interval from 0) and ``kwh``."""
    grid = desk.grid
    position = {pd.Timestamp(start): i for i, start in enumerate(grid.starts[: grid.settled])}
    placed = []
    for row in records(desk.case.orders, "order_id"):
        at = int(row["interval"]) - 1 if text(row["interval"]) else position.get(row["start"])
        if at is None:
            if row["start"] > grid.starts[0] and row["start"] < grid.starts[grid.settled - 1]:
                desk.problem("orders", "start is not the start of an interval", row["start"], "move it to the grid")
            continue
        if not 0 <= at < grid.settled:
            desk.problem("orders", "interval outside the delivery day", at + 1, f"it has 1 to {grid.settled}")
            continue
        energy = number(row["quantity_kwh"], number(row.get("quantity_mw"), 0.0) * 1000 * grid.hours)
        placed.append({**row, "at": at, "kwh": round(energy * 1000) / 1000})
    return placed


def _known(desk: Desk, row: Row) -> bool:
    """Whether the order is about electricity; listings are about the rest."""
    if (text(row["resource"]) or "electricity") != "electricity":
        desk.problem("orders", "an order for another resource", row["order_id"], "list it in listings.csv")
        return False
    return True


def _step(row: Row) -> StepOrder:
    return StepOrder(
        id=row["order_id"],
        row=int(row["row"]),
        zone=row["zone"],
        side=Side(row["side"]),
        interval=row["at"],
        price_per_mwh=float(row["price_per_mwh"]),
        quantity_kwh=row["kwh"],
        participant=text(row["participant"]),
    )


def _step_key(order: StepOrder) -> tuple[object, ...]:
    return (order.zone, order.interval, order.side, order.price_per_mwh, order.id, order.quantity_kwh, order.row)


def _block(desk: Desk, rows: Sequence[Row]) -> BlockOrder:
    rows = sorted(rows, key=lambda row: (row["at"], row["kwh"], row["row"]))
    first = rows[0]
    for column in ("zone", "side", "price_per_mwh", "min_acceptance_ratio", "participant"):
        if len({text(row[column]) for row in rows}) > 1:
            desk.problem("orders", f"{column} differs within a block", first["order_id"], "one block has one of each")
    return BlockOrder(
        id=first["order_id"],
        rows=tuple(int(row["row"]) for row in rows),
        zone=first["zone"],
        side=Side(first["side"]),
        intervals=tuple(row["at"] for row in rows),
        quantities_kwh=tuple(row["kwh"] for row in rows),
        price_per_mwh=float(first["price_per_mwh"]),
        min_acceptance_ratio=number(first["min_acceptance_ratio"], 1.0),
        participant=text(first["participant"]),
        exclusive_group=text(first["exclusive_group"]),
        parent=text(first["parent_order_id"]),
        submitted_at=text(first["submitted_at"]),
    )


def _complex(rows: Sequence[Row]) -> ComplexOrder:
    rows = sorted(rows, key=lambda row: (row["at"], float(row["price_per_mwh"]), row["kwh"], row["row"]))
    first = rows[0]
    least: dict[int, float] = {}
    for row in rows:
        least[row["at"]] = max(least.get(row["at"], 0.0), round(number(row["min_quantity_kwh"], 0.0) * 1000) / 1000)
    stated = {at: energy for at, energy in sorted(least.items()) if energy > 0}
    return ComplexOrder(
        id=first["order_id"],
        rows=tuple(int(row["row"]) for row in rows),
        zone=first["zone"],
        intervals=tuple(row["at"] for row in rows),
        prices_per_mwh=tuple(float(row["price_per_mwh"]) for row in rows),
        quantities_kwh=tuple(row["kwh"] for row in rows),
        minimum_intervals=tuple(stated),
        minimum_kwh=tuple(stated.values()),
        fixed_cost=max(number(row["fixed_cost"], 0.0) for row in rows),
        participant=text(first["participant"]),
        submitted_at=text(first["submitted_at"]),
    )
