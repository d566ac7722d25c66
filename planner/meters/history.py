"""What a load used and a plant produced, out of what its meters counted.

A meter behind another is taken out of it: sub-meters (``part_of``), and the production of plants that a
load's ``meter_includes`` names.  Modelled assets without a meter are taken out where something is known
of them (a plant's profile); otherwise a note says that they are still inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from planner.meters import table
from planner.meters.align import Spread, spread
from planner.meters.calendar import Calendar, day_and_slot
from planner.meters.report import mask

if TYPE_CHECKING:
    from planner.case import Case

LONGEST_MINUTES = 1440
ASSETS = {"battery": "batteries", "vehicle": "vehicles", "appliance": "appliances"}


@dataclass(slots=True)
class Histories:
    """Metered energy on the cells of a calendar; ``notes`` grow as series are asked for."""

    case: Case
    frame: pd.DataFrame
    calendar: Calendar
    known_until_s: int
    notes: list[str] = field(default_factory=list)
    _rows: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        groups = self.frame.groupby(["meter", "channel"], observed=True, sort=True).indices
        self._rows = {(str(key[0]), str(key[1])): np.asarray(rows) for key, rows in groups.items()}  # type: ignore[index]

    def load(self, load: dict[str, Any]) -> np.ndarray | None:
        """kWh a cell that a metered load used itself, NaN where unknown; nothing without any reading."""
        meter = str(load["meter"])
        use = self.draw(meter)
        if use is None:
            return None
        plants = self._plants_behind(load)
        metered = {plant["meter"]: plant for plant in plants if plant["meter"]}
        parts = [str(m) for m in self.case.meters.loc[self.case.meters["part_of"] == meter, "meter"]]
        taken_out = 0
        for behind in sorted({*parts, *metered} - {meter}):
            produced = self.production(behind) if behind in metered or behind in self._plant_meters() else None
            inner = -produced if produced is not None else self.draw(behind)
            if inner is None:
                self.notes.append(
                    f"{load['load']}: meter {mask(behind)} behind it has no readings, so it is still inside"
                )
                continue
            use = use - inner
            taken_out += produced is None and behind not in set(self.case.loads["meter"])
        if meter in metered:
            made = self.series(meter, "production")
            use = use if made is None else use + made
        for plant in plants:
            if not plant["meter"]:
                use = self._plus_profile(use, load, plant)
        self._still_inside(load, taken_out)
        return use

    def draw(self, meter: str) -> np.ndarray | None:
        """Import minus export of a meter, else its net, else minus its production.

        Export counts as nothing before its first reading: meters report it from the day it is registered.
        """
        taken, given, net, made = (self.series(meter, channel) for channel in ("import", "export", "net", "production"))
        if taken is None:
            out = given if given is not None else None if net is not None else made
            return net if out is None else -out
        if given is None:
            return taken
        before = np.arange(len(given)) < np.flatnonzero(~np.isnan(given))[:1].sum()
        return taken - np.where(before & np.isnan(given), 0.0, given)

    def production(self, meter: str) -> np.ndarray | None:
        """What a plant's meter counted: production, else export, else import as it then stands for production."""
        for channel in ("production", "export", "import"):
            counted = self.series(meter, channel)
            if counted is not None:
                if channel == "import":
                    self.notes.append(f"meter {mask(meter)} of a plant counts import, taken as its production")
                return counted
        return None

    def series(self, meter: str, channel: str) -> np.ndarray | None:
        """kWh a cell of one channel, as far as it was metered before gate closure."""
        rows = self._rows.get((meter, channel))
        if rows is None:
            return None
        mine = self.frame.iloc[rows]
        minutes = mine["minutes"].to_numpy()
        start = table.seconds(mine["start"])
        usable = (minutes <= LONGEST_MINUTES) & (start + 60 * minutes.astype("int64") <= self.known_until_s)
        if not usable.any():
            return None
        cells = self.calendar
        energy = mine["energy_kwh"].to_numpy()[usable]
        found = spread(start[usable], minutes[usable], energy, cells.first_s, cells.cells, cells.minutes)
        self._note_spread(meter, found)
        return found.energy_kwh

    def _note_spread(self, meter: str, found: Spread) -> None:
        if found.split:
            self.notes.append(f"meter {mask(meter)}: {found.split} readings longer than the interval, spread evenly")
        if found.doubled:
            self.notes.append(f"meter {mask(meter)}: {found.doubled} intervals covered twice, left out")

    def _plant_meters(self) -> set[str]:
        return (set(self.case.solar["meter"]) | set(self.case.wind["meter"])) - {""}

    def _plants_behind(self, load: dict[str, Any]) -> list[dict[str, Any]]:
        """Plants of the node that the load's meter includes."""
        if "solar" not in words(load["meter_includes"]):
            return []
        frames = [self.case.solar, self.case.wind]
        return [row for frame in frames for row in frame[frame["node"] == load["node"]].to_dict("records")]

    def _plus_profile(self, use: np.ndarray, load: dict[str, Any], plant: dict[str, Any]) -> np.ndarray:
        """Use with a plant's own production added back, as its profile tells it."""
        made = _profile_kwh(self.case, plant, self.calendar)
        if made is None:
            self.notes.append(
                f"{load['load']}: {plant['plant']} has neither meter nor profile, so its output is still inside"
            )
            return use
        self.notes.append(f"{load['load']}: production of {plant['plant']} added back from its profile, not metered")
        return use + made

    def _still_inside(self, load: dict[str, Any], taken_out: int) -> None:
        """Say which devices behind a meter are more than the sub-meters that were taken out of it."""
        included = sorted(words(load["meter_includes"]) & set(ASSETS))
        there = {word: int((self.case.tables[ASSETS[word]]["node"] == load["node"]).sum()) for word in included}
        left = sum(there.values()) - taken_out
        if left <= 0:
            return
        names = " and ".join(word for word, count in there.items() if count)
        which = f", of which {left} without a sub-meter" if taken_out else " without a sub-meter"
        self.notes.append(f"{load['load']}: {names} behind its meter{which}, so past use is still inside")


