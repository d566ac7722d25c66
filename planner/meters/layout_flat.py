"""Readings of a described table as text, one a line, and the instants they began at."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planner.meters import clock
from planner.meters.layout_cells import Grid
from planner.meters.reader import Options, several
from planner.meters.stamps import Stamps, localised

if TYPE_CHECKING:
    from planner.meters.layout import Layout

NONE = ("", "-", "n/a", "na", "nan", "null")


def zoned(layout: Layout, options: Options) -> Options:
    """The zone of the format where it has one and the user did not ask for another."""
    if layout.timezone and (options.timezone is None or options.timezone_from != "option"):
        return replace(options, timezone=layout.timezone, timezone_from="format")
    return options


def readings(layout: Layout, cells: Grid) -> pd.DataFrame:
    """Columns when, until, meter, kind, unit, quality, value (text), line, and position in its day."""
    return _days(layout, cells) if layout.shape == "days" else _long(layout, cells)


def _long(layout: Layout, cells: Grid) -> pd.DataFrame:
    """One line of text columns per reading: when, until, meter, kind, unit, quality, value."""
    size = len(cells.rows)
    blank = [""] * size
    return pd.DataFrame(
        {
            "when": _joined(cells, layout.date, layout.time) or blank,
            "until": _joined(cells, layout.end_date, layout.end_time) or blank,
            "meter": cells.column(layout.meter) if layout.meter else ["meter"] * size,
            "kind": cells.column(layout.channel) if layout.channel else blank,
            "unit": cells.column(layout.unit) if layout.unit else blank,
            "quality": cells.column(layout.quality) if layout.quality else blank,
            "value": cells.column(layout.value),
            "line": cells.lines,
            "position": 0,
        },
        dtype=object,
    )


def _days(layout: Layout, cells: Grid) -> pd.DataFrame:
    """The same out of a row per day; ``position`` counts intervals from 0 where columns are numbered."""
    pattern = re.compile(layout.value_columns)
    days = _long(replace(layout, value=layout.date, time=""), cells)
    parts = []
    for name in cells.names:
        found = pattern.fullmatch(name)
        if not found:
            continue
        part = days.assign(value=cells.column(name))
        if layout.columns_say == "clock":
            part["when"] = part["when"] + " " + found.group(1)
        else:
            part["position"] = int(found.group(1)) - 1
        parts.append(part)
    flat = pd.concat(parts, ignore_index=True)
    return flat[~((flat["value"] == "") & _beyond(layout, flat))].reset_index(drop=True)


def _beyond(layout: Layout, flat: pd.DataFrame) -> pd.Series:
    """Columns that only a long day fills."""
    return flat["position"].astype(int) >= 1440 // layout.minutes


def _joined(cells: Grid, date: str, time: str) -> list[str]:
    if not date:
        return []
    days = cells.column(date)
    return [f"{day} {hour}" for day, hour in zip(days, cells.column(time), strict=True)] if time else days


def _parsed(texts: pd.Series, formats: tuple[str, ...]) -> np.ndarray:
    """Local seconds; NaT as the smallest integer.  The first format that fits a cell counts."""
    best = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[s]")
    for form in formats:
        open_ = best.isna()
        if open_.any():
            best[open_] = pd.to_datetime(texts[open_].astype(str), format=form, errors="coerce").astype("datetime64[s]")
    return best.to_numpy().astype("datetime64[s]").astype("int64")


def instants(layout: Layout, flat: pd.DataFrame, options: Options, file: str) -> Stamps:
    """Epoch seconds of the starts; the columns ``minutes`` is added to ``flat``."""
    formats = layout.stamp_formats
    local = _parsed(flat["when"], formats)
    nothing = np.iinfo("int64").min
    unread = local == nothing
    until = _parsed(flat["until"], formats) if layout.end_date else None
    series = pd.factorize(flat["meter"] + "\0" + flat["kind"])[0]
    line = flat["line"].to_numpy(dtype="int64")
    problems = several(file, line[unread], "is not a time of this format", flat["when"][unread], " or ".join(formats))
    safe = np.where(unread, 0, local)
    if layout.columns_say != "clock":
        midnight = localised(safe, line, series, options, file)
        seconds = midnight.seconds + 60 * layout.minutes * flat["position"].to_numpy(dtype="int64")
        flat["minutes"] = layout.minutes
        return replace(midnight, seconds=seconds, bad=midnight.bad | unread, problems=(*problems, *midnight.problems))
    absent = (
        flat["value"].astype(str).str.lower().isin(NONE).to_numpy()
        if layout.shape == "days"
        else np.zeros(len(flat), bool)
    )
    found = localised(safe, line, series, options, file, ends=layout.stamp == "end", end_local_s=until)
    bad = found.bad | unread
    seconds, flat["minutes"] = found.seconds, layout.minutes
    if until is not None and options.timezone and clock.zone(options.timezone):
        ends = clock.ending(found.seconds, np.where(until == nothing, safe, until), options.timezone)
        flat["minutes"] = np.where(bad, 0, (ends - found.seconds) // 60)
    if layout.stamp == "end":
        seconds = seconds - 60 * layout.minutes
    gone = {int(n) for n in line[absent & found.bad]} - {int(n) for n in line[~absent & found.bad]}
    kept = [problem for problem in found.problems if problem.line not in gone]
    return replace(found, seconds=seconds, bad=bad, problems=(*problems, *kept))
