"""Columns to files, the same bytes for the same values: CSV and parquet without clocks or versions of ours in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from planner.money import amount_text, energy_text, price_text


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
    path.write_bytes(_csv_bytes(pa.table(arrays, names=list(columns))))


def _array(column: Any) -> pa.Array:
    if isinstance(column, pd.Series) and isinstance(column.dtype, pd.CategoricalDtype):
        column = column.array
    if isinstance(column, pd.Categorical):
        names = pa.array([str(name) for name in column.categories], type=pa.string())
        return names.take(pa.array(column.codes))
    return pa.array(column, from_pandas=True)


def _csv_bytes(table: pa.Table) -> bytes:
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(table.column_names)
    body = io.BytesIO()
    for style in ("none", "needed"):
        body = io.BytesIO()
        try:
            pacsv.write_csv(table, body, pacsv.WriteOptions(include_header=False, quoting_style=style))
            break
        except pa.ArrowInvalid:
            continue
    return header.getvalue().encode() + body.getvalue()


def write_ledger(path: Path, frame: pd.DataFrame, clock: Clock) -> None:
    """Write a frame of planner.settlement: Wh, nano-currency per Wh and nano-currency become exact decimals."""
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
    write_csv(path, columns)


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as parquet, without pandas' own metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def content_bytes(path: Path) -> bytes:
    """What a table says, whatever wrote it: a CSV's bytes; a parquet's rows as CSV."""
    return _csv_bytes(pq.read_table(path)) if path.suffix == ".parquet" else path.read_bytes()


def write_contract_table(path: Path, frame: pd.DataFrame, timezone: str) -> None:
    """Write rows of a case table as a person would: flags in words, local starts, nothing for what is missing.

    Columns in which every cell is missing are left out, and so is the file if there are no rows.
    """
    if frame.empty:
        return
    columns = {str(name): _plain(frame[name], timezone) for name in frame.columns}
    write_csv(path, {name: cells for name, cells in columns.items() if cells.null_count < len(cells)})


def _plain(column: pd.Series, timezone: str) -> pa.Array:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        codes, moments = pd.factorize(column.dt.tz_convert(timezone))
        texts = pa.array([moment.isoformat() for moment in moments], type=pa.string())
        return texts.take(pa.array(codes, mask=codes < 0))
    cells = pa.array(column, from_pandas=True)
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = cells.cast(pa.string())
        return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)
    return cells
