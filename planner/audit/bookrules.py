"""The checks of an order book's clear: day, energy, network, objective, lost opportunity, certificate."""

from __future__ import annotations

import hashlib

import numpy as np

from planner.audit.book import EXACT, NANO, BookMarket
from planner.audit.findings import Findings
from planner.audit.intervals import check_rows
from planner.audit.market import ROUNDING_WH
from planner.audit.objective import number
from planner.audit.response import best_of_lumps
from planner.audit.series import case_series
from planner.audit.table import Numbers, Wh

RELATIVE = 1e-6


def check_day(m: BookMarket, found: Findings) -> None:
    """C1."""
    told = m.certificate
    right = (m.grid.settled, m.grid.day.isoformat())
    if (told.get("intervals"), told.get("delivery_date")) != right:
        found.add("C1", f"{m.folder}/certificate.json", "not the civil day", str(told.get("delivery_date")), str(right))
    for name in ("prices", "flows", "exchange", "settlement"):
        check_rows(m.run.table(f"{m.folder}/{name}"), m.grid, 0, m.grid.settled, found)


def check_balance(m: BookMarket, found: Findings) -> None:
    """C14: rounding of rows and lines is all that may be missing."""
    use, slack = missing_wh(m)
    wrong = np.abs(use) > slack
    found.flag("C14", f"{m.folder}/acceptances.csv", m.zones, wrong, "the zone does not balance (Wh)", use, 0)


def missing_wh(m: BookMarket) -> tuple[Wh, Numbers]:
    """What every zone takes and nobody gives, and how much of it rounding explains."""
    book = m.book
    use, slack = -m.net_import, np.ones(m.net_import.shape)
    place = {name: i for i, name in enumerate(m.zones)}
    row = m.zone_of_order
    keep = (row >= 0) & (book.t >= 0)
    np.add.at(use, (row[keep], book.t[keep]), (book.sign * book.accepted)[keep])
    rounded = keep & (book.kind != "step") & (book.accepted > 0) & (book.accepted < book.quantity)
    np.add.at(slack, (row[rounded], book.t[rounded]), 0.5 * ROUNDING_WH)
    if m.lines[0]:
        half = np.rint(np.abs(m.lines[1]) * m.line_terms("loss_ratio") / 2).astype(np.int64)
        for i, ends in enumerate(m.line_ends()):
            for zone, direction in zip(ends, (1, -1), strict=True):
                use[place[zone]] += direction * m.lines[1][i] + half[i]
                slack[place[zone]] += ROUNDING_WH
    return use, slack


def check_neighbours(m: BookMarket, found: Findings) -> None:
    """C16: within limits; under uniform prices at prices that the neighbour's own support."""
    grid, net = m.case("grid"), m.net_import
    file = f"{m.folder}/exchange.csv"
    if grid is None:
        found.flag("C16", file, m.zones, net != 0, "an exchange without a neighbour (Wh)", net, 0)
        return
    known = np.array([[zone in set(grid.text("zone"))] for zone in m.zones])
    limit = {}
    for side, flow in (("import", net), ("export", -net)):
        stated = case_series(grid, m.grid, "zone", m.zones, f"{side}_limit_kw", np.inf)
        limit[side] = np.where(known, np.where(np.isnan(stated), np.inf, stated) * m.grid.hours * 1000, 0.0)
        over = flow > limit[side] + ROUNDING_WH
        found.flag("C16", file, m.zones, over, f"above the {side} limit (Wh)", flow, limit[side])
    if m.rule not in EXACT:
        return
    price, tick = m.prices / 1000, m.terms.price_tick + 1e-6
    buys = case_series(grid, m.grid, "zone", m.zones, "import_price_per_mwh")
    sells = case_series(grid, m.grid, "zone", m.zones, "export_price_per_mwh")
    here = known & m.priced
    cheap = here & (net < limit["import"] - ROUNDING_WH) & (price > buys + tick)
    found.flag("C16", file, m.zones, cheap, "the price is above what the neighbour asks for more", price, buys)
    dear = here & (-net < limit["export"] - ROUNDING_WH) & (price < sells - tick)
    found.flag("C16", file, m.zones, dear, "the price is below what the neighbour pays for more", price, sells)


