"""Rows out of a table that a layout describes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planner.meters import clock, registers, table
from planner.meters.layout_cells import Grid, grid
from planner.meters.reader import Options, Rows, implausible, several
from planner.meters.report import FileReport, Finding, examples
from planner.meters.source import Source, decoded
from planner.meters.stamps import Stamps, localised
from planner.problems import Problem

if TYPE_CHECKING:
    from planner.meters.layout import Layout

NONE = ("", "-", "n/a", "na", "nan", "null")


def read(layout: Layout, source: Source, options: Options) -> Rows:
    """Rows of every meter and channel, registers of a channel summed."""
    text = decoded(source)
    cells = grid(text.text, layout.header)
    report = FileReport(source.name, layout.name, encoding=text.encoding, notes=text.notes)
    if cells is None or not cells.rows:
        problem = Problem(source.name, 0, "holds no readings", hint="only a header was found")
        return Rows(table.empty(), report, (problem,))
    problems = several(
        source.name,
        [at for at, _ in cells.ragged],
        f"does not have {len(cells.names)} cells",
        [n for _, n in cells.ragged],
        "",
    )
    options = _zone(layout, options)
    flat = _days(layout, cells) if layout.shape == "days" else _long(layout, cells)
    stamps = _instants(layout, flat, options, source.name)
    rows, more, findings = _frame(layout, flat, stamps, source.name)
    frame, negative = implausible(source.name, rows)
    if frame.empty and not (problems or stamps.problems or more or negative):
        hint = "nothing in it is electric energy of a known direction"
        more.append(Problem(source.name, 0, "holds no readings", "", hint))
    report = replace(
        report,
        variant=layout.title,
        delimiter=cells.delimiter,
        decimal=layout.decimal,
        rows_read=len(flat),
        convention=layout.stamp,
        convention_from="format",
        timezone=options.timezone or "",
        timezone_from=options.timezone_from,
        unit=_conversions(layout, flat),
        findings=tuple(findings),
        rows_rejected=len(cells.ragged),
    )
    return Rows(frame, report, (*problems, *stamps.problems, *more, *negative), stamps.rules)


def _conversions(layout: Layout, flat: pd.DataFrame) -> str:
    """What was done to the values, by the text of their unit."""
    used = sorted(set(flat["unit"]) & set(layout.units))
    words = [("mean kW to kWh" if unit in layout.power else f"x {layout.units[unit]:g} to kWh", unit) for unit in used]
    return ", ".join(f"{unit}: {done}".removeprefix(": ") for done, unit in words)


def _zone(layout: Layout, options: Options) -> Options:
    """The zone of the format where it has one and the user did not ask for another."""
    if layout.timezone and (options.timezone is None or options.timezone_from != "option"):
        return replace(options, timezone=layout.timezone, timezone_from="format")
    return options


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


def _instants(layout: Layout, flat: pd.DataFrame, options: Options, file: str) -> Stamps:
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


def _frame(
    layout: Layout, flat: pd.DataFrame, stamps: Stamps, file: str
) -> tuple[pd.DataFrame, list[Problem], list[Finding]]:
    """Numbers in kWh, channels and qualities; then registers summed."""
    line = flat["line"].to_numpy(dtype="int64")
    value, wrong, more = _values(layout, flat, line, file)
    channel = flat["kind"].map(lambda text: _prefixed(layout.channels, text)).to_numpy(dtype=object)
    factor = flat["unit"].map(lambda text: layout.units.get(text)).to_numpy(dtype="float64", na_value=np.nan)
    factor = np.where(flat["unit"].isin(layout.power), factor * flat["minutes"].to_numpy(dtype="float64") / 60, factor)
    other = (channel == None) | (channel == "ignore") | np.isnan(factor)  # noqa: E711
    findings = []
    for kind, rows in flat[other].groupby(["kind", "unit"]):
        note = f"{' '.join(filter(None, kind))} is not electric energy of a known direction"
        findings.append(Finding("ignored", "", "", len(rows), examples(rows["line"]), note))
    quality = flat["quality"].map(
        lambda text: layout.qualities.get(text, "actual" if not layout.qualities else "estimated")
    )
    strange = sorted(set(flat["quality"]) - set(layout.qualities)) if layout.qualities else []
    findings += [
        Finding("quality_unknown", "", "", int((flat["quality"] == word).sum()), (), f"{word!r} taken as estimated")
        for word in strange
    ]
    keep = ~(other | wrong | stamps.bad)
    view = pd.DataFrame({"meter": flat["meter"], "channel": channel, "register": flat["kind"], "start": stamps.seconds})
    view = view.assign(minutes=flat["minutes"], energy=value * factor, quality=quality, line=line)[keep]
    parts = []
    for (meter, name, register), rows in view.groupby(["meter", "channel", "register"], sort=True):
        frame = table.build(
            str(meter), str(name), rows["start"], rows["minutes"], rows["energy"], rows["quality"], rows["line"]
        )
        parts.append(registers.Part(str(meter), str(name), str(register), frame))
    frame, found = registers.summed(parts, alternating=layout.alternating)
    return frame, more, [*findings, *found]


def _values(
    layout: Layout, flat: pd.DataFrame, line: np.ndarray, file: str
) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    text = flat["value"].str.replace(",", ".", regex=False) if layout.decimal == "," else flat["value"]
    value = pd.to_numeric(text, errors="coerce").to_numpy(dtype="float64")
    empty = text.str.lower().isin(NONE).to_numpy()
    value = np.where(empty & flat["quality"].isin(layout.zero_when).to_numpy(), 0.0, value)
    wrong = np.isnan(value) & ~empty
    return value, wrong, several(file, line[wrong], "value is not a number", flat["value"][wrong], "")


def _prefixed(channels: object, text: str) -> str | None:
    """The channel whose key is the longest beginning of the text."""
    fitting = [key for key in channels if text.startswith(key)]  # type: ignore[attr-defined]
    return channels[max(fitting, key=len)] if fitting else None  # type: ignore[index]
