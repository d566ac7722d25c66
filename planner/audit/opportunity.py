"""C22: objective minus bound at the published prices, term by term.

    UB - L(p) = sum over buildings of (c_b + p.q_b - v_b)
              + sum over exchange, contracts, orders and lines of (cost - p.energy - its least possible value)
              + priced capacity of feeders that is not used

All numbers are of whole Wh and of prices as they were published, so the sum is exact; only a single term may fall
below zero, by what rounding gave its holder beyond his proven bound.

Every term is what its holder forgoes by following the clear at these prices, so none is negative beyond rounding.
The least values of the market's side have closed forms: each is a box with a linear cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.audit.assets import WH_PER_MWH
from planner.audit.balance import exchange_limits
from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.market import Market
from planner.audit.network import feeders_of, limit_wh, limited_nodes, zone_of
from planner.audit.objective import EXACT, RELATIVE, number
from planner.audit.orders import prices_of
from planner.audit.response import best_by_party
from planner.audit.series import case_series
from planner.audit.table import MissingFileError, Numbers

NANO_PER_CURRENCY = 1e9
SIDES = {
    "buildings": ("a building",),
    "orders": ("an order",),
    "exchange": ("the exchange",),
    "supply": ("the contracts", "unserved energy"),
    "network": ("a line", "a feeder"),
}
"""The sides of which the certificate states sums, and the holders on each."""


@dataclass(frozen=True)
class Forgone:
    """One holder's lost opportunity in currency, and how much of it rounding to whole Wh may explain."""

    side: str
    name: str
    amount: float
    rounding: float


def check_opportunity(run: Evidence, found: Findings) -> None:
    """C22."""
    m = run.market
    terms = [*(of_building(b) for b in run.complete()), *of_market(m), *of_feeders(m)]
    objective = number(run.certificate, "objective", "certificate.json")
    slack = RELATIVE * max(1.0, abs(objective))
    for term in terms:
        if not term.amount >= -(term.rounding + slack):
            what = f"lost opportunity of {term.side} is negative"
            found.add("C22", "certificate.json", what, term.amount, 0.0, name=term.name)
    total = sum(term.amount for term in terms)
    stated = run.certificate.get("lost_opportunity_cost")
    if stated is None:
        raise MissingFileError("certificate.json states no lost_opportunity_cost")
    content = stated if isinstance(stated, dict) else {"total": stated}
    sides = {"total": total} | {
        side: sum(term.amount for term in terms if term.side in members)
        for side, members in SIDES.items()
        if side in content
    }
    for side, right in sides.items():
        given = number(content, side, "certificate.json: lost_opportunity_cost")
        if not abs(given - right) <= EXACT * max(1.0, abs(objective)):
            what = "not the sum of what all forgo at the published prices"
            found.add("C22", "certificate.json", what, given, right, name=f"lost_opportunity_cost {side}")


def of_building(b: Building) -> Forgone:
    """c_b + p.q - v_b; what a dark building pays for its energy is in its cost already."""
    file = b.file("answer.json")
    cost, bound = number(b.answer, "cost", file), number(b.answer, "proven_bound", file)
    paid = 0.0 if b.dark else float((b.node_price.astype(float) * b.position).sum()) / NANO_PER_CURRENCY
    if b.numbers is None:
        b.numbers = sum(len(part.table) for part in b.dispatch)
    rounding = 0.5 * b.numbers * float(np.abs(b.node_price).mean()) / NANO_PER_CURRENCY
    return Forgone("a building", b.id, cost + paid - bound, rounding)


def of_market(m: Market) -> list[Forgone]:
    """Exchange, contracts, unserved energy, orders and lines, one term each."""
    price = m.prices / 1000
    terms = [Forgone("the exchange", z, v, r) for z, v, r in zip(m.zones, *_exchange(m, price), strict=True)]
    supply, left = m.of_zones("supply_kwh"), np.maximum(m.remainder_supply, 0)
    spare = (np.maximum(price, 0) * left - price * supply).sum(axis=1) / WH_PER_MWH
    missing = ((m.terms.price_cap - price) * m.of_zones("unserved_kwh")).sum(axis=1) / WH_PER_MWH
    rounding = 0.5 * np.abs(price).sum(axis=1) / WH_PER_MWH
    names = list(zip(m.zones, rounding, strict=True))
    terms += [Forgone("the contracts", z, float(v), float(r)) for v, (z, r) in zip(spare, names, strict=True)]
    terms += [Forgone("unserved energy", z, float(v), float(r)) for v, (z, r) in zip(missing, names, strict=True)]
    return terms + _orders(m) + _lines(m, price)


def _exchange(m: Market, price: Numbers) -> tuple[Numbers, Numbers]:
    """What the neighbour forgoes per zone: (cost - p.energy) less its least over the limits."""
    columns = [
        case_series(m.case("grid"), m.grid, "zone", m.zones, f"{s}_price_per_mwh", 0.0) for s in ("import", "export")
    ]
    most = exchange_limits(m)
    actual, least = np.zeros(price.shape), np.zeros(price.shape)
    for side, sign in enumerate((1, -1)):
        margin = sign * (columns[side] - price)
        limit = np.where(np.isinf(most[side]) & (margin >= -m.terms.price_tick), 0.0, most[side])
        actual += margin * m.of_zones(f"{'import' if sign > 0 else 'export'}_kwh")
        least += np.where(limit > 0, np.minimum(margin, 0.0) * np.where(margin < 0, limit, 0.0), 0.0)
    return (actual - least).sum(axis=1) / WH_PER_MWH, 0.5 * np.abs(price).sum(axis=1) / WH_PER_MWH


