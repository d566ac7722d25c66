"""The marketplace's ledger: everybody at his node's price, every Wh and every nano-currency accounted for.

Accounts: ``group:<id>``, ``grid:<zone>``, ``order:<participant or order>``, ``supplier:<zone>`` (unallocated supply
taken), ``default_supplier`` (what rounding and missing energy left to it), ``network`` (rents and losses),
``marketplace`` (fees), ``operator`` (make-whole and uplift),
``rounding`` (what makes bills whole cents).  Dark groups do not appear: what they do is settled
inside their buildings.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from planner.cleared import Acceptance, Cleared, ClearedZone, Flow, Wh
from planner.money import price_nano, total
from planner.settlement.journal import Journal, LedgerNotBalancedError, check_closed
from planner.settlement.makewhole import Uplift, group_parties, order_name, order_parties, trading_groups, uplift
from planner.settlement.statements import ROUNDING, rounding_nano
from planner.settlement.terms import Terms

# A cohort's buildings may have different node prices: one sum per group tells nobody apart.
BLENDED = ("group:", "network")
BILLED = ("group:", "grid:", "order:", "supplier:", "default_supplier")
RENT_LINES = ("congestion_rent", "losses", "surplus")


def half_loss_wh(flow: Flow) -> Wh:
    """What one end of a line loses: half of ``loss_ratio`` of the flow at mid-line, to the nearest Wh."""
    return np.rint(np.abs(flow.flow_wh) * (flow.loss_ratio / 2)).astype(np.int64)


def outflow_wh(flow: Flow, zone: str) -> Wh:
    """What a line takes out of a zone (negative: brings), int64 Wh with that end's half of the losses."""
    through = (zone == flow.from_zone) * flow.flow_wh - (zone == flow.to_zone) * flow.flow_wh
    return through + ((zone == flow.from_zone) + (zone == flow.to_zone)) * half_loss_wh(flow)


def imbalance_wh(cleared: Cleared, zone: ClearedZone) -> Wh:
    """What a zone uses less what it is given, int64 Wh over the horizon: zero, or the clear is wrong (C14)."""
    rest = -(zone.supply_wh + zone.unserved_wh + zone.remainder_wh)
    for building in cleared.buildings:
        if building.zone == zone.zone and not building.dark:
            rest = rest + building.position_wh
    for exchange in cleared.exchanges:
        if exchange.zone == zone.zone:
            rest = rest - exchange.net_import_wh
    for flow in cleared.flows:
        rest = rest + outflow_wh(flow, zone.zone)
    taken = np.zeros(len(cleared.starts), dtype=np.int64)
    for order in cleared.acceptances:
        if order.zone == zone.zone:
            taken[order.interval - 1] += order.accepted_wh if order.side == "buy" else -order.accepted_wh
    return rest + taken


def settle_market(cleared: Cleared, terms: Terms, starts: pd.DatetimeIndex) -> tuple[pd.DataFrame, Uplift]:
    """The marketplace's ledger of the delivery day, and what make-whole came to by group and order."""
    _check_balance(cleared)
    journal, n = Journal(), cleared.settled
    price = {zone.zone: zone.price_nano[:n] for zone in cleared.zones}
    _book_groups(journal, cleared, price)
    _book_fees(journal, cleared, terms)
    _book_neighbours(journal, cleared, price)
    _book_orders(journal, cleared, price, terms)
    for flow in cleared.flows:
        _book_line(journal, flow, price, n)
    frame = journal.frame(starts, BLENDED)
    paid = _uplift(cleared, terms, price, _rent(frame))
    _book_uplift(journal, cleared, paid)
    _book_rounding(journal)
    frame = journal.frame(starts, BLENDED)
    check_closed(frame, "market")
    return frame.drop(columns="counterparty_kind"), paid


def _check_balance(cleared: Cleared) -> None:
    for zone in cleared.zones:
        rest = imbalance_wh(cleared, zone)
        if rest.any():
            at = int(np.flatnonzero(rest)[0])
            raise LedgerNotBalancedError(f"zone {zone.zone}, interval {at + 1}: {rest[at]} Wh come from nowhere")


def _book_groups(journal: Journal, cleared: Cleared, price: Mapping[str, Wh]) -> None:
    """Positions at node prices; what a node's price differs from its zone's is rent of the network."""
    trading = [b for b in cleared.buildings if not b.dark]
    if not trading:
        return
    n = cleared.settled
    groups = [f"group:{b.group}" for b in trading]
    position = np.array([b.position_wh[:n] for b in trading])
    node = np.array([b.price_nano[:n] for b in trading])
    zonal = np.array([price[b.zone] for b in trading])
    journal.energy(groups, "energy", position, node, "marketplace")
    journal.energy(
        ["network"] * len(trading), "congestion_rent", np.where(node == zonal, 0, position), zonal - node, "group"
    )