def check_spreads(m: BookMarket, found: Findings) -> None:
    """C17: where prices pay a line for carrying more, it is full."""
    names, flow = m.lines
    if not names or m.rule not in EXACT:
        found.idle("C17")
        return
    place = {name: i for i, name in enumerate(m.zones)}
    ends = np.array([[place[zone] for zone in pair] for pair in m.line_ends()])
    half, tick = m.line_terms("loss_ratio") / 2, m.terms.price_tick + 1e-6
    both = m.priced[ends[:, 0]] & m.priced[ends[:, 1]]
    price = m.prices / 1000
    for here, there, carried, column in (
        (ends[:, 0], ends[:, 1], flow, "forward_kwh"),
        (ends[:, 1], ends[:, 0], -flow, "reverse_kwh"),
    ):
        room = carried < m.line_terms(column) * 1000 - ROUNDING_WH
        worth = price[there] * (1 - half) - price[here] * (1 + half)
        back = price[here] * (1 - half) - price[there] * (1 + half)
        # below zero losses are worth having, yet a lossy line runs one way: an idle one may be paid for one of the two
        idle = (carried == 0) & (price[here] + price[there] < 0) & (back <= 2 * tick)
        blocked = (half > 0) & ((carried < 0) | idle)
        wrong = both & room & (worth > 2 * tick) & ~blocked
        what = "prices pay for more flow and the line has room"
        found.flag("C17", f"{m.folder}/flows.csv", names, wrong, what, worth, 0.0)


def check_objective(m: BookMarket, found: Findings) -> None:
    """C20: minus the welfare of what was accepted, at limit prices and the neighbours' own."""
    book, lumps = m.book, m.lumps
    cost = -float((book.sign * book.limit_nano * book.accepted).astype(float).sum()) / NANO
    cost += float(np.where(lumps.accepted > 0, lumps.fixed_nano, 0).sum()) / NANO
    for side, energy in (("import", np.maximum(m.net_import, 0)), ("export", -np.maximum(-m.net_import, 0))):
        price = case_series(m.case("grid"), m.grid, "zone", m.zones, f"{side}_price_per_mwh", 0.0)
        cost += float((np.nan_to_num(price) * energy).sum()) / 1e6
    file = f"{m.folder}/certificate.json"
    stated = number(m.certificate, "objective", file)
    cost += float((missing_wh(m)[0] * m.prices).sum()) / NANO
    if not abs(stated - cost) <= RELATIVE * max(1.0, abs(cost)):
        found.add("C20", file, "objective is not the cost of what was accepted", stated, cost)


def check_gap(m: BookMarket, found: Findings) -> None:
    """C21."""
    file, told = f"{m.folder}/certificate.json", m.certificate
    cost, bound, gap = (number(told, key, file) for key in ("objective", "bound", "gap_absolute"))
    if bound > cost + RELATIVE * max(1.0, abs(cost)):
        found.add("C21", file, "the bound is above the objective", bound, cost)
    if abs(gap - max(cost - bound, 0.0)) > RELATIVE * max(1.0, abs(cost)):
        found.add("C21", file, "gap_absolute is not objective minus bound", gap, cost - bound)
    relative = number(told, "gap_relative", file)
    if abs(relative - (gap / abs(cost) if cost else 0.0)) > RELATIVE:
        found.add("C21", file, "gap_relative is not the gap over |objective|", relative, gap)


def check_opportunity(m: BookMarket, found: Findings) -> None:
    """C22: what all orders could have won at the published prices, less what they won."""
    book = m.book
    step = book.kind == "step"
    best = float((np.maximum(m.margin, 0) * book.quantity)[step].sum()) - float((m.margin * book.accepted)[step].sum())
    best += best_of_lumps(m) - float(m.lumps.own.sum())
    told = m.certificate.get("lost_opportunity_cost")
    file = f"{m.folder}/certificate.json"
    stated = number(told if isinstance(told, dict) else {}, "total", file)
    cost = number(m.certificate, "objective", file)
    if not abs(stated - best / NANO) <= RELATIVE * max(1.0, abs(cost)):
        found.add("C22", file, "lost opportunity is not best answers less what was won", stated, best / NANO)


def check_certificate(m: BookMarket, found: Findings) -> None:
    """C24: the digest is that of these tables."""
    digest = hashlib.sha256()
    for path in sorted(m.run.path(m.folder).glob("*.csv")):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    stated = str(m.certificate.get("output_sha256"))
    if stated != digest.hexdigest():
        file = f"{m.folder}/certificate.json"
        found.add("C24", file, "output_sha256 is not that of the tables", stated, digest.hexdigest())
