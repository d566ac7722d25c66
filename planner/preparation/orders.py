"""Outsiders' orders on the delivery day.  Orders by start that lie outside it are another day's; none is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from planner.preparation.desk import Desk, number, records, text
from planner_models.words import BlockOrder, Side, StepOrder

Row = dict[str, Any]


def orders(desk: Desk) -> tuple[tuple[StepOrder, ...], tuple[BlockOrder, ...]]:
    """Step and block orders, sorted by what they say and never by their place in the file."""
    rows = [row for row in _placed(desk) if _known(desk, row)]
    steps = [_step(row) for row in rows if row["kind"] == "step"]
    blocks: dict[str, list[Row]] = {}
    for row in rows:
        if row["kind"] == "block":
            blocks.setdefault(row["order_id"], []).append(row)
    return (
        tuple(sorted(steps, key=_step_key)),
        tuple(_block(desk, blocks[name]) for name in sorted(blocks)),
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
    """Whether the model has this kind of order; a link it cannot keep is refused, not dropped."""
    linked = text(row["exclusive_group"]) or text(row["parent_order_id"])
    if row["kind"] not in ("step", "block") or linked:
        what = "linked and exclusive blocks" if linked else f"orders of kind {row['kind']}"
        desk.problem("orders", f"{what} cannot be cleared with a city", row["order_id"], "use steps and plain blocks")
        return False
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
    )
