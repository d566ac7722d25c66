"""C14 to C17 and the market's side of C19: balance, feeders, exchange, lines, contracts.

Energy in Wh, (zones, lines, groups x intervals of the horizon).
"""

from __future__ import annotations

import numpy as np

from planner.audit.findings import Findings
from planner.audit.market import ROUNDING_WH, Market
from planner.audit.network import feeders_of, limit_wh, limited_nodes, zone_of
from planner.audit.positions import asset_nodes
from planner.audit.series import case_series, dense_numbers
from planner.audit.table import MissingFileError, Numbers, Wh


def check_balance(m: Market, found: Findings) -> None:
    """C14."""
    use = np.zeros((len(m.zones), len(m.grid)), dtype=np.int64)
    names, positions = m.group_positions
    zones = dict(zip(m.groups.text("group"), m.groups.text("zone"), strict=True))
    dark = dict(zip(m.groups.text("group"), m.groups.flags("dark", False), strict=True))
    for name, row in zip(names, positions, strict=True):
        if name not in zones:
            found.add("C14", "market/positions.csv", "a group that groups.csv does not name", name=name)
        elif not dark[name] and zones[name] in m.zones:
            use[m.zones.index(zones[name])] += row
    book = m.book
    place = np.array([m.zones.index(z) if z in m.zones else -1 for z in book.zone], dtype=np.int64)
    keep = (place >= 0) & (book.t >= 0)
    np.add.at(use, (place[keep], book.t[keep]), (book.sign * book.accepted)[keep])
    lossy = np.zeros(len(m.zones))
    if m.lines[0]:
        half = np.abs(m.lines[1]) * m.line_terms("loss_ratio") / 2
        for i, ends in enumerate(m.line_ends()):
            for zone, direction in zip(ends, (1, -1), strict=True):
                use[m.zones.index(zone)] += direction * m.lines[1][i] + np.rint(half[i]).astype(np.int64)
                lossy[m.zones.index(zone)] += half[i].any()
    sources = m.of_zones("import_kwh") - m.of_zones("export_kwh") + m.of_zones("supply_kwh")
    sources = sources + m.of_zones("unserved_kwh") + m.of_zones("remainder_kwh")
    wrong = np.abs(use - sources) > lossy[:, None] * ROUNDING_WH
    found.flag("C14", "market/exchange.csv", m.zones, wrong, "the zone does not balance (Wh)", sources, use)


def check_group_positions(m: Market, found: Findings) -> None:
    """C14: a group's position is the sum of its buildings'; a group that is not dark has one."""
    names, positions = m.group_positions
    _check_groups(m, found)
    sums = {name: np.zeros(len(m.grid), dtype=np.int64) for name in names}
    for b in m.run.complete():
        if b.group in sums:
            sums[b.group] = sums[b.group] + b.position
        elif not b.dark:
            found.add("C14", "market/positions.csv", "a building's group has no position", name=b.group)
    for name, row in zip(names, positions, strict=True):
        wrong, what = (row != sums[name])[None], "not the sum of the group's buildings (Wh)"
        found.flag("C14", "market/positions.csv", (name,), wrong, what, row, sums[name])


def _check_groups(m: Market, found: Findings) -> None:
    """What groups.csv says of a group is what its buildings say; too small by enrolment (kind dark) is always dark."""
    columns = (m.groups.text("group"), m.groups.text("zone"), m.groups.flags("dark", False), m.groups.text("kind"))
    stated = {name: (zone, bool(dark), kind == "dark") for name, zone, dark, kind in zip(*columns, strict=True)}
    for b in m.run.complete():
        zone, dark, small = stated.get(b.group, ("", False, False))
        if (zone, dark) != (zone_of(b), b.dark) or (small and not dark):
            what = f"zone and dark are not those of building {b.id}"
            found.add("C14", "market/groups.csv", what, f"{zone}, {dark}", f"{zone_of(b)}, {b.dark}", name=b.group)


