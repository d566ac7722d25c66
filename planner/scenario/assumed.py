"""Tomorrow's forecast carried over from the city as it is to a city that was changed.

Meters tell of the city as it is.  So a changed case is not forecast anew: loads and plants that it shares with the
base take the base's forecast, and a metered plant whose ``peak_kw`` was changed produces in proportion, as more
panels on the same roof would.  Otherwise twice the ``peak_kw`` of a metered plant would change nothing, and panels
that were never there would be taken out of the past use of the loads behind the same meter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from planner.case import Case
from planner.forecast import Forecast, forecast
from planner.meters import read_meters

KEYS = {"loads": "load", "solar": "plant", "wind": "plant"}
PLANTS = ("solar", "wind")


class Assumed:
    """The base's forecast for one delivery day, made when a changed case first needs it."""

    def __init__(self, base: Case) -> None:
        self.base = base
        self._forecasts: dict[tuple[object, ...], Forecast] = {}

    def carry_over(self, case: Case) -> Case:
        """``case`` with profiles in place of the meters it shares with the base.

        A case that is the base, has no meters, or comes from another folder with meters of its own stays as it is.
        Meters that the base has not are left to be forecast from their own history.
        """
        if case.sha256 == self.base.sha256 or case.folder != self.base.folder or not _any_metered(case.tables):
            return case
        profiles = [case.profiles]
        changes: dict[str, pd.DataFrame] = {}
        for table in KEYS:
            rows, kept = self._replaced(case, table)
            changes[table] = rows
            profiles += kept
        if not _any_metered(changes):
            changes["meters"] = case.meters.iloc[:0]
        return case.with_(profiles=pd.concat(profiles, ignore_index=True), **changes)

    def _replaced(self, case: Case, table: str) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
        """The table with profiles for meters, and those profiles."""
        rows, kept = case.tables[table].copy(), []
        for at in _metered(case, table):
            name, profile = self._profile(case, table, str(rows.at[at, KEYS[table]]), str(rows.at[at, "meter"]))
            if profile is not None:
                kept.append(_long(case, name, profile))
                rows.loc[at, ["meter", "profile"]] = ["", name]
                if table == "loads":
                    rows.loc[at, "meter_includes"] = ""
        return rows, kept

    def _profile(self, case: Case, table: str, asset: str, meter: str) -> tuple[str, np.ndarray | None]:
        """Name and values of the profile that stands for an asset's meter; None if the base does not have it."""
        frame = self.base.tables[table]
        found = frame[(frame[KEYS[table]] == asset) & (frame["meter"] == meter)]
        if found.empty:
            return "", None
        told = self._told(case)
        kwh = told.plant_kwh[asset] if table in PLANTS else told.load_kwh[asset]
        power_kw = kwh / case.grid.hours
        peak = float(found["peak_kw"].iloc[0])
        if table in PLANTS and peak > 0:
            return f"{asset}.metered_pu", power_kw / peak
        return f"{asset}.metered_kw", power_kw

    def _told(self, case: Case) -> Forecast:
        """The base's forecast under the case's settings: of its own intervals, as known at its own gate closure."""
        of = case.settings
        known = (of.market.gate_closure, of.market.meter_delay_hours)
        key = (of.delivery_date, of.timezone, of.interval_minutes, of.horizon.look_ahead_hours, *known)
        if key not in self._forecasts:
            base = replace(self.base, settings=of)
            self._forecasts[key] = forecast(base, read_meters(base))
        return self._forecasts[key]


def _metered(case: Case, table: str) -> np.ndarray:
    return np.flatnonzero(case.tables[table]["meter"].to_numpy() != "")


def _any_metered(tables: Mapping[str, pd.DataFrame]) -> bool:
    return any((tables[table]["meter"] != "").any() for table in KEYS)


def _long(case: Case, name: str, values: np.ndarray) -> pd.DataFrame:
    starts = pd.to_datetime(list(case.grid.starts), utc=True)
    return pd.DataFrame({"profile": name, "interval": pd.NA, "start": starts, "value": values})


def unanswered(case: Case, base: Case) -> Iterator[str]:
    """Plants whose changed peak cannot show, because the base knows no peak to compare with."""
    for table in PLANTS:
        mine, theirs = case.tables[table], base.tables[table]
        both = mine.merge(theirs, on=["plant", "meter"], suffixes=("", "_base"))
        mute = (both["meter"] != "") & both["peak_kw"].notna() & ~(both["peak_kw_base"] > 0)
        yield from (str(plant) for plant in both.loc[mute, "plant"])
