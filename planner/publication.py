"""From multipliers to published prices: on the tick, inside the range that supports them (contract 2, rule 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from planner.answered import Prices
from planner.quantise import Floats
from planner_models.linear import LinearModel
from planner_models.marketplace import MarketModel
from planner_models.pricing import Claim, PriceRange, least_make_whole, price_range, supporting_face
from planner_models.solve import Options
from planner_models.template import Ints
from planner_models.words import City, ComplexOrder, Side

HAIR = 1e-7


def socket_signs(market: MarketModel) -> Floats:
    """How a position enters each balance row: +1 or -1, shape (zones * n,)."""
    rows = market.balance_rows.ravel()
    return np.asarray(market.socket[rows, np.arange(len(rows))]).ravel()


def feeder_rows(market: MarketModel) -> Ints:
    """Row of each feeder and interval, -1 where there is no limit; shape (feeders, n)."""
    n, zones = market.n, len(market.city.zones)
    out = np.full((len(market.city.feeders), n), -1, dtype=np.int64)
    part = market.socket[:, zones * n :].tocoo()
    balance = set(market.balance_rows.ravel().tolist())
    for row, column in zip(part.row, part.col, strict=True):
        if int(row) not in balance:
            out[column // n, column % n] = row
    return out


def block_claims(market: MarketModel, x: Floats) -> list[Claim]:
    """What each accepted block loses, as a function of the multipliers of the market's rows."""
    city, signs = market.city, socket_signs(market).reshape(market.balance_rows.shape)
    claims: list[Claim] = []
    own: dict[str, Claim] = {}
    for block in city.blocks:
        taken = np.array(block.quantities_kwh) * float(x[market.variables["ratio"][block.id]])
        if not taken.any():
            continue
        z, at = city.zones.index(block.zone), list(block.intervals)
        side = 1.0 if block.side is Side.SELL else -1.0
        slope = np.zeros(len(market.row_lower))
        np.add.at(slope, market.balance_rows[z, at], side * signs[z, at] * taken)
        claims.append(Claim(slope, side * block.price_per_mwh / 1000 * float(taken.sum())))
        own[block.id] = claims[-1]
    claims = _with_children(city, own)
    return claims + [_complex_claim(market, signs, order, x) for order in city.complexes if _runs(market, order, x)]


def _with_children(city: City, own: Mapping[str, Claim]) -> list[Claim]:
    """Each accepted block's claim with those of its accepted descendants, who may save it."""
    parent = {b.id: b.parent for b in city.blocks}
    total = dict(own)
    for name, claim in own.items():
        above = parent[name]
        while above in own:
            total[above] = Claim(total[above].slope + claim.slope, total[above].constant + claim.constant)
            above = parent[above]
    return list(total.values())


def _runs(market: MarketModel, order: ComplexOrder, x: Floats) -> bool:
    return bool(x[market.variables["running"][order.id]] > 0.5)


def _complex_claim(market: MarketModel, signs: Floats, order: ComplexOrder, x: Floats) -> Claim:
    """What a running complex order loses: its steps at their limits and its fixed cost, less what it is paid."""
    supplied = np.array([x[market.variables["supplied_row"][row]] for row in order.rows])
    z, at = market.city.zones.index(order.zone), list(order.intervals)
    slope = np.zeros(len(market.row_lower))
    np.add.at(slope, market.balance_rows[z, at], signs[z, at] * supplied)
    return Claim(slope, float(np.array(order.prices_per_mwh) @ supplied) / 1000 + order.fixed_cost)


def from_model(
    market: MarketModel,
    model: LinearModel,
    x: Floats,
    fixed_integers: bool,
    tick: float,
    options: Options,
    claims: Sequence[Claim] = (),
) -> Prices:
    """Prices of a cleared model whose first rows are the market's: face, ranges, projection, tick.

    ``claims`` are losses to be kept least before the projection; their slopes cover the market's rows.
    """
    rows = market.balance_rows.ravel()
    signs = socket_signs(market)
    feeders = feeder_rows(market)
    priced = np.concatenate([rows, feeders[feeders >= 0]])
    face = supporting_face(model, x, fixed_integers)
    rest = face.matrix.shape[1] - len(market.row_lower)
    padded = [Claim(np.concatenate([c.slope, np.zeros(rest)]), c.constant) for c in claims]
    found = price_range(least_make_whole(face, padded, options), priced, options)
    zones = (len(market.city.zones), market.n)
    k = len(rows)
    ends = np.stack([-1000 * signs * found.low[:k], -1000 * signs * found.high[:k]])
    point = (-1000 * signs * found.point[:k]).reshape(zones)
    surcharge = np.zeros(feeders.shape)
    surcharge[feeders >= 0] = -1000 * _feeder_signs(market, feeders) * found.point[k:]
    return _published(
        market, point, ends.min(axis=0).reshape(zones), ends.max(axis=0).reshape(zones), surcharge, tick, _sound(found)
    )


