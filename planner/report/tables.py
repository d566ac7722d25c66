"""The page's tables of prices, energy and positions, and who did not get what he asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from planner.report import words
from planner.report.charts import Floats
from planner.report.day import KINDS, LOADS, OTHER, Day
from planner.report.papers import Papers

MOST_ROWS = 60
MOST_NAMED = 5
NOTHING_KWH = 0.05


@dataclass(frozen=True)
class Extreme:
    """A value and the local time at which it is reached."""

    value: float
    at: str


@dataclass(frozen=True)
class ZonePrices:
    zone: str
    mean: float
    lowest: Extreme
    highest: Extreme
    indicative: int


def prices(papers: Papers) -> list[ZonePrices]:
    frame = papers.market("prices")
    if frame.empty:
        return []
    found = []
    for zone, rows in frame.dropna(subset=["price_per_mwh"]).groupby("zone"):
        price = rows.sort_values("interval")["price_per_mwh"].to_numpy(dtype=float)
        starts = [papers.starts[int(i) - 1] for i in sorted(rows["interval"])]
        low, high = (Extreme(float(price[i]), _time(starts[i])) for i in (int(price.argmin()), int(price.argmax())))
        indicative = int(rows["indicative"].fillna(False).sum())
        found.append(ZonePrices(str(zone), float(price.mean()), low, high, indicative))
    return found


def _time(start: datetime) -> str:
    return f"{start:%H:%M}"


def energy(day: Day) -> list[tuple[str, float, float]]:
    """(kind, kWh drawn, kWh made) on the delivery day."""
    kinds = dict.fromkeys([*(words for _, _, words in KINDS), OTHER])
    total = lambda parts, kind: float(parts[kind].sum()) if kind in parts else 0.0  # noqa: E731
    return [(k, total(day.drawn, k), total(day.made, k)) for k in kinds if k in day.drawn or k in day.made]


def cut(day: Day) -> str:
    """Who did not get what he asked for, in words; empty where everybody did."""
    by_building = {name: float(np.nansum(kwh)) for name, kwh in day.cut.items()}
    total = sum(by_building.values())
    if total < NOTHING_KWH:
        return ""
    asked = total + float(day.drawn.get(LOADS, np.zeros(1)).sum())
    most = sorted(by_building, key=lambda name: (-by_building[name], name))[:MOST_NAMED]
    names = ", ".join(f"{name} {words.energy(by_building[name])}" for name in most if by_building[name] >= NOTHING_KWH)
    more = " and others" if sum(kwh >= NOTHING_KWH for kwh in by_building.values()) > MOST_NAMED else ""
    first = f"{words.energy(total)} of {words.energy(asked)} asked for by loads were curtailed or not served"
    return f"{first}: {names}{more}."


def outside(papers: Papers) -> list[dict[str, Any]]:
    """Per zone: kWh of import, export, contracts' remainder taken, and of what could not be met."""
    frame = papers.market("exchange")
    if frame.empty:
        return []
    names = ("import_kwh", "export_kwh", "supply_kwh", "unserved_kwh", "remainder_kwh")
    found = []
    for zone, rows in frame.groupby("zone"):
        net = float((rows["import_kwh"] - rows["export_kwh"]).max())
        sums = {name: float(rows[name].sum()) for name in names}
        found.append({"zone": str(zone), "peak_kw": max(net, 0.0) * 60 / papers.minutes, **sums})
    return found


@dataclass(frozen=True)
class Position:
    """A group's day in kWh, and its largest net request and offer in kW."""

    name: str
    requested: float
    offered: float
    peak_in: Extreme
    peak_out: Extreme


def positions(signed: dict[str, Floats], papers: Papers) -> list[Position]:
    found, per_kw = [], 60 / papers.minutes
    for name in sorted(signed, key=lambda name: (-float(np.abs(signed[name]).sum()), name))[:MOST_ROWS]:
        q = signed[name]
        into, out = int(q.argmax()), int(q.argmin())
        peak_in = Extreme(max(float(q[into]), 0.0) * per_kw, _time(papers.starts[into]))
        peak_out = Extreme(max(-float(q[out]), 0.0) * per_kw, _time(papers.starts[out]))
        found.append(Position(name, float(np.maximum(q, 0).sum()), float(np.maximum(-q, 0).sum()), peak_in, peak_out))
    return found
