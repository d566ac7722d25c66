"""Columns to files, the same bytes for the same values: CSV and parquet without clocks or versions of ours in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from planner.money import amount_text, energy_text, price_text
from planner.stretches import stretches

Lengths = npt.NDArray[np.int64]
LINE_FEED = 10


class Clock:
    """Intervals and local starts of one horizon as columns."""

    def __init__(self, starts: Sequence[datetime], timezone: str) -> None:
        zone = ZoneInfo(timezone)
        self.texts = pa.array([start.astimezone(zone).isoformat() for start in starts], type=pa.string())

    def columns(self, intervals: npt.NDArray[np.int64], repeats: int = 1) -> dict[str, Any]:
        """Columns interval (from 1) and start for ``intervals`` counted from 0, the whole repeated."""
        codes = np.tile(intervals, repeats)
        return {"interval": codes + 1, "start": self.texts.take(pa.array(codes))}


def repeated(names: Sequence[str], times: int) -> pa.Array:
    """A text column that says every name ``times`` times in a row."""
    return pa.array(list(names), type=pa.string()).take(pa.array(np.repeat(np.arange(len(names)), times)))


def write_csv(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns (arrow arrays, numpy arrays or lists; NaN and None become empty) under a plain header."""
    arrays = [column if isinstance(column, pa.Array) else _array(column) for column in columns.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(csv_bytes(pa.table(arrays, names=list(columns))))


def _array(column: Any) -> pa.Array:
    if isinstance(column, pd.Series) and isinstance(column.dtype, pd.CategoricalDtype):
        column = column.array
    if isinstance(column, pd.Categorical):
        names = pa.array([str(name) for name in column.categories], type=pa.string())
        return names.take(pa.array(column.codes))
    return pa.array(column, from_pandas=True)


def csv_bytes(table: pa.Table) -> bytes:
    """A table under a plain header; quotes round every text where any needs them."""
    try:
        body = _csv_body(table, "none")
    except pa.ArrowInvalid:
        body = _csv_body(table, "needed")
    return _csv_header(table) + body


def _csv_header(table: pa.Table) -> bytes:
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(table.column_names)
    return header.getvalue().encode()


def _csv_body(table: pa.Table, quoting: Literal["none", "needed"]) -> bytes:
    """The rows; without quotes raises ArrowInvalid where a cell needs them, and has a line feed a row."""
    body = io.BytesIO()
    pacsv.write_csv(table, body, pacsv.WriteOptions(include_header=False, quoting_style=quoting))
    return body.getvalue()


def write_csvs(paths: Sequence[Path], columns: Mapping[str, Any], lengths: Sequence[int] | Lengths) -> None:
    """As ``write_csv``, the rows of many files one after another: the next ``lengths[i]`` rows are file i's."""
    arrays = [column if isinstance(column, pa.Array) else _array(column) for column in columns.values()]
    _write_parts(paths, pa.table(arrays, names=list(columns)), np.asarray(lengths, dtype=np.int64))


def _write_parts(paths: Sequence[Path], table: pa.Table, lengths: Lengths) -> None:
    for path, content in zip(paths, csv_parts(table, lengths), strict=True):
        path.write_bytes(content)


def csv_parts(table: pa.Table, lengths: Lengths) -> Iterator[bytes]:
    """The CSV of each stretch of rows as it would be written by itself: formatted once, cut at line feeds."""
    last = np.cumsum(lengths)
    try:
        body = _csv_body(table, "none")
    except pa.ArrowInvalid:  # some cell needs quotes, and with it all text of its own file alone
        yield from (csv_bytes(table.slice(end - n, n)) for end, n in zip(last, lengths, strict=True))
        return
    header = _csv_header(table)
    feeds = np.concatenate([[0], np.flatnonzero(np.frombuffer(body, dtype=np.uint8) == LINE_FEED) + 1])
    for first, end in zip(feeds[last - lengths], feeds[last], strict=True):
        yield header + body[first:end]


def write_ledger(path: Path, frame: pd.DataFrame, clock: Clock) -> None:
    """Write a frame of planner.settlement: Wh, nano-currency per Wh and nano-currency become exact decimals."""
    write_csv(path, ledger_columns(frame, clock))


def ledger_bytes(frame: pd.DataFrame, starts: Sequence[datetime], timezone: str) -> bytes:
    """The same file as bytes."""
    columns = ledger_columns(frame, Clock(starts, timezone))
    return csv_bytes(pa.table(list(columns.values()), names=list(columns)))


def ledger_columns(frame: pd.DataFrame, clock: Clock) -> dict[str, pa.Array]:
    """Columns of a ledger as its file has them."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        if name == "interval":
            day = frame["interval"].isna().to_numpy()
            codes = frame["interval"].fillna(1).to_numpy(dtype=np.int64) - 1
            columns["interval"] = pa.array(codes + 1, mask=day)
            columns["start"] = clock.texts.take(pa.array(codes, mask=day))
        elif name == "energy_wh":
            unpriced = frame["price_nano"].isna().to_numpy() & frame["energy_wh"].eq(0).to_numpy()
            columns["energy_kwh"] = energy_text(frame[name].to_numpy(), missing=unpriced)
        elif name == "price_nano":
            missing = frame[name].isna().to_numpy()
            columns["price_per_mwh"] = price_text(frame[name].fillna(0).to_numpy(dtype=np.int64), missing=missing)
        elif name == "amount_nano":
            columns["amount"] = amount_text(frame[name].to_numpy())
        elif name != "start":
            columns[name] = _array(frame[name])
    return columns


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as parquet, without pandas' own metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def content_bytes(path: Path) -> bytes:
    """What a table says, whatever wrote it: a CSV's bytes; a parquet's rows as CSV."""
    return csv_bytes(pq.read_table(path)) if path.suffix == ".parquet" else path.read_bytes()


def write_contract_table(path: Path, frame: pd.DataFrame, timezone: str) -> None:
    """Write rows of a case table as a person would: flags in words, local starts, nothing for what is missing.

    Columns in which every cell is missing are left out, and so is the file if there are no rows.
    """
    write_contract_tables([path], frame, [len(frame)], timezone)


def write_contract_tables(
    paths: Sequence[Path], frame: pd.DataFrame, lengths: Sequence[int] | Lengths, timezone: str
) -> None:
    """As ``write_contract_table``, the rows of many files one after another; each leaves out what it lacks."""
    n = np.asarray(lengths, dtype=np.int64)
    if not n.any():
        return
    table = pa.table({str(name): plain(frame[name], timezone) for name in frame.columns})
    first = np.cumsum(n) - n
    kept = np.stack([_any(cells.is_valid().to_numpy(), first, n) for cells in table.columns], axis=1)
    for form in np.unique(kept[n > 0], axis=0):
        alike = np.flatnonzero((n > 0) & (kept == form).all(axis=1))
        part = table.select(np.flatnonzero(form).tolist())
        if len(alike) < len(n):
            part = part.take(pa.array(stretches(first[alike], n[alike])))
        _write_parts([paths[int(i)] for i in alike], part, n[alike])


def _any(flags: npt.NDArray[np.bool_], first: Lengths, n: Lengths) -> npt.NDArray[np.bool_]:
    """Whether any flag is set, of each of some stretches."""
    before = np.concatenate([[0], np.cumsum(flags)])
    found: npt.NDArray[np.bool_] = before[first + n] > before[first]
    return found


def plain(column: pd.Series, timezone: str) -> pa.Array:
    """A column of a case table as a person would write it."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        codes, moments = pd.factorize(column.dt.tz_convert(timezone))
        texts = pa.array([moment.isoformat() for moment in moments], type=pa.string())
        return texts.take(pa.array(codes, mask=codes < 0))
    cells = pa.array(column, from_pandas=True)
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = cells.cast(pa.string())
        return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)
    return cells
