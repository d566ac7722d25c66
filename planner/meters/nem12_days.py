"""NEM12 records one by one: a 200 makes a register, a 300 a day of values, a 400 a range of quality."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from planner.meters import nem_records
from planner.meters.nem_records import Record
from planner.meters.report import Finding
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


def read_register(reading: Reading, record: Record) -> Register | None:
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


def read_day(reading: Reading, record: Record, register: Register | None) -> Day | None:
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


def quality_range(reading: Reading, record: Record, day: Day) -> None:
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
