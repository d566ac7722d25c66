"""C29: what trading saved, against what all would have cost without it.

    savings = what all who trade cost without trade + what the market costs without the city - objective

The first term is what groups said before the rounds began, or what buildings' answers say.  The second has a closed
form where nothing but price separates who buys and who sells: every zone and interval by itself, in order of price.
Lines and orders that span intervals have none: there the published prices bound it from below and idling from above.
"""

from __future__ import annotations

import numpy as np

from planner.audit.acceptances import quantities_wh
from planner.audit.assets import WH_PER_MWH
from planner.audit.balance import exchange_limits
from planner.audit.evidence import Evidence
from planner.audit.findings import Findings
from planner.audit.market import Market
from planner.audit.money import UNSAID, words_alone
from planner.audit.objective import EXACT, market_cost, number
from planner.audit.opportunity import of_market
from planner.audit.series import case_series
from planner.audit.table import MissingFileError

FILE = "certificate.json"
Step = tuple[float, float]
"""Price per MWh and Wh."""


def check_savings(run: Evidence, found: Findings) -> None:
    """C29."""
    stated, objective = (number(run.certificate, key, FILE) for key in ("savings", "objective"))
    alone, m = without_trade(run), run.market
    slack = EXACT * max(1.0, abs(alone), abs(objective))
    if closed(m):
        low = high = alone + idle_cost(m) - objective
    else:
        low, high = alone + least_idle_cost(m) - objective, alone - objective
    if not low - slack <= stated <= high + slack:
        right = low if stated < low else high
        found.add("C29", FILE, "not the cost without trade less the objective", stated, right, name="savings")
    if not words_alone(run) and any(not b.dark for b in run.complete()):
        raise MissingFileError(UNSAID)
    if not closed(m):
        raise MissingFileError("what outsiders would trade over lines or in blocks without the city has no closed form")


def without_trade(run: Evidence) -> float:
    """Cost without trade of all who trade, currency."""
    said = words_alone(run)
    if not said:
        return sum(number(b.answer, "no_trade_cost", b.file("answer.json")) for b in run.complete() if not b.dark)
    groups = run.market.groups
    dark = dict(zip(groups.text("group"), groups.flags("dark", False), strict=True))
    return sum(cost for name, cost in said.items() if not dark.get(name, False))


def closed(m: Market) -> bool:
    """Whether what outsiders do by themselves falls apart into zones and intervals."""
    orders = m.case("orders")
    return m.case("lines") is None and (orders is None or set(orders.text("kind")) <= {"step"})


def idle_cost(m: Market) -> float:
    """Least cost of neighbours, supply that nobody was allocated and step orders, without the city; currency."""
    asks, wants = _steps(m)
    gain = 0.0
    for cell in set(asks) & set(wants):
        gain += _crossing(sorted(asks[cell]), sorted(wants[cell], reverse=True))
    return -gain / WH_PER_MWH


def _crossing(asks: list[Step], wants: list[Step]) -> float:
    """Gain of the best matching of two sorted ladders."""
    gain, i, j, offered, wanted = 0.0, 0, 0, 0.0, 0.0
    while True:
        while offered <= 0 and i < len(asks):
            offered, i = asks[i][1], i + 1
        while wanted <= 0 and j < len(wants):
            wanted, j = wants[j][1], j + 1
        if offered <= 0 or wanted <= 0 or wants[j - 1][0] <= asks[i - 1][0]:
            return gain
        energy = min(offered, wanted)
        gain += energy * (wants[j - 1][0] - asks[i - 1][0])
        offered, wanted = offered - energy, wanted - energy


def _steps(m: Market) -> tuple[dict[tuple[int, int], list[Step]], dict[tuple[int, int], list[Step]]]:
    """Who would give and who would take in each zone and interval, of the whole horizon."""
    asks: dict[tuple[int, int], list[Step]] = {}
    wants: dict[tuple[int, int], list[Step]] = {}
    into, out_of = exchange_limits(m)
    buys, sells = (
        case_series(m.case("grid"), m.grid, "zone", m.zones, f"{side}_price_per_mwh", np.nan)
        for side in ("import", "export")
    )
    spare = np.maximum(m.remainder_supply, 0)
    for z, t in np.ndindex(spare.shape):
        asks[z, t] = [(0.0, float(spare[z, t]))]
        wants[z, t] = [(min(0.0, m.terms.price_floor), np.inf)]
        if not np.isnan(buys[z, t]):
            asks[z, t].append((float(buys[z, t]), float(into[z, t])))
        if not np.isnan(sells[z, t]):
            wants[z, t].append((float(sells[z, t]), float(out_of[z, t])))
    _add_orders(m, asks, wants)
    return asks, wants


def _add_orders(m: Market, asks: dict[tuple[int, int], list[Step]], wants: dict[tuple[int, int], list[Step]]) -> None:
    orders = m.case("orders")
    if orders is None:
        return
    price, energy, t = orders.numbers("price_per_mwh"), quantities_wh(orders, m.grid.hours), m.grid.index(orders)
    for row, (zone, side) in enumerate(zip(orders.text("zone"), orders.text("side"), strict=True)):
        if zone in m.zones and t[row] >= 0:
            ladder = wants if side == "buy" else asks
            ladder[m.zones.index(zone), int(t[row])].append((float(price[row]), float(energy[row])))


def least_idle_cost(m: Market) -> float:
    """The market's own term of the bound at the published prices: less than that no market without the city costs."""
    positions = np.zeros(m.prices.shape)
    groups = dict(zip(m.groups.text("group"), m.groups.text("zone"), strict=True))
    names, moved = m.group_positions
    for name, row in zip(names, moved, strict=True):
        positions[m.zones.index(groups[name])] += row
    paid = float((positions * m.prices).sum()) / 1000 / WH_PER_MWH
    return market_cost(m) - paid - sum(term.amount for term in of_market(m))
