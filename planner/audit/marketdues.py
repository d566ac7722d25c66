"""S3, S5 and S6: the marketplace's whole ledger worked out anew, from positions, flows, acceptances and prices.

What concerns groups needs their buildings: node prices differ from zone to feeder.  The rest is checked without them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.audit.dues import Book, booked, empty_book, round_bills
from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.ledgers import NANO, read_ledger
from planner.audit.market import Market
from planner.audit.network import zone_of
from planner.audit.table import Wh
from planner.money import price_nano

MARKET = "market/settlement"
LINES = {
    "group": ("energy", "fee", "make_whole", "uplift", "rounding"),
    "grid": ("energy", "rounding"),
    "supplier": ("energy", "rounding"),
    "order": ("energy", "make_whole", "uplift", "rounding"),
    "default_supplier": ("unserved", "remainder", "rounding"),
    "rounding": ("rounding",),
    "marketplace": ("fee",),
    "network": ("congestion_rent", "losses", "uplift"),
    "operator": ("make_whole", "uplift"),
}
"""What an account of each kind may be booked on."""


def check_accounts(run: Evidence, found: Findings) -> None:
    """S5: no account and no line that the rules do not know."""
    ledger = read_ledger(run.table(MARKET))
    for code in np.unique(ledger.account * len(ledger.lines) + ledger.line):
        account, line = ledger.accounts[code // len(ledger.lines)], ledger.lines[code % len(ledger.lines)]
        if line not in LINES.get(_kind(account), ()):
            found.add("S5", ledger.file, "no rule books this line on this account", name=f"{account} {line}")


def check_sources(run: Evidence, found: Findings) -> None:
    """Neighbours, contracts, the default supplier and orders: their energy at the price of their zone."""
    m, ledger = run.market, read_ledger(run.table(MARKET))
    n = run.grid.settled
    due = empty_book(n)
    for z, zone in enumerate(m.zones):
        for account, line, energy in (
            (f"grid:{zone}", "energy", m.of_zones("export_kwh") - m.of_zones("import_kwh")),
            (f"supplier:{zone}", "energy", -m.of_zones("supply_kwh")),
            ("default_supplier", "unserved", -m.of_zones("unserved_kwh")),
            ("default_supplier", "remainder", -m.of_zones("remainder_kwh")),
        ):
            due.add((account,), line, energy[z : z + 1, :n], m.prices[z, :n])
    for account, z, energy in _orders(m):
        due.add((account,), "energy", energy[None, :n], m.prices[z, :n])
    stated = booked(ledger, n)
    _without_uplift(stated).differ(
        due, ledger.file, found, frozenset(_accounts(stated, due, "grid", "supplier", "order"))
    )
    _without_uplift(stated).differ(due, ledger.file, found, frozenset(("default_supplier",)))


def check_groups(run: Evidence, found: Findings) -> None:
    """Groups at their nodes' prices, rents and losses of the network."""
    m, ledger = run.market, read_ledger(run.table(MARKET))
    n = run.grid.settled
    due = empty_book(n)
    for b in run.complete():
        if not b.dark:
            _book_position(due, b, m, n)
    _book_lines(due, m, n)
    stated = booked(ledger, n)
    only = frozenset((*_accounts(stated, due, "group"), "network"))
    _without_uplift(_of_fees(stated, False)).differ(due, ledger.file, found, only)


def _book_position(due: Book, b: Building, m: Market, n: int) -> None:
    position, node = b.position[None, :n], b.node_price[:n]
    zonal = m.prices[m.zones.index(zone_of(b)), :n]
    due.add((f"group:{b.group}",), "energy", position, node)
    due.add(("network",), "congestion_rent", np.where(node == zonal, 0, position), zonal - node)


def check_fees(run: Evidence, found: Findings) -> None:
    """S5 and S6: a group pays the fees on its own position; what its buildings traded among themselves is not told."""
    m, ledger = run.market, read_ledger(run.table(MARKET))
    n = run.grid.settled
    due, (names, positions) = empty_book(n), m.group_positions
    position = np.array(positions, dtype=np.int64).reshape(len(names), len(run.grid))[:, :n]
    for fee, traded in ((m.terms.fee_buy, position), (m.terms.fee_sell, -position)):
        charged, price = np.maximum(traded, 0), np.full(n, price_nano(fee), dtype=np.int64)
        if fee:
            due.add([f"group:{name}" for name in names], "fee", charged, price)
            due.against("marketplace", "fee", charged, price)
    _of_fees(booked(ledger, n), True).differ(due, ledger.file, found)


