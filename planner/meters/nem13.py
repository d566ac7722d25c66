"""NEM13, accumulated register readings of the Australian market: one 250 record is one billing period.

The energy between two readings is one row of many days.  It is kept, but never an interval series: a
forecast leaves rows longer than a day out and says so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from planner.meters import nem_records, table
from planner.meters.nem12_days import MARKET_OFFSET_S, QUALITY
from planner.meters.nem_records import Record
from planner.meters.reader import Options, Rows, implausible
from planner.meters.registers import Part, summed
from planner.meters.report import FileReport, Finding, examples
from planner.meters.source import Source, decoded
from planner.problems import Problem

DIRECTIONS = {"E": "import", "I": "export"}  # seen from the network: export from it is the customer's import


def recognise(source: Source, head: str) -> bool:
    """A 100 record that says NEM13, or a 250 record where the 100 is missing."""
    return nem_records.first(head, ("100", "NEM13")) or nem_records.first(head, ("250",), least=20)


def read(source: Source, options: Options) -> Rows:
    """One row per register and reading period."""
    text = decoded(source)
    records = nem_records.split(text.text)
    parts: list[Part] = []
    problems: list[Problem] = []
    reversed_: list[tuple[str, int]] = []
    for record in records:
        if record.kind == "250":
            outcome = _period(record, source.name, reversed_)
            (problems if isinstance(outcome, Problem) else parts).append(outcome)  # type: ignore[arg-type]
        elif record.kind not in ("100", "550", "900"):
            problems.append(Problem(source.name, record.line, "unknown record", record.kind[:20]))
    if not parts and not problems:
        problems.append(Problem(source.name, 1, "holds no readings", hint="the file has no 250 record"))
    frame, findings = summed(_apart(parts))
    frame, negative = implausible(source.name, frame)
    note = "export written negative, its sign was taken off"
    signs = [Finding("sign", m, "export", 1, examples([n]), note) for m, n in reversed_]
    report = FileReport(source.name, "nem13", encoding=text.encoding, delimiter=",", decimal=".")
    report = replace(
        report,
        rows_read=len(parts) + len(problems),
        rows_rejected=len(problems) + len(negative),
        convention="previous and current reading",
    )
    report = replace(report, convention_from="specification", timezone="UTC+10:00", timezone_from="specification")
    notes = (*text.notes, *nem_records.frame_notes(records, "NEM13"), "accumulated readings, not intervals")
    report = replace(report, unit="to kWh", findings=(*signs, *findings), notes=notes)
    return Rows(frame, report, (*problems, *negative))


def _period(record: Record, file: str, reversed_: list[tuple[str, int]]) -> Part | Problem:
    if len(record.fields) < 20:
        return Problem(file, record.line, "250 record is too short", str(len(record.fields)), "22 fields or more")
    fields = record.fields
    channel = DIRECTIONS.get(fields[7].upper())
    first, last, scale = _instant(fields[9]), _instant(fields[14]), nem_records.to_kwh(fields[19])
    if channel is None:
        return Problem(file, record.line, "direction is not known", fields[7], "E or I")
    if first is None or last is None or last - first < 60:
        return Problem(file, record.line, "reading times cannot be used", f"{fields[9]} to {fields[14]}")
    if scale is None:
        return Problem(file, record.line, "unit is not an energy", fields[19], "Wh, kWh or MWh")
    if not nem_records.is_number(fields[18]):
        return Problem(file, record.line, "quantity is not a number", fields[18])
    energy = float(fields[18]) * scale
    if channel == "export" and energy < 0:
        energy = -energy
        reversed_.append((fields[1], record.line))
    quality = QUALITY.get(fields[15][:1].upper(), "estimated")
    minutes = np.array([(last - first + 59) // 60])  # stamps may lie a second inside the period
    frame = table.build(fields[1], channel, [first - first % 60], minutes, energy, quality, record.line)
    return Part(fields[1], channel, fields[4], frame)


def _apart(parts: list[Part]) -> list[Part]:
    """Registers read at different times cannot be summed: each becomes a meter ``NMI.register`` of its own."""
    periods: dict[tuple[str, str], dict[str, set[tuple[int, int]]]] = {}
    for part in parts:
        row = part.frame.iloc[0]
        mine = periods.setdefault((part.meter, part.channel), {}).setdefault(part.register, set())
        mine.add((row["start"].value, int(row["minutes"])))
    return [_own(part) if _differ(periods[part.meter, part.channel]) else part for part in parts]


def _differ(registers: dict[str, set[tuple[int, int]]]) -> bool:
    return len({frozenset(periods) for periods in registers.values()}) > 1


def _own(part: Part) -> Part:
    meter = f"{part.meter}.{part.register}"
    return Part(meter, part.channel, part.register, part.frame.assign(meter=table.category(meter, len(part.frame))))


def _instant(text: str) -> int | None:
    """Epoch seconds of a stamp in market time."""
    try:
        return (
            int(datetime.strptime(text[:14].ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())
            - MARKET_OFFSET_S
        )
    except ValueError:
        return None
