"""C18, and the orders' part of C23: acceptances against the terms of the orders and against the prices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.audit.findings import Findings
from planner.audit.market import ROUNDING_WH, Book, Market
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
    m.run.table("market/acceptances")  # a folder without it knows nothing of orders, whether there are any or not
    book, orders = m.book, m.case("orders")
    if orders is None:
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
    ratios = dict(_blocks(orders, book, found))
    _check_links(orders, ratios, found)


def _check_complete(m: Market, orders: Table, book: Book, found: Findings) -> None:
    """Every order row of the delivery day is answered, once."""
    t = m.grid.index(orders)
    due = np.flatnonzero((t >= 0) & (t < m.grid.settled))
    answered = np.bincount(book.order_row, minlength=len(orders))
    for row in due[answered[due] != 1]:
        found.add(
            "C18", FILE, "an order row without one answer", int(answered[row]), 1, name=orders.text("order_id")[row]
        )


def _blocks(orders: Table, book: Book, found: Findings) -> Iterator[tuple[str, float]]:
    """(block, its ratio), after checking that its rows share it and that it is 0 or at least its minimum."""
    minimum = dict(zip(orders.text("order_id"), orders.numbers("min_acceptance_ratio", 1.0), strict=True))
    for name in sorted({str(i) for i in book.ids[book.kind == "block"]}):
        rows = np.flatnonzero(book.ids == name)
        accepted, quantity = book.accepted[rows], book.quantity[rows]
        ratio = accepted.sum() / quantity.sum()
        if (np.abs(accepted - ratio * quantity) > ROUNDING_WH).any():
            _say(found, "C18", book, rows[0], "rows of a block with different ratios", accepted.tolist(), ratio)
        if 0 < accepted.sum() < minimum[name] * quantity.sum() - len(rows) * ROUNDING_WH:
            _say(found, "C18", book, rows[0], "below the minimum acceptance ratio", ratio, minimum[name])
        yield name, float(ratio)


def _check_links(orders: Table, ratios: dict[str, float], found: Findings) -> None:
    """A child is accepted at most as its parent; an exclusive group at most once in sum."""
    groups: dict[str, dict[str, float]] = {}
    columns = (orders.text(name) for name in ("order_id", "parent_order_id", "exclusive_group"))
    for name, parent, group in sorted(set(zip(*columns, strict=True))):
        if name not in ratios:
            continue
        if parent in ratios and ratios[name] > ratios[parent] + 1e-6:
            found.add("C18", FILE, "accepted beyond its parent", ratios[name], ratios[parent], name=name)
        if group:
            groups.setdefault(group, {})[name] = ratios[name]
    for group, members in sorted(groups.items()):
        if sum(members.values()) > 1 + 1e-6:
            found.add("C18", FILE, "an exclusive group accepted more than once", sum(members.values()), 1, name=group)


def prices_of(m: Market, book: Book) -> tuple[Wh, npt.NDArray[np.bool_]]:
    """(zone price beside each acceptance, nano; whether there is one)."""
    place = np.array([m.zones.index(zone) if zone in m.zones else -1 for zone in book.zone], dtype=np.int64)
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
    for i in np.flatnonzero(known):
        problem = _reason_problem(book, i, float(gain[i]), tick) if book.kind[i] == "step" else ""
        if problem:
            _say(
                found, "C23", book, i, problem, f"{book.reason[i]}, price {price[i] / 1000}", book.limit_nano[i] / 1000
            )
        if not abs(book.surplus[i] - surplus[i]) <= 1e-6 * max(1.0, abs(surplus[i])):
            _say(found, "C23", book, i, "surplus is not margin times energy", book.surplus[i], surplus[i])


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


def _say(found: Findings, rule: str, book: Book, i: Any, what: str, value: object, expected: object) -> None:
    name = f"{book.ids[i]} row {book.order_row[i] + 1}"
    found.add(rule, FILE, what, value, expected, name=name, interval=int(book.t[i]) + 1)
