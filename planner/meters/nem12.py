"""NEM12, the interval data of the Australian market (AEMO MDFF).

Records by their first field: 100 header, 200 a meter's register with unit and interval length, 300 a
day of values, 400 quality of ranges of that day, 500 transactions, 900 end.  Value n of a day ends at
n x length after midnight of market time, UTC+10:00 all year.  A suffix in E is import, in B export, in
Q or K reactive energy, which is ignored and reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from planner.meters import nem_records, registers, table
from planner.meters.nem12_days import DIRECTIONS, Day, Reading, Register, quality_range, read_day, read_register
from planner.meters.nem_records import Record
from planner.meters.reader import Options, Rows, implausible
from planner.meters.report import FileReport, Finding, examples
from planner.meters.source import Source, decoded


def recognise(source: Source, head: str) -> bool:
    """A 100 record that says NEM12, or a 200 record with its nine fields where the 100 is missing."""
    return nem_records.first(head, ("100", "NEM12")) or nem_records.first(head, ("200",), least=9)


def read(source: Source, options: Options) -> Rows:
    """Rows of every energy register, registers of one direction summed."""
    text = decoded(source)
    reading = Reading(source.name)
    records = nem_records.split(text.text)
    reading.notes += nem_records.frame_notes(records, "NEM12")
    _collect(reading, records)
    days = _latest(reading)
    frame, more = registers.summed(_parts(days))
    if not reading.values and not reading.reactive and not reading.problems:
        reading.reject(1, "holds no interval records", hint="the file has no 300 record with energy")
    frame, negative = implausible(source.name, frame)
    report = FileReport(
        source.name,
        "nem12",
        encoding=text.encoding,
        delimiter=",",
        decimal=".",
        rows_read=reading.values,
        rows_rejected=0,
        convention="interval number n ends n lengths after midnight",
        convention_from="specification",
        timezone="UTC+10:00",
        timezone_from="specification",
        unit=", ".join(sorted({_conversion(day.register.to_kwh) for day in days})),
        findings=(*reading.findings, *_reactive(reading), *more),
        notes=(*text.notes, *reading.notes),
    )
    rejected = reading.values - sum(len(day.values) for day in days) - _superseded(reading)
    return Rows(frame, replace(report, rows_rejected=max(rejected, 0) + len(negative)), (*reading.problems, *negative))


def _collect(reading: Reading, records: tuple[Record, ...]) -> None:
    """Walk the records; a bad one is rejected and the walk goes on."""
    register: Register | None = None
    day: Day | None = None
    for record in records:
        if record.kind == "200":
            register, day = read_register(reading, record), None
        elif record.kind == "300":
            day = read_day(reading, record, register)
            if day is not None:
                reading.days.append(day)
        elif record.kind == "400":
            if day is not None:
                quality_range(reading, record, day)
        elif record.kind not in ("100", "500", "900"):
            reading.reject(record.line, "unknown record", record.kind[:20], "expected 100, 200, 300, 400, 500 or 900")
    for known in reading.days:
        _finish(reading, known)


def _finish(reading: Reading, day: Day) -> None:
    """Intervals that no 400 record covers although the day says V count as estimated."""
    open_ = day.quality == ""
    if open_.any():
        note = "quality V, but no 400 record covers them: taken as estimated"
        count = int(open_.sum())
        channel = day.register.channel or ""
        reading.findings.append(Finding("quality_unknown", day.register.meter, channel, count, (day.line,), note))
        day.quality[open_] = "estimated"


def _latest(reading: Reading) -> list[Day]:
    """One day per register and date: the last update wins; contradictions without one are rejected."""
    groups: dict[tuple[str, str, int], list[Day]] = {}
    for day in reading.days:
        key = (day.register.meter, day.register.suffix, day.midnight_s)
        groups.setdefault(key, []).append(day)
    kept: list[Day] = []
    for days in groups.values():
        newest = max(day.updated for day in days)
        last = [day for day in days if day.updated == newest]
        same = all(np.array_equal(day.values, last[0].values) for day in last)
        if not same:
            lines = ", ".join(str(day.line) for day in last)
            hint = "no update stamp says which is later; remove one"
            reading.reject(last[-1].line, "days contradict each other", f"lines {lines}", hint)
            continue
        kept.append(last[0])
        if len(days) > 1:
            reading.findings.append(_older(days, last))
    return kept


def _older(days: list[Day], last: list[Day]) -> Finding:
    gone = [day for day in days if day is not last[0]]
    what = "superseded" if len(last) < len(days) else "exact_duplicate"
    register, count = days[0].register, sum(len(day.values) for day in gone)
    note = "the last update wins" if what == "superseded" else "the same day again"
    return Finding(what, register.meter, register.channel or "", count, examples(d.line for d in gone), note)


def _superseded(reading: Reading) -> int:
    return sum(f.count for f in reading.findings if f.what in ("superseded", "exact_duplicate"))


def _parts(days: list[Day]) -> list[registers.Part]:
    """All days of one register in one frame."""
    groups: dict[tuple[str, str, int], list[Day]] = {}
    for day in days:
        groups.setdefault((day.register.meter, day.register.suffix, day.register.minutes), []).append(day)
    parts = []
    for (meter, suffix, minutes), mine in groups.items():
        channel, steps = DIRECTIONS[suffix[:1]], 60 * minutes * np.arange(1440 // minutes)
        starts = np.concatenate([day.midnight_s + steps for day in mine])
        values, quality = np.concatenate([day.values for day in mine]), np.concatenate([day.quality for day in mine])
        lines = np.repeat([day.line for day in mine], len(steps))
        frame = table.build(meter, channel, starts, minutes, values, quality, lines)
        parts.append(registers.Part(meter, channel, suffix, frame))
    return parts


def _reactive(reading: Reading) -> Iterator[Finding]:
    for (meter, suffix), days in sorted(reading.reactive.items()):
        yield Finding("reactive", meter, "", days, (), f"days of register {suffix} ignored: not energy")


def _conversion(scale: float) -> str:
    return {1.0: "kWh as written", 1e-3: "Wh / 1000", 1e3: "MWh x 1000"}.get(scale, f"x {scale:g}")
