"""Who pays whom, summed from the ledgers in nano-currency, so that "sums to zero" is said of integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planner.audit.ledgers import AMOUNT_DECIMALS
from planner.audit.table import DamagedFileError
from planner.cleared import NANO
from planner.money import from_text, total
from planner.report.joined import MILLION, Ints, Joined, Tables
from planner.report.papers import Papers

UNITS = "the units"
HEADINGS = ("energy", "fees", "tariffs", "other")
NETWORK_OPERATOR = "network_operator"
INSIDE = ("internal_buy", "internal_sell")
ENERGY = {"allocated_energy", "internal_buy", "market_buy", "market_sell", "default_supply", "energy"}
COLUMN_OF = {"energy": "energy", "fee": "fees", "congestion_rent": "network", "losses": "network", "surplus": "network"}
COLUMNS = ("energy", "fees", "network", "make-whole", "other")
OF_COLUMN = {
    **COLUMN_OF,
    "unserved": "energy",
    "remainder": "energy",
    "make_whole": "make-whole",
    "uplift": "make-whole",
}
NAMES = {
    "allocated_energy": "allocated energy",
    "internal_buy": "internal trade",
    "market_buy": "energy from the marketplace",
    "market_sell": "energy to the marketplace",
    "default_supply": "energy at the default tariff",
    "fee": "marketplace fees",
    "make_whole": "make-whole payment",
    "supplier": "the supplier",
    "marketplace": "the marketplace",
    "default_supplier": "the default supplier",
    "network_operator": "the network operator",
    "operator": "the operator",
    "rounding": "rounding to cents",
}


@dataclass(frozen=True)
class Payment:
    """Money of one kind from one side to another, in currency; ``kwh`` is what it was charged on, None for a lump."""

    payer: str
    payee: str
    what: str
    kwh: float | None
    amount: float


@dataclass(frozen=True)
class Account:
    """One row of the marketplace's ledger: currency received (negative: paid) by column, and in all."""

    name: str
    amounts: dict[str, float]
    total: float


@dataclass
class Settlement:
    """``payments`` under headings (energy, fees, tariffs, other, with the two sides); ledgers that do not close."""

    payments: dict[str, list[Payment]] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    ledgers: int = 0
    open_ledgers: list[str] = field(default_factory=list)


@dataclass
class Booked:
    """Ledgers of buildings as they are added up, by account and line: nano-currency and millionths of a kWh.

    It is what the units' counterparties received; trade between units counts once, by what is bought.
    """

    nano: Counter[tuple[str, str]] = field(default_factory=Counter)
    energy: Counter[tuple[str, str]] = field(default_factory=Counter)
    ledgers: int = 0
    open_ledgers: list[str] = field(default_factory=list)

    def add(self, other: Booked) -> None:
        for mine, more in ((self.nano, other.nano), (self.energy, other.energy)):
            for key, value in more.items():
                mine[key] += value
        self.ledgers += other.ledgers
        self.open_ledgers += other.open_ledgers


def booked(tables: Tables) -> Booked:
    """Every ledger of some buildings."""
    found = Booked()
    left = np.zeros(len(tables.buildings), dtype=np.int64)
    rows = np.zeros(len(tables.buildings), dtype=np.int64)
    units = {
        pair
        for part in tables("units", "unit")
        for pair in zip(part.owner.tolist(), part.table.text("unit"), strict=True)
    }
    for part in tables("settlement", "account", "line", "energy_kwh", "amount"):
        amount = _amounts(part)
        np.add.at(left, part.owner, amount)
        np.add.at(rows, part.owner, 1)
        _add_ledger(found, part, amount, units)
    found.ledgers = int(np.count_nonzero(rows))
    found.open_ledgers = [tables.buildings[int(i)] for i in np.flatnonzero(left)]
    return found


def _amounts(part: Joined) -> Ints:
    try:
        return from_text(part.table.column("amount"), AMOUNT_DECIMALS)
    except ValueError as wrong:
        raise DamagedFileError(part.table.file, f"amount: {str(wrong)[:120]}") from None


def _add_ledger(found: Booked, part: Joined, amount: Ints, units: Set[tuple[int, str]]) -> None:
    (account, accounts), (line, lines) = part.table.codes("account"), part.table.codes("line")
    party = part.owner * len(accounts) + account
    parties = np.flatnonzero(np.bincount(party))
    of_unit = np.zeros(int(parties.max(initial=0)) + 1, dtype=bool)
    for k in parties.tolist():
        name = accounts[k % len(accounts)]
        of_unit[k] = name == "building" or (k // len(accounts), name) in units
    bought = np.array([name == INSIDE[0] for name in lines])[line] & of_unit[party]
    key = np.where(of_unit[party], -1, account * len(lines) + line)
    energy = part.energy("energy_kwh")
    if bought.any():
        found.nano[UNITS, INSIDE[0]] -= total(amount[bought])
        found.energy[UNITS, INSIDE[0]] += total(energy[bought])
    order = np.argsort(key, kind="stable")
    keys, firsts = np.unique(key[order], return_index=True)
    for k, rows in zip(keys.tolist(), np.split(order, firsts[1:]), strict=True):
        if k >= 0:
            entry = accounts[k // len(lines)], lines[k % len(lines)]
            found.nano[entry] += total(amount[rows])
            found.energy[entry] += total(energy[rows])


def read_settlement(papers: Papers, sums: Booked) -> Settlement:
    """Every ledger of the folder, those of buildings added up."""
    found = Settlement(ledgers=sums.ledgers, open_ledgers=list(sums.open_ledgers))
    for (account, line), paid in sorted(
        sums.nano.items(), key=lambda item: (HEADINGS.index(_heading(*item[0])), item[0])
    ):
        payment = _payment(account, line, paid, sums.energy[account, line] / MILLION)
        heading = f"{_heading(account, line)}: {payment.payer} → {payment.payee}"
        found.payments.setdefault(heading, []).append(payment)
    market = papers.market("settlement")
    if len(market):
        market["nano"] = nano(market["amount"])
        found.ledgers += 1
        found.open_ledgers += ["the marketplace"] * bool(int(market["nano"].sum()))
    found.accounts = _accounts(market)
    return found


def nano(amounts: pd.Series) -> np.ndarray:
    """Currency as int64 nano-currency: exact, as a ledger's amounts stay far below nine million a line."""
    return np.rint(amounts.fillna(0.0).to_numpy(dtype=float) * NANO).astype(np.int64)


def _heading(account: str, line: str) -> str:
    if line in ENERGY:
        return "energy"
    if line == "fee":
        return "fees"
    return "tariffs" if account == NETWORK_OPERATOR else "other"


def _payment(account: str, line: str, nano: int, kwh: float) -> Payment:
    other = NAMES.get(account, account)
    sides = (UNITS, other) if nano >= 0 else (other, UNITS)
    if account == UNITS:
        sides = ("one unit", "another of its building")
    return Payment(*sides, NAMES.get(line, line.replace("_", " ")), abs(kwh) if kwh else None, abs(nano) / NANO)


def _accounts(frame: pd.DataFrame) -> list[Account]:
    """Rows by account, groups first."""
    if frame.empty:
        return []
    column = frame["line"].map(OF_COLUMN).fillna("other")
    table = frame.assign(column=column).pivot_table(index="account", columns="column", values="nano", aggfunc="sum")
    table = table.fillna(0).sort_index(key=lambda names: names.map(lambda name: (not name.startswith("group:"), name)))
    return [
        Account(str(name), {c: row[c] / NANO for c in COLUMNS if c in table}, float(row.sum()) / NANO)
        for name, row in table.iterrows()
    ]
