"""Records of NEM12 and NEM13 files: lines to fields, and the words both share."""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = ("100", "200", "250", "300", "400", "500", "550", "900")
SCALES = {"wh": 1e-3, "kwh": 1.0, "mwh": 1e3}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_FLAG = re.compile(r"[AEFNSV]\d{0,3}$", re.IGNORECASE)
_STAMP = re.compile(r"\d{8}(\d{4,6})?$")


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its fields, blanks trimmed, and the line it begins on."""

    line: int
    fields: tuple[str, ...]
    broken_over: int = 1

    @property
    def kind(self) -> str:
        return self.fields[0]


def split(text: str) -> tuple[Record, ...]:
    """Records of a file; a day that was broken over lines is put together again (``broken_over`` > 1)."""
    records: list[Record] = []
    for number, row in enumerate(text.splitlines(), start=1):
        if not row.strip(", \t\ufeff"):
            continue
        fields = tuple(field.strip().strip('"') for field in row.lstrip("\ufeff").split(","))
        last = records[-1] if records else None
        if fields[0] not in KINDS and last is not None and last.kind == "300" and _open(last) and is_number(fields[0]):
            records[-1] = Record(last.line, last.fields[:-1] + fields, last.broken_over + 1)
        else:
            records.append(Record(number, fields))
    return tuple(records)


def first(head: str, start: tuple[str, ...], least: int = 0) -> bool:
    """Whether the first record begins with these fields and has at least so many."""
    for row in head.splitlines():
        if row.strip(", \t\ufeff"):
            fields = [field.strip().strip('"').upper() for field in row.lstrip("\ufeff").split(",")]
            return tuple(fields[: len(start)]) == start and len(fields) >= least
    return False


def frame_notes(records: tuple[Record, ...], version: str) -> list[str]:
    """What is odd about the frame of a file: a missing 100 or 900 record, several, or broken days."""
    kinds = [record.kind for record in records]
    notes = [] if "100" in kinds else [f"no 100 record: taken as {version}"]
    notes += [] if "900" in kinds else ["no 900 record: the file may have been cut off"]
    notes += [f"{kinds.count('900')} files in one: {kinds.count('900')} end records"] if kinds.count("900") > 1 else []
    broken = [record for record in records if record.broken_over > 1]
    notes += [f"line {r.line}: a day broken over {r.broken_over} lines was put together" for r in broken]
    return notes


def to_kwh(unit: str) -> float | None:
    """Factor to kWh, nothing if the unit is not an energy."""
    return SCALES.get(unit.strip().lower())


def is_number(cell: str) -> bool:
    """A plain decimal number, as the format writes them."""
    return bool(_NUMBER.match(cell))


def numbers_before_quality(cells: tuple[str, ...], expected: int) -> list[str]:
    """The cells up to the quality flag, the first that looks like one (A, E52, F14, V).

    Where the flag is empty, what stands before the first empty cell after ``expected`` values or more.
    """
    end = next((i for i, cell in enumerate(cells) if _FLAG.match(cell)), None)
    if end is None and len(cells) > expected:
        end = next((i for i in range(expected, len(cells)) if not cells[i]), None)
    values = list(cells[:end])
    while end is None and values and not values[-1]:
        values.pop()
    return values


def stamp(text: str) -> str:
    """An update stamp that can be compared, empty if it cannot (a spreadsheet writes 2.01811E+13)."""
    return text.ljust(14, "0") if _STAMP.match(text) else ""


def _open(record: Record) -> bool:
    """A 300 record that ends in a comma before any quality flag."""
    return record.fields[-1] == "" and not any(field[:1].isalpha() for field in record.fields)
