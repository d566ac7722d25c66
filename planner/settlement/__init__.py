"""Who pays whom: integers, double entry, every ledger sums to zero exactly (S1)–(S6).

A ledger frame has account, line, interval (from 1; <NA> for the day), start, energy_wh, price_nano (per Wh, <NA>
where nothing is priced), amount_nano.  Signs are defined in planner.settlement.journal: energy is taken where
positive, amounts are received where positive, and amount = -energy x price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from planner.cleared import Cleared, ClearedBuilding
from planner.money import total
from planner.settlement.buildings import BlockLedger, settle_buildings
from planner.settlement.cohort import Dues, book, fees_nano, settle_inside
from planner.settlement.journal import LedgerNotBalancedError
from planner.settlement.makewhole import Uplift, party_of
from planner.settlement.market import half_loss_wh, imbalance_wh, outflow_wh, settle_market
from planner.settlement.terms import Terms, terms_of

__all__ = [
    "BlockLedger",
    "BuildingLedger",
    "Dues",
    "LedgerNotBalancedError",
    "Ledgers",
    "Settled",
    "Terms",
    "book",
    "dues_of",
    "half_loss_wh",
    "imbalance_wh",
    "outflow_wh",
    "settle",
    "settle_groups",
    "settle_on",
    "settle_own",
]


class BuildingLedger(NamedTuple):
    """One building: its whole ledger, who traded with whom inside it, and what each unit is told."""

    settlement: pd.DataFrame
    trades: pd.DataFrame
    statements: pd.DataFrame


class Ledgers(Mapping[str, BuildingLedger]):
    """The ledgers of all buildings, each made when it is asked for: a city's would fill the memory."""

    def __init__(self, cleared: Cleared, terms: Terms, paid: Uplift) -> None:
        self._cleared, self._terms, self._paid = cleared, terms, paid
        self._buildings = {b.building: b for b in sorted(cleared.buildings, key=lambda b: b.building)}
        self._contract_nano = {zone.zone: zone.contract_price_nano for zone in cleared.zones}
        self._uses = _uses(terms.nodes)

    def apart(self) -> Ledgers:
        """The same without any building's day, for ``block`` in another process."""
        terms = replace(self._terms, orders=self._terms.orders.iloc[:0])
        return Ledgers(self._cleared.without_buildings(), terms, self._paid)

    def block(self, buildings: Sequence[ClearedBuilding]) -> BlockLedger:
        """Ledgers of some buildings; raises LedgerNotBalancedError if one does not close."""
        return settle_buildings(buildings, self._cleared, self._terms, self._contract_nano, self._paid, self._uses)

    def __getitem__(self, building: str) -> BuildingLedger:
        block = self.block([self._buildings[building]])
        whole = block.ledger.frame
        told = whole[block.told].rename(columns={"account": "unit"}).reset_index(drop=True)
        return BuildingLedger(whole.drop(columns="counterparty_kind"), block.trades.frame, told)

    def __iter__(self) -> Iterator[str]:
        return iter(self._buildings)

    def __len__(self) -> int:
        return len(self._buildings)


@dataclass(frozen=True)
class Settled:
    """All ledgers of one delivery day; ``totals`` are nano-currency and Wh of the marketplace's ledger.

    ``cohorts`` are the cohorts' own books, by the building that keeps each.
    """

    market: pd.DataFrame
    buildings: Ledgers
    totals: Mapping[str, int]
    cohorts: Mapping[str, pd.DataFrame]


def settle(cleared: Cleared, case: Any) -> Settled:
    """Settle a clear under the terms of its case; raises LedgerNotBalancedError if the clear does not close."""
    return settle_on(cleared, terms_of(case))


def settle_on(cleared: Cleared, terms: Terms) -> Settled:
    """The same under terms given directly."""
    market, paid = settle_market(cleared, terms, pd.DatetimeIndex(cleared.starts[: cleared.settled]))
    inside = settle_inside(cleared, terms, paid)
    totals = _totals(market, paid.borne_by_operator)
    return Settled(market, Ledgers(cleared, terms, inside.paid), totals, inside.books)


def settle_groups(cleared: Cleared, case: Any) -> Settled:
    """The marketplace's ledger alone, where it knows groups and no buildings: ``cleared.buildings`` stand for them."""
    terms = terms_of(case)
    market, paid = settle_market(cleared, terms, pd.DatetimeIndex(cleared.starts[: cleared.settled]))
    nobody = Ledgers(replace(cleared, buildings=()), terms, paid)
    return Settled(market, nobody, _totals(market, paid.borne_by_operator), {})


def settle_own(cleared: Cleared, case: Any) -> tuple[BlockLedger, Dues]:
    """The ledger of the only building there is, and what it pays and is owed; there is no uplift here."""
    (building,) = cleared.buildings
    terms, due = terms_of(case), dues_of(building, case, cleared.settled)
    paid = Uplift({building.building: due.make_whole_nano}, {}, 0)
    return Ledgers(cleared, terms, paid).block([building]), due


def dues_of(building: ClearedBuilding, case: Any, settled: int) -> Dues:
    """What a building, or a cohort in its place, pays in fees and is owed where the operator pays make-whole."""
    if building.dark:
        return Dues(0, 0)
    party = party_of(building.building, (building,), settled)
    return Dues(fees_nano(building.position_wh[:settled], terms_of(case)), party.make_whole_nano)


def _uses(nodes: pd.DataFrame) -> dict[str, str]:
    if nodes.empty or "use" not in nodes:
        return {}
    return dict(zip(nodes["node"].astype(str), nodes["use"].fillna("").astype(str), strict=True))


def _totals(market: pd.DataFrame, borne_by_operator: int) -> dict[str, int]:
    """Size of what is not energy: fees, make-whole, uplift, rents, losses, remainders."""

    def amount(account: str, *lines: str) -> int:
        rows = (market["account"] == account) & market["line"].isin(lines)
        return total(market.loc[rows, "amount_nano"].to_numpy())

    remainders = market.loc[market["line"].eq("remainder"), "energy_wh"].to_numpy()
    return {
        "fees_nano": amount("marketplace", "fee"),
        "make_whole_nano": -amount("operator", "make_whole"),
        "uplift_nano": amount("operator", "uplift"),
        "borne_by_operator_nano": borne_by_operator,
        "congestion_rent_nano": amount("network", "congestion_rent", "surplus"),
        "losses_nano": amount("network", "losses"),
        "remainder_wh": int(np.abs(remainders).sum()),
    }
