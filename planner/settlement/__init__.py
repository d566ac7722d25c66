"""Who pays whom: integers, double entry, every ledger sums to zero exactly (S1)–(S6).

A ledger frame has account, line, interval (from 1; <NA> for the day), start, energy_wh, price_nano (per Wh, <NA>
where nothing is priced), amount_nano.  Signs are defined in planner.settlement.journal: energy is taken where
positive, amounts are received where positive, and amount = -energy x price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from planner.cleared import Cleared, ClearedBuilding, NanoPerWh
from planner.money import total
from planner.settlement.buildings import settle_building
from planner.settlement.journal import LedgerNotBalancedError
from planner.settlement.makewhole import Claim, Uplift, building_parties, uplift
from planner.settlement.market import fees_nano, half_loss_wh, imbalance_wh, outflow_wh, settle_market
from planner.settlement.statements import statements
from planner.settlement.terms import Terms, terms_of

__all__ = [
    "BuildingLedger",
    "Claim",
    "LedgerNotBalancedError",
    "Settled",
    "Terms",
    "fees_nano",
    "half_loss_wh",
    "imbalance_wh",
    "outflow_wh",
    "settle",
    "settle_groups",
    "settle_on",
    "settle_own",
]

THIRD_PARTIES = ("marketplace", "supplier", "network_operator", "default_supplier", "operator", "rounding")


class BuildingLedger(NamedTuple):
    """One building: its whole ledger, who traded with whom inside it, and what each unit is told."""

    settlement: pd.DataFrame
    trades: pd.DataFrame
    statements: pd.DataFrame


@dataclass(frozen=True)
class Settled:
    """All ledgers of one delivery day; ``totals`` are nano-currency and Wh of the marketplace's ledger."""

    market: pd.DataFrame
    buildings: Mapping[str, BuildingLedger]
    totals: Mapping[str, int]


def settle(cleared: Cleared, case: Any) -> Settled:
    """Settle a clear under the terms of its case; raises LedgerNotBalancedError if the clear does not close."""
    return settle_on(cleared, terms_of(case))


def settle_on(cleared: Cleared, terms: Terms) -> Settled:
    """The same under terms given directly."""
    starts = pd.DatetimeIndex(cleared.starts[: cleared.settled])
    market, paid = settle_market(cleared, terms, starts)
    contract = {zone.zone: zone.contract_price_nano for zone in cleared.zones}
    uses = _uses(terms.nodes)
    ledgers = {}
    for building in sorted(cleared.buildings, key=lambda b: b.building):
        price = contract.get(building.zone, np.zeros(len(cleared.starts), dtype=np.int64))
        ledgers[building.building] = _ledger(building, cleared, terms, price, paid, starts, uses)
    return Settled(market, ledgers, _totals(market, paid.borne_by_operator))


def _ledger(
    building: ClearedBuilding,
    cleared: Cleared,
    terms: Terms,
    contract_nano: NanoPerWh,
    paid: Uplift,
    starts: pd.DatetimeIndex,
    uses: Mapping[str, str],
) -> BuildingLedger:
    ledger, trades = settle_building(building, cleared, terms, contract_nano, paid, starts, uses)
    own = [name for name in ledger["account"].cat.categories if name not in THIRD_PARTIES]
    told = statements(ledger, own)
    return BuildingLedger(ledger.drop(columns="counterparty_kind"), trades, told)


def settle_groups(cleared: Cleared, case: Any, claims: Mapping[str, Claim]) -> Settled:
    """The marketplace's ledger alone, where it knows groups and no buildings.

    ``cleared.buildings`` stand for groups; ``claims`` is what each says of the buildings in it.
    """
    starts = pd.DatetimeIndex(cleared.starts[: cleared.settled])
    market, paid = settle_market(cleared, terms_of(case), starts, claims)
    return Settled(market, {}, _totals(market, paid.borne_by_operator))


def settle_own(cleared: Cleared, case: Any) -> tuple[BuildingLedger, Claim]:
    """The ledger of the only building there is, and what it claims: make-whole, paid by the operator, and fees."""
    (building,) = cleared.buildings
    terms = terms_of(case)
    starts = pd.DatetimeIndex(cleared.starts[: cleared.settled])
    paid = uplift(building_parties(cleared), False, 0)
    (contract,) = [zone.contract_price_nano for zone in cleared.zones if zone.zone == building.zone]
    ledger = _ledger(building, cleared, terms, contract, paid, starts, _uses(terms.nodes))
    return ledger, Claim(sum(paid.make_whole.values()), fees_nano(building, terms, cleared.settled))


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
