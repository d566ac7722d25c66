"""Settlement and statement files as exact integers: Wh, nano-currency per Wh, nano-currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.audit.table import DamagedFileError, Table, Wh
from planner.money import from_text

AMOUNT_DECIMALS = 9
NANO = 1_000_000_000


@dataclass(frozen=True)
class Ledger:
    """One settlement file; ``t`` is -1 where a row is about the whole day."""

    table: Table
    account: npt.NDArray[np.object_]
    line: npt.NDArray[np.object_]
    t: Wh
    energy: Wh
    price: Wh
    priced: npt.NDArray[np.bool_]
    amount: Wh

    @property
    def file(self) -> str:
        return self.table.file


def read_ledger(table: Table, who: str = "account") -> Ledger:
    """Exact integers of a settlement or statement file."""
    interval, price = table.numbers("interval"), table.numbers("price_per_mwh")
    priced = ~np.isnan(price)
    for column in (who, "line", "amount"):
        if column not in table.columns:
            raise DamagedFileError(table.file, f"column {column} is missing")
    try:
        amount = from_text(list(table.text("amount")), AMOUNT_DECIMALS)
    except ValueError as wrong:
        raise DamagedFileError(table.file, f"amount: {str(wrong)[:120]}") from None
    return Ledger(
        table=table,
        account=np.array(table.text(who), dtype=object),
        line=np.array(table.text("line"), dtype=object),
        t=np.where(np.isnan(interval), 0, np.nan_to_num(interval)).astype(np.int64) - 1,
        energy=np.rint(np.nan_to_num(table.numbers("energy_kwh")) * 1000).astype(np.int64),
        price=np.rint(np.nan_to_num(price) * 1000).astype(np.int64),
        priced=priced,
        amount=amount,
    )


def booked_energy(ledger: Ledger, names: Sequence[str], n: int, *lines: str) -> Wh:
    """Energy of some lines per account and interval."""
    place = {name: i for i, name in enumerate(names)}
    row = np.array([place.get(name, -1) for name in ledger.account], dtype=np.int64)
    keep = (row >= 0) & np.isin(ledger.line, lines) & (ledger.t >= 0) & (ledger.t < n)
    out = np.zeros((len(names), n), dtype=np.int64)
    np.add.at(out, (row[keep], ledger.t[keep]), ledger.energy[keep])
    return out


def per_line(ledger: Ledger, keep: npt.NDArray[np.bool_]) -> dict[tuple[str, str], tuple[int, int]]:
    """(account, line) -> (Wh, nano), exact."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    columns = (ledger.account[keep], ledger.line[keep], ledger.energy[keep].tolist(), ledger.amount[keep].tolist())
    for account, line, energy, amount in zip(*columns, strict=True):
        before = sums.get((account, line), (0, 0))
        sums[account, line] = (before[0] + energy, before[1] + amount)
    return sums
