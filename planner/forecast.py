"""Tomorrow's load and production from metered history: the mean of the same kind of day.

For every clock interval, the mean over the days of the same type (working day, Saturday, Sunday) of the
last four weeks before gate closure; readings later than gate closure less the meters' delay are not
known.  A day of 23 hours leaves the skipped hour out, one of 25 hours repeats the hour that comes twice.
Public holidays count as the weekday they fall on.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planner.meters import table
from planner.meters.calendar import Calendar, calendar, day_and_slot, kind
from planner.meters.history import Histories, horizon, wanted
from planner.meters.read import Metered
from planner.problems import InvalidInput, Problem
from planner.timegrid import instant, zone

if TYPE_CHECKING:
    from planner.case import Case

WINDOW_DAYS = 28
HELD_BACK_DAYS = 7
SOURCES = (
    "days of the same type in the last four weeks",
    "all days of the last four weeks",
    "all days of history",
    "the mean of the other intervals",
)
LONGEST_DAYS = 400
ERROR_COLUMNS = ("meter", "held_back_days", "mae_kwh", "wape")
GATE = re.compile(r"D-(\d+) (\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Forecast:
    """kWh per interval of the horizon, never negative, by load and plant id.

    ``errors`` has a row per load or plant (its id in ``asset``): the mean absolute error in kWh and the
    absolute error over the energy (wape) on the last days with readings, each forecast with only what was
    known at its own gate closure.
    """

    load_kwh: dict[str, np.ndarray]
    plant_kwh: dict[str, np.ndarray]
    errors: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """Days x clock intervals of one asset (kWh, NaN unknown) with the type of each day."""

    kwh: np.ndarray
    kinds: np.ndarray
    ends_s: np.ndarray

    def until(self, known_s: int) -> Past:
        """The same as it was known at an instant."""
        return Past(np.where(self.ends_s <= known_s, self.kwh, np.nan), self.kinds, self.ends_s)


def forecast(case: Case, metered: Metered) -> Forecast:
    """Every metered load and plant over the whole horizon.

    Raises InvalidInput if a meter has no reading before gate closure, or gate closure cannot be read.
    """
    day = case.grid.starts[0].astimezone(zone(case.settings.timezone)).date()
    known_s = known_until(case, day)
    cells = history_calendar(case, metered.table, known_s)
    histories = Histories(case, metered.table, cells, known_s)
    ends = cells.matrix(cells.end_s().astype("float64"))
    loads: dict[str, np.ndarray] = {}
    plants: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    errors: list[tuple[str, str, int, float, float]] = []
    notes: list[str] = []
    for name, asset, row in wanted(case):
        kwh = histories.load(row) if name == "loads" else histories.production(str(row["meter"]))
        if kwh is None or np.isnan(kwh).all():
            problems.append(_no_history(case, name, asset, str(row["meter"])))
            continue
        past = Past(cells.matrix(kwh), cells.kinds(), ends)
        values, said = _horizon(case, past, asset)
        (loads if name == "loads" else plants)[asset] = values
        errors.append((asset, str(row["meter"]), *_held_back(case, past, cells)))
        notes += said
    if problems:
        raise InvalidInput(problems)
    frame = pd.DataFrame(errors, columns=["asset", *ERROR_COLUMNS])
    return Forecast(loads, plants, frame, tuple(dict.fromkeys([*histories.notes, *notes])))


def known_until(case: Case, day: dt.date) -> int:
    """Epoch seconds before which a reading must have ended to be known at the gate closure for ``day``."""
    market = case.settings.market
    found = GATE.fullmatch(str(market.gate_closure).strip())
    if not found or int(found[2]) > 24 or int(found[3]) > 59:
        hint = "write it as D-1 12:00"
        raise InvalidInput([Problem("case.toml", 0, "gate_closure cannot be read", str(market.gate_closure), hint)])
    before = day - dt.timedelta(days=int(found[1]))
    closure = instant(before, int(found[2]) * 60 + int(found[3]), zone(case.settings.timezone))
    return int(closure.timestamp() - 3600 * market.meter_delay_hours)


def typical(past: Past, wanted_kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of a day of that type by clock interval, and which of ``SOURCES`` each interval came from.

    The four weeks end with the last day that has readings.
    """
    known = np.flatnonzero(~np.isnan(past.kwh).all(axis=1))
    slots = past.kwh.shape[1]
    if not len(known):
        return np.full(slots, np.nan), np.zeros(slots, dtype="int64")
    weeks = slice(max(int(known[-1]) + 1 - WINDOW_DAYS, 0), int(known[-1]) + 1)
    alike = past.kwh[weeks][past.kinds[weeks] == wanted_kind]
    mean, source = np.full(slots, np.nan), np.zeros(slots, dtype="int64")
    for level, days in enumerate((alike, past.kwh[weeks], past.kwh)):
        better = np.isnan(mean) & ~np.isnan(days).all(axis=0)
        mean[better], source[better] = _mean(days)[better], level
    absent = np.isnan(mean)
    mean[absent], source[absent] = np.nanmean(mean), len(SOURCES) - 1
    return mean, source


