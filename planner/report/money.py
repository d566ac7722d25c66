"""Who pays whom, summed from the ledgers in nano-currency, so that "sums to zero" is said of integers."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planner.cleared import NANO
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


def read_settlement(papers: Papers) -> Settlement:
    """Every ledger of the folder."""
    found = Settlement()
    sums: Counter[tuple[str, str]] = Counter()
    energy: defaultdict[tuple[str, str], float] = defaultdict(float)
    for building in papers.buildings:
        frame = _ledger(papers, f"buildings/{building}/settlement.csv", building, found)
        if len(frame):
            _add_building(frame, set(papers.table(f"buildings/{building}/units.csv")["unit"]), sums, energy)
    for (account, line), nano in sorted(sums.items(), key=lambda item: (HEADINGS.index(_heading(*item[0])), item[0])):
        paid = _payment(account, line, nano, energy[account, line])
        heading = f"{_heading(account, line)}: {paid.payer} → {paid.payee}"
        found.payments.setdefault(heading, []).append(paid)
    found.accounts = _accounts(_ledger(papers, "market/settlement.csv", "the marketplace", found))
    return found


def nano(amounts: pd.Series) -> np.ndarray:
    """Currency as int64 nano-currency: exact, as a ledger's amounts stay far below nine million a line."""
    return np.rint(amounts.fillna(0.0).to_numpy(dtype=float) * NANO).astype(np.int64)


def _ledger(papers: Papers, path: str, name: str, found: Settlement) -> pd.DataFrame:
    frame = papers.table(path)
    if len(frame):
        frame["nano"] = nano(frame["amount"])
        found.ledgers += 1
        if int(frame["nano"].sum()):
            found.open_ledgers.append(name)
    return frame


def _add_building(
    frame: pd.DataFrame,
    units: set[str],
    sums: Counter[tuple[str, str]],
    energy: defaultdict[tuple[str, str], float],
) -> None:
    """What the units' counterparties received, by account and line; trade between units by what is bought."""
    of_units = frame["account"].isin(units | {"building"})
    bought = frame[of_units & (frame["line"] == INSIDE[0])]
    if len(bought):
        sums[UNITS, INSIDE[0]] -= int(bought["nano"].sum())
        energy[UNITS, INSIDE[0]] += float(bought["energy_kwh"].sum())
    others = frame[~of_units]
    for (account, line), rows in others.groupby(["account", "line"], sort=True):
        sums[str(account), str(line)] += int(rows["nano"].sum())
        energy[str(account), str(line)] += float(rows["energy_kwh"].fillna(0.0).sum())


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