def _of_fees(book: Book, fees: bool) -> Book:
    """The fees of a ledger alone, or all but them."""
    energy, amount = (
        {key: value for key, value in entries.items() if (key[1] == "fee") == fees}
        for entries in (book.energy, book.amount)
    )
    return Book(book.n, energy, amount, {key: paid for key, paid in book.day.items() if (key[1] == "fee") == fees})


def _book_lines(due: Book, m: Market, n: int) -> None:
    """A line buys where it begins what it sells where it ends, and half of its losses at either end."""
    names, flow = m.lines
    if not names:
        return
    half = np.rint(np.abs(flow) * (m.line_terms("loss_ratio") / 2)).astype(np.int64)
    for i, ends in enumerate(m.line_ends()):
        begin, end = (m.prices[m.zones.index(zone), :n] for zone in ends)
        through = np.where(begin == end, 0, flow[i : i + 1, :n])
        due.add(("network",), "congestion_rent", through, begin - end)
        for price in (begin, end):
            due.add(("network",), "losses", half[i : i + 1, :n], price)


def _orders(m: Market) -> Iterator[tuple[str, int, Wh]]:
    """(account, place of the zone, energy taken) of every order row."""
    if m.case("orders") is None:
        return
    book, who = m.book, np.array(m.orders.text("participant"), dtype=object)
    for i in range(len(book.ids)):
        energy = np.zeros(len(m.grid), dtype=np.int64)
        if book.t[i] >= 0 and book.zone[i] in m.zones:
            energy[book.t[i]] = book.sign[i] * book.accepted[i]
            yield f"order:{who[book.order_row[i]] or book.ids[i]}", m.zones.index(str(book.zone[i])), energy


def _accounts(stated: Book, due: Book, *kinds: str) -> Iterator[str]:
    for account, _ in {*stated.energy, *due.energy}:
        if account.partition(":")[0] in kinds and ":" in account:
            yield account


def _without_uplift(book: Book) -> Book:
    """Make-whole and uplift, the amounts of the day, have a check of their own."""
    return Book(book.n, book.energy, book.amount, {})


def check_rounding(run: Evidence, found: Findings) -> None:
    """S5: what is billed to those outside the marketplace is whole cents, by largest remainder."""
    ledger = read_ledger(run.table(MARKET))
    stated = booked(ledger, run.grid.settled)
    exact = Book(stated.n, {}, dict(stated.amount), {k: v for k, v in stated.day.items() if k[1] != "rounding"})
    billed = {account for account, _ in (*stated.amount, *stated.day) if "rounding" in LINES.get(_kind(account), ())}
    round_bills(exact, sorted(billed - {"rounding"}))
    lines = [{key: paid for key, paid in book.day.items() if key[1] == "rounding"} for book in (stated, exact)]
    one, right = (Book(stated.n, {}, {}, day) for day in lines)
    one.differ(right, ledger.file, found)


def _kind(account: str) -> str:
    return account.partition(":")[0] if ":" in account else account


def check_funding(run: Evidence, found: Findings) -> None:
    """S3: make-whole passes through the operator, who bears it or shares it out; nobody pays more than he won."""
    ledger = read_ledger(run.table(MARKET))
    day = booked(ledger, run.grid.settled).day
    paid = {
        line: sum(v for (who, name), v in day.items() if name == line and who != "operator")
        for line in ("make_whole", "uplift")
    }
    for line, amount in paid.items():
        if -day.get(("operator", line), 0) != amount:
            stated, right = day.get(("operator", line), 0) / NANO, -amount / NANO
            found.add("S3", ledger.file, "not what the others receive or pay", stated, right, name=f"operator {line}")
    borne_by_all = run.terms.uplift == "pro_rata"
    for (who, line), amount in sorted(day.items()):
        if line == "uplift" and who != "operator" and (amount > 0 or not borne_by_all):
            what = "uplift is paid pro rata, or by nobody where the operator bears it"
            found.add("S3", ledger.file, what, amount / NANO, 0, name=who)
        if line == "make_whole" and who != "operator" and amount < 0:
            found.add("S3", ledger.file, "make-whole is paid to an account, not by it", amount / NANO, 0, name=who)
    if paid["uplift"] < -paid["make_whole"]:
        found.add("S3", ledger.file, "more uplift than make-whole", -paid["uplift"] / NANO, paid["make_whole"] / NANO)
