"""Double entry: what every ledger of a run is made of.

An entry says that an account takes ``energy_wh`` at a price: positive energy is taken (or is the quantity a fee or
tariff is charged on), negative is given.  Money runs the other way, ``amount = -energy x price``, so a positive
amount is received and a negative one paid.  An entry without price (make-whole, uplift, per-day charges) has an
amount alone; an entry of the whole day has no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.cleared import NanoPerWh, Wh
from planner.money import product, total

DAY = -1
COLUMNS = ("account", "line", "interval", "energy_wh", "price_nano", "amount_nano", "counterparty_kind")


class LedgerNotBalancedError(RuntimeError):
    """A ledger does not close: a bug of the clear or of the settlement, never something to book away."""


@dataclass(frozen=True)
class Entries:
    """Columns of equal length; ``interval`` counts from 0 and is DAY for the whole day."""

    account: npt.NDArray[np.object_]
    line: str
    interval: npt.NDArray[np.int64]
    energy_wh: Wh
    price_nano: NanoPerWh
    priced: bool
    amount_nano: npt.NDArray[np.int64]
    counterparty_kind: str


class Journal:
    """Collects entries and gives them out as one frame; nothing in it knows why an entry was made."""

    def __init__(self) -> None:
        self._entries: list[Entries] = []

    def energy(self, accounts: Sequence[str], line: str, energy_wh: Wh, price_nano: NanoPerWh, against: str) -> None:
        """Every account (N) takes its row of ``energy_wh`` (N, T) at ``price_nano`` ((T,) or (N, T))."""
        energy_wh = np.asarray(energy_wh, dtype=np.int64)
        rows, intervals = np.nonzero(energy_wh)
        taken = energy_wh[rows, intervals]
        price = np.broadcast_to(price_nano, energy_wh.shape)[rows, intervals]
        names = np.asarray(accounts, dtype=object)[rows]
        amount = -product(taken, price)
        self._entries.append(Entries(names, line, intervals.astype(np.int64), taken, price, True, amount, against))

    def listed(
        self,
        accounts: npt.NDArray[np.object_],
        line: str,
        interval: npt.NDArray[np.int64],
        energy_wh: Wh,
        price_nano: NanoPerWh,
        against: str,
    ) -> None:
        """Entries one by one: account k takes ``energy_wh[k]`` at ``price_nano[k]`` in interval k (from 0)."""
        kept = np.flatnonzero(energy_wh)
        taken, price = energy_wh[kept], price_nano[kept]
        amount = -product(taken, price)
        self._entries.append(Entries(accounts[kept], line, interval[kept], taken, price, True, amount, against))

    def money(self, accounts: Sequence[str], line: str, amounts_nano: Sequence[int], against: str) -> None:
        """Every account receives an amount for the whole day; zero amounts leave no entry."""
        kept = [i for i, amount in enumerate(amounts_nano) if amount]
        nothing = np.zeros(len(kept), dtype=np.int64)
        names = np.array([accounts[i] for i in kept], dtype=object)
        amounts = np.array([amounts_nano[i] for i in kept], dtype=np.int64)
        day = np.full(len(kept), DAY, dtype=np.int64)
        self._entries.append(Entries(names, line, day, nothing, nothing, False, amounts, against))

    def frame(self, starts: pd.DatetimeIndex, blended: tuple[str, ...] = ()) -> pd.DataFrame:
        """All entries by account, line, interval (from 1, <NA> for the day) and price, summed where these are the same.

        Accounts that begin with a word of ``blended`` show one sum per line and interval whatever the prices were.
        ``price_nano`` is <NA> where nothing is priced or where the summed entries had different prices.
        """
        entries = self._entries
        lengths = [len(entry.amount_nano) for entry in entries]
        frame = pd.DataFrame(
            {
                "account": _names([e.account for e in entries]),
                "line": pd.Categorical(np.repeat([e.line for e in entries], lengths)),
                "interval": _joined([e.interval for e in entries]),
                "energy_wh": _joined([e.energy_wh for e in entries]),
                "price_nano": _joined([e.price_nano for e in entries]),
                "amount_nano": _joined([e.amount_nano for e in entries]),
                "counterparty_kind": pd.Categorical(np.repeat([e.counterparty_kind for e in entries], lengths)),
                "priced": np.repeat([e.priced for e in entries], lengths).astype(bool),
            }
        )
        return _finished(_merged(frame, blended), starts)


def check_closed(frame: pd.DataFrame, what: str) -> None:
    """S4: the ledger sums to exactly zero in every interval and for the day, or the clear is wrong."""
    amounts = frame["amount_nano"].to_numpy()
    groups = frame["interval"].fillna(0).to_numpy(dtype=np.int64)
    order = np.argsort(groups, kind="stable")
    edges = np.flatnonzero(np.diff(groups[order])) + 1
    for part in np.split(order, edges):
        if part.size and (rest := total(amounts[part])):
            raise LedgerNotBalancedError(f"{what}: interval {groups[part[0]] or 'of the day'} is off by {rest} nano")


def _names(parts: Sequence[npt.NDArray[np.object_]]) -> pd.Categorical:
    joined = np.concatenate([*parts, np.array([], dtype=object)])
    return pd.Categorical(joined, categories=sorted(set(joined.tolist())))


def _joined(parts: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.array([], dtype=np.int64), *parts])


def _merged(frame: pd.DataFrame, blended: tuple[str, ...]) -> pd.DataFrame:
    """One entry per account, line, counterparty kind, interval and (where it is not blended) price."""
    accounts = frame["account"].cat
    hidden = np.array([name.startswith(blended) for name in accounts.categories], dtype=bool) if blended else None
    shown = np.ones(len(frame), dtype=bool) if hidden is None else ~hidden[accounts.codes]
    price = np.where(shown, frame["price_nano"], 0)
    names = [frame[key].cat.codes.to_numpy() for key in ("account", "line", "counterparty_kind")]
    order = np.lexsort((price, frame["interval"], names[2], names[1], names[0]))
    frame = frame.iloc[order].reset_index(drop=True)
    same = np.zeros(len(frame), dtype=bool)
    if len(frame) > 1:
        codes = [key[order] for key in (*names, price)] + [frame["interval"].to_numpy()]
        same[1:] = np.logical_and.reduce([code[1:] == code[:-1] for code in codes])
    first = np.flatnonzero(~same)
    if len(first) == len(frame):
        return frame
    low, high = (getattr(np, f"{end}imum").reduceat(frame["price_nano"].to_numpy(), first) for end in ("min", "max"))
    merged = frame.iloc[first].copy()
    for column in ("energy_wh", "amount_nano"):
        merged[column] = np.add.reduceat(frame[column].to_numpy(), first)
    merged["priced"] = np.logical_and.reduceat(frame["priced"].to_numpy(), first) & (low == high)
    return merged.reset_index(drop=True)


def _finished(frame: pd.DataFrame, starts: pd.DatetimeIndex) -> pd.DataFrame:
    """Intervals from 1 with their starts, missing values where there is nothing to say, no empty entries."""
    frame = frame[(frame["energy_wh"] != 0) | (frame["amount_nano"] != 0)]
    interval = frame["interval"].to_numpy()
    day = interval == DAY
    start = pd.Series(starts.take(np.where(day, 0, interval)) if len(starts) else starts, index=frame.index)
    return (
        pd.DataFrame(
            {
                "account": frame["account"],
                "line": frame["line"],
                "interval": pd.array(np.where(day, 0, interval + 1), dtype="Int64"),
                "start": start.mask(day),
                "energy_wh": frame["energy_wh"],
                "price_nano": pd.array(frame["price_nano"].to_numpy(), dtype="Int64"),
                "amount_nano": frame["amount_nano"],
                "counterparty_kind": frame["counterparty_kind"],
            }
        )
        .assign(
            interval=lambda f: f["interval"].mask(day),
            price_nano=lambda f: f["price_nano"].mask(~frame["priced"].to_numpy()),
        )
        .reset_index(drop=True)
    )