def check_feeders(m: Market, found: Findings) -> None:
    """C15: limits act on positions plus allocations of the buildings below."""
    nodes, limits = m.case("nodes"), m.case("limits")
    if nodes is None:
        raise MissingFileError("market/case/nodes.csv is missing")
    limited = limited_nodes(nodes, limits)
    below: dict[str, Wh] = {}
    count: dict[str, int] = {}
    for b in m.run.complete():
        for feeder in feeders_of(b, limited):
            below[feeder] = below.get(feeder, 0) + b.position + b.allocation.sum(axis=0)
            count[feeder] = count.get(feeder, 0) + len(asset_nodes(b))
    if not below:
        found.idle("C15")
    for feeder, flow in sorted(below.items()):
        slack = (count[feeder] + 1) * ROUNDING_WH
        most = limit_wh(nodes, limits, m.grid, (feeder,), "import")
        least = -limit_wh(nodes, limits, m.grid, (feeder,), "export")
        where = "market/positions.csv"
        found.flag("C15", where, (feeder,), flow > most + slack, "above the import limit (Wh)", flow, most)
        found.flag("C15", where, (feeder,), flow < least - slack, "above the export limit (Wh)", flow, least)


def exchange_limits(m: Market) -> tuple[Numbers, Numbers]:
    """(import, export) limits of the neighbour of each zone, Wh; nothing without a neighbour."""
    grid, nodes = m.case("grid"), m.case("nodes")
    known = set(grid.text("zone")) if grid is not None else set()
    exists = np.array([[zone in known] for zone in m.zones]).reshape(-1, 1)
    both = []
    for side in ("import", "export"):
        stated = case_series(grid, m.grid, "zone", m.zones, f"{side}_limit_kw", np.inf) * m.grid.hours * 1000
        if nodes is not None:
            stated = np.minimum(stated, limit_wh(nodes, m.case("limits"), m.grid, m.zones, side))
        both.append(np.where(exists, stated, 0.0))
    return both[0], both[1]


def check_exchange(m: Market, found: Findings) -> None:
    """C16."""
    bought, sold, file = m.of_zones("import_kwh"), m.of_zones("export_kwh"), "market/exchange.csv"
    wrong = (bought < 0) | (sold < 0) | ((bought > 0) & (sold > 0))
    found.flag("C16", file, m.zones, wrong, "imports and exports at once, or negative (Wh)", bought, 0)
    most, least = exchange_limits(m)
    found.flag("C16", file, m.zones, bought > most + ROUNDING_WH, "above the import limit (Wh)", bought, most)
    found.flag("C16", file, m.zones, sold > least + ROUNDING_WH, "above the export limit (Wh)", sold, least)
    for side in ("import", "export"):
        column = f"{side}_price_per_mwh"
        stated = dense_numbers(m.exchange, "zone", m.zones, column)
        case = case_series(m.case("grid"), m.grid, "zone", m.zones, column)
        differs = ~np.isnan(case) & ~(np.abs(stated - case) <= 0.0006)
        found.flag("C16", file, m.zones, differs, f"{column} is not the case's", stated, case)


def check_lines(m: Market, found: Findings) -> None:
    """C17."""
    m.series("flows")  # a folder without it knows nothing of lines, whether there are any or not
    names, flow = m.lines
    if not names:
        found.idle("C17")
        return
    forward, reverse = m.line_terms("forward_kwh") * 1000, m.line_terms("reverse_kwh") * 1000
    file = "market/flows.csv"
    over = ~(flow <= forward + ROUNDING_WH)
    found.flag("C17", file, names, over, "above what the line carries forward (Wh)", flow, forward)
    under = ~(-flow <= reverse + ROUNDING_WH)
    found.flag("C17", file, names, under, "above what the line carries in reverse (Wh)", -flow, reverse)


def check_contracts(m: Market, found: Findings) -> None:
    """C19: contracts cover the allocations, and what is taken beside them is what they leave."""
    left, taken, file = m.remainder_supply, m.of_zones("supply_kwh"), "market/exchange.csv"
    short = left < -0.5
    found.flag("C19", file, m.zones, short, "more is allocated than contracted; missing (Wh)", left, 0)
    over = (taken < 0) | (taken > np.maximum(left, 0) + 0.5)
    found.flag("C19", file, m.zones, over, "more supply taken than is left (Wh)", taken, left)


def check_shares(m: Market, found: Findings) -> None:
    """C19: what the market says a building is allocated is what its units hold."""
    table = m.case("allocations")
    if table is None:
        return
    names = tuple(b.id for b in m.run.buildings)
    every = case_series(table, m.grid, "node", names, "energy_kwh", resource=True) * 1000 if names else ()
    for b, given in zip(m.run.buildings, every, strict=True):
        held = b.allocation.sum(axis=0)
        wrong = ~np.isnan(given) & (np.abs(held - np.nan_to_num(given)) > 0.5)
        what = "units do not hold what the building is allocated (Wh)"
        found.flag("C19", b.file("units"), (b.id,), wrong[None], what, held, np.nan_to_num(given))