def _horizon(case: Case, past: Past, asset: str) -> tuple[np.ndarray, list[str]]:
    """The forecast of one asset over the horizon, and what has to be said about it."""
    ordinals, slots = horizon(case)
    values = np.empty(len(ordinals))
    notes = []
    for ordinal in np.unique(ordinals):
        date, mine = dt.date.fromordinal(int(ordinal)), ordinals == ordinal
        mean, source = typical(past, kind(date))
        values[mine] = mean[slots[mine]]
        poorest = int(source[slots[mine]].max())
        if poorest:
            count = int((source[slots[mine]] > 0).sum())
            notes.append(f"{asset}: {count} intervals of {date} from {SOURCES[poorest]}, for lack of such a day")
    days = int((~np.isnan(past.kwh).all(axis=1)).sum())
    if days < WINDOW_DAYS:
        notes.append(f"{asset}: forecast from {days} days of history")
    if (values < 0).any():
        notes.append(f"{asset}: {int((values < 0).sum())} intervals would be negative and are set to 0")
    return np.maximum(values, 0.0), notes


def _held_back(case: Case, past: Past, cells: Calendar) -> tuple[int, float, float]:
    """Held-back days, mean absolute error (kWh) and absolute error over energy."""
    known = np.flatnonzero(~np.isnan(past.kwh).all(axis=1))[-HELD_BACK_DAYS:]
    missed: list[np.ndarray] = []
    actual: list[np.ndarray] = []
    used = 0
    for index in known:
        mean, _ = typical(past.until(known_until(case, cells.dates[index])), int(past.kinds[index]))
        there = ~np.isnan(past.kwh[index]) & ~np.isnan(mean)
        if there.any():
            used += 1
            missed.append(np.abs(np.maximum(mean[there], 0.0) - past.kwh[index][there]))
            actual.append(past.kwh[index][there])
    if not used:
        return 0, float("nan"), float("nan")
    error, energy = np.concatenate(missed), float(np.abs(np.concatenate(actual)).sum())
    return used, float(error.mean()), float(error.sum() / energy) if energy else float("nan")


def _mean(days: np.ndarray) -> np.ndarray:
    """Mean of the known values of each column, NaN where there is none."""
    known = ~np.isnan(days)
    count = known.sum(axis=0)
    return np.where(known, days, 0.0).sum(axis=0) / np.where(count, count, np.nan)


def history_calendar(case: Case, frame: pd.DataFrame, known_s: int) -> Calendar:
    """Local days of history up to the last reading that is known, a year of them at most."""
    minutes, timezone = case.grid.minutes, case.settings.timezone
    starts = table.seconds(frame["start"]) if len(frame) else np.array([known_s])
    known = starts[starts < known_s]
    last_s = int(known.max()) if len(known) else known_s
    first_s = max(int(known.min()) if len(known) else known_s, last_s - 86400 * LONGEST_DAYS)
    ordinals, _ = day_and_slot(np.array([first_s, last_s]), timezone, minutes)
    first, last = (dt.date.fromordinal(int(ordinal)) for ordinal in ordinals)
    return calendar(first, last, timezone, minutes)


def _no_history(case: Case, name: str, asset: str, meter: str) -> Problem:
    ids: Iterable[str] = case.tables[name]["load" if name == "loads" else "plant"]
    row = list(ids).index(asset)
    hint = "add readings from before gate closure, or give it a profile"
    return case.problem(name, row, "its meter has no reading that is known at gate closure", meter, hint)