def _sound(found: PriceRange) -> bool:
    return found.supported


def _feeder_signs(market: MarketModel, feeders: Ints) -> Floats:
    n, zones = market.n, len(market.city.zones)
    places = np.argwhere(feeders >= 0)
    return np.array([market.socket[feeders[f, t], (zones + f) * n + t] for f, t in places])


def from_multipliers(
    market: MarketModel, multipliers: Floats, low: Floats, high: Floats, tick: float, gives_way: bool
) -> Prices:
    """Prices of the rounds: the best multipliers, and the range in which the answers promise as much.

    The range is wider than the one that is true.  With ``gives_way`` a price whose other end was set by no decision
    moves to the end that was, which has to be proven; without, the multipliers stand.
    """
    rows = market.balance_rows.ravel()
    zones, signs = market.balance_rows.shape, socket_signs(market)
    point = (-1000 * signs * multipliers[rows]).reshape(zones)
    ends = np.stack([-1000 * signs * low[rows], -1000 * signs * high[rows]])
    feeders = feeder_rows(market)
    surcharge = np.zeros(feeders.shape)
    surcharge[feeders >= 0] = -1000 * _feeder_signs(market, feeders) * multipliers[feeders[feeders >= 0]]
    lower, upper = open_domain(market)
    range_low = np.clip(np.minimum(ends.min(axis=0).reshape(zones), point), lower, upper)
    range_high = np.clip(np.maximum(ends.max(axis=0).reshape(zones), point), lower, upper)
    return _published(market, point, range_low, range_high, surcharge, tick, sound=False, gives_way=gives_way)


def open_domain(market: MarketModel) -> tuple[Floats, Floats]:
    """Prices between which no unlimited step of the market would trade without end; (zones, n) each."""
    city = market.city
    low = np.full((len(city.zones), market.n), city.price_floor)
    high = np.full((len(city.zones), market.n), city.price_cap)
    for e in city.exchanges:
        z = city.zones.index(e.zone)
        unlimited_in, unlimited_out = np.isinf(e.import_limit_kwh), np.isinf(e.export_limit_kwh)
        high[z] = np.where(unlimited_in, np.minimum(high[z], e.import_price_per_mwh), high[z])
        low[z] = np.where(unlimited_out, np.maximum(low[z], e.export_price_per_mwh), low[z])
    return low, high


def _published(
    market: MarketModel,
    point: Floats,
    low: Floats,
    high: Floats,
    surcharge: Floats,
    tick: float,
    sound: bool,
    gives_way: bool = True,
) -> Prices:
    """Round to the tick inside the range; ends at floor or cap were set by no decision and give way to the other."""
    floor, cap = market.city.price_floor, market.city.price_cap
    low_unset = low <= floor + HAIR
    high_unset = high >= cap - HAIR
    indicative = (low_unset | high_unset) & (high - low > HAIR)
    moved = (low_unset ^ high_unset) & gives_way
    shown_low = np.where(moved & low_unset, high, low)
    shown_high = np.where(moved & high_unset, low, high)
    one_sided = indicative & moved
    point = np.where(one_sided, shown_low, point)
    point = np.clip(point, np.maximum(shown_low, floor), np.minimum(shown_high, cap))
    whole = np.round(point / tick) * tick
    whole = np.where(whole > shown_high + HAIR, np.floor(shown_high / tick + HAIR) * tick, whole)
    whole = np.where(whole < shown_low - HAIR, np.ceil(shown_low / tick - HAIR) * tick, whole)
    return Prices(
        zone=np.clip(np.round(whole, 9), floor, cap),
        low=shown_low,
        high=shown_high,
        indicative=indicative,
        feeder=np.round(np.round(surcharge / tick) * tick, 9),
        converged=sound,
    )


def multipliers_of(market: MarketModel, prices: Prices) -> Floats:
    """Multipliers of the market's rows that say exactly the published prices; other rows get 0."""
    y = np.zeros(len(market.row_lower))
    y[market.balance_rows.ravel()] = -prices.zone.ravel() / 1000 * socket_signs(market)
    feeders = feeder_rows(market)
    there = feeders >= 0
    y[feeders[there]] = -prices.feeder[there] / 1000 * _feeder_signs(market, feeders)
    return y
