"""C6 and C8: vehicles and flexible loads, whose energy may move in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from planner.audit.assets import ROUNDING_WH, WH_PER_MWH, column
from planner.audit.evidence import Building
from planner.audit.findings import Findings
from planner.audit.series import case_series
from planner.audit.table import DamagedFileError, Numbers, Table, Wh
from planner.timegrid import Window, windows

HALF_UP = 0.5 + 1e-6
"""Half a Wh goes up, whatever the last bit of a product says."""
LAST_BITS_WH = 1e-6


@dataclass(frozen=True)
class Stay:
    """One stay of a vehicle: ``energy`` what it needs there, ``stored`` what it got (Wh), ``cost`` of a missing MWh."""

    row: int
    window: Window
    energy: float
    stored: float
    cost: float


def _vehicles(b: Building) -> tuple[Table, tuple[str, ...], Wh] | None:
    table = b.case("vehicles")
    if table is None:
        return None
    away = absent_vehicles(b) - b.dispatched
    names = tuple(sorted(set(table.text("vehicle")) - away))
    return table, names, b.energy(names)


def absent_vehicles(b: Building) -> set[str]:
    """Vehicles without a stay that touches a whole interval of the horizon: they draw nothing and need no rows."""
    table = b.case("vehicles")
    if table is None:
        return set()
    rows = zip(table.text("vehicle"), table.text("arrival"), table.text("departure"), strict=True)
    there = {name for name, begin, end in rows if any(w.first < w.last for w in spans(b, begin, end, table.file))}
    return set(table.text("vehicle")) - there


def stays(b: Building, table: Table, names: tuple[str, ...], energy: Wh) -> Iterator[Stay]:
    """Each stay with its part of the vehicle's energy; the need of a stay cut by the horizon is cut likewise."""
    arrivals, departures = table.text("arrival"), table.text("departure")
    need, efficiency = table.numbers("energy_kwh"), table.numbers("charge_efficiency", 1.0)
    cost = table.numbers("shortfall_cost_per_mwh", b.terms.price_cap)
    for row, name in enumerate(table.text("vehicle")):
        for window in spans(b, arrivals[row], departures[row], table.file):
            if window.first == window.last:
                continue  # no whole interval of it lies inside the horizon
            got = float(energy[names.index(name), window.first : window.last].sum()) * efficiency[row]
            yield Stay(row, window, np.floor(need[row] * 1000 * window.share + HALF_UP), got, cost[row])


def spans(b: Building, begin: str, end: str, file: str) -> tuple[Window, ...]:
    """The windows that touch the horizon; text that is none is damage."""
    known = b.run.windows
    try:
        if (begin, end) not in known:
            known[begin, end] = windows(begin, end, b.grid.words(), b.grid.zone.key)
        return known[begin, end]
    except ValueError as wrong:
        raise DamagedFileError(file, f"{begin!r} to {end!r} {wrong}") from None


def check_vehicles(b: Building, found: Findings) -> None:
    known = _vehicles(b)
    if known is None or not len(known[0]):
        found.idle("C6")
        return
    table, names, energy = known
    file, hours, ids = b.file("dispatch"), b.grid.hours * 1000, table.text("vehicle")
    most, least = np.zeros(energy.shape), np.full(energy.shape, np.inf)
    for stay in stays(b, table, names, energy):
        i, inside = names.index(ids[stay.row]), slice(stay.window.first, stay.window.last)
        most[i, inside] += table.numbers("max_kw")[stay.row] * hours
        least[i, inside] = np.minimum(least[i, inside], table.numbers("min_kw", 0.0)[stay.row] * hours)
        if stay.stored > stay.energy + 2 * ROUNDING_WH:
            what = "charged more than it needs (Wh)"
            at = stay.window.first + 1
            found.add("C6", file, what, stay.stored, stay.energy, name=ids[stay.row], interval=at)
    found.flag("C6", file, names, energy < 0, "a vehicle gives energy (Wh)", energy, 0)
    on = b.running(names)
    found.flag("C6", file, names, on != (energy > 0), "on is not whether it charges", on, energy > 0)
    over = energy > np.where(most > 0, most + ROUNDING_WH, 0)
    found.flag("C6", file, names, over, "above its power, or while it is away (Wh)", energy, most)
    little = (energy > ROUNDING_WH) & (most > 0) & (energy < least - ROUNDING_WH)
    found.flag("C6", file, names, little, "charges below its minimum (Wh)", energy, np.where(most > 0, least, 0))


