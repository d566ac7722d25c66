"""Settlement and statement files as exact integers: Wh, nano-currency per Wh, nano-currency."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.audit.table import FORGOTTEN_WH, DamagedFileError, Table, Wh
from planner.money import from_text

AMOUNT_DECIMALS = 9
EXACT_COLUMNS = ("energy_kwh", "price_per_mwh")
NANO = 1_000_000_000


@dataclass(frozen=True)
class Ledger:
    """One settlement file; ``t`` is -1 where a row is about the day; names are codes of ``accounts`` and ``lines``."""

    file: str
    account: Wh
    accounts: tuple[str, ...]
    line: Wh
    lines: tuple[str, ...]
    t: Wh
    energy: Wh
    price: Wh
    priced: npt.NDArray[np.bool_]
    amount: Wh

    def of(self, accounts: Collection[str], *lines: str) -> npt.NDArray[np.bool_]:
        """Rows of these accounts and, where any are named, of these lines."""
        wanted = frozenset(accounts)
        mine = np.array([name in wanted for name in self.accounts])[self.account]
        return mine & np.array([name in lines for name in self.lines])[self.line] if lines else mine

    def name(self, row: Any) -> str:
        return f"{self.accounts[self.account[row]]} {self.lines[self.line[row]]}"


def read_ledger(table: Table, who: str = "account") -> Ledger:
    """Exact integers of a settlement or statement file."""
    interval, price = table.numbers("interval"), table.numbers("price_per_mwh")
    for column in (who, "line", "amount"):
        if column not in table.columns:
            raise DamagedFileError(table.file, f"column {column} is missing")
    amount = table.per_row("amount", _amounts)
    energy, prices = (table.per_row(("thousandths", name), partial(_thousandths, name)) for name in EXACT_COLUMNS)
    account, accounts = table.codes(who)
    line, lines = table.codes("line")
    return Ledger(
        file=table.file,
        account=account,
        accounts=accounts,
        line=line,
        lines=lines,
        t=np.where(np.isnan(interval), 0, np.nan_to_num(interval)).astype(np.int64) - 1,
        energy=energy,
        price=prices,
        priced=~np.isnan(price),
        amount=amount,
    )


def _amounts(table: Table) -> Wh:
    try:
        return from_text(table.column("amount"), AMOUNT_DECIMALS)
    except ValueError as wrong:
        raise DamagedFileError(table.file, f"amount: {str(wrong)[:120]}") from None


def _thousandths(column: str, table: Table) -> Wh:
    exact = np.nan_to_num(table.numbers(column)) * 1000
    if (np.abs(exact - np.rint(exact)) > FORGOTTEN_WH).any():
        raise DamagedFileError(table.file, f"{column} has more than three decimals")
    return np.rint(exact).astype(np.int64)


def per_line(ledger: Ledger, keep: npt.NDArray[np.bool_]) -> dict[tuple[str, str], tuple[int, int]]:
    """(account, line) -> (Wh, nano-currency), exact: the halves of each number are summed apart."""
    key = ledger.account[keep] * len(ledger.lines) + ledger.line[keep]
    found, place = np.unique(key, return_inverse=True)
    sums = []
    for values in (ledger.energy[keep], ledger.amount[keep]):
        high, low = np.zeros(len(found), dtype=np.int64), np.zeros(len(found), dtype=np.int64)
        np.add.at(high, place, values >> 32)
        np.add.at(low, place, values & 0xFFFFFFFF)
        sums.append([(int(h) << 32) + int(part) for h, part in zip(high, low, strict=True)])
    names = [(ledger.accounts[k // len(ledger.lines)], ledger.lines[k % len(ledger.lines)]) for k in found]
    return dict(zip(names, zip(*sums, strict=True), strict=True))


def same_rows(told: Ledger, booked: Ledger, mine: npt.NDArray[np.bool_]) -> bool:
    """Whether the statements are the ledger's own rows one after another, so that no line needs to be added up."""
    columns = ((told.energy, booked.energy), (told.amount, booked.amount))
    if len(told.t) != np.count_nonzero(mine) or any((own != all_[mine]).any() for own, all_ in columns):
        return False
    accounts = (told.account, told.accounts, booked.account, booked.accounts)
    for own, labels, codes, known in (accounts, (told.line, told.lines, booked.line, booked.lines)):
        place = {name: i for i, name in enumerate(known)}
        translated = np.array([place.get(name, -1) for name in labels], dtype=np.int64)
        if (translated[own] != codes[mine]).any():
            return False
    return True
