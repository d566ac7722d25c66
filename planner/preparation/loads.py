"""Loads: tomorrow's use from the meter's forecast or from a profile, and loads with a band.

A profile ending in ``_kw`` is used as it is.  One ending in ``_pu`` is scaled: with ``peak_kw`` the power is
value x peak_kw; with ``annual_kwh`` the profile is stretched until its year adds up to that energy.  Where the
profile does not hold a year, the delivery day is taken for an average day and receives annual_kwh / 365.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from planner.preparation.desk import Desk, Floats, kwh, number, records, text
from planner_models.words import Flexible, Load, Vector

YEAR_HOURS = 365 * 24
YEAR_DAYS = 365


def loads(desk: Desk) -> list[tuple[str, Load]]:
    """(node, Load) of every row of loads.csv."""
    found = []
    table = records(desk.case.loads, "load")
    profiles = profile_series(desk, {text(row["profile"]) for row in table})
    for row in table:
        energy = _energy(desk, row, profiles)
        if energy is None:
            continue
        if energy.min() < 0:
            desk.problem("loads", "use is negative", row["load"], "production behind a meter belongs in solar.csv")
        load = Load(
            id=row["load"],
            energy_kwh=kwh(energy),
            value_per_mwh=number(row["value_per_mwh"], desk.price_cap),
            curtailable_ratio=number(row["curtailable_ratio"], 0.0),
            curtailment_cost_per_mwh=number(row["curtailment_cost_per_mwh"], 0.0),
        )
        found.append((text(row["node"]), load))
    return found


def profile_series(desk: Desk, names: set[str]) -> dict[str, Floats]:
    """The named profiles on the grid, as they stand in the file."""
    profiles = desk.case.profiles
    return desk.series("profiles", "profile", "value", profiles[profiles["profile"].isin(sorted(names - {""}))])


def _energy(desk: Desk, row: dict[str, Any], profiles: dict[str, Floats]) -> Floats | None:
    """kWh per interval of one row, or None with a problem noted."""
    if text(row["meter"]):
        forecast = desk.forecast.load_kwh if desk.forecast else {}
        if row["load"] not in forecast:
            desk.problem("loads", "no forecast for a metered load", row["load"], "add its meter file to meters.csv")
            return None
        return np.asarray(forecast[row["load"]], dtype=float)
    name = text(row["profile"])
    if name not in profiles:
        desk.problem("loads", "unknown or incomplete profile", f"{row['load']}: {name}", "name one of profiles.csv")
        return None
    return _scaled(desk, row, name, profiles[name])


def _scaled(desk: Desk, row: dict[str, Any], name: str, value: Floats) -> Floats | None:
    hours = desk.grid.hours
    if name.endswith("_kw"):
        return value * hours
    peak, annual = number(row["peak_kw"], -1.0), number(row["annual_kwh"], -1.0)
    if peak >= 0:
        return value * peak * hours
    if annual >= 0:
        return value * annual * _share_of_year(desk, name, value)
    desk.problem("loads", "profile needs a scale", f"{row['load']}: {name}", "give peak_kw or annual_kwh")
    return None


def _share_of_year(desk: Desk, name: str, value: Floats) -> float:
    """Share of a year's energy per unit of profile value in one interval."""
    frame = desk.case.profiles
    rows = frame[(frame["profile"] == name) & frame["start"].notna()]
    last = rows["start"].max()
    year = rows[rows["start"] > last - np.timedelta64(YEAR_DAYS, "D")] if len(rows) else rows
    if len(rows) and last - rows["start"].min() >= np.timedelta64(YEAR_DAYS - 1, "D") and year["value"].sum() > 0:
        return float(desk.grid.hours / YEAR_HOURS / year["value"].mean())
    day = value[: desk.grid.settled].sum()
    if day <= 0:
        desk.problem("profiles", "a profile scaled to annual_kwh adds up to nothing", name, "give a positive profile")
        return 0.0
    return float(1 / YEAR_DAYS / day)


def flexible(desk: Desk) -> list[tuple[str, Flexible]]:
    """(node, Flexible) of every load of flexible.csv; an empty cumulative bound leaves that interval open."""
    frame = desk.case.flexible
    if frame.empty:
        return []
    hours = desk.grid.hours
    low, high = desk.series("flexible", "load", "min_kw"), desk.series("flexible", "load", "max_kw")
    floors, ceilings = _cumulative(desk, "min_cumulative_kwh"), _cumulative(desk, "max_cumulative_kwh")
    terms = frame.groupby("load", sort=True).agg({"node": "first", "deviation_cost_per_mwh": "max"})
    found = []
    for name, node, cost in terms.itertuples(name=None):
        if name not in low or name not in high:
            continue
        least, most = low[name] * hours, high[name] * hours
        if (least > most).any():
            desk.problem("flexible", "min_kw above max_kw", name, "swap them")
        band = Flexible(
            id=name,
            min_kwh=kwh(least),
            max_kwh=kwh(most),
            min_cumulative_kwh=_open(floors.get(name), np.zeros(len(most))),
            max_cumulative_kwh=_open(ceilings.get(name), np.cumsum(most)),
            deviation_cost_per_mwh=number(cost, desk.price_cap),
        )
        found.append((node, band))
    return found


def _cumulative(desk: Desk, column: str) -> dict[str, Floats]:
    """A cumulative bound per load over the horizon.

    In the look-ahead it goes on from the end of the day before, whether the delivery day is repeated there or rows
    of the next day start counting anew; rows that go on counting by themselves are left as they are.
    """
    frame = desk.case.flexible
    bounds = desk.series("flexible", "load", column, fill=float("nan"))
    given = set(frame.loc[frame["start"] >= pd.Timestamp(desk.delivery_end), "load"])
    day = round(24 / desk.grid.hours)
    for name, bound in bounds.items():
        for midnight in range(desk.grid.settled, len(bound), day):
            so_far = bound[:midnight][~np.isnan(bound[:midnight])]
            rising = bound[midnight : midnight + day]
            rising = rising[rising > 0]
            if len(so_far) and len(rising) and (name not in given or rising[0] < so_far[-1]):
                bound[midnight : midnight + day] += so_far[-1]
    return bounds


def _open(bound: Floats | None, open_end: Floats) -> Vector | None:
    return None if bound is None else kwh(np.where(np.isnan(bound), open_end, bound))
