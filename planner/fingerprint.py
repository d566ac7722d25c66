"""The content hash of a case: the same for any row order, column order and file format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planner.settings import Settings
from planner.tables import TABLES


def case_sha256(settings: Settings, tables: Mapping[str, pd.DataFrame], folder: Path | None) -> str:
    """SHA-256 over settings, over every table in canonical order and over the meter files that are named."""
    digest = hashlib.sha256()
    for path, value in _flat(settings, ""):
        digest.update(f"{path}={value!r}\n".encode())
    for table in TABLES:
        frame = tables[table.name]
        if not len(frame):
            continue
        digest.update(f"[{table.name}] {len(frame)}\n".encode())
        for name in sorted(table.names):
            digest.update(name.encode() + b":" + _column(frame[name]))
    for name, data in _meter_files(tables["meters"], folder):
        digest.update(name.encode() + b"@" + data)
    return digest.hexdigest()


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    for f in fields(value):
        inner = getattr(value, f.name)
        if is_dataclass(inner):
            yield from _flat(inner, f"{path}{f.name}.")
        else:
            yield path + f.name, str(inner)


def _column(series: pd.Series) -> bytes:
    """The bytes of one column: fixed-width numbers, or texts with their ends marked; -0.0 is 0.0."""
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        return series.dt.tz_localize(None).to_numpy().astype("M8[ns]").astype("<i8").tobytes()
    if series.dtype == "Int64":
        return series.to_numpy(dtype="int64", na_value=-1).astype("<i8").tobytes()
    if pd.api.types.is_numeric_dtype(series.dtype) or series.dtype == bool:
        values = series.to_numpy(dtype="float64") + 0.0
        values[np.isnan(values)] = np.nan
        return values.astype("<f8").tobytes()
    codes, words = pd.factorize(series)
    return "\0".join(map(str, words.to_numpy(dtype=object))).encode() + b"\0\0" + codes.astype("<i4").tobytes()


def _meter_files(meters: pd.DataFrame, folder: Path | None) -> Iterator[tuple[str, bytes]]:
    if folder is None:
        return
    for name in sorted(set(meters["file"])):
        path = folder / "meters" / name
        if path.is_file():
            yield name, hashlib.sha256(path.read_bytes()).digest()
