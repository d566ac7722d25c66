"""A case folder -> typed tables in normal form: every file found, read and conformed, every problem with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from planner.canonical import normal
from planner.problems import Problem, closest, suggest
from planner.reading import Lines, Raw, read_raw
from planner.settings import Settings
from planner.tables import BY_STEM, ENDINGS, TABLES, Table, Type, passes, stem_and_ending
from planner.values import typed

Rows = npt.NDArray[np.int64]
PROFILE_ENDINGS = ("_kw", "_pu")


@dataclass(frozen=True)
class Source:
    """Where a table came from: its file, and the data row (from 0) of every row of the frame."""

    file: str
    rows: Rows = field(repr=False)
    lines: Lines | None = field(default=None, repr=False)

    def line(self, row: int) -> int:
        """The line of a row of the frame; its number (from 1) where there is no text file."""
        data_row = int(self.rows[row]) if row < len(self.rows) else row
        if self.lines is None or self.file.endswith(".parquet"):
            return data_row + 1
        return self.lines.of(data_row)


@dataclass
class Tables:
    """What was read: frames by name, their sources, notes and problems.

    ``broken`` tables could not be read as such; in ``doubtful`` ones some cell could not.
    """

    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)


def read_tables(folder: Path, settings: Settings) -> Tables:
    """All tables of a folder; a table without a file is an empty frame with all its columns."""
    out = Tables()
    files = _find(folder, out)
    for table in TABLES:
        if table.name in files:
            _read_table(files[table.name], table, settings, out)
        else:
            out.frames[table.name] = empty(table)
    return out


@lru_cache(maxsize=len(TABLES))
def empty(table: Table) -> pd.DataFrame:
    """The table without rows; one value for all, as no one may change a frame of a case."""
    return normal(typed({}, table, lambda _: np.nan, lambda *_: None, 0), table)[0]


def _find(folder: Path, out: Tables) -> dict[str, Path]:
    """The file of each table; near misses are problems, since a misnamed table would be left out in silence."""
    files: dict[str, Path] = {}
    strangers: list[str] = []
    for path in sorted(folder.iterdir()):
        stem, ending = stem_and_ending(path.name)
        table = BY_STEM.get(stem) if ending else None
        if table is None:
            strangers.append(path.name)
        elif table.name in files:
            out.broken.add(table.name)
            what = f"there is also {files[table.name].name}"
            out.problems.append(Problem(path.name, 0, what, hint="keep one of the two"))
        else:
            files[table.name] = path
    known = {stem + ending for stem in BY_STEM for ending in ENDINGS}
    for name in strangers:
        lower = name.lower()
        if not stem_and_ending(lower)[1] or lower.startswith("expected"):
            continue
        near = closest(lower, known)
        if near and (near == lower or _alike(stem_and_ending(lower)[0], stem_and_ending(near)[0])):
            out.broken.add(BY_STEM[stem_and_ending(near)[0]].name)
            out.problems.append(Problem(name, 0, "is no table of a case", hint=f"did you mean '{near}'?"))
        else:
            out.notes.append(f"{name}: is no table of a case; it was not read")
    return files


def _alike(one: str, other: str) -> bool:
    """Whether two names differ by a plural, a case or a slip of the pen."""
    strip = str.maketrans("", "", "-_ ")
    a, b = one.translate(strip), other.translate(strip)
    if a[:5] == b[:5] and min(len(a), len(b)) >= 5 and abs(len(a) - len(b)) <= 3:
        return True
    return a.rstrip("s") == b.rstrip("s") or (a[:3] == b[:3] and abs(len(a) - len(b)) <= 2 and _slips(a, b) <= 2)


def _slips(a: str, b: str) -> int:
    """Edit distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def _read_table(path: Path, table: Table, settings: Settings, out: Tables) -> None:
    raw = read_raw(path, path.name)
    lines = Lines(path)
    out.notes += raw.notes
    out.problems += raw.problems
    if raw.problems:
        out.broken.add(table.name)
    if not raw.columns:
        out.frames[table.name] = empty(table)
        return
    before = len(out.problems)
    as_read = Source(path.name, rows_of(raw), lines)
    frame, rows = conform(raw, table, settings, out.problems, as_read.line)
    if any(problem.line in (0, 1) for problem in out.problems[before:]):
        out.broken.add(table.name)
    if len(out.problems) > before:
        out.doubtful.add(table.name)
    out.frames[table.name] = frame
    out.sources[table.name] = Source(path.name, rows, lines)


def rows_of(raw: Raw) -> Rows:
    return np.arange(len(raw), dtype=np.int64)


