"""Cells of a table in a file: typed by Arrow where all is well, else text with the line of every row."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from planner.meters.reader import several
from planner.meters.report import FileReport
from planner.meters.source import Source, decoded
from planner.problems import Problem

_STAMP = pa.timestamp("s", tz="UTC")
_WORD = pa.dictionary(pa.int32(), pa.string())
_FAST = {"meter": _WORD, "channel": _WORD, "quality": _WORD, "start": _STAMP, "end": _STAMP}
_FAST |= {"minutes": pa.int32(), "energy_kwh": pa.float64()}


@dataclass(frozen=True, slots=True)
class Cells:
    """Columns of a file as read (typed, or text where typing failed) with the line of every row."""

    columns: Mapping[str, pd.Series]
    line: np.ndarray
    report: FileReport
    problems: tuple[Problem, ...] = ()
    ragged: int = 0


def header(head: str) -> tuple[list[str], str]:
    """Names of the first line and its delimiter."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    return [name.strip().strip('"') for name in first.split(delimiter)], delimiter


def from_parquet(source: Source) -> Cells:
    report = FileReport(source.name, "canonical", encoding="parquet")
    try:
        content = pa.parquet.read_table(io.BytesIO(source.data))
    except (pa.ArrowException, OSError, ValueError) as error:
        return Cells({}, np.empty(0), report, (Problem(source.name, 0, "is a damaged parquet file", str(error)[:80]),))
    columns = {name: content[name].to_pandas() for name in content.column_names}
    return Cells(columns, np.arange(1, content.num_rows + 1), report)


def from_csv(source: Source) -> Cells:
    head = source.data[:65536].decode("latin-1")
    names, delimiter = header(head.removeprefix("ï»¿"))
    report = FileReport(source.name, "canonical", encoding="UTF-8", delimiter=delimiter, decimal=".")
    if source.data.startswith(b"\xef\xbb\xbf"):
        report = replace(report, encoding="UTF-8 with BOM")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        return Cells({}, np.empty(0), report, (Problem(source.name, 1, "column appears twice", ", ".join(twice)),))
    fast = None if delimiter == ";" else _typed(source, names, delimiter)
    if fast is not None:
        return Cells(fast, np.arange(2, 2 + len(next(iter(fast.values())))), report)
    text = decoded(source)
    return _as_text(replace(report, encoding=text.encoding, notes=text.notes), text.text, delimiter)


def _typed(source: Source, names: list[str], delimiter: str) -> dict[str, pd.Series] | None:
    """Columns read and typed by Arrow in one go, or nothing if any cell resists."""
    known = {name: _FAST[name] for name in names if name in _FAST}
    known |= {name: pa.float64() for name in names if ":" in name}
    try:
        content = pa.csv.read_csv(
            pa.BufferReader(source.data),
            read_options=pa.csv.ReadOptions(block_size=1 << 23),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=False),
            convert_options=pa.csv.ConvertOptions(column_types=known, null_values=["", "nan", "NaN", "NA"]),
        )
    except pa.ArrowException:
        return None
    lines = source.data.count(b"\n") + (not source.data.endswith(b"\n"))
    if content.column_names != names or content.num_rows == 0 or content.num_rows != lines - 1:
        return None  # blank lines or quoted line ends would shift the line numbers
    return {name: content[name].to_pandas(date_as_object=False) for name in names}


def _as_text(report: FileReport, text: str, delimiter: str) -> Cells:
    """Cells as text, with true line numbers; ragged rows are rejected one by one."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    lines: list[int] = []
    names: list[str] = []
    ragged: list[tuple[int, int]] = []
    before = 1
    try:
        for row in reader:
            at, before = before, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if not names:
                names = [name.strip() for name in row]
            elif len(row) == len(names):
                rows.append(row)
                lines.append(at)
            else:
                ragged.append((at, len(row)))
    except csv.Error as error:
        problem = Problem(report.file, reader.line_num, "is not CSV", str(error))
        return Cells({}, np.empty(0), report, (problem,))
    what = f"does not have the {len(names)} cells of the header"
    problems = several(report.file, [a for a, _ in ragged], what, [n for _, n in ragged], "")
    if not rows:
        none = Problem(report.file, 0, "holds no readings", hint="only a header was found" if names else "it is empty")
        return Cells({}, np.empty(0), report, (*problems, none))
    columns = {name: pd.Series(cells, dtype=object) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}
    decimal = "," if delimiter == ";" else "."
    return Cells(columns, np.array(lines), replace(report, decimal=decimal), tuple(problems), len(ragged))
