"""S3, S5 and S6: a building's whole ledger worked out anew, entry by entry, from positions, prices and tariffs.

Wh and nano-currency.  ``Book`` is a ledger as dense arrays, so that two of them can be laid over each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.audit.components import charged, day_charges, tariff_rows
from planner.audit.evidence import Building
from planner.audit.findings import Findings
from planner.audit.internal_trade import participants, traded_inside
from planner.audit.ledgers import NANO, Ledger, read_ledger
from planner.audit.series import case_series
from planner.audit.shares import rounding, share_out
from planner.audit.table import Wh
from planner.money import price_nano

Key = tuple[str, str]
COUNTERPART = {
    "allocated_energy": "supplier",
    "market_buy": "marketplace",
    "market_sell": "marketplace",
    "default_supply": "default_supplier",
}
"""Who stands on the other side of a line; internal trade has its counterpart among the units."""
NETWORK = "network_operator"


@dataclass
class Book:
    """(account, line) -> energy and amount per interval of the day (``n``), and the amount of the day as a whole."""

    n: int
    energy: dict[Key, Wh]
    amount: dict[Key, Wh]
    day: dict[Key, int]

    def add(self, accounts: Sequence[str], line: str, energy: Wh, price: Wh) -> None:
        """Every account takes its row of energy (N, n) at a price ((n,) or (N, n))."""
        amount = -energy * price
        for i in np.flatnonzero(energy.any(axis=1)).tolist():
            key = (accounts[i], line)
            self.energy[key] = self.energy.get(key, 0) + energy[i]
            self.amount[key] = self.amount.get(key, 0) + amount[i]

    def against(self, account: str, line: str, energy: Wh, price: Wh) -> None:
        """The counterpart gives what all take (N, n) at the same prices."""
        self.add((account,), line, -energy.sum(axis=0, keepdims=True), np.atleast_2d(price)[:1])

    def pay(self, accounts: Sequence[str], line: str, amounts: Sequence[int]) -> None:
        """Every account receives an amount for the day."""
        for account, amount in zip(accounts, amounts, strict=True):
            if amount:
                self.day[account, line] = self.day.get((account, line), 0) + amount

    def differ(self, other: Book, file: str, found: Findings, only: frozenset[str] | None = None) -> None:
        """Name every entry in which ``self`` (as stated) is not ``other`` (as due); ``only`` some accounts."""
        nothing = np.zeros(self.n, dtype=np.int64)
        for rule, unit, stated, due in (
            ("S6", 1000, self.energy, other.energy),
            ("S5", NANO, self.amount, other.amount),
        ):
            what = "energy is not what its line is about (kWh)" if rule == "S6" else "not what this line comes to"
            keys = sorted(key for key in set(stated) | set(due) if only is None or key[0] in only)
            one, right = (
                np.array([side.get(key, nothing) for key in keys]).reshape(-1, self.n) for side in (stated, due)
            )
            for k, t in zip(*np.nonzero(one != right), strict=True):
                name, at = " ".join(keys[k]), int(t) + 1
                found.add(rule, file, what, one[k, t] / unit, right[k, t] / unit, name=name, interval=at)
        for key in sorted(set(self.day) | set(other.day)):
            if only is None or key[0] in only:
                got, right_day = self.day.get(key, 0), other.day.get(key, 0)
                if got != right_day:
                    what = "not what the day comes to"
                    found.add("S5", file, what, got / NANO, right_day / NANO, name=f"{key[0]} {key[1]}")


def empty_book(n: int) -> Book:
    return Book(n, {}, {}, {})


def booked(ledger: Ledger, n: int) -> Book:
    """A ledger file as a book; its rows lie within the day (C1)."""
    book, lines = empty_book(n), len(ledger.lines)
    if not len(ledger.t):
        return book
    code = ledger.account * lines + ledger.line
    codes = np.flatnonzero(np.bincount(code))
    place = np.zeros(int(codes[-1]) + 1, dtype=np.int64)
    place[codes] = np.arange(len(codes))
    place = place[code]
    names = [(ledger.accounts[code // lines], ledger.lines[code % lines]) for code in codes.tolist()]
    here, whole = np.flatnonzero((ledger.t >= 0) & (ledger.t < n)), np.flatnonzero(ledger.t < 0)
    energy, amount = np.zeros((len(names), n), dtype=np.int64), np.zeros((len(names), n), dtype=np.int64)
    np.add.at(energy, (place[here], ledger.t[here]), ledger.energy[here])
    np.add.at(amount, (place[here], ledger.t[here]), ledger.amount[here])
    for k in np.unique(place[here]).tolist():
        book.energy[names[k]], book.amount[names[k]] = energy[k], amount[k]
    for k, paid in zip(place[whole].tolist(), ledger.amount[whole].tolist(), strict=True):
        book.day[names[k]] = book.day.get(names[k], 0) + paid
    return book


def check_ledger(b: Building, found: Findings) -> None:
    """S5 and S6: no entry is missing, none is too many, each has the energy and the price it should have."""
    ledger = read_ledger(b.run.table(f"{b.folder}/settlement"))
    stated = booked(ledger, b.grid.settled)
    _check_priced(ledger, found)
    stated.differ(_due(b, stated), ledger.file, found)


def _check_priced(ledger: Ledger, found: Findings) -> None:
    """Energy stands beside a price, what is about the day beside none."""
    for i in np.flatnonzero(ledger.priced != (ledger.t >= 0)):
        at = int(ledger.t[i]) + 1 if ledger.t[i] >= 0 else None
        found.add(
            "S5", ledger.file, "energy without its price, or a price of the day", name=ledger.name(i), interval=at
        )


def _due(b: Building, stated: Book) -> Book:
    n, (names, position) = b.grid.settled, participants(b)
    book = empty_book(n)
    allocation = np.zeros(position.shape, dtype=np.int64)
    allocation[: len(b.units)] = b.allocation[:, :n]
    need, spare = np.maximum(position, 0), np.maximum(-position, 0)
    bought, sold = traded_inside(b)
    inside = b.internal_price[:n]
    _both(book, names, "allocated_energy", allocation, _contract(b)[:n])
    book.add(names, "internal_buy", bought, inside)
    book.add(names, "internal_sell", -sold, inside)
    if b.dark:
        for taken, price in ((need - bought, b.terms.default_import), (sold - spare, b.terms.default_export)):
            _both(book, names, "default_supply", taken, _flat(price, n))
    else:
        _both(book, names, "market_buy", need - bought, b.node_price[:n])
        _both(book, names, "market_sell", sold - spare, b.node_price[:n])
        for traded, fee in ((need - bought, b.terms.fee_buy), (spare - sold, b.terms.fee_sell)):
            if fee:
                book.add(names, "fee", traded, _flat(fee, n))
                book.against("cohort" if b.in_cohort else "marketplace", "fee", traded, _flat(fee, n))
        _uplift(b, book, names, [int(w) for w in (need - bought + spare - sold).sum(axis=1)], stated)
    _network(book, b, names, bought, sold)
    round_bills(book, names)
    return book


def round_bills(book: Book, names: Sequence[str]) -> None:
    """Every account's bill of the day in whole cents; an account of its own takes what that adds up to."""
    bills = dict.fromkeys(names, 0)
    for entries in (book.amount, book.day):
        for (account, _), amount in entries.items():
            if account in bills:
                bills[account] += sum(amount.tolist()) if isinstance(amount, np.ndarray) else amount
    added = rounding(bills)
    book.pay(list(added), "rounding", list(added.values()))
    book.pay(("rounding",), "rounding", (-sum(added.values()),))


