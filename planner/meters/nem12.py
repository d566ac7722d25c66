"""NEM12, the interval data of the Australian market (AEMO MDFF).

Records by their first field: 100 header, 200 a meter's register with unit and interval length, 300 a
day of values, 400 quality of ranges of that day, 500 transactions, 900 end.  Value n of a day ends at
n x length after midnight of market time, UTC+10:00 all year.  A suffix in E is import, in B export, in
Q or K reactive energy, which is ignored and reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from planner.meters import nem_records, registers, table
from planner.meters.nem_records import Record
from planner.meters.reader import Options, Rows, implausible
from planner.meters.report import FileReport, Finding, examples
from planner.meters.source import Source, decoded
from planner.problems import Problem

MARKET_OFFSET_S = 10 * 3600
DIRECTIONS = {"E": "import", "B": "export"}
LENGTHS = (5, 10, 15, 20, 30, 60)
QUALITY = {"A": "actual", "E": "estimated", "F": "substituted", "S": "substituted", "N": "missing"}


@dataclass(frozen=True, slots=True)
class Register:
    """A 200 record: the register that the following days belong to."""

    meter: str
    suffix: str
    minutes: int
    to_kwh: float
    line: int

    @property
    def count(self) -> int:
        """Values a day."""
        return 1440 // self.minutes

    @property
    def channel(self) -> str | None:
        return DIRECTIONS.get(self.suffix[:1])


@dataclass(slots=True)
class Day:
    """A 300 record with the 400 ranges that follow it; ``quality`` is empty where none was said."""

    register: Register
    midnight_s: int
    values: np.ndarray
    quality: np.ndarray
    updated: str
    line: int


@dataclass(slots=True)
class Reading:
    """What has been read so far."""

    file: str
    days: list[Day] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reactive: dict[tuple[str, str], int] = field(default_factory=dict)
    values: int = 0

    def reject(self, line: int, what: str, value: str = "", hint: str = "") -> None:
        self.problems.append(Problem(self.file, line, what, value, hint))


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
    return Rows(frame, replace(report, rows_rejected=max(rejected, 0)), (*reading.problems, *negative))


def _collect(reading: Reading, records: tuple[Record, ...]) -> None:
    """Walk the records; a bad one is rejected and the walk goes on."""
    register: Register | None = None
    day: Day | None = None
    for record in records:
        if record.kind == "200":
            register, day = _register(reading, record), None
        elif record.kind == "300":
            day = _day(reading, record, register)
            if day is not None:
                reading.days.append(day)
        elif record.kind == "400":
            if day is not None:
                _range(reading, record, day)
        elif record.kind not in ("100", "500", "900"):
            reading.reject(record.line, "unknown record", record.kind[:20], "expected 100, 200, 300, 400, 500 or 900")
    for known in reading.days:
        _finish(reading, known)


def _register(reading: Reading, record: Record) -> Register | None:
    if len(record.fields) < 9:
        reading.reject(record.line, "200 record is too short", str(len(record.fields)), "9 fields or more")
        return None
    meter, suffix = record.fields[1], record.fields[4].upper()
    unit, length = record.fields[7], record.fields[8]
    if not length.isdigit() or int(length) not in LENGTHS:
        reading.reject(record.line, "interval length is not known", length, "5, 15 or 30 minutes")
        return None
    if suffix[:1] not in "EBQK" or not suffix:
        reading.reject(record.line, "suffix is not known", suffix, "E import, B export, Q or K reactive")
        return None
    scale = nem_records.to_kwh(unit)
    if scale is None and suffix[:1] in DIRECTIONS:
        reading.reject(record.line, "unit is not an energy", unit, "Wh, kWh or MWh")
        return None
    return Register(meter, suffix, int(length), scale or 0.0, record.line)


def _day(reading: Reading, record: Record, register: Register | None) -> Day | None:
    if register is None:
        reading.reject(record.line, "day without a valid 200 record before it")
        return None
    if register.channel is None:
        key = (register.meter, register.suffix)
        reading.reactive[key] = reading.reactive.get(key, 0) + 1
        return None
    midnight = _midnight(record.fields[1] if len(record.fields) > 1 else "")
    if midnight is None:
        reading.reject(record.line, "date is not yyyymmdd", record.fields[1] if len(record.fields) > 1 else "")
        return None
    cells = nem_records.numbers_before_quality(record.fields[2:], register.count)
    reading.values += len(cells)
    if len(cells) != register.count:
        reading.reject(record.line, *_mismatch(len(cells), register))
        return None
    values = _numbers(cells)
    if values is None:
        bad = next(cell for cell in cells if not nem_records.is_number(cell))
        reading.reject(record.line, "value is not a number", bad[:20] or "empty")
        return None
    tail = record.fields[2 + register.count :]
    flag = tail[0] if tail else ""
    updated = nem_records.stamp(tail[3]) if len(tail) > 3 else ""
    quality = np.full(register.count, QUALITY.get(flag[:1].upper(), ""), dtype=object)
    if flag[:1].upper() not in (*QUALITY, "V"):
        reading.findings.append(Finding("no_quality_flag", register.meter, "", 1, (record.line,), "taken as estimated"))
        quality[:] = "estimated"
    return Day(register, midnight, values * register.to_kwh, quality, updated, record.line)


def _mismatch(count: int, register: Register) -> tuple[str, str, str]:
    """What, value and hint for a day with another number of values than its register says."""
    expected = f"{register.count} values expected from line {register.line} ({register.minutes} minutes)"
    if count and 1440 % count == 0 and 1440 // count in LENGTHS:
        hint = f"the row looks like {1440 // count}-minute data; correct the interval length of the 200 record"
        return "number of values does not fit the interval length", f"{count}; {expected}", hint
    return "day is incomplete", f"{count} values; {expected}", "ask for the file again"


def _range(reading: Reading, record: Record, day: Day) -> None:
    """A 400 record gives intervals first..last (inclusive, from 1) their quality."""
    cells = [*record.fields[1:4], "", "", ""]
    first, last, flag = cells[0], cells[1], cells[2][:1].upper()
    if not (first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) <= day.register.count):
        value = f"{first}-{last} of {day.register.count}"
        reading.reject(record.line, "quality range does not fit the day", value, "check the interval length")
        return
    if flag not in QUALITY:
        what = "a range of quality V has no quality of its own" if flag == "V" else "quality is not known"
        reading.reject(record.line, what, flag, f"one of {', '.join(QUALITY)}")
        return
    day.quality[int(first) - 1 : int(last)] = QUALITY[flag]


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


def _midnight(text: str) -> int | None:
    """Epoch seconds of a market day's first instant."""
    try:
        return int(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).timestamp()) - MARKET_OFFSET_S
    except ValueError:
        return None


def _numbers(cells: list[str]) -> np.ndarray | None:
    try:
        values = np.array(cells, dtype="float64")
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _conversion(scale: float) -> str:
    return {1.0: "kWh as written", 1e-3: "Wh / 1000", 1e3: "MWh x 1000"}.get(scale, f"x {scale:g}")
