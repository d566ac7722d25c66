"""Rows in canonical order, so that nothing downstream can depend on the order of a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from planner.tables import Table

Rows = npt.NDArray[np.int64]


def normal(frame: pd.DataFrame, table: Table) -> tuple[pd.DataFrame, Rows]:
    """The frame in canonical row order with a plain index, and the permutation that brought it there."""
    if len(frame) < 2:
        return frame, np.arange(len(frame), dtype=np.int64)
    names = list(frame.columns)
    if table.series:
        names = [*table.key, "interval", "start", *(n for n in names if len(frame) < 1000)]
    keys = [key for key in (_sortable(frame[name]) for name in dict.fromkeys(names)) if key is not None]
    if not keys:
        return frame, np.arange(len(frame), dtype=np.int64)
    order = np.lexsort(keys[::-1]).astype(np.int64)
    if (order[1:] > order[:-1]).all():
        return frame, order
    return frame.take(order).reset_index(drop=True), order


def _sortable(series: pd.Series) -> npt.NDArray[Any] | None:
    """Numbers that sort as the column does; None where it is the same in every row."""
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        codes = series.dt.tz_localize(None).to_numpy().astype("M8[ns]").view(np.int64)
    elif series.dtype == "Int64":
        codes = series.to_numpy(dtype="int64", na_value=-1)
    elif pd.api.types.is_numeric_dtype(series.dtype) or series.dtype == bool:
        codes = np.nan_to_num(series.to_numpy(dtype="float64"), nan=-np.inf)
    else:
        codes = _text_codes(series)
    return None if (codes == codes[0]).all() else codes


def _text_codes(series: pd.Series) -> npt.NDArray[np.int64]:
    """Ranks of a text column by Unicode code point, the same on every machine."""
    coded = pa.array(series, from_pandas=True).dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    words = len(coded.dictionary)
    rank = np.empty(max(words, 1), dtype=np.int64)
    rank[pc.array_sort_indices(coded.dictionary).to_numpy()] = np.arange(words)  # bytes of UTF-8 sort as code points do
    return rank[coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)]
