"""A site's own metered days by unit: what candidate rules and attacks are tried on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from planner.case import Case
from planner.forecast import history_calendar, known_until
from planner.meters import read_meters
from planner.meters.history import Histories, wanted
from planner.problems import InvalidInput, Problem
from planner.quantise import Floats, Ints
from planner.timegrid import zone

LEAST_DAYS = 2


@dataclass(frozen=True)
class Profiles:
    """Net use in whole Wh, (units, days, clock intervals), of days on which every unit is known throughout.

    ``kinds`` has the type of each day: 0 working day, 1 Saturday, 2 Sunday.
    """

    units: tuple[str, ...]
    dates: tuple[dt.date, ...]
    kinds: Ints
    use_wh: Ints


def metered_days(case: Case) -> Profiles:
    """The days before gate closure; raises InvalidInput where there are none."""
    if not len(case.meters):
        raise _nothing(case, "has no meters")
    metered = read_meters(case)
    known_s = known_until(case, case.grid.starts[0].astimezone(zone(case.settings.timezone)).date())
    cells = history_calendar(case, metered.table, known_s)
    histories = Histories(case, metered.table, cells, known_s)
    use: dict[str, Floats] = {}
    for name, _, row in wanted(case):
        found = histories.load(row) if name == "loads" else histories.production(str(row["meter"]))
        if found is not None:
            node = str(row["node"])
            signed = found if name == "loads" else -found
            use[node] = use[node] + signed if node in use else signed
    units = tuple(sorted(use))
    days = np.stack([cells.matrix(use[unit]) for unit in units]) if units else np.zeros((0, 0, 0))
    whole = np.flatnonzero(~np.isnan(days).any(axis=(0, 2)))
    if not units or len(whole) < LEAST_DAYS:
        raise _nothing(case, "has too few days on which all meters are known")
    dates = tuple(cells.dates[day] for day in whole)
    return Profiles(units, dates, cells.kinds()[whole], np.rint(days[:, whole] * 1000).astype(np.int64))


def _nothing(case: Case, why: str) -> InvalidInput:
    hint = "attacks and rules are tried on metered days: add meters.csv with readings from before gate closure"
    return InvalidInput([Problem("meters.csv", 0, f"case {case.settings.name} {why}", hint=hint)])