def conform(
    raw: Raw, table: Table, settings: Settings, problems: list[Problem], line: Callable[[int], int]
) -> tuple[pd.DataFrame, Rows]:
    """Raw cells as a frame in normal form, and the data row (from 0) that each of its rows came from."""
    columns, origin = dict(raw.columns), rows_of(raw)
    if table.name == "profiles" and "profile" not in columns:
        columns, origin = _long(raw, problems)
    columns = _known(columns, table, raw.file, problems)

    def report(column: str, row: int, what: str, value: str, hint: str) -> None:
        problems.append(Problem(raw.file, line(int(origin[row])), what, value, hint))

    frame = typed(columns, table, settings.get, report, len(origin), raw.decimal_comma)
    if table.name == "orders":
        _quantities(frame, settings, report)
        frame["row"] = origin + 1
    frame, order = normal(frame, table)
    return frame, origin[order]


def _known(columns: dict[str, pa.Array], table: Table, file: str, problems: list[Problem]) -> dict[str, pa.Array]:
    """The columns that the table knows; unknown and missing ones are problems of the header row."""
    for name in columns:
        if name not in table.names and not passes(name) and (table.name, name) != ("orders", "row"):
            hint = suggest(name, table.names, limit=30)
            problems.append(Problem(file, 1, "unknown column", name, hint))
    for column in table.columns:
        if column.required and column.name not in columns and not (table.name == "profiles" and not columns):
            problems.append(Problem(file, 1, f"column '{column.name}' is missing"))
    has_time = any(column.type is Type.INTERVAL for column in table.columns)
    if has_time and not table.timed and "interval" not in columns and "start" not in columns:
        problems.append(Problem(file, 1, "column 'interval' or 'start' is missing"))
    return {name: cells for name, cells in columns.items() if name in table.names}


def _long(raw: Raw, problems: list[Problem]) -> tuple[dict[str, pa.Array], Rows]:
    """One column per profile -> rows of (profile, time, value); an empty cell is no row."""
    times = {name: cells for name, cells in raw.columns.items() if name in ("interval", "start")}
    names = [name for name in raw.columns if name not in times and not passes(name)]
    for name in names:
        if not name.endswith(PROFILE_ENDINGS):
            what = "a profile's name must end in _kw or _pu"
            problems.append(Problem(raw.file, 1, what, name, "_kw is used as it is, _pu is scaled"))
    n = len(raw)
    if not names:
        return {**times, "profile": pa.array([""] * n), "value": pa.array([0.0] * n)}, rows_of(raw)
    cells = [raw.columns[name] for name in names]
    if len({array.type for array in cells}) > 1:
        cells = [pc.cast(array, pa.string()) for array in cells]
    value = pa.concat_arrays(cells)
    profile = pa.DictionaryArray.from_arrays(np.repeat(np.arange(len(names), dtype=np.int32), n), pa.array(names))
    columns = {name: pa.concat_arrays([array] * len(names)) for name, array in times.items()}
    columns |= {"profile": profile.dictionary_decode(), "value": value}
    if pa.types.is_string(value.type):
        there = pc.not_equal(pc.utf8_trim_whitespace(pc.fill_null(value, "")), "")
    else:
        there = pc.invert(pc.is_null(value, nan_is_null=True))
    keep = np.flatnonzero(np.asarray(there))
    origin = np.tile(rows_of(raw), len(names))
    if len(keep) < len(origin):
        columns = {name: array.take(pa.array(keep)) for name, array in columns.items()}
    return columns, origin[keep]


def _quantities(frame: pd.DataFrame, settings: Settings, report: Callable[[str, int, str, str, str], None]) -> None:
    """quantity_mw, held for one interval, as quantity_kwh; a row says one of the two."""
    kwh, mw = frame["quantity_kwh"].to_numpy(), frame["quantity_mw"].to_numpy()
    both = ~np.isnan(kwh) & ~np.isnan(mw)
    for row in np.flatnonzero(both)[:10]:
        report("quantity_mw", int(row), "quantity_kwh and quantity_mw are both given", "", "keep one of the two")
    frame["quantity_kwh"] = np.where(np.isnan(kwh), mw * 1000 * settings.interval_minutes / 60, kwh)
    frame["quantity_mw"] = np.nan


def conform_frame(frame: pd.DataFrame, table: Table, settings: Settings) -> tuple[pd.DataFrame, list[Problem]]:
    """A frame made in Python in the normal form of its table, with the problems of its cells (line: the row)."""
    problems: list[Problem] = []
    raw = Raw(table.file, None, {str(name): _raw(frame[name]) for name in frame.columns})
    return conform(raw, table, settings, problems, lambda row: row + 1)[0], problems


def _raw(series: pd.Series) -> pa.Array:
    try:
        array = pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError):
        words = [None if value is None or value is pd.NA else str(value) for value in series]
        array = pa.array(words, pa.string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def plain_rows(frames: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Rows per table that has any."""
    return {name: len(frame) for name, frame in frames.items() if len(frame)}