def words(text: object) -> set[str]:
    """The words of a meter_includes cell."""
    return {word.strip() for word in str(text).split(";") if word.strip()}


def _profile_kwh(case: Case, plant: dict[str, Any], cells: Calendar) -> np.ndarray | None:
    """kWh a cell of a plant by its profile: by clock interval where the profile has one day, else by instant."""
    name = str(plant.get("profile") or "")
    rows = case.profiles[case.profiles["profile"] == name]
    if not name or rows.empty:
        return None
    scale = 1.0 if name.endswith("_kw") else float(plant["peak_kw"])
    factor = scale * cells.minutes / 60
    by_interval = rows.dropna(subset=["interval"])
    if len(by_interval):
        daily = np.full(cells.slots, np.nan)
        number = by_interval["interval"].to_numpy(dtype="int64") - 1
        inside = number < cells.slots
        daily[number[inside]] = by_interval["value"].to_numpy(dtype="float64")[inside]
        return daily[cells.slot] * factor
    position = (table.seconds(rows["start"]) - cells.first_s) // (60 * cells.minutes)
    inside = (position >= 0) & (position < cells.cells)
    made = np.full(cells.cells, np.nan)
    made[position[inside]] = rows["value"].to_numpy(dtype="float64")[inside]
    return made * factor if inside.any() else None


def horizon(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Local date (ordinal) and clock interval of every interval of the case's horizon."""
    starts = np.array([int(start.timestamp()) for start in case.grid], dtype="int64")
    return day_and_slot(starts, case.settings.timezone, case.grid.minutes)


def wanted(case: Case) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Metered loads and plants: table, id, row."""
    for name, key in (("loads", "load"), ("solar", "plant"), ("wind", "plant")):
        frame = case.tables[name]
        for row in frame[frame["meter"] != ""].to_dict("records"):
            yield name, str(row[key]), row  # type: ignore[misc]
