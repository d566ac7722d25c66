"""From an answered clear to whole numbers: every zone balances to the Wh, every price is an integer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from planner.answered import Answered, Prices
from planner.cleared import Acceptance, Cleared, ClearedBuilding, ClearedExchange, ClearedZone, Flow, Wh
from planner.groups import Group
from planner.internal_price import internal_price_nano
from planner.quantise import Floats
from planner.schedule import Schedule
from planner.settlement import imbalance_wh
from planner_models.marketplace import MarketModel
from planner_models.words import BlockOrder, Building, City, ComplexOrder, Side, StepOrder

NANO_OF_PRICE = 1000


def close(
    city: City,
    market: MarketModel,
    answered: Answered,
    groups: Sequence[Group],
    dark: Mapping[str, Schedule],
    contract_price: Mapping[str, Floats],
    default_tariff: tuple[float, float],
) -> Cleared:
    """The cleared value; what rounding leaves open is taken by the neighbour, else booked as remainder.

    ``default_tariff`` (import, export per MWh) is what dark buildings face.
    """
    group_of = {b: g for g in groups for b in g.buildings}
    buildings = tuple(_building(city, b, group_of[b.id].id, answered, dark, default_tariff) for b in city.buildings)
    x, prices = answered.market_x, answered.prices
    draft = Cleared(
        starts=city.grid.starts,
        settled=city.grid.settled,
        minutes=city.grid.minutes,
        buildings=buildings,
        zones=tuple(_zone(city, market, z, x, prices, contract_price) for z in city.zones),
        exchanges=tuple(_exchange(market, e, x) for e in city.exchanges),
        acceptances=_acceptances(city, market, x, prices),
        flows=tuple(_flow(market, line, x) for line in city.lines),
        certificate={},
    )
    return _balanced(city, draft)


def _building(
    city: City,
    building: Building,
    group: str,
    answered: Answered,
    dark: Mapping[str, Schedule],
    default_tariff: tuple[float, float],
) -> ClearedBuilding:
    is_dark = building.id in dark
    schedule = dark[building.id] if is_dark else answered.schedules[building.id]
    node = node_price(city, building, answered.prices)
    alone = schedule.cost if is_dark else answered.without_trade[building.id]
    proven = answered.proven.get(building.id, schedule.cost)
    return close_building(city, group, schedule, node, alone, proven, default_tariff if is_dark else None)


def close_building(
    city: City,
    group: str,
    schedule: Schedule,
    node_nano: Wh,
    alone_cost: float,
    proven: float,
    default_tariff: tuple[float, float] | None,
) -> ClearedBuilding:
    """One building's day at its node's price (nano-currency per Wh), or at the default tariff where there is one."""
    building = schedule.building
    buying = node_nano + round(city.fees.market_buy_per_mwh * NANO_OF_PRICE)
    selling = node_nano - round(city.fees.market_sell_per_mwh * NANO_OF_PRICE)
    if default_tariff is not None:
        buying, selling = (_nano(np.full(len(node_nano), price)) for price in default_tariff)
    return ClearedBuilding(
        building=building.id,
        group=group,
        zone=building.zone,
        dark=default_tariff is not None,
        units=schedule.units,
        loss_wh=schedule.loss_wh,
        price_nano=node_nano,
        internal_price_nano=internal_price_nano(schedule, selling, buying),
        cost=schedule.cost,
        no_trade_cost=alone_cost,
        proven_bound=proven,
        dispatch=schedule.dispatch(city.grid),
    )


def node_price(city: City, building: Building, prices: Prices) -> Wh:
    """Zone price and the surcharges of the feeders above, nano-currency per Wh."""
    price = prices.zone[city.zones.index(building.zone)].copy()
    for f, feeder in enumerate(city.feeders):
        if feeder.id in building.feeders:
            price += prices.feeder[f]
    return _nano(price)


def _nano(price_per_mwh: Floats) -> Wh:
    return np.rint(np.asarray(price_per_mwh) * NANO_OF_PRICE).astype(np.int64)


def _wh(kwh: Floats) -> Wh:
    return np.rint(np.asarray(kwh) * 1000).astype(np.int64)


def _zone(
    city: City, market: MarketModel, zone: str, x: Floats, prices: Prices, contract: Mapping[str, Floats]
) -> ClearedZone:
    z, n = city.zones.index(zone), market.n
    supplied = [r for r in city.remainders if r.zone == zone]
    nothing = np.zeros(n, dtype=np.int64)
    supply = _wh(x[market.column("supplied", zone)]) if supplied else nothing
    return ClearedZone(
        zone=zone,
        price_nano=_nano(prices.zone[z]),
        price_low=prices.low[z],
        price_high=prices.high[z],
        indicative=prices.indicative[z],
        supply_wh=supply,
        unserved_wh=_wh(x[market.column("unserved", zone)]),
        remainder_wh=nothing,
        contract_price_nano=_nano(contract.get(zone, np.zeros(n))),
    )


def _exchange(market: MarketModel, exchange: Any, x: Floats) -> ClearedExchange:
    imported, exported = (x[market.column(name, exchange.zone)] for name in ("imported", "exported"))
    return ClearedExchange(
        zone=exchange.zone,
        net_import_wh=_wh(imported - exported),
        import_price_nano=_nano(np.array(exchange.import_price_per_mwh)),
        export_price_nano=_nano(np.array(exchange.export_price_per_mwh)),
    )


def _flow(market: MarketModel, line: Any, x: Floats) -> Flow:
    net = x[market.column("forward", line.id)] - x[market.column("reverse", line.id)]
    return Flow(line.id, line.from_zone, line.to_zone, _wh(net), line.loss_ratio)


def _acceptances(city: City, market: MarketModel, x: Floats, prices: Prices) -> tuple[Acceptance, ...]:
    out = [_step(city, market, s, x, prices) for s in city.steps]
    for block in city.blocks:
        out += _block(city, market, block, x, prices)
    for order in city.complexes:
        out += _complex(city, market, order, x, prices)
    return tuple(sorted(out, key=lambda a: a.row))


def _step(city: City, market: MarketModel, order: StepOrder, x: Floats, prices: Prices) -> Acceptance:
    quantity = round(order.quantity_kwh * 1000)
    accepted = min(quantity, round(float(x[market.variables["accepted"][order.row]]) * 1000))
    price = prices.zone[city.zones.index(order.zone), order.interval]
    margin = price - order.price_per_mwh if order.side is Side.SELL else order.price_per_mwh - price
    return _acceptance(order.id, order.row, order, order.interval, quantity, accepted, margin, "step")


def _block(city: City, market: MarketModel, order: BlockOrder, x: Floats, prices: Prices) -> list[Acceptance]:
    ratio = float(x[market.variables["ratio"][order.id]])
    price = prices.zone[city.zones.index(order.zone), list(order.intervals)]
    quantities = np.array(order.quantities_kwh)
    average = float(price @ quantities / quantities.sum())
    margin = average - order.price_per_mwh if order.side is Side.SELL else order.price_per_mwh - average
    made = [
        _acceptance(order.id, row, order, t, round(q * 1000), round(q * 1000 * ratio), margin, "block")
        for row, t, q in zip(order.rows, order.intervals, order.quantities_kwh, strict=True)
    ]
    reason = _held_back(city, market, order, x) if ratio <= 1e-7 and margin > 1e-6 else ""
    return [replace(row, reason=reason) for row in made] if reason else made


def _held_back(city: City, market: MarketModel, order: BlockOrder, x: Floats) -> str:
    """What other block keeps this one out although it would earn; '' if none."""
    ratio = market.variables["ratio"]
    if order.parent and x[ratio[order.parent]] <= 1e-7:
        return "parent_rejected"
    rivals = [b.id for b in city.blocks if b.exclusive_group == order.exclusive_group != "" and b.id != order.id]
    return "group_taken" if any(x[ratio[name]] > 1e-7 for name in rivals) else ""


def _complex(city: City, market: MarketModel, order: ComplexOrder, x: Floats, prices: Prices) -> list[Acceptance]:
    """Rows of a complex order; one that does not run although a row would earn did not meet its minimum or cost."""
    running = x[market.variables["running"][order.id]] > 0.5
    out = []
    for row, t, limit, q in zip(order.rows, order.intervals, order.prices_per_mwh, order.quantities_kwh, strict=True):
        accepted = min(round(q * 1000), round(float(x[market.variables["supplied_row"][row]]) * 1000))
        margin = prices.zone[city.zones.index(order.zone), t] - limit
        made = _acceptance(order.id, row, _Sale(order, limit), t, round(q * 1000), accepted, margin, "complex")
        if not running and margin > 1e-6:
            made = replace(made, reason="minimum_not_met")
        out.append(made)
    return out


class _Sale:
    """A row of a complex order as the orders of one price look."""

    side = Side.SELL

    def __init__(self, order: ComplexOrder, price_per_mwh: float) -> None:
        self.participant, self.zone, self.price_per_mwh = order.participant, order.zone, price_per_mwh


def _acceptance(
    name: str, row: int, order: Any, interval: int, quantity: int, accepted: int, margin: float, kind: str
) -> Acceptance:
    if accepted == 0:
        reason = "rejected_in_the_money" if margin > 1e-6 else "out_of_the_money"
    elif margin < -1e-6:
        reason = "accepted_at_loss"
    else:
        reason = "accepted" if accepted == quantity else "partly_accepted"
    return Acceptance(
        order_id=name,
        row=row,
        participant=order.participant,
        zone=order.zone,
        side=order.side.value,
        interval=interval + 1,
        price_per_mwh=order.price_per_mwh,
        quantity_wh=quantity,
        accepted_wh=accepted,
        reason=reason,
        kind=kind,
    )


def _balanced(city: City, draft: Cleared) -> Cleared:
    """Close every zone to the Wh: the neighbour takes what rounding left where it has room, else the remainder."""
    limits = {e.zone: e for e in city.exchanges}
    exchanges = {e.zone: e for e in draft.exchanges}
    zones = []
    for zone in draft.zones:
        rest = imbalance_wh(draft, zone)
        taken = np.zeros_like(rest)
        if zone.zone in exchanges:
            e, limit = exchanges[zone.zone], limits[zone.zone]
            wanted = e.net_import_wh + rest
            up = np.floor(np.minimum(np.array(limit.import_limit_kwh), 1e12) * 1000 + 0.5)
            down = np.floor(np.minimum(np.array(limit.export_limit_kwh), 1e12) * 1000 + 0.5)
            keeps_side = np.sign(wanted) * np.sign(e.net_import_wh) >= 0
            idle = (e.net_import_wh == 0) & (rest != 0)
            room = (wanted <= up) & (wanted >= -down) & keeps_side & ~idle
            taken = np.where(room, rest, 0)
            exchanges[zone.zone] = replace(e, net_import_wh=e.net_import_wh + taken)
        zones.append(replace(zone, remainder_wh=rest - taken))
    return replace(draft, zones=tuple(zones), exchanges=tuple(exchanges[e.zone] for e in draft.exchanges))


def market_cost(cleared: Cleared, city: City) -> float:
    """What neighbours, orders, unserved energy and remainders cost the city over the horizon, in currency."""
    nano = 0
    for e in cleared.exchanges:
        imported, exported = np.maximum(e.net_import_wh, 0), np.maximum(-e.net_import_wh, 0)
        nano += int((imported * e.import_price_nano - exported * e.export_price_nano).sum())
    for zone in cleared.zones:
        nano += int((zone.remainder_wh * zone.price_nano).sum())
        nano += int(zone.unserved_wh.sum()) * round(city.price_cap * NANO_OF_PRICE)
    for order in cleared.acceptances:
        sign = 1 if order.side == "sell" else -1
        nano += sign * order.accepted_wh * round(order.price_per_mwh * NANO_OF_PRICE)
    running = {order.order_id for order in cleared.acceptances if order.kind == "complex" and order.accepted_wh}
    return nano / 1e9 + sum(order.fixed_cost for order in city.complexes if order.id in running)
