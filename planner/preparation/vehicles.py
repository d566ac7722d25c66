"""Stays of vehicles.

A stay given by clock times repeats on every matching day, the evening before the delivery day included.  One that
lies partly outside the horizon is clipped and needs the share of its energy that its time inside the horizon has.
A vehicle charges in whole intervals: from the first that begins after its arrival to the last that ends before
its departure.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import floor
from typing import Any

from planner.preparation.desk import Desk, number, records, text
from planner.timegrid import Window
from planner_models.words import Vehicle

HALF_UP = 0.5 + 1e-6
"""Half a Wh goes up, whatever the last bit of a product says."""


def vehicles(desk: Desk) -> list[tuple[str, Vehicle]]:
    """(node, Vehicle) for every stay inside the horizon, numbered from 0 per vehicle in order of time."""
    stays: dict[str, list[tuple[str, Vehicle]]] = {}
    for row in records(desk.case.vehicles, "vehicle", "arrival"):
        for window in desk.windows("vehicles", row["vehicle"], row["arrival"], row["departure"]):
            stay = _stay(desk, row, window)
            if stay is not None:
                stays.setdefault(row["vehicle"], []).append((text(row["node"]), stay))
    return [numbered for name in sorted(stays) for numbered in _numbered(desk, stays[name])]


def _stay(desk: Desk, row: dict[str, Any], window: Window) -> Vehicle | None:
    """One stay, clipped; None where no whole interval of it lies inside the horizon."""
    if window.first == window.last:
        if window.share == 1:
            desk.problem("vehicles", "a stay without one whole interval", row["vehicle"], "lengthen it")
        return None
    return Vehicle(
        id=row["vehicle"],
        first=window.first,
        last=window.last,
        energy_kwh=floor(number(row["energy_kwh"], 0.0) * window.share * 1000 + HALF_UP) / 1000,
        max_kw=number(row["max_kw"], 0.0),
        min_kw=number(row["min_kw"], 0.0),
        charge_efficiency=number(row["charge_efficiency"], 1.0),
        shortfall_cost_per_mwh=number(row["shortfall_cost_per_mwh"], desk.price_cap),
    )


def _numbered(desk: Desk, stays: list[tuple[str, Vehicle]]) -> list[tuple[str, Vehicle]]:
    ordered = sorted(stays, key=lambda stay: (stay[1].first, stay[1].last, stay[1].energy_kwh))
    for (_, one), (_, other) in pairwise(ordered):
        if other.first < one.last:
            desk.problem("vehicles", "two stays at once", one.id, "a vehicle stands in one place")
    return [(node, replace(stay, stay=i)) for i, (node, stay) in enumerate(ordered)]
