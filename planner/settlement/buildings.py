"""One building's ledger: allocated energy, neighbours, the marketplace, the network, to the Wh and nano-currency.

Participants are the units by id.  Losses join the position of the common unit before anything is traded; a building
without one has an account ``building`` that takes them.  A dark building's residual goes to the default supplier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.cleared import Cleared, ClearedBuilding, NanoPerWh, Wh
from planner.settlement.apportion import share_out
from planner.settlement.internal_trade import InternalTrade, pair_up, trade_inside
from planner.settlement.journal import Journal, LedgerNotBalancedError, check_closed
from planner.settlement.makewhole import Uplift
from planner.settlement.tariffs import Use, charge
from planner.settlement.terms import Terms

BUILDING = "building"
ELECTRICITY = "electricity"


@dataclass(frozen=True)
class Participants:
    """Who trades inside a building, sorted by id: names (N), and position, use and allocation in Wh (N, T)."""

    names: tuple[str, ...]
    position_wh: Wh
    use_wh: Wh
    allocation_wh: Wh


def participants(building: ClearedBuilding, settled: int, uses: Mapping[str, str]) -> Participants:
    """The building's participants on the delivery day; ``uses`` gives each node's use."""
    units = sorted(building.units, key=lambda unit: unit.unit)
    shape = (len(units), settled)
    names = [unit.unit for unit in units]
    position, use, allocation = (
        np.array(rows, dtype=np.int64).reshape(shape)
        for rows in (
            [unit.position_wh[:settled] for unit in units],
            [unit.use_wh[:settled] for unit in units],
            [unit.allocation_wh[:settled] for unit in units],
        )
    )
    loss = building.loss_wh[:settled].astype(np.int64)
    if loss.any():
        at = _common(names, building.building, uses)
        if at is None:
            names, at = [*names, BUILDING], len(names)
            nothing = np.zeros((1, settled), dtype=np.int64)
            position, use, allocation = (np.vstack([rows, nothing]) for rows in (position, use, allocation))
        position[at] += loss
    return Participants(tuple(names), position, use, allocation)


def _common(names: list[str], building: str, uses: Mapping[str, str]) -> int | None:
    """The row of the common unit: the one so named, else the first whose use is common."""
    if f"{building}.common" in names:
        return names.index(f"{building}.common")
    return next((i for i, name in enumerate(names) if uses.get(name) == "common"), None)


def settle_building(
    building: ClearedBuilding,
    cleared: Cleared,
    terms: Terms,
    contract_nano: NanoPerWh,
    paid: Uplift,
    starts: pd.DatetimeIndex,
    uses: Mapping[str, str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The building's whole ledger and its trades, of the delivery day."""
    n = cleared.settled
    who = participants(building, n, uses)
    trade = trade_inside(who.position_wh)
    inside = building.internal_price_nano[:n]
    journal = Journal()
    journal.energy(who.names, "allocated_energy", who.allocation_wh, contract_nano[:n], "supplier")
    journal.energy(("supplier",), "allocated_energy", -_column_sums(who.allocation_wh), contract_nano[:n], "unit")
    journal.energy(who.names, "internal_buy", trade.bought, inside, "unit")
    journal.energy(who.names, "internal_sell", -trade.sold, inside, "unit")
    if building.dark:
        _book_default_supply(journal, who, trade, terms)
    else:
        _book_market(journal, who, trade, building.price_nano[:n], terms)
        _book_uplift(journal, building.building, who, trade, paid)
    physical = who.use_wh.sum(axis=0)
    use = Use(
        building.building,
        who.names,
        who.use_wh,
        trade.bought,
        trade.sold,
        physical,
        cleared.starts[:n],
        cleared.minutes / 60,
    )
    charge(journal, use, terms)
    frame = journal.frame(starts)
    check_closed(frame, f"building {building.building}")
    _check_energy(frame, who)
    return frame, _trades(who, trade, inside, starts)


def _book_market(journal: Journal, who: Participants, trade: InternalTrade, price: NanoPerWh, terms: Terms) -> None:
    """The market part of every position at the node price, and the fees on it."""
    for line, taken in (("market_buy", trade.market_buy), ("market_sell", -trade.market_sell)):
        journal.energy(who.names, line, taken, price, "marketplace")
        journal.energy(("marketplace",), line, -_column_sums(taken), price, "unit")
    for fee, traded in ((terms.buy_fee_nano, trade.market_buy), (terms.sell_fee_nano, trade.market_sell)):
        charged = traded if fee else np.zeros_like(traded)
        each = np.full(charged.shape[1], fee, dtype=np.int64)
        journal.energy(who.names, "fee", charged, each, "marketplace")
        journal.energy(("marketplace",), "fee", -_column_sums(charged), each, "unit")


def _book_default_supply(journal: Journal, who: Participants, trade: InternalTrade, terms: Terms) -> None:
    for price, taken in (
        (terms.default_import_nano, trade.market_buy),
        (terms.default_export_nano, -trade.market_sell),
    ):
        each = np.full(taken.shape[1], price, dtype=np.int64)
        journal.energy(who.names, "default_supply", taken, each, "default_supplier")
        journal.energy(("default_supplier",), "default_supply", -_column_sums(taken), each, "unit")


def _book_uplift(journal: Journal, building: str, who: Participants, trade: InternalTrade, paid: Uplift) -> None:
    """Make-whole and uplift of the building, shared by what each unit traded with the marketplace."""
    weights = [int(w) for w in (trade.market_buy + trade.market_sell).sum(axis=1)]
    for line, amount in (("make_whole", paid.make_whole.get(building, 0)), ("uplift", -paid.uplift.get(building, 0))):
        journal.money(who.names, line, share_out(amount, weights), "operator")
        journal.money(("operator",), line, (-amount,), "unit")


def _trades(who: Participants, trade: InternalTrade, price: NanoPerWh, starts: pd.DatetimeIndex) -> pd.DataFrame:
    pairs = pair_up(trade)
    return pd.DataFrame(
        {
            "seller": _categorical(pairs.seller, who.names),
            "buyer": _categorical(pairs.buyer, who.names),
            "resource": pd.Categorical.from_codes(np.zeros(len(pairs.seller), dtype=np.int8), pd.Index([ELECTRICITY])),
            "interval": pairs.interval + 1,
            "start": starts.take(pairs.interval),
            "energy_wh": pairs.energy_wh,
            "price_nano": price[pairs.interval],
        }
    )


def _categorical(codes: npt.NDArray[np.int64], names: tuple[str, ...]) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(codes, pd.Index(names))


def _column_sums(rows: Wh) -> Wh:
    return rows.sum(axis=0, keepdims=True)


def _check_energy(frame: pd.DataFrame, who: Participants) -> None:
    """S6: allocated, internal and market energy of the ledger make up position and allocation, in every interval."""
    lines = ("allocated_energy", "internal_buy", "internal_sell", "market_buy", "market_sell", "default_supply")
    rows = frame[frame["line"].isin(lines) & frame["account"].isin(who.names)]
    booked = rows.groupby("interval")["energy_wh"].sum()
    meant = pd.Series((who.position_wh + who.allocation_wh).sum(axis=0))
    meant.index += 1
    if not booked.reindex(meant.index, fill_value=0).eq(meant).all():
        raise LedgerNotBalancedError("a building's ledger books other energy than its units use")