def cost_of_vehicles(b: Building) -> float:
    known = _vehicles(b)
    if known is None:
        return 0.0
    short = ((s.energy - s.stored, s.cost) for s in stays(b, *known))
    return sum(missing * cost for missing, cost in short if missing >= ROUNDING_WH - LAST_BITS_WH) / WH_PER_MWH


@dataclass(frozen=True)
class Bands:
    """Flexible loads: (loads x intervals) in Wh, ``cost`` of a MWh outside the bands."""

    names: tuple[str, ...]
    energy: Wh
    least: Numbers
    most: Numbers
    least_so_far: Numbers
    most_so_far: Numbers
    cost: Numbers


def read_bands(b: Building) -> Bands | None:
    table = b.case("flexible")
    if table is None:
        return None
    names = tuple(sorted(set(table.text("load"))))
    hours = b.grid.hours * 1000
    least = case_series(table, b.grid, "load", names, "min_kw") * hours
    most = case_series(table, b.grid, "load", names, "max_kw") * hours
    energy = b.energy(names)
    price = case_series(table, b.grid, "load", names, "deviation_cost_per_mwh", b.terms.price_cap)
    return Bands(
        names=names,
        energy=energy,
        least=least,
        most=most,
        least_so_far=_so_far(b, table, names, "min_cumulative_kwh", np.zeros(least.shape)),
        most_so_far=_so_far(b, table, names, "max_cumulative_kwh", np.cumsum(most, axis=1)),
        cost=price.max(axis=1, initial=0.0),
    )


def _so_far(b: Building, table: Table, names: tuple[str, ...], value: str, free: Numbers) -> Numbers:
    """A cumulative bound in Wh; in the look-ahead it goes on from the end of the delivery day."""
    bound, settled = case_series(table, b.grid, "load", names, value) * 1000, b.grid.settled
    if settled < len(b.grid):
        restarts = bound[:, settled] < bound[:, settled - 1]
        bound[restarts, settled:] += bound[restarts, settled - 1 : settled]
    return np.where(np.isnan(bound), free, bound)


def check_bands(b: Building, found: Findings) -> None:
    bands = read_bands(b)
    if bands is None or not bands.names:
        found.idle("C8")
        return
    file, energy = b.file("dispatch"), bands.energy
    found.flag("C8", file, bands.names, np.isnan(bands.most), "no limits for the load", energy, 0)
    found.flag("C8", file, bands.names, energy < -ROUNDING_WH, "a flexible load produces (Wh)", energy, 0)
    over = energy > bands.most + ROUNDING_WH
    found.flag("C8", file, bands.names, over, "above its maximum (Wh)", energy, bands.most)


def cost_of_bands(b: Building) -> float:
    """kWh below the minimum of an interval, and in every interval those outside the cumulative band.

    Less than one Wh is rounding and no deviation, here as for vehicles.
    """
    bands = read_bands(b)
    if bands is None:
        return 0.0
    total = np.cumsum(bands.energy, axis=1)
    outside = np.maximum(0.0, bands.least - bands.energy)
    outside = outside + np.maximum(0.0, bands.least_so_far - total) + np.maximum(0.0, total - bands.most_so_far)
    outside[outside < ROUNDING_WH - LAST_BITS_WH] = 0.0
    return float((outside * column(bands.cost)).sum()) / WH_PER_MWH
