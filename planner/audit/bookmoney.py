"""Money of an order book's clear: S3 to S6 from its ledger, flows and acceptances."""

from __future__ import annotations

import numpy as np

from planner.audit.book import BookMarket
from planner.audit.findings import Findings
from planner.audit.lumps import NANO, NOISE_NANO
from planner.audit.money import check_prices as check_amounts
from planner.audit.money import check_zero
from planner.audit.table import Wh
from planner.money import AMOUNT_DECIMALS, from_text


def check_ledger(m: BookMarket, found: Findings) -> None:
    """S4 and S5."""
    check_zero(m.ledger, found)
    check_amounts(m.ledger, found)
    names, flow = m.lines
    if names:
        table = m.run.table(f"{m.folder}/flows")
        rent = from_text(table.column("rent"), AMOUNT_DECIMALS)
        place = {name: i for i, name in enumerate(m.zones)}
        ends = np.array([[place[zone] for zone in pair] for pair in m.line_ends()])
        right = flow * (m.prices[ends[:, 1]] - m.prices[ends[:, 0]])
        line = np.array([names.index(name) for name in table.text("line_id")], dtype=np.int64)
        t = table.numbers("interval").astype(np.int64) - 1
        for i in np.flatnonzero(rent != right[line, t]):
            what, due = "rent is not flow times the difference in price", int(right[line[i], t[i]]) / NANO
            found.add("S5", table.file, what, rent[i] / NANO, due, name=names[line[i]], interval=int(t[i]) + 1)


def check_energy(m: BookMarket, found: Findings) -> None:
    """S6: every order's energy stands in its account, interval by interval."""
    names = _accounts(m)
    accounts = tuple(dict.fromkeys(names))
    place = {name: i for i, name in enumerate(accounts)}
    n, book, ledger = len(m.grid), m.book, m.ledger
    due, booked = (np.zeros((len(place), n), dtype=np.int64) for _ in range(2))
    row = np.array([place[name] for name in names], dtype=np.int64)
    np.add.at(due, (row, book.t), book.sign * book.accepted)
    where = np.array([place.get(name, -1) for name in ledger.accounts], dtype=np.int64)[ledger.account]
    energy = np.array([line == "energy" for line in ledger.lines])[ledger.line] & (where >= 0) & (ledger.t >= 0)
    np.add.at(booked, (where[energy], ledger.t[energy]), ledger.energy[energy])
    for i in sorted(np.flatnonzero((due != booked).any(axis=1)), key=accounts.__getitem__):
        mine = np.array([i])
        wrong, what = due[mine] != booked[mine], "energy of an account (Wh)"
        found.flag("S6", ledger.file, (accounts[i],), wrong, what, booked[mine], due[mine])


def _accounts(m: BookMarket) -> list[str]:
    who = m.orders.labels("participant")[m.book.order_row]
    return [f"order:{w or i}" for w, i in zip(who.tolist(), m.book.ids.tolist(), strict=True)]


def check_make_whole(m: BookMarket, found: Findings) -> None:
    """S3: where the rule pays it, each account gets what its accepted orders lose; elsewhere nobody is paid."""
    owed: dict[str, int] = {}
    if m.rule in ("fixed_integers", "convex_hull"):
        for name, amount in zip(_accounts(m), _owed(m), strict=True):
            owed[name] = owed.get(name, 0) + int(amount)
    ledger = m.ledger
    lines = np.array([line == "make_whole" for line in ledger.lines])[ledger.line]
    paid: dict[str, int] = {}
    for i in np.flatnonzero(lines):
        name = ledger.accounts[ledger.account[i]]
        if name != "operator":
            paid[name] = paid.get(name, 0) + int(ledger.amount[i])
    for name in sorted({k for k, v in owed.items() if v} | set(paid)):
        if abs(owed.get(name, 0) - paid.get(name, 0)) > NOISE_NANO:
            got, due = paid.get(name, 0) / NANO, owed.get(name, 0) / NANO
            found.add("S3", ledger.file, "make-whole is not what its orders lose", got, due, name=name)


def _owed(m: BookMarket) -> Wh:
    """Make-whole per acceptance: a step by itself, a block or complex order on its first row."""
    lumps, book = m.lumps, m.book
    loss = -lumps.own
    for k in lumps.upwards():
        above = int(lumps.parent[k])
        if above >= 0 and lumps.accepted[k] > 0:
            loss[above] += np.minimum(loss[k], 0)
    out = np.where(book.kind == "step", np.maximum(-m.margin * book.accepted, 0), 0)
    for k in map(int, np.flatnonzero((lumps.accepted > 0) & (loss > NOISE_NANO))):
        out[int(np.argmax(lumps.of == k))] = loss[k]
    return np.where(out > NOISE_NANO, out, 0)
