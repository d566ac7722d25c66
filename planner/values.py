"""Raw cells -> typed columns in normal form; a cell that does not parse is a problem with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from planner.instants import instant_of, wrong_times
from planner.problems import shown, suggest
from planner.tables import Column, Same, Setting, Table, Type, size_of

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
PLAIN_ID = r"\A[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}\z"  # no leading point: all but a few ids, found at once
MOST = 10  # problems shown of one kind in one column
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Rows = npt.NDArray[np.intp]
Report = Callable[[int, str, str, str], None]
"""Takes a problem of one cell: its row (from 0), what is wrong, the value, a hint."""


class Cells:
    """One column while it is parsed: its raw array, and the place where its problems are collected."""

    def __init__(self, raw: pa.Array, column: Column, report: Report, comma: bool) -> None:
        self.raw, self.column, self.report, self.comma = raw, column, report, comma

    def each(self, rows: Rows, what: str, hint: str = "", values: Sequence[Any] | None = None) -> None:
        """One problem a row, the first few in full and the rest as a number."""
        for row in rows[:MOST]:
            value = self.raw[int(row)].as_py() if values is None else values[int(row)]
            self.report(int(row), what, "" if value is None else shown(value), hint)
        if len(rows) > MOST:
            self.report(int(rows[MOST]), f"{what}, and in {len(rows) - MOST - 1} more rows", "", hint)


def typed(
    columns: dict[str, pa.Array],
    table: Table,
    default: Callable[[str], Any],
    report: Callable[[str, int, str, str, str], None],
    length: int,
    comma: bool = False,
) -> pd.DataFrame:
    """A frame of ``length`` rows with all columns of ``table``, typed, defaults filled, rows as they came.

    ``default(path)`` looks up a setting; ``report(column, row, what, value, hint)`` takes every problem.
    ``comma`` allows decimal commas: where one is used, 1.234 could be a thousand, and is refused.
    """
    out: dict[str, Any] = {}
    comma = comma and any(_commas(raw) for raw in _of_numbers(columns, table))
    for column in table.columns:
        raw = columns.get(column.name)
        if raw is None:
            out[column.name] = _absent(column, length)
            continue

        def tell(row: int, what: str, value: str, hint: str, name: str = column.name) -> None:
            report(name, row, what, value, hint)

        out[column.name] = PARSERS[column.type](Cells(raw, column, tell, comma))
    # arrays alone: pandas would first align the indexes of series
    frame = pd.DataFrame({name: getattr(cells, "array", cells) for name, cells in out.items()})
    for column in table.columns if length else ():
        if isinstance(column.default, Same):
            frame[column.name] = frame[column.name].fillna(frame[column.default.column])
        elif isinstance(column.default, Setting):
            frame[column.name] = frame[column.name].fillna(default(column.default.path))
        if column.type is Type.WHOLE:
            frame[column.name] = frame[column.name].fillna(0).astype("int64")
    return frame


def _absent(column: Column, length: int) -> Any:
    """A column that a file does not have; those of tables without rows are all alike."""
    return _filled(column, length) if length else _nothing(column)


@lru_cache(maxsize=1024)
def _nothing(column: Column) -> Any:
    return _filled(column, 0)


def _filled(column: Column, length: int) -> Any:
    """Its default in every row, or what means missing."""
    plain = None if isinstance(column.default, Same | Setting) else column.default
    if not length and column.type is Type.WHOLE:
        return np.empty(0, dtype=np.int64)
    match column.type:
        case Type.NUMBER | Type.WHOLE:
            return np.full(length, math.nan if plain is None else float(plain))  # type: ignore[arg-type]
        case Type.FLAG:
            return np.full(length, bool(plain))
        case Type.INTERVAL:
            return pd.array(np.full(length, pd.NA), dtype="Int64")
        case Type.INSTANT:
            return pd.Series(pd.DatetimeIndex(np.full(length, np.datetime64("NaT"), "M8[ns]"), tz="UTC"))
    return pd.Series([plain or ""] * length, dtype="str")


def _text(cells: Cells) -> pa.Array:
    """Any raw column as trimmed text, missing as an empty string."""
    array = cells.raw
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        try:
            array = pc.cast(array, pa.string())
        except pa.ArrowException:
            array = pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())
    array = pc.utf8_trim_whitespace(array)
    return pc.fill_null(array, "") if array.null_count else array


def _blank(text: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.equal(pc.binary_length(text), 0))


def _demand(cells: Cells, missing: npt.NDArray[np.bool_]) -> None:
    if cells.column.required and missing.any():
        cells.each(np.flatnonzero(missing), f"{cells.column.name} is missing", values=[""] * len(missing))


def parse_text(cells: Cells) -> pd.Series:
    text = _text(cells)
    blank = _blank(text)
    _demand(cells, blank)
    if cells.column.default and blank.any():
        text = pc.if_else(pa.array(blank), str(cells.column.default), text)
    return pd.Series(text.to_pandas(), dtype="str")


def parse_id(cells: Cells) -> pd.Series:
    text = _text(cells)
    _demand(cells, _blank(text))
    uniques = pc.unique(text)
    odd = uniques.filter(pc.invert(pc.match_substring_regex(uniques, PLAIN_ID))).to_pylist()
    bad = [name for name in odd if name and (not ID.fullmatch(name) or name in (".", ".."))]
    if bad:
        rows = np.flatnonzero(np.asarray(pc.is_in(text, pa.array(bad, pa.string()))))
        hint = "an id has 1 to 64 of A-Z a-z 0-9 . _ - and is not a path; a name for people goes into label"
        cells.each(rows, f"{cells.column.name} is not an id", hint)
    return pd.Series(text.to_pandas(), dtype="str")


def parse_choice(cells: Cells) -> pd.Series:
    series = parse_text(cells)
    uniques = [word for word in series.unique() if word and word not in cells.column.choices]
    for word in uniques:
        rows = np.flatnonzero((series == word).to_numpy())
        cells.each(rows, f"unknown {cells.column.name}", suggest(word, cells.column.choices))
    return series


def parse_flag(cells: Cells) -> npt.NDArray[np.bool_]:
    text = pd.Series(_text(cells).to_pandas(), dtype="str").str.lower()
    bad = ~text.isin([*FLAGS, ""])
    cells.each(np.flatnonzero(bad.to_numpy()), f"{cells.column.name} is neither true nor false", "write true or false")
    known = {**FLAGS, "": bool(cells.column.default)}
    return np.array([known.get(word, False) for word in text], dtype=bool)


def parse_number(cells: Cells) -> npt.NDArray[np.float64]:
    """Floats, NaN where missing; text that is no finite number and numbers out of bounds are reported."""
    values, missing, bad = _floats(cells)
    example = "1234,5 as elsewhere in this file" if cells.comma else "1234.5"
    hint = f"write {example}, without thousands separators or units"
    cells.each(np.flatnonzero(bad), f"{cells.column.name} is not a number", hint)
    _demand(cells, missing)
    _bounds(cells, values)
    default = cells.column.default
    if isinstance(default, int | float):
        values[missing] = float(default)
    return values


def parse_whole(cells: Cells) -> npt.NDArray[np.float64]:
    values = parse_number(cells)
    with np.errstate(invalid="ignore"):
        crooked = np.isfinite(values) & ((values != np.floor(values)) | (np.abs(values) > 2**53))
    cells.each(np.flatnonzero(crooked), f"{cells.column.name} is not a whole number")
    values[crooked] = math.nan
    return values


def parse_interval(cells: Cells) -> Any:
    values = parse_whole(cells)
    low = values < 1
    cells.each(np.flatnonzero(low), "interval is below 1", "intervals are numbered from 1")
    values[low] = math.nan
    return pd.array(values, dtype="Float64").astype("Int64")


def _floats(cells: Cells) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(values, missing, unreadable) of a raw column."""
    array = cells.raw
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        values = np.array(pc.cast(array, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=float)
        missing = np.isnan(values)
        return np.where(np.isinf(values), math.nan, values), missing, np.isinf(values)
    text = _text(cells)
    missing = _blank(text)
    if cells.comma:
        text = _with_points(text)
    try:
        cast = pc.cast(pc.if_else(pa.array(missing), None, text) if missing.any() else text, pa.float64())
        values = np.array(cast.to_numpy(zero_copy_only=False), dtype=float)
    except pa.ArrowException:
        values = np.array([_float(word) for word in text.to_pylist()])
    bad = ~np.isfinite(values) & ~missing
    values[bad] = math.nan
    return values, missing, bad


def _of_numbers(columns: dict[str, pa.Array], table: Table) -> Iterator[pa.Array]:
    """The raw columns of text that hold numbers."""
    names = [column.name for column in table.columns if column.type in (Type.NUMBER, Type.WHOLE, Type.INTERVAL)]
    yield from (columns[name] for name in names if name in columns and pa.types.is_string(columns[name].type))


def _commas(text: pa.Array) -> bool:
    return pc.max(pc.find_substring(text, ",")).as_py() not in (None, -1)


def _with_points(text: pa.Array) -> pa.Array:
    """Decimal commas as points; a number with a point is left broken, since it could part the thousands."""
    ambiguous = pc.greater_equal(pc.find_substring(text, "."), 0)
    return pc.if_else(ambiguous, pc.binary_join_element_wise(text, "?", ""), pc.replace_substring(text, ",", "."))


def _float(word: str) -> float:
    try:
        return math.nan if "_" in word else float(word)
    except ValueError:
        return math.nan


def _bounds(cells: Cells, values: npt.NDArray[np.float64]) -> None:
    """Report what lies outside the column's bounds, in words."""
    column = cells.column
    for broken, words in _broken_bounds(column, values):
        if broken.any():
            cells.each(np.flatnonzero(broken), f"{column.name} {words}")
    if column.most is None and column.below is None and column.type is not Type.INTERVAL:
        _sizes(cells, values)


def _sizes(cells: Cells, values: npt.NDArray[np.float64]) -> None:
    """Report what no city has, most likely a number in another unit; checks after this one see the limit instead."""
    size = size_of(cells.column.name)
    huge = np.flatnonzero(np.abs(values) > size.most)
    if len(huge):
        cells.each(huge, f"{cells.column.name} is not plausible: beyond {size.most:,.0f}", size.hint)
        np.clip(values, -size.most, size.most, out=values)


def _broken_bounds(column: Column, values: npt.NDArray[np.float64]) -> Iterator[tuple[npt.NDArray[np.bool_], str]]:
    if column.least is not None:
        words = "is negative" if column.least == 0 else f"is below {column.least:g}"
        yield values < column.least, words
    if column.above is not None:
        words = "must be above 0" if column.above == 0 else f"must be above {column.above:g}"
        yield values <= column.above, words
    if column.most is not None:
        yield values > column.most, f"is above {column.most:g}"
    if column.below is not None:
        yield values >= column.below, f"must be below {column.below:g}"


def parse_instant(cells: Cells) -> pd.Series:
    """UTC instants, NaT where missing; a time without an offset is refused, not guessed."""
    array = cells.raw
    if pa.types.is_timestamp(array.type):
        return _timestamps(cells)
    coded = _text(cells).dictionary_encode()
    words: list[str] = coded.dictionary.to_pylist()
    parsed = np.array([instant_of(word) for word in words], dtype="M8[ns]")
    codes = coded.indices.to_numpy(zero_copy_only=False)
    for wrong, what, hint in wrong_times(words, parsed):
        if wrong:
            hit = np.isin(codes, wrong)
            cells.each(np.flatnonzero(hit), f"{cells.column.name} {what}", hint)
    values = parsed[codes] if len(words) else np.empty(0, "M8[ns]")
    missing = np.isnat(values)
    if cells.column.required:
        _demand(cells, missing & np.isin(codes, [i for i, word in enumerate(words) if not word]))
    return pd.Series(pd.DatetimeIndex(values, tz="UTC"))


def _timestamps(cells: Cells) -> pd.Series:
    if cells.raw.type.tz is None:
        rows = np.flatnonzero(np.asarray(pc.is_valid(cells.raw)))
        cells.each(rows, f"{cells.column.name} has no offset", "store it with a timezone")
        return pd.Series(pd.DatetimeIndex(np.full(len(cells.raw), np.datetime64("NaT"), "M8[ns]"), tz="UTC"))
    plain = cells.raw.cast(pa.timestamp("ns", tz="UTC")).to_numpy(zero_copy_only=False)
    return pd.Series(pd.DatetimeIndex(plain.astype("M8[ns]"), tz="UTC"))


PARSERS: dict[Type, Callable[[Cells], Any]] = {
    Type.ID: parse_id,
    Type.REF: parse_text,
    Type.TEXT: parse_text,
    Type.CHOICE: parse_choice,
    Type.FLAG: parse_flag,
    Type.NUMBER: parse_number,
    Type.WHOLE: parse_whole,
    Type.INTERVAL: parse_interval,
    Type.INSTANT: parse_instant,
}
