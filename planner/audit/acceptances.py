"""What an order book's clear gave each row of its orders, beside what the row asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.audit.series import Series
from planner.audit.table import DamagedFileError, Numbers, Table, Wh


@dataclass(frozen=True)
class Book:
    """The acceptances beside the terms of their orders, one entry per order row and interval."""

    ids: npt.NDArray[np.object_]
    kind: npt.NDArray[np.object_]
    zone: npt.NDArray[np.object_]
    sign: Wh  # +1 buys, -1 sells
    t: Wh
    limit_nano: Wh
    stated_nano: Wh
    quantity: Numbers
    accepted: Wh
    ratio: Numbers
    surplus: Numbers
    reason: npt.NDArray[np.object_]
    order_row: Wh


_TEXT, _WHOLE, _FLOAT = (np.array([], dtype=kind) for kind in (object, np.int64, float))
NOTHING_BOOKED = Book(
    ids=_TEXT,
    kind=_TEXT,
    zone=_TEXT,
    sign=_WHOLE,
    t=_WHOLE,
    limit_nano=_WHOLE,
    stated_nano=_WHOLE,
    quantity=_FLOAT,
    accepted=_WHOLE,
    ratio=_FLOAT,
    surplus=_FLOAT,
    reason=_TEXT,
    order_row=_WHOLE,
)


def quantities_wh(orders: Table, hours: float) -> Numbers:
    kwh, mw = orders.numbers("quantity_kwh"), orders.numbers("quantity_mw")
    return np.where(np.isnan(kwh), mw * hours * 1000, kwh) * 1000


def read_acceptances(part: Series, orders: Table, hours: float) -> Book:
    table = part.table
    row = table.numbers("row")
    if not ((row >= 1) & (row <= len(orders)) & (row == np.rint(row))).all():
        raise DamagedFileError(table.file, "row names no data row of market/case/orders.csv")
    at = row.astype(np.int64) - 1
    pick = {name: orders.labels(name)[at] for name in ("order_id", "kind", "zone", "side")}
    ids = table.labels("order_id")
    if (pick["order_id"] != ids).any():
        wrong = int(np.argmax(pick["order_id"] != ids))
        raise DamagedFileError(table.file, f"row {at[wrong] + 1} of orders.csv is not order {ids[wrong]}")
    return Book(
        ids=ids,
        kind=pick["kind"],
        zone=pick["zone"],
        sign=np.where(pick["side"] == "buy", 1, -1).astype(np.int64),
        t=part.t,
        limit_nano=np.rint(orders.numbers("price_per_mwh")[at] * 1000).astype(np.int64),
        stated_nano=table.nano("price_per_mwh"),
        quantity=quantities_wh(orders, hours)[at],
        accepted=table.wh("accepted_kwh"),
        ratio=table.numbers("ratio"),
        surplus=table.numbers("surplus"),
        reason=table.labels("reason"),
        order_row=at,
    )
