"""Lost opportunity by side: what each could have won at the published prices beyond what it did win (C22).

Every number is >= 0 in exact arithmetic, in currency, over the whole horizon.  Buildings compare with their proven
bound; orders, neighbours, supply and network have closed forms.  Their sum is UB - L(p): the certified gap at the
published prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.cleared import NANO, Cleared, ClearedExchange, Flow
from planner.money import price_nano, product, total
from planner.settlement.order_opportunity import lost_by_orders
from planner_models.words import City, Line

Floats = npt.NDArray[np.float64]
PER_NANO = 1 / NANO


def lost_opportunity(
    cleared: Cleared,
    city: City,
    orders: pd.DataFrame | None = None,
    multipliers: Mapping[str, Floats] | None = None,
    tick_per_mwh: float = 0.01,
) -> dict[str, float]:
    """Totals by side: buildings, orders, exchange, supply, network, and their sum ``total``.

    ``orders`` is the case's table (groups, parents, minimum quantities); ``multipliers`` gives each feeder's price
    (currency per MWh, positive for import) over the horizon where buildings' node prices do not tell them apart;
    ``tick_per_mwh`` is what rounding may have moved a price.
    """
    price: dict[str, Floats] = {zone.zone: zone.price_nano / NANO for zone in cleared.zones}
    sides = {
        "buildings": _buildings(cleared),
        "orders": lost_by_orders(cleared, orders if orders is not None else pd.DataFrame()),
        "exchange": _exchanges(cleared, city, price, tick_per_mwh * 1e-6),
        "supply": _supply(cleared, city, price),
        "network": _lines(cleared, city, price) + _feeders(cleared, city, price, multipliers),
    }
    return {**sides, "total": sum(sides.values())}


def _buildings(cleared: Cleared) -> float:
    """c_b + p.q - v_b; what a dark building pays is in its cost already."""
    paid = (0 if b.dark else total(product(b.position_wh, b.price_nano)) for b in cleared.buildings)
    return sum(b.cost + nano * PER_NANO - b.proven_bound for b, nano in zip(cleared.buildings, paid, strict=True))


def _exchanges(cleared: Cleared, city: City, price: Mapping[str, Floats], tick: float) -> float:
    limits = {exchange.zone: exchange for exchange in city.exchanges}
    lost = 0.0
    for exchange in cleared.exchanges:
        limit = limits[exchange.zone]
        into, out_of = _exchange_margins(exchange, price[exchange.zone])
        best = np.maximum(_at_most(into, limit.import_limit_kwh, tick), _at_most(out_of, limit.export_limit_kwh, tick))
        got = np.where(exchange.net_import_wh > 0, into, -out_of) * exchange.net_import_wh
        lost += float(np.sum(best - got))
    return lost


def _at_most(margin: Floats, limit_kwh: Sequence[float], tick: float) -> Floats:
    """The most a margin can win within a limit; without one, a margin within a tick is rounding."""
    limit = np.asarray(limit_kwh, dtype=float)
    return _times(np.where(np.isinf(limit) & (margin <= tick), 0, np.maximum(margin, 0)), limit_kwh)


def _exchange_margins(exchange: ClearedExchange, price: Floats) -> tuple[Floats, Floats]:
    """What the neighbour wins per Wh it brings, and per Wh it takes."""
    return price - exchange.import_price_nano / NANO, exchange.export_price_nano / NANO - price


def _supply(cleared: Cleared, city: City, price: Mapping[str, Floats]) -> float:
    """Unallocated supply, offered at 0, and unserved energy, offered without end at the price cap."""
    spare: dict[str, Floats] = {}
    for rest in city.remainders:
        spare[rest.zone] = spare.get(rest.zone, 0.0) + np.array(rest.energy_kwh) * 1000
    cap = price_nano(city.price_cap) * PER_NANO
    lost = 0.0
    for zone in cleared.zones:
        at = price[zone.zone]
        lost += float(np.sum(np.maximum(at, 0) * spare.get(zone.zone, 0.0) - at * zone.supply_wh))
        lost += float(np.sum((cap - at) * zone.unserved_wh))
    return lost


def _lines(cleared: Cleared, city: City, price: Mapping[str, Floats]) -> float:
    lines = {line.id: line for line in city.lines}
    return sum(_line(flow, lines[flow.line_id], price[flow.from_zone], price[flow.to_zone]) for flow in cleared.flows)


def _line(flow: Flow, line: Line, at_from: Floats, at_to: Floats) -> float:
    half = line.loss_ratio / 2
    forward = at_to * (1 - half) - at_from * (1 + half)
    reverse = at_from * (1 - half) - at_to * (1 + half)
    best = np.maximum(
        _times(np.maximum(forward, 0), line.forward_kwh), _times(np.maximum(reverse, 0), line.reverse_kwh)
    )
    got = np.where(flow.flow_wh > 0, forward, -reverse) * flow.flow_wh
    return float(np.sum(best - got))


def _feeders(
    cleared: Cleared, city: City, price: Mapping[str, Floats], multipliers: Mapping[str, Floats] | None
) -> float:
    """Priced capacity of feeders that is not used: multiplier times what the limit leaves, by direction."""
    if not city.feeders:
        return 0.0
    feeders_of = {b.id: b.feeders for b in city.buildings}
    trading = [b for b in cleared.buildings if not b.dark]
    behind = np.array([[f.id in feeders_of.get(b.building, ()) for b in trading] for f in city.feeders], dtype=float)
    position = np.array([b.position_wh for b in trading], dtype=float).reshape(len(trading), len(cleared.starts))
    if multipliers is None:
        extra = np.array([b.price_nano * PER_NANO - price[b.zone] for b in trading])
        rents = np.linalg.lstsq(behind.T, extra, rcond=None)[0]
        rents[np.abs(rents) < PER_NANO / 2] = 0.0
    else:
        rents = np.array([np.asarray(multipliers[f.id]) * 1e-6 for f in city.feeders])
    lost = 0.0
    for feeder, rent, members in zip(city.feeders, rents, behind, strict=True):
        allocation = np.array(feeder.allocation_kwh) * 1000
        flow = members @ position + allocation
        best = _times(np.maximum(rent, 0), feeder.import_limit_kwh) + _times(
            np.maximum(-rent, 0), feeder.export_limit_kwh
        )
        lost += float(np.sum(best - rent * flow))
    return lost


def _times(price: Floats, limit_kwh: Sequence[float]) -> Floats:
    """Price times capacity in Wh; nothing times no limit is nothing."""
    capacity = np.asarray(limit_kwh, dtype=float) * 1000
    return np.where(price == 0, 0.0, np.where(price == 0, 0.0, price) * np.where(price == 0, 0.0, capacity))