def _orders(m: Market) -> list[Forgone]:
    """A step forgoes what its margin on the rest is worth; blocks that belong together, and complex orders, as one."""
    book = m.book
    price, known = prices_of(m, book)
    margin = book.sign * (book.limit_nano - price) / NANO_PER_CURRENCY
    out = []
    for i in np.flatnonzero(known & (book.kind == "step")):
        name = f"{book.ids[i]} row {book.order_row[i] + 1}"
        best = max(0.0, margin[i] * book.quantity[i])
        out.append(Forgone("an order", name, best - margin[i] * book.accepted[i], abs(margin[i])))
    if (book.kind == "step").all():
        return out
    rounding = np.bincount(np.maximum(m.lumps.of, 0), np.where(m.lumps.of >= 0, np.abs(margin), 0.0))
    for party, best in best_by_party(m):
        won = float(m.lumps.own[party].sum())
        name = m.lumps.names[party[0]]
        out.append(Forgone("an order", name, (best - won) / NANO_PER_CURRENCY, float(rounding[party].sum())))
    return out


def _lines(m: Market, price: Numbers) -> list[Forgone]:
    """A line forgoes the spread, after losses, on what it could carry more."""
    names, flow = m.lines
    if not names:
        return []
    half = m.line_terms("loss_ratio") / 2
    ends = [[m.zones.index(zone) for zone in pair] for pair in m.line_ends()]
    begin, end = price[[a for a, _ in ends]], price[[b for _, b in ends]]
    forward, reverse = end * (1 - half) - begin * (1 + half), begin * (1 - half) - end * (1 + half)
    best = np.maximum(forward, 0) * m.line_terms("forward_kwh") + np.maximum(reverse, 0) * m.line_terms("reverse_kwh")
    got = np.where(flow > 0, forward * flow, -reverse * flow)
    amount = best.sum(axis=1) / 1000 - got.sum(axis=1) / WH_PER_MWH
    rounding = 1.5 * (np.abs(begin) + np.abs(end)).sum(axis=1) / WH_PER_MWH
    return [Forgone("a line", n, float(v), float(r)) for n, v, r in zip(names, amount, rounding, strict=True)]


def of_feeders(m: Market) -> list[Forgone]:
    """Capacity that the node prices put a value on and that is not used."""
    nodes, limits = m.case("nodes"), m.case("limits")
    if nodes is None:
        raise MissingFileError("market/case/nodes.csv is missing")
    limited = limited_nodes(nodes, limits)
    below: dict[str, list[Building]] = {}
    named = {b.id: b for b in m.run.complete()}
    for b in named.values():
        for feeder in feeders_of(b, limited):
            below.setdefault(feeder, []).append(b)
    groups: dict[tuple[str, ...], list[str]] = {}
    for feeder, buildings in sorted(below.items()):
        groups.setdefault(tuple(b.id for b in buildings), []).append(feeder)
    if not groups:
        return []
    value, told_apart = _multipliers(m, list(groups))
    if not told_apart:
        raise MissingFileError("node prices do not tell the prices of nested feeders apart")
    found = []
    for (members, same), nano in zip(groups.items(), value, strict=True):
        into = limit_wh(nodes, limits, m.grid, same, "import").min(axis=0)
        out_of = limit_wh(nodes, limits, m.grid, same, "export").min(axis=0)
        flow = np.sum([named[name].position + named[name].allocation.sum(axis=0) for name in members], axis=0)
        room = np.where(nano > 0, into - flow, np.where(nano < 0, out_of + flow, 0.0))
        unused = np.where(np.abs(nano) > 1, np.abs(nano) * room, 0.0)
        rounding = float((np.abs(nano) * len(members)).sum()) / NANO_PER_CURRENCY
        found.append(Forgone("a feeder", "+".join(same), float(unused.sum()) / NANO_PER_CURRENCY, rounding))
    return found


def _multipliers(m: Market, groups: list[tuple[str, ...]]) -> tuple[Numbers, bool]:
    """(sets of buildings x intervals) such that each building's node price is its zone's plus those above it, nano.

    Also whether the node prices leave no choice.
    """
    within = [frozenset(group) for group in groups]
    behind = frozenset().union(*within)
    buildings = [b for b in m.run.buildings if b.id in behind and not b.dark]
    if not buildings:
        return np.zeros((len(groups), len(m.grid))), True
    above = np.array([[float(b.id in group) for group in within] for b in buildings])
    extra = np.array([b.node_price - m.prices[m.zones.index(zone_of(b))] for b in buildings], dtype=float)
    solution, _, rank, _ = np.linalg.lstsq(above, extra, rcond=None)
    return solution, bool(rank == above.any(axis=0).sum() or not extra.any())