def _both(book: Book, names: Sequence[str], line: str, energy: Wh, price: Wh) -> None:
    book.add(names, line, energy, price)
    book.against(COUNTERPART[line], line, energy, price)


def _flat(price_per_mwh: float, n: int) -> Wh:
    return np.full(n, price_nano(price_per_mwh), dtype=np.int64)


def _contract(b: Building) -> Wh:
    price = case_series(b.case("supply"), b.grid, "contract", ("allocated",), "price_per_mwh", 0.0)[0]
    return np.rint(price * 1000).astype(np.int64)


def _uplift(b: Building, book: Book, names: Sequence[str], traded: list[int], stated: Book) -> None:
    """What is paid or taken is shared by energy traded outside; how much it is, S3 says elsewhere."""
    party = "cohort" if b.in_cohort else "operator"
    for line in ("make_whole", "uplift"):
        amount = -stated.day.get((party, line), 0)
        book.pay(names, line, share_out(amount, traded))
        book.pay((party,), line, (-amount,))


def _network(book: Book, b: Building, names: tuple[str, ...], bought: Wh, sold: Wh) -> None:
    """Every component of the tariffs that hold here."""
    use = np.zeros(bought.shape, dtype=np.int64)
    use[: len(b.units)] = b.use[:, : b.grid.settled]
    rows = tariff_rows(b, names, use, bought, sold)
    for due in charged(rows):
        book.add(names, due.component, due.energy, due.price)
        book.against(NETWORK, due.component, due.energy, due.price)
    for component, amounts in day_charges(rows):
        book.pay(names, component, [-amount for amount in amounts])
        book.pay((NETWORK,), component, (sum(amounts),))
