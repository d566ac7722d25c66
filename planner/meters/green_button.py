"""Green Button (ESPI, NAESB REQ.21): interval energy from Atom XML.

Energy is value x 10^powerOfTenMultiplier in Wh.  A reading belongs to the ReadingType of its
MeterReading, found by links; only electric energy (uom 72) of intervals is used, the rest is ignored
and reported.  Starts are epoch seconds, UTC.  ``epoch=local`` is for files that write their standard
time as if it were UTC; nothing in such a file proves it, so the user has to say so.

Codes: flowDirection 1 import, 19 export, 4 net; accumulationBehaviour 4 interval, 1, 2, 3 and 9
registers that run on; quality 0, 11, 14, 17, 18, 19 measured, 7 and 15 substituted, others estimated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from planner.meters import espi_net, espi_xml, table
from planner.meters.espi_series import Series, ignored, linked
from planner.meters.espi_xml import Resource, XmlReading
from planner.meters.reader import Options, Rows, implausible, several
from planner.meters.report import FileReport, Finding, examples
from planner.meters.source import Source
from planner.problems import Problem

MEASURED = ("0", "11", "14", "17", "18", "19", "")
SUBSTITUTED = ("7", "15")


@dataclass(slots=True)
class Outcome:
    """What reading collects."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows_read: int = 0
    rejected: int = 0


def recognise(source: Source, head: str) -> bool:
    """XML that names the ESPI namespace near its beginning."""
    return head.lstrip("\ufeff \r\n\t").startswith("<") and espi_xml.ESPI in head


def read(source: Source, options: Options) -> Rows:
    """Rows of every electric energy series of the document."""
    outcome = Outcome(source.name)
    report = FileReport(
        source.name, "green_button", encoding="UTF-8", convention="start", convention_from="specification"
    )
    try:
        resources = espi_xml.parse(source.data)
    except espi_xml.RefusedXmlError as refusal:
        return Rows(table.empty(), report, (Problem(source.name, refusal.line, refusal.what),))
    shift, zone, origin = _epoch(resources, options, outcome)
    frames = [frame for series in linked(resources) if (frame := _rows(series, shift, outcome)) is not None]
    frame, found, notes = espi_net.reconciled(table.concat(frames))
    before = len(frame)
    frame, negative = implausible(source.name, frame)
    if not frames and not outcome.problems:
        hint = "no ReadingType of electric energy in intervals (uom 72)" if outcome.findings else ""
        outcome.problems.append(Problem(source.name, 0, "holds no interval readings of electric energy", hint=hint))
    report = replace(
        report,
        rows_read=outcome.rows_read,
        rows_rejected=outcome.rejected + before - len(frame),
        timezone=zone,
        timezone_from=origin,
        unit="Wh x 10^powerOfTenMultiplier / 1000",
        findings=(*outcome.findings, *found),
        notes=(*outcome.notes, *notes),
    )
    return Rows(frame, report, (*outcome.problems, *negative))


def _rows(series: Series, shift: int, outcome: Outcome) -> pd.DataFrame | None:
    """Rows of a series, or nothing if it is not interval energy."""
    readings = list(series.readings())
    outcome.rows_read += len(readings)
    reason = ignored(series)
    if reason:
        if readings:
            first = (readings[0].line,)
            outcome.findings.append(
                Finding("ignored", series.meter, series.channel or "", len(readings), first, reason)
            )
        return None
    if series.code("flowDirection") in ("0", ""):
        outcome.notes.append("flow direction is not stated: taken as import")
    if series.code("accumulationBehaviour") in ("0", ""):
        outcome.notes.append("accumulation is not stated: taken as interval energy")
    return _frame(series, readings, shift, outcome)


