"""C18, and the orders' part of C23: acceptances against the terms of the orders and against the prices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from planner.audit.acceptances import Book
from planner.audit.findings import Findings
from planner.audit.market import ROUNDING_WH, Market
from planner.audit.table import Numbers, Table, Wh

FILE = "market/acceptances.csv"
LEFT_OUT_ALTHOUGH_IN_THE_MONEY = frozenset(
    (
        "rejected_in_the_money",
        "paradoxically_rejected",
        "tie",
        "minimum_not_met",
        "parent_rejected",
        "group_taken",
        "limit",
    )
)
NANO_PER_CURRENCY = 1e9


def check_orders(m: Market, found: Findings) -> None:
    """C18."""
    m.run.table(f"{m.folder}/acceptances")  # a folder without it knows nothing of orders, whether there are any or not
    book, orders = m.book, m.case("orders")
    if orders is None:
        found.idle("C18")
        return
    over = (book.accepted < 0) | (book.accepted > book.quantity + ROUNDING_WH / 2)
    for i in np.flatnonzero(over):
        _say(found, "C18", book, i, "accepted outside 0..quantity (Wh)", book.accepted[i], book.quantity[i])
    stated = np.abs(book.ratio * book.quantity - book.accepted) > 2 * ROUNDING_WH
    for i in np.flatnonzero(stated & ~over):
        _say(
            found,
            "C18",
            book,
            i,
            "ratio is not accepted / quantity",
            book.ratio[i],
            book.accepted[i] / book.quantity[i],
        )
    for i in np.flatnonzero(book.stated_nano != book.limit_nano):
        stated, limit = book.stated_nano[i] / 1000, book.limit_nano[i] / 1000
        _say(found, "C18", book, i, "not the order's limit price", stated, limit)
    for i in np.flatnonzero(book.t != m.grid.index(orders)[book.order_row]):
        _say(
            found,
            "C18",
            book,
            i,
            "not the order's interval",
            book.t[i] + 1,
            m.grid.index(orders)[book.order_row[i]] + 1,
        )
    _check_complete(m, orders, book, found)
    _check_blocks(orders, book, found)


def _check_complete(m: Market, orders: Table, book: Book, found: Findings) -> None:
    """Every order row of the delivery day is answered, once."""
    t = m.grid.index(orders)
    due = np.flatnonzero((t >= 0) & (t < m.grid.settled))
    answered = np.bincount(book.order_row, minlength=len(orders))
    for row in due[answered[due] != 1]:
        found.add(
            "C18", FILE, "an order row without one answer", int(answered[row]), 1, name=orders.text("order_id")[row]
        )


def _check_blocks(orders: Table, book: Book, found: Findings) -> None:
    """Rows of a block share one ratio, and it is 0 or at least the minimum."""
    rows = np.flatnonzero(book.kind == "block")
    names, of = np.unique(book.ids[rows].astype(str), return_inverse=True)
    accepted, quantity = (np.bincount(of, part[rows], minlength=len(names)) for part in (book.accepted, book.quantity))
    count, ratio = np.bincount(of, minlength=len(names)), accepted / np.maximum(quantity, 1e-9)
    for i in rows[np.abs(book.accepted[rows] - ratio[of] * book.quantity[rows]) > ROUNDING_WH]:
        _say(
            found,
            "C18",
            book,
            i,
            "rows of a block with different ratios",
            book.ratio[i],
            float(ratio[of[rows == i][0]]),
        )
    stated = dict(zip(orders.text("order_id"), orders.numbers("min_acceptance_ratio", 1.0), strict=True))
    minimum = np.array([stated[name] for name in names])
    for k in np.flatnonzero((accepted > 0) & (accepted < minimum * quantity - count * ROUNDING_WH)):
        found.add(
            "C18", FILE, "below the minimum acceptance ratio", float(ratio[k]), float(minimum[k]), name=str(names[k])
        )


def prices_of(m: Market, book: Book) -> tuple[Wh, npt.NDArray[np.bool_]]:
    """(zone price beside each acceptance, nano; whether there is one)."""
    place = m.zone_of_order
    known = (place >= 0) & (book.t >= 0)
    price = np.zeros(len(place), dtype=np.int64)
    price[known] = m.prices[place[known], book.t[known]]
    return price, known


def check_money(m: Market, found: Findings) -> None:
    """C23: what was accepted earns, what was rejected would not have, or the reason owns up to it."""
    book = m.book
    price, known = prices_of(m, book)
    if m.terms.pricing == "pay_as_bid":
        return
    gain = book.sign * (book.limit_nano - price)
    surplus = gain * book.accepted / NANO_PER_CURRENCY
    tick = m.terms.price_tick * 1000 + 1
    for i in np.flatnonzero(known & (book.kind == "step") & _doubtful(book, gain, tick)):
        problem = _reason_problem(book, i, float(gain[i]), tick)
        if problem:
            _say(
                found, "C23", book, i, problem, f"{book.reason[i]}, price {price[i] / 1000}", book.limit_nano[i] / 1000
            )
    wrong = ~(np.abs(book.surplus - surplus) <= 1e-6 * np.maximum(1.0, np.abs(surplus)))
    for i in np.flatnonzero(known & wrong):
        _say(found, "C23", book, i, "surplus is not margin times energy", book.surplus[i], surplus[i])


def _doubtful(book: Book, gain: Wh, tick: float) -> npt.NDArray[np.bool_]:
    """Steps whose reason has to be read: all but those taken in full in the money and those left out of it."""
    full = (book.reason == "accepted") & (book.accepted >= book.quantity - ROUNDING_WH / 2) & (gain >= -tick)
    none = (book.reason == "out_of_the_money") & (book.accepted == 0) & (gain <= tick)
    return ~(full | none)


def _reason_problem(book: Book, i: Any, gain: float, tick: float) -> str:
    """What the stated reason of one step contradicts, '' if nothing."""
    accepted, reason = book.accepted[i], book.reason[i]
    full = accepted >= book.quantity[i] - ROUNDING_WH / 2
    if accepted > 0 and gain < -tick and reason != "accepted_at_loss":
        return "accepted out of the money"
    if accepted == 0 and gain > tick and reason not in LEFT_OUT_ALTHOUGH_IN_THE_MONEY:
        return "rejected in the money"
    if (reason == "accepted" and not full) or (reason == "partly_accepted" and (full or accepted == 0)):
        return "the reason does not fit what was accepted"
    if accepted > 0 and reason in LEFT_OUT_ALTHOUGH_IN_THE_MONEY | {"out_of_the_money"} - {"tie"}:
        return "accepted with a reason for rejection"
    return ""


def welfare(book: Book) -> Numbers:
    """What each acceptance is worth: purchases at their limit, sales minus theirs; currency."""
    return book.sign * book.limit_nano * book.accepted / NANO_PER_CURRENCY


def _say(found: Findings, rule: str, book: Book, i: Any, what: str, value: object, expected: object = None) -> None:
    name = f"{book.ids[i]} row {book.order_row[i] + 1}"
    found.add(rule, FILE, what, value, expected, name=name, interval=int(book.t[i]) + 1)
