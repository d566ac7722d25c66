"""C25 to C28: families, exclusive groups, complex orders, losses; in a city's run and in an order book's."""

from __future__ import annotations

import numpy as np

from planner.audit.findings import Findings
from planner.audit.lumps import NANO, NOISE_NANO, least_per_cell
from planner.audit.market import ROUNDING_WH, Market


def check_families(m: Market, found: Findings) -> None:
    """C25 and C26: ratios of children and of exclusive groups."""
    if m.case("orders") is None:
        found.idle("C25", "C26")
        return
    lumps, file = m.lumps, f"{m.folder}/acceptances.csv"
    if not (lumps.parent >= 0).any():
        found.idle("C25")
    ratio = lumps.accepted / np.maximum(lumps.quantity, 1.0)
    for k in np.flatnonzero(lumps.parent >= 0):
        above = ratio[lumps.parent[k]]
        if ratio[k] > above + 1e-6:
            found.add("C25", file, "accepted beyond its parent", ratio[k], above, name=lumps.names[k])
    groups: dict[str, float] = {}
    for name, part in zip(lumps.group, ratio, strict=True):
        if name:
            groups[name] = groups.get(name, 0.0) + float(part)
    if not groups:
        found.idle("C26")
    for name, total in sorted(groups.items()):
        if total > 1 + 1e-6:
            found.add("C26", file, "an exclusive group accepted more than once", total, 1, name=name)


def check_complex(m: Market, found: Findings) -> None:
    """C27: a complex order that delivers anything delivers its minimum in every interval."""
    if m.case("orders") is None or m.lumps.block.all():
        found.idle("C27")
        return
    lumps, book = m.lumps, m.book
    running = {lumps.names[k] for k in np.flatnonzero(~lumps.block & (lumps.accepted > 0))}
    delivered: dict[tuple[str, int], int] = {}
    for i in np.flatnonzero(book.kind == "complex"):
        key = (str(book.ids[i]), int(book.t[i]))
        delivered[key] = delivered.get(key, 0) + int(book.accepted[i])
    for (name, at), least in least_per_cell(m):
        got = delivered.get((name, at), 0)
        if name in running and got < least - ROUNDING_WH:
            what = "a running complex order below its minimum (Wh)"
            found.add("C27", f"{m.folder}/acceptances.csv", what, got, least, name=name, interval=at + 1)


def check_losses(m: Market, found: Findings) -> None:
    """C28: under no_pab no accepted block with its descendants, and no complex order, loses beyond the tick."""
    if m.rule != "no_pab" or m.case("orders") is None or not len(m.lumps.names):
        found.idle("C28")
        return
    lumps = m.lumps
    whole, energy = lumps.own.astype(float), lumps.accepted.astype(float)
    for k in lumps.upwards():
        above = int(lumps.parent[k])
        if above >= 0 and lumps.accepted[k] > 0:
            whole[above] += whole[k]
            energy[above] += energy[k]
    slack = energy * m.terms.price_tick * 1000 + NOISE_NANO
    for k in map(int, np.flatnonzero((lumps.accepted > 0) & (whole < -slack))):
        what = "accepted although it loses, with all that depends on it"
        found.add("C28", f"{m.folder}/acceptances.csv", what, whole[k] / NANO, 0, name=lumps.names[k])
