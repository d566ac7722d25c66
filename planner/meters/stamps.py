"""Stamps of a column to instants: with an offset as they stand, without one through the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planner.meters import clock
from planner.meters.reader import Options, several
from planner.problems import Problem

ASK_ZONE = "say which clock: column timezone in meters.csv, or --timezone Europe/Paris"
ASK_FOLD = "the hour comes twice on this day; export it with offsets (or in UTC), or remove the rows"
ASK_GAP = "the clock skips this hour; if the file keeps winter time all year, give a zone without changes"
_OFFSET = r"(?:[zZ]|[+-]\d{2}(?::?\d{2})?)$"


@dataclass(frozen=True, slots=True)
class Stamps:
    """Epoch seconds, a mask of the rows that have none, and why."""

    seconds: np.ndarray
    bad: np.ndarray
    problems: tuple[Problem, ...] = ()
    zone: str = ""
    zone_from: str = ""
    rules: Mapping[str, str] = field(default_factory=dict)


def to_instants(
    column: pd.Series, line: np.ndarray, series: np.ndarray, options: Options, file: str, *, ends: bool = False
) -> Stamps:
    """Instants of a column of ISO 8601 text, datetimes or zone-aware datetimes."""
    name = str(column.name or "start")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        aware = pd.DatetimeIndex(column)
        bad = np.asarray(aware.isna())
        problems = several(file, line[bad], f"{name} is empty", [""] * int(bad.sum()), "")
        return Stamps(_seconds(aware.tz_convert("UTC").tz_localize(None), bad), bad, tuple(problems), "UTC", "offsets")
    text = pd.Series(column.to_numpy(), dtype="object").astype(str).str.strip()
    offset = text.str.contains(_OFFSET, regex=True) & text.str.contains(":", regex=False)
    stamps = np.zeros(len(text), dtype="int64")
    bad = np.zeros(len(text), dtype=bool)
    for mask, utc in ((offset.to_numpy(), True), (~offset.to_numpy(), False)):
        parsed = pd.to_datetime(text[mask], format="ISO8601", errors="coerce", utc=utc)
        moments = pd.DatetimeIndex(parsed.dt.tz_localize(None) if utc else parsed)
        bad[mask] = np.asarray(moments.isna())
        stamps[mask] = _seconds(moments, np.asarray(moments.isna()))
    problems = several(file, line[bad], f"{name} is not a time", text[bad], "write 2026-10-25T00:00:00+02:00")
    naive = ~offset.to_numpy() & ~bad
    if not naive.any():
        return Stamps(stamps, bad, tuple(problems), "UTC", "offsets")
    local = localised(stamps[naive], line[naive], series[naive], options, file, ends=ends)
    stamps[naive], bad[naive] = local.seconds, local.bad
    return Stamps(stamps, bad, (*problems, *local.problems), local.zone, local.zone_from, local.rules)


def localised(
    local_s: np.ndarray,
    line: np.ndarray,
    series: np.ndarray,
    options: Options,
    file: str,
    *,
    ends: bool = False,
    end_local_s: np.ndarray | None = None,
) -> Stamps:
    """Instants of local clock seconds in the zone of the options; asks where the file cannot say."""
    every = np.ones(len(local_s), dtype=bool)
    if options.timezone is None:
        first = int(line.min()) if len(line) else 0
        return Stamps(local_s, every, (Problem(file, first, "stamps have no offset", hint=ASK_ZONE),))
    if clock.zone(options.timezone) is None:
        hint = "use a name such as Europe/Paris"
        return Stamps(local_s, every, (Problem(file, 0, "no such time zone", options.timezone, hint),))
    found = clock.resolve(local_s, options.timezone, series, ends=ends, end_local_s=end_local_s)
    problems = []
    for mask, what, hint in (
        (found.skipped, "clock time does not exist", ASK_GAP),
        (found.unplaced, "clock time comes twice", ASK_FOLD),
    ):
        problems += several(file, line[mask], what, local_s[mask].astype("datetime64[s]"), hint)
    bad = found.skipped | found.unplaced
    return Stamps(found.seconds, bad, tuple(problems), options.timezone, options.timezone_from, found.rules)


def _seconds(moments: pd.DatetimeIndex, empty: np.ndarray) -> np.ndarray:
    whole = moments.to_numpy().astype("datetime64[s]").astype("int64")
    return np.where(empty, 0, whole)
