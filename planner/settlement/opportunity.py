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
from planner_models.words import City, Line

from planner.cleared import NANO, Acceptance, Cleared, ClearedExchange, Flow
from planner.money import price_nano, product, total

Floats = npt.NDArray[np.float64]
PER_NANO = 1 / NANO


def lost_opportunity(
    cleared: Cleared, city: City, orders: pd.DataFrame | None = None, multipliers: Mapping[str, Floats] | None = None
) -> dict[str, float]:
    """Totals by side: buildings, orders, exchange, supply, network, and their sum ``total``.

    ``orders`` is the case's table (groups, parents, minimum quantities); ``multipliers`` gives each feeder's price
    (currency per MWh, positive for import) over the horizon where buildings' node prices do not tell them apart.
    """
    price: dict[str, Floats] = {zone.zone: zone.price_nano / NANO for zone in cleared.zones}
    sides = {
        "buildings": _buildings(cleared),
        "orders": _orders(cleared, orders if orders is not None else pd.DataFrame()),
        "exchange": _exchanges(cleared, city, price),
        "supply": _supply(cleared, city, price),
        "network": _lines(cleared, city, price) + _feeders(cleared, city, price, multipliers),
    }
    return {**sides, "total": sum(sides.values())}


def _buildings(cleared: Cleared) -> float:
    return sum(
        b.cost + total(product(b.position_wh, b.price_nano)) * PER_NANO - b.proven_bound
        for b in cleared.buildings
        if not b.dark
    )


def _exchanges(cleared: Cleared, city: City, price: Mapping[str, Floats]) -> float:
    limits = {exchange.zone: exchange for exchange in city.exchanges}
    lost = 0.0
    for exchange in cleared.exchanges:
        limit = limits[exchange.zone]
        into, out_of = _exchange_margins(exchange, price[exchange.zone])
        best = np.maximum(
            _times(np.maximum(into, 0), limit.import_limit_kwh), _times(np.maximum(out_of, 0), limit.export_limit_kwh)
        )
        got = np.where(exchange.net_import_wh > 0, into, -out_of) * exchange.net_import_wh
        lost += float(np.sum(best - got))
    return lost


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
    position = np.array([b.position_wh for b in trading], dtype=float).reshape(len(trading), -1)
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


def _orders(cleared: Cleared, table: pd.DataFrame) -> float:
    """Best response less what was won, over all orders; families and exclusive groups answer together."""
    price = {zone.zone: zone.price_nano for zone in cleared.zones}
    margin = [_margin(row, int(price[row.zone][row.interval - 1])) * PER_NANO for row in cleared.acceptances]
    won = sum(m * row.accepted_wh for m, row in zip(margin, cleared.acceptances, strict=True))
    best = sum(
        max(m, 0.0) * r.quantity_wh for m, r in zip(margin, cleared.acceptances, strict=True) if r.kind == "step"
    )
    rows: dict[str, list[tuple[float, Acceptance]]] = {}
    for m, row in zip(margin, cleared.acceptances, strict=True):
        if row.kind != "step":
            rows.setdefault(row.order_id, []).append((m, row))
    facts = (
        {}
        if table.empty
        else {str(k): v for k, v in table.drop_duplicates("order_id").set_index("order_id").iterrows()}
    )
    alone, spent = {}, 0.0
    for name, answers in sorted(rows.items()):
        if answers[0][1].kind == "complex":
            alone[name] = _complex(answers, table[table["order_id"] == name]) - _fact(facts, name, "fixed_cost")
            spent += _fact(facts, name, "fixed_cost") * any(row.accepted_wh for _, row in answers)
        else:
            alone[name] = sum(m * row.quantity_wh for m, row in answers)
    return best + _families(alone, facts) - (won - spent)


def _families(alone: Mapping[str, float], facts: Mapping[str, pd.Series]) -> float:
    """The best of every family and exclusive group: a child needs its parent, of a group at most one is taken whole."""
    children: dict[str, list[str]] = {}
    for name in alone:
        children.setdefault(_text(facts, name, "parent_order_id"), []).append(name)

    def whole(name: str) -> float:
        return max(0.0, alone[name] + sum(whole(child) for child in children.get(name, ())))

    groups: dict[str, float] = {}
    single = 0.0
    for name in children.get("", []):
        group = _text(facts, name, "exclusive_group")
        if group:
            groups[group] = max(groups.get(group, 0.0), whole(name))
        else:
            single += whole(name)
    return single + sum(groups.values())


def _complex(answers: Sequence[tuple[float, Acceptance]], rows: pd.DataFrame) -> float:
    """The best an active complex order can win before its fixed cost: steps in the money, and its minimum."""
    at_least = rows.groupby("interval")["min_quantity_kwh"].max().fillna(0.0) * 1000
    best = 0.0
    for interval in sorted({row.interval for _, row in answers}):
        missing = float(at_least.get(interval, 0.0))
        for margin, row in sorted(((m, r) for m, r in answers if r.interval == interval), key=lambda a: -a[0]):
            taken = row.quantity_wh if margin > 0 else min(row.quantity_wh, max(missing, 0.0))
            best += margin * taken
            missing -= taken
    return best


def _margin(row: Acceptance, price: int) -> int:
    """What an order row wins per Wh, nano-currency."""
    limit = price_nano(row.price_per_mwh)
    return price - limit if row.side == "sell" else limit - price


def _text(facts: Mapping[str, pd.Series], name: str, column: str) -> str:
    value = facts[name].get(column) if name in facts else None
    return value if isinstance(value, str) else ""


def _fact(facts: Mapping[str, pd.Series], name: str, column: str) -> float:
    value = facts[name].get(column, 0.0) if name in facts else 0.0
    return float(value) if value == value and value is not None else 0.0
