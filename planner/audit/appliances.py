"""C7: appliances, which run once on each delivery day on which their window opens."""

from __future__ import annotations

import numpy as np

from planner.audit.assets import ROUNDING_WH, WH_PER_MWH
from planner.audit.evidence import Building
from planner.audit.findings import Findings
from planner.audit.shifting import spans
from planner.audit.table import Numbers, Table, Wh
from planner.timegrid import Window


def _run_wh(b: Building, table: Table, row: int) -> Numbers:
    """The appliance's profile as Wh per interval of the grid."""
    power = _powers(table, row)
    minutes = table.numbers("profile_minutes", b.grid.minutes)[row]
    energy = np.concatenate([[0.0], np.cumsum(power * minutes / 60 * 1000)])
    count = int(-(-len(power) * minutes // b.grid.minutes))
    return np.diff(np.rint(np.interp(np.arange(count + 1) * b.grid.minutes, np.arange(len(energy)) * minutes, energy)))


def _powers(table: Table, row: int) -> Numbers:
    return np.array([float(part) for part in table.text("profile_kw")[row].replace(",", ";").split(";") if part])


def check_appliances(b: Building, found: Findings) -> None:
    table = b.case("appliances")
    if not table:
        found.idle("C7")
        return
    names, file = table.text("appliance"), b.file("dispatch")
    energy = _appliance_wh(b, table)
    for i, name in enumerate(names):
        running, run = np.flatnonzero(energy[i]), _run_wh(b, table, i)
        _check_on(b, name, energy[i], len(run), found)
        if not len(running):
            continue
        first = int(running[0]) - _leading_zeros(run)
        window = _today(b, table.text("earliest")[i], table.text("latest_end")[i], table.file)
        if window is None or first < window.first or first + len(run) > window.last:
            allowed = "no window" if window is None else f"{window.first + 1}..{window.last}"
            found.add("C7", file, "runs outside its window", first + 1, allowed, name=name, interval=first + 1)
        expected = np.zeros(len(b.grid))
        shown = run[max(0, -first) : max(0, len(b.grid) - first)]
        expected[max(0, first) : max(0, first) + len(shown)] = shown
        wrong = np.abs(energy[i] - expected) > ROUNDING_WH
        found.flag("C7", file, (name,), wrong[None], "not one run of its profile (Wh)", energy[i : i + 1], expected)


def _check_on(b: Building, name: str, energy: Wh, length: int, found: Findings) -> None:
    """On in one unbroken run that covers all its energy, and never otherwise."""
    if name not in b.dispatched:
        return
    on = b.running((name,))[0]
    at = np.flatnonzero(on)
    whole = not len(at) or (at[-1] - at[0] + 1 == len(at) and (len(at) == length or at[-1] + 1 == len(on)))
    wrong = (energy != 0) & ~on if whole and (len(at) == 0 or energy.any()) else on
    found.flag("C7", b.file("dispatch"), (name,), wrong[None], "on is not its run", on[None], (energy != 0)[None])


def idle_appliances(b: Building) -> set[str]:
    """Appliances whose window does not open on the delivery day: they have no run and need no rows."""
    table = b.case("appliances")
    if table is None:
        return set()
    due = zip(table.text("appliance"), table.text("earliest"), table.text("latest_end"), strict=True)
    return {name for name, begin, end in due if _today(b, begin, end, table.file) is None}


def _appliance_wh(b: Building, table: Table) -> Wh:
    """Draw of each row's appliance; nothing where it has no run today and no rows either."""
    names = table.text("appliance")
    idle = idle_appliances(b) - b.dispatched
    needed = np.array([name not in idle for name in names], dtype=bool)
    energy = np.zeros((len(names), len(b.grid)), dtype=np.int64)
    energy[needed] = b.energy([name for name, has in zip(names, needed, strict=True) if has])
    return energy


def _today(b: Building, begin: str, end: str, file: str) -> Window | None:
    """The window that opens on the delivery day: an appliance runs once a day."""
    midnight = b.grid.starts[0] + b.grid.settled * b.grid.step
    opens = [w for w in spans(b, begin, end, file) if b.grid.starts[0] <= w.start.timestamp() < midnight]
    return opens[0] if opens else None


def _leading_zeros(run: Numbers) -> int:
    return int(np.argmax(run > 0)) if (run > 0).any() else 0


def cost_of_appliances(b: Building) -> float:
    """What not running costs: the agreed value, or the price cap on the run's energy where it is a must."""
    table = b.case("appliances")
    if table is None:
        return 0.0
    due = zip(table.text("earliest"), table.text("latest_end"), strict=True)
    today = np.array([_today(b, begin, end, table.file) is not None for begin, end in due], dtype=bool)
    skipped = today & ~_appliance_wh(b, table).any(axis=1)
    run = np.array([_powers(table, i).sum() for i in range(len(table))])
    run = run * table.numbers("profile_minutes", b.grid.minutes) / 60 * 1000
    agreed = table.numbers("skip_value")
    return float(np.where(np.isnan(agreed), run / WH_PER_MWH * b.terms.price_cap, agreed)[skipped].sum())
