"""Double entry: what every ledger of a run is made of.

An entry says that an account takes ``energy_wh`` at a price: positive energy is taken (or is the quantity a fee or
tariff is charged on), negative is given.  Money runs the other way, ``amount = -energy x price``, so a positive
amount is received and a negative one paid.  An entry without price (make-whole, uplift, per-day charges) has an
amount alone; an entry of the whole day has no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.cleared import NanoPerWh, Wh
from planner.money import product, total

DAY = -1


class LedgerNotBalancedError(RuntimeError):
    """A ledger does not close: a bug of the clear or of the settlement, never something to book away."""


@dataclass(frozen=True)
class Entries:
    """Columns of equal length; ``interval`` counts from 0 and is DAY for the whole day."""

    account: npt.NDArray[Any]
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

    def balances(self) -> dict[str, int]:
        """What each account has received so far, nano-currency."""
        out: dict[str, int] = {}
        for entry in self._entries:
            for account, amount in zip(entry.account.tolist(), entry.amount_nano.tolist(), strict=True):
                out[account] = out.get(account, 0) + amount
        return out

    def frame(self, starts: pd.DatetimeIndex, blended: tuple[str, ...] = ()) -> pd.DataFrame:
        """All entries by account, line, interval (from 1, <NA> for the day) and price, summed where these are the same.

        Accounts that begin with a word of ``blended`` show one sum per line and interval whatever the prices were.
        ``price_nano`` is <NA> where nothing is priced or where the summed entries had different prices.
        """
        accounts = np.concatenate([*(e.account for e in self._entries), np.array([], dtype=object)])
        codes, names = coded(accounts)
        hidden = np.array([name.startswith(blended) for name in names], dtype=bool) if blended else None
        booked = merged(self._entries, codes, hidden)
        return _framed(booked, pd.Categorical.from_codes(booked.account, pd.Index(names, dtype=object)), starts)


class BlockJournal:
    """Collects entries of the ledgers of B buildings; an account is a code, rising by building and then by name.

    Energy is (N, B x T): the T intervals of the first building, then of the second, and so on.
    """

    def __init__(self, intervals: int) -> None:
        self._n, self._entries = intervals, list[Entries]()

    def energy(self, accounts: Wh, line: str, energy_wh: Wh, price_nano: NanoPerWh, against: str) -> None:
        """Every account (N, B) takes its row of ``energy_wh`` (N, B x T) at ``price_nano`` (B x T)."""
        rows, cells = np.nonzero(energy_wh)
        taken, price = energy_wh[rows, cells], price_nano[cells]
        account, interval = accounts[rows, cells // self._n], cells % self._n
        self._entries.append(Entries(account, line, interval, taken, price, True, -product(taken, price), against))

    def money(self, accounts: Wh, line: str, amounts_nano: Sequence[int], against: str) -> None:
        """Every account (k,) receives an amount for the whole day; zero amounts leave no entry."""
        amounts = np.array(amounts_nano, dtype=np.int64)
        kept = np.flatnonzero(amounts)
        nothing, day = np.zeros(len(kept), dtype=np.int64), np.full(len(kept), DAY, dtype=np.int64)
        account = accounts[kept]
        self._entries.append(Entries(account, line, day, nothing, nothing, False, amounts[kept], against))

    def balances(self, accounts: int) -> Wh:
        """What each of the account codes below ``accounts`` has received so far, nano-currency."""
        out = np.zeros(accounts, dtype=np.int64)
        for entry in self._entries:
            np.add.at(out, entry.account, entry.amount_nano)
        return out

    def frame(self, starts: pd.DatetimeIndex, labels: Sequence[str]) -> tuple[pd.DataFrame, Wh]:
        """As ``Journal.frame``, one building after another, and the account code of each row; ``labels`` by code."""
        accounts = np.concatenate([*(e.account for e in self._entries), np.array([], dtype=np.int64)])
        booked = merged(self._entries, accounts)
        place, names = coded(np.array(labels, dtype=object))
        account = pd.Categorical.from_codes(place[booked.account], pd.Index(names, dtype=object))
        return _framed(booked, account, starts), booked.account


def check_closed(frame: pd.DataFrame, what: str) -> None:
    """S4: the ledger sums to exactly zero in every interval and for the day, or the clear is wrong."""
    amounts = frame["amount_nano"].to_numpy()
    groups = frame["interval"].fillna(0).to_numpy(dtype=np.int64)
    order = np.argsort(groups, kind="stable")
    edges = np.flatnonzero(np.diff(groups[order])) + 1
    for part in np.split(order, edges):
        if part.size and (rest := total(amounts[part])):
            raise LedgerNotBalancedError(f"{what}: interval {groups[part[0]] or 'of the day'} is off by {rest} nano")


def check_blocks_closed(frame: pd.DataFrame, building: Wh, names: Sequence[str]) -> None:
    """S4 for ledgers one after another; ``building`` says of each row whose it is."""
    interval = frame["interval"].fillna(0).to_numpy(dtype=np.int64)
    amount = frame["amount_nano"].to_numpy()
    order = np.lexsort((interval, building))
    at, whose, amount = interval[order], building[order], amount[order]
    first = np.flatnonzero(np.diff(whose, prepend=-1).astype(bool) | np.diff(at, prepend=-1).astype(bool))
    high, low = (np.add.reduceat(part, first) if len(first) else part for part in (amount >> 32, amount & 0xFFFFFFFF))
    for k in np.flatnonzero((high != -(low >> 32)) | (low & 0xFFFFFFFF != 0)):
        rest, row = (int(high[k]) << 32) + int(low[k]), first[k]
        when = at[row] or "of the day"
        raise LedgerNotBalancedError(f"building {names[whose[row]]}: interval {when} is off by {rest} nano")


@dataclass(frozen=True)
class Booked:
    """Merged entries; names are codes of ``lines`` and ``kinds``, accounts those that were given."""

    account: Wh
    line: Wh
    lines: tuple[str, ...]
    kind: Wh
    kinds: tuple[str, ...]
    interval: Wh
    energy_wh: Wh
    price_nano: NanoPerWh
    amount_nano: Wh
    priced: npt.NDArray[np.bool_]


def coded(names: npt.NDArray[np.object_]) -> tuple[Wh, list[str]]:
    """Codes that sort as the names do, and the names by code."""
    found = sorted(set(names.tolist()))
    place = {name: i for i, name in enumerate(found)}
    return np.array([place[name] for name in names.tolist()], dtype=np.int64), found


def merged(entries: Sequence[Entries], account: Wh, hidden: npt.NDArray[np.bool_] | None = None) -> Booked:
    """One entry per account, line, counterparty kind, interval and (but where the account is hidden) price; none empty.

    ``account`` has the code of every entry, one after another.
    """
    lengths = [len(entry.amount_nano) for entry in entries]
    line, lines = _repeated([e.line for e in entries], lengths)
    kind, kinds = _repeated([e.counterparty_kind for e in entries], lengths)
    interval, energy, price, amount = (
        np.concatenate([np.array([], dtype=np.int64), *(getattr(e, name) for e in entries)])
        for name in ("interval", "energy_wh", "price_nano", "amount_nano")
    )
    priced = np.repeat(np.array([e.priced for e in entries], dtype=bool), lengths)
    shown = price if hidden is None else np.where(hidden[account], 0, price)
    keys = (shown, interval, kind, line, account)
    order = np.lexsort(keys)
    change = np.ones(len(order), dtype=bool)
    change[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    first = np.flatnonzero(change)
    if not len(first):
        return Booked(account, line, lines, kind, kinds, interval, energy, price, amount, priced)
    low, high = (np.minimum.reduceat(price[order], first), np.maximum.reduceat(price[order], first))
    energy, amount = (np.add.reduceat(values[order], first) for values in (energy, amount))
    priced = np.logical_and.reduceat(priced[order], first) & (low == high)
    kept = np.flatnonzero((energy != 0) | (amount != 0))
    at = order[first[kept]]
    return Booked(
        account[at],
        line[at],
        lines,
        kind[at],
        kinds,
        interval[at],
        energy[kept],
        price[at],
        amount[kept],
        priced[kept],
    )


def _repeated(names: Sequence[str], lengths: Sequence[int]) -> tuple[Wh, tuple[str, ...]]:
    codes, found = coded(np.array(names, dtype=object))
    return np.repeat(codes, lengths), tuple(found)


def _framed(booked: Booked, account: pd.Categorical, starts: pd.DatetimeIndex) -> pd.DataFrame:
    """Intervals from 1 with their starts, missing values where there is nothing to say."""
    day = booked.interval == DAY
    start = pd.Series(starts.take(np.where(day, 0, booked.interval)) if len(starts) else starts)
    return pd.DataFrame(
        {
            "account": account,
            "line": pd.Categorical.from_codes(booked.line, pd.Index(booked.lines, dtype=object)),
            "interval": pd.arrays.IntegerArray(booked.interval + 1, day),
            "start": start.mask(day),
            "energy_wh": booked.energy_wh,
            "price_nano": pd.arrays.IntegerArray(booked.price_nano.copy(), ~booked.priced),
            "amount_nano": booked.amount_nano,
            "counterparty_kind": pd.Categorical.from_codes(booked.kind, pd.Index(booked.kinds, dtype=object)),
        }
    )
