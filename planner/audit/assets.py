"""C2, C3 and C9: loads, sun, wind and generators; what every asset kind shares: profiles, tolerance, cost.

Each kind answers two questions from the files: does its schedule keep its rule, and what does it cost (for C20).
Energy in Wh, (assets x intervals of the horizon); cost in currency.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from planner.audit.evidence import Building
from planner.audit.findings import Findings
from planner.audit.series import case_series, wide_series
from planner.audit.table import Numbers, Table

ROUNDING_WH = 1.0  # energy is rounded cumulatively per asset, so one interval may be off by one Wh
WH_PER_MWH = 1e6
Bools = npt.NDArray[np.bool_]


def column(values: Numbers) -> Numbers:
    """One value per asset, to stand against assets x intervals."""
    return values[:, None]


def profiles(b: Building, names: Sequence[str]) -> Numbers:
    """Profiles of the building's case by name, (names x intervals), as they stand in the file."""
    table = b.case("profiles")
    if table is None or "profile" in table.columns:
        return case_series(table, b.grid, "profile", names, "value")
    return wide_series(table, b.grid, names)


def profile_wh(b: Building, table: Table) -> Numbers:
    """Energy per interval of the rows' profiles (they end in _kw), whole Wh."""
    return np.rint(profiles(b, table.text("profile")) * b.grid.hours * 1000)


def check_loads(b: Building, found: Findings) -> None:
    table = b.case("loads")
    if not table:
        found.idle("C2")
        return
    names, need = table.text("load"), profile_wh(b, table)
    served, file = b.energy(names), b.file("dispatch")
    found.flag("C2", file, names, np.isnan(need), "no profile says what the load needs", served, 0)
    found.flag("C2", file, names, served < -ROUNDING_WH, "a load produces (Wh)", served, 0)
    found.flag("C2", file, names, served > need + ROUNDING_WH, "served more than needed (Wh)", served, need)


def cost_of_loads(b: Building) -> float:
    """Unserved energy at its value; the curtailable part at its own cost where that is lower."""
    table = b.case("loads")
    if table is None:
        return 0.0
    need = profile_wh(b, table)
    unserved = np.maximum(0.0, need - b.energy(table.text("load")))
    value = column(table.numbers("value_per_mwh", b.terms.price_cap))
    agreed = column(table.numbers("curtailment_cost_per_mwh", 0.0))
    agreed_wh = np.minimum(unserved, need * column(table.numbers("curtailable_ratio", 0.0)))
    cost = unserved * value + agreed_wh * np.minimum(0.0, agreed - value)
    return float(cost.sum()) / WH_PER_MWH


def check_plants(b: Building, found: Findings) -> None:
    if not (b.case("solar") or b.case("wind")):
        found.idle("C3")
    for kind in ("solar", "wind"):
        table = b.case(kind)
        if not table:
            continue
        names, available = table.text("plant"), profile_wh(b, table)
        produced, file = -b.energy(names), b.file("dispatch")
        found.flag("C3", file, names, np.isnan(available), "no profile says what is available", produced, 0)
        found.flag("C3", file, names, produced < -ROUNDING_WH, "a plant draws (Wh)", produced, 0)
        over = produced > available + ROUNDING_WH
        found.flag("C3", file, names, over, "produced more than available (Wh)", produced, available)


def cost_of_plants(b: Building) -> float:
    """Minus the support of what is produced; spilling costs the price cap where it was not agreed."""
    cost = 0.0
    for kind in ("solar", "wind"):
        table = b.case(kind)
        if table is None:
            continue
        produced = -b.energy(table.text("plant"))
        spilled = np.maximum(0.0, profile_wh(b, table) - produced)
        support = column(table.numbers("support_per_mwh", 0.0))
        spill = column(np.where(table.flags("curtailable", True), 0.0, b.terms.price_cap))
        cost += float((spilled * spill - produced * support).sum()) / WH_PER_MWH
    return cost


def check_generators(b: Building, found: Findings) -> None:
    table = b.case("generators")
    if not table:
        found.idle("C9")
        return
    names, file = table.text("generator"), b.file("dispatch")
    produced, on = -b.energy(names), b.running(names)
    hours = b.grid.hours * 1000
    least, most = column(table.numbers("min_kw", 0.0)) * hours, column(table.numbers("max_kw")) * hours
    found.flag("C9", file, names, ~on & (produced != 0), "produces while off (Wh)", produced, 0)
    found.flag("C9", file, names, on & (produced < least - ROUNDING_WH), "below its minimum (Wh)", produced, least)
    found.flag("C9", file, names, on & (produced > most + ROUNDING_WH), "above its maximum (Wh)", produced, most)
    before = table.flags("initially_on", False)
    for i, name in enumerate(names):
        for state, minimum in ((True, "min_up_intervals"), (False, "min_down_intervals")):
            shortest = table.numbers(minimum, 1.0)[i]
            for first, last in _spells(on[i] == state, bool(before[i]) == state):
                if last - first < shortest and last < len(b.grid):
                    what = f"{'on' if state else 'off'} for less than {minimum}"
                    found.add("C9", file, what, last - first, shortest, name=name, interval=first + 1)


def _spells(inside: Bools, begun_before: bool) -> list[tuple[int, int]]:
    """[first, last) of each unbroken stretch that begins inside the horizon."""
    edges = np.diff(np.concatenate([[begun_before], inside, [False]]).astype(int))
    firsts, lasts = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if begun_before:
        lasts = lasts[1:]
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]


def cost_of_generators(b: Building) -> float:
    table = b.case("generators")
    if table is None:
        return 0.0
    names = table.text("generator")
    energy = -b.energy(names) * column(table.numbers("cost_per_mwh", 0.0))
    on = b.running(names)
    before = np.column_stack([table.flags("initially_on", False), on[:, :-1]])
    starts = (on & ~before).sum(axis=1) * table.numbers("start_cost", 0.0)
    return float(energy.sum()) / WH_PER_MWH + float(starts.sum())