def _frame(series: Series, readings: list[XmlReading], shift: int, outcome: Outcome) -> pd.DataFrame | None:
    start, duration, value = (_floats([getattr(r, name) for r in readings]) for name in ("start", "duration", "value"))
    line = np.array([reading.line for reading in readings], dtype="int64")
    channel = series.channel or "import"
    empty = duration == 0
    unread = ~empty & (~np.isfinite(start) | ~np.isfinite(value) | ~np.isfinite(duration) | (np.abs(start) > 1e11))
    uneven = ~empty & ~unread & ((duration < 60) | (np.mod(duration, 60) != 0) | (duration > 4e8))
    shown = [f"start {r.start}, duration {r.duration}, value {r.value}"[:80] for r in readings]
    told = np.array(shown, dtype=object)
    outcome.rejected += int((unread | uneven).sum())
    outcome.problems += several(outcome.file, line[unread], "reading cannot be used", told[unread], "")
    outcome.problems += several(outcome.file, line[uneven], "duration is not whole minutes", told[uneven], "")
    if empty.any():
        note = "readings of no duration ignored: register readings"
        outcome.findings.append(
            Finding("zero_duration", series.meter, channel, int(empty.sum()), examples(line[empty][:9]), note)
        )
    keep = ~(empty | unread | uneven)
    if not keep.any():
        return None
    kwh = value[keep] * 10.0 ** int(series.code("powerOfTenMultiplier") or 0) / 1000
    kwh = _unsigned(kwh, channel, series, outcome)
    _compare_lengths(series, duration[keep], line[keep], channel, outcome)
    if (np.mod(start[keep], 1) != 0).any():
        outcome.notes.append("starts with fractions of a second, cut to whole seconds")
    quality = _qualities([r for r, k in zip(readings, keep, strict=True) if k], series)
    seconds = np.floor(start[keep]).astype("int64") + shift
    return table.build(series.meter, channel, seconds, (duration[keep] // 60).astype("int64"), kwh, quality, line[keep])


def _unsigned(kwh: np.ndarray, channel: str, series: Series, outcome: Outcome) -> np.ndarray:
    """Export that is written negative throughout loses its sign once; mixed signs are left to be refused."""
    if channel == "export" and (kwh <= 0).all() and (kwh < 0).any():
        note = "export written negative, its sign was taken off"
        outcome.findings.append(Finding("sign", series.meter, channel, int((kwh < 0).sum()), (), note))
        return -kwh
    return kwh


def _compare_lengths(series: Series, duration: np.ndarray, line: np.ndarray, channel: str, outcome: Outcome) -> None:
    stated = series.code("intervalLength")
    other = duration != float(stated) if re.fullmatch(r"\d{1,9}", stated) else np.zeros(len(duration), dtype=bool)
    if other.any():
        note = f"ReadingType says {stated} s, the readings last otherwise; the readings count"
        found = Finding("interval_length", series.meter, channel, int(other.sum()), examples(line[other][:9]), note)
        outcome.findings.append(found)


def _qualities(readings: list[XmlReading], series: Series) -> list[str]:
    default = series.code("defaultQuality")
    codes = [default if reading.quality is None else reading.quality for reading in readings]
    words = {
        code: "actual" if code in MEASURED else "substituted" if code in SUBSTITUTED else "estimated"
        for code in set(codes)
    }
    return [words[code] for code in codes]


def _floats(texts: list[str | None]) -> np.ndarray:
    """Numbers, NaN where there is none."""

    def one(text: str | None) -> float:
        try:
            return float(text) if text else np.nan
        except ValueError:
            return np.nan

    return np.array([one(text) for text in texts], dtype="float64")


def _epoch(resources: list[Resource], options: Options, outcome: Outcome) -> tuple[int, str, str]:
    """Seconds to add to every start, the zone for the report and who said so."""
    local = next((r for r in resources if r.kind == "LocalTimeParameters"), None)
    offset = local.leaves.get("tzOffset", "") if local else ""
    standard = int(offset) if re.fullmatch(r"[+-]?\d{1,5}", offset) else None
    wanted = options.extra.get("epoch", "utc")
    if wanted not in ("utc", "local"):
        outcome.problems.append(Problem(outcome.file, 0, "epoch is not known", wanted, "utc or local"))
    if wanted == "local" and standard is None:
        hint = "the file has no LocalTimeParameters; shift it before reading"
        outcome.problems.append(Problem(outcome.file, 0, "epoch=local needs the file's tzOffset", "", hint))
    if wanted == "local" and standard is not None:
        outcome.notes.append(f"epochs read as local standard time ({standard} s from UTC), as asked")
        return -standard, "UTC", "option epoch=local"
    if standard and _days_begin_at(resources, 0) and not _days_begin_at(resources, standard):
        hint = "its days begin at midnight UTC, not at local midnight: perhaps local time written as UTC"
        outcome.notes.append(f"{hint}; if so, read it with green_button:epoch=local")
    return 0, "UTC", "epoch seconds"


def _days_begin_at(resources: list[Resource], offset: int) -> bool:
    """Whether every whole-day block begins at midnight of that offset from UTC."""
    days = [r.leaves for r in resources if r.kind == "IntervalBlock" and r.leaves.get("duration") == "86400"]
    starts = _floats([leaves.get("start") for leaves in days])
    return bool(len(starts)) and bool(np.all(np.mod(starts + offset, 86400) == 0))