def _book_fees(journal: Journal, cleared: Cleared, terms: Terms) -> None:
    """Fees on every group's position; what its buildings sell to each other they pay for among themselves."""
    groups, n = trading_groups(cleared), cleared.settled
    sums = [np.sum([b.position_wh[:n] for b in members], axis=0) for members in groups.values()]
    position = np.array(sums, dtype=np.int64).reshape(len(groups), n)
    for fee, charged in ((terms.buy_fee_nano, position), (terms.sell_fee_nano, -position)):
        charged = np.maximum(charged, 0) if fee else np.zeros_like(charged)
        journal.energy([f"group:{group}" for group in groups], "fee", charged, np.full(n, fee), "marketplace")
        journal.energy(("marketplace",), "fee", -charged.sum(axis=0, keepdims=True), np.full(n, fee), "group")


def _book_neighbours(journal: Journal, cleared: Cleared, price: Mapping[str, Wh]) -> None:
    """The outside, the contracts and the default supplier deliver at the zone's price."""
    n = cleared.settled
    for exchange in cleared.exchanges:
        delivered = exchange.net_import_wh[None, :n]
        journal.energy((f"grid:{exchange.zone}",), "energy", -delivered, price[exchange.zone], "marketplace")
    for zone in cleared.zones:
        for account, line, wh in (
            (f"supplier:{zone.zone}", "energy", zone.supply_wh),
            ("default_supplier", "unserved", zone.unserved_wh),
            ("default_supplier", "remainder", zone.remainder_wh),
        ):
            journal.energy((account,), line, -wh[None, :n], price[zone.zone], "marketplace")


def _book_orders(journal: Journal, cleared: Cleared, price: Mapping[str, Wh], terms: Terms) -> None:
    """Orders at the zone's price; under pay_as_bid at their limits, and the surplus is the network's."""
    for order in cleared.acceptances:
        if not 0 < order.interval <= cleared.settled:
            continue
        taken = np.zeros((1, cleared.settled), dtype=np.int64)
        taken[0, order.interval - 1] = order.accepted_wh if order.side == "buy" else -order.accepted_wh
        paid = price[order.zone]
        if terms.pay_as_bid:
            paid = np.full(cleared.settled, price_nano(order.price_per_mwh))
            journal.energy(("network",), "surplus", taken, price[order.zone] - paid, "order")
        journal.energy((_account(order),), "energy", taken, paid, "marketplace")


def _book_line(journal: Journal, flow: Flow, price: Mapping[str, Wh], n: int) -> None:
    """The network buys at one end what it sells at the other, and buys the losses of both ends."""
    spread = price[flow.from_zone] - price[flow.to_zone]
    through = np.where(spread == 0, 0, flow.flow_wh[:n])[None, :]
    journal.energy(("network",), "congestion_rent", through, spread, "line")
    for zone in (flow.from_zone, flow.to_zone):
        journal.energy(("network",), "losses", half_loss_wh(flow)[None, :n], price[zone], "line")


def _account(order: Acceptance) -> str:
    return f"order:{order.participant or order.order_id}"


def _rent(frame: pd.DataFrame) -> int:
    """What the network account holds after rents and losses of the day, nano-currency."""
    of_network = (frame["account"] == "network") & frame["line"].isin(RENT_LINES)
    return total(frame.loc[of_network, "amount_nano"].to_numpy())


def _uplift(cleared: Cleared, terms: Terms, price: Mapping[str, Wh], rent_nano: int) -> Uplift:
    by_interval = {zone: pd.Series(nano, index=range(1, len(nano) + 1)) for zone, nano in price.items()}
    orders = [] if terms.pay_as_bid else order_parties(cleared, by_interval, terms)
    return uplift([*group_parties(cleared), *orders], terms.uplift_pro_rata, rent_nano)


def _book_uplift(journal: Journal, cleared: Cleared, paid: Uplift) -> None:
    """Make-whole and uplift pass through the operator, who bears what is not funded."""
    accounts = _accounts(cleared)
    for line, amounts, sign in (("make_whole", paid.make_whole, 1), ("uplift", paid.uplift, -1)):
        summed: dict[str, int] = {}
        for name, amount in amounts.items():
            summed[accounts[name]] = summed.get(accounts[name], 0) + sign * amount
        journal.money(list(summed), line, list(summed.values()), "operator")
        journal.money(("operator",), line, (-sum(summed.values()),), "group")
    journal.money(("network", "operator"), "uplift", (-paid.from_rent, paid.from_rent), "operator")


def _book_rounding(journal: Journal) -> None:
    """What is billed or paid to those outside the marketplace is whole cents (S5)."""
    billed = {name: amount for name, amount in journal.balances().items() if name.startswith(BILLED)}
    booked = rounding_nano(billed)
    journal.money(list(booked), ROUNDING, list(booked.values()), ROUNDING)


def _accounts(cleared: Cleared) -> dict[str, str]:
    """The account of every party to make-whole."""
    orders = {order_name(order): _account(order) for order in cleared.acceptances}
    return orders | {b.group: f"group:{b.group}" for b in cleared.buildings}
