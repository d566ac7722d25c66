"""One table of a run folder as plain arrays, whatever of csv, csv.gz and parquet it is written in."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Hashable
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

Numbers = npt.NDArray[np.float64]
Wh = npt.NDArray[np.int64]

_TEXT_COLUMNS = """
    node parent kind use label occupant priority metering_point tariff load plant battery vehicle appliance
    generator contract zone start end earliest latest_end arrival departure profile profile_kw meter
    meter_includes file format channel timezone part_of spot resource unit asset group side order_id
    participant submitted_at exclusive_group parent_order_id line_id from_zone to_zone line account reason
    indicative curtailable initially_on on dark seller buyer counterparty_kind feeders policy note divisible
    component level direction basis days months from_time to_time all_or_nothing bundle listing building
    buildings amount rent off_tick
"""
EXACT = ("amount", "rent")
TEXT = frozenset(_TEXT_COLUMNS.split())
ENDINGS = (".csv", ".csv.gz", ".parquet")
BOM = b"\xef\xbb\xbf"
FORGOTTEN_WH = 1e-3  # how far a file's kWh may be from a whole Wh: decimal text, not arithmetic


class MissingFileError(Exception):
    """A file is not there: what needs it cannot be checked."""


class DamagedFileError(Exception):
    """A file is there and cannot be read as what it should be."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file}: {why}")
        self.file, self.why = file, why

    def __reduce__(self) -> tuple[type[DamagedFileError], tuple[str, str]]:
        return DamagedFileError, (self.file, self.why)


class Table:
    """Columns of one file; every accessor raises DamagedFileError where the column is not what it should be.

    Where files were read together, ``whole`` has the rows of all of them, this one's from its row ``first`` on.
    """

    def __init__(self, file: str, content: pa.Table, whole: Table | None = None, first: int = 0) -> None:
        self.file, self._content, self._whole, self._first = file, content, whole, first
        self._kept: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return int(self._content.num_rows)

    @cached_property
    def columns(self) -> frozenset[str]:
        return frozenset(self._content.column_names)

    def column(self, column: str) -> Any:
        """A column as it stands in the file, an arrow array."""
        return self._content[column].combine_chunks()

    def as_csv(self) -> bytes:
        """The rows as CSV, quoted only where that is needed; raises pyarrow.ArrowInvalid where they cannot be."""
        header, body = io.StringIO(), io.BytesIO()
        csv.writer(header, lineterminator="\n").writerow(self._content.column_names)
        try:
            pacsv.write_csv(self._content, body, pacsv.WriteOptions(include_header=False, quoting_style="none"))
        except pa.ArrowInvalid:
            body = io.BytesIO()
            pacsv.write_csv(self._content, body, pacsv.WriteOptions(include_header=False, quoting_style="needed"))
        return header.getvalue().encode() + body.getvalue()

    def per_row(self, key: Hashable, work_out: Callable[[Table], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """What is worked out of every row by itself, once for all files that were read together, and kept by ``key``.

        Where that meets damage, each file is worked out alone: damage is named where it is.
        """
        if key not in self._kept:
            self._kept[key] = self._worked_out(key, work_out)
        known: npt.NDArray[Any] = self._kept[key]
        return known

    def _worked_out(self, key: Hashable, work_out: Callable[[Table], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        if self._whole is not None:
            together = self._whole._attempt(key, work_out)
            if together is not None:
                return together[self._first : self._first + len(self)]
        values = work_out(self)
        values.flags.writeable = False  # one array for all who ask
        return values

    def _attempt(self, key: Hashable, work_out: Callable[[Table], npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
        """The same, None where it meets damage."""
        if key not in self._kept:
            try:
                self._kept[key] = self._worked_out(key, work_out)
            except DamagedFileError:
                self._kept[key] = None
        known: npt.NDArray[Any] | None = self._kept[key]
        return known

    def numbers(self, column: str, default: float = float("nan")) -> Numbers:
        """Floats; a missing column or an empty cell is ``default``."""
        if column not in self.columns:
            return np.full(len(self), default)
        return self.per_row((column, default), lambda table: table._read_numbers(column, default))

    def _read_numbers(self, column: str, default: float) -> Numbers:
        cells = self._content[column]
        try:
            if pa.types.is_dictionary(cells.type):
                cells = pc.cast(cells, cells.type.value_type)
            cells = cells if pa.types.is_float64(cells.type) else pc.cast(cells, pa.float64())
        except pa.ArrowInvalid as error:
            raise DamagedFileError(self.file, f"{column} is not a number: {error}") from None
        filled = pc.fill_null(cells, default) if cells.null_count else cells
        return np.array(filled.to_numpy(), dtype=float)

    def wh(self, column: str) -> Wh:
        """Whole Wh of a column in kWh; empty, infinite or broken energy is damage."""
        return self.per_row(("Wh", column), lambda table: table._read_wh(column))

    def _read_wh(self, column: str) -> Wh:
        if column not in self.columns:
            raise DamagedFileError(self.file, f"column {column} is missing")
        exact = self.numbers(column) * 1000
        if not np.isfinite(exact).all():
            raise DamagedFileError(self.file, f"{column} has empty or infinite cells")
        whole = np.rint(exact)
        if (np.abs(exact - whole) > FORGOTTEN_WH).any():
            row = int(np.argmax(np.abs(exact - whole)))
            raise DamagedFileError(self.file, f"{column} in data row {row + 1} is not a whole Wh: {exact[row] / 1000}")
        return whole.astype(np.int64)

    def nano(self, column: str) -> Wh:
        """Prices in whole nano-currency per Wh (0.001 currency per MWh); see ``wh``."""
        return self.wh(column)

    def text(self, column: str) -> tuple[str, ...]:
        if (column, "text") not in self._kept:
            codes, values = self.codes(column)
            self._kept[column, "text"] = tuple([values[code] for code in codes.tolist()])
        texts: tuple[str, ...] = self._kept[column, "text"]
        return texts

    def labels(self, column: str) -> npt.NDArray[np.object_]:
        """``text`` as an array."""
        codes, values = self.codes(column)
        labels: npt.NDArray[np.object_] = np.array(values, dtype=object)[codes]
        return labels

    def codes(self, column: str) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """(row -> code, code -> text); an empty cell is the text ''."""
        if (column, "codes") not in self._kept:
            self._kept[column, "codes"] = self._encode(column)
        coded: tuple[npt.NDArray[np.int64], tuple[str, ...]] = self._kept[column, "codes"]
        return coded

    def _encode(self, column: str) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """The values that this file has, of those of all that were read with it."""
        if column not in self.columns:
            return np.zeros(len(self), dtype=np.int64), ("",)
        codes = self.per_row((column, "dictionary"), lambda table: table._dictionary(column)[0])
        _, values = (self._whole or self)._dictionary(column)
        used = np.zeros(len(values), dtype=bool)
        used[codes] = used[-1] = True
        return (np.cumsum(used) - 1)[codes], tuple([values[i] for i in np.flatnonzero(used).tolist()])

    def _dictionary(self, column: str) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        """(row -> code, code -> text), '' the last of them."""
        key = (column, "whole dictionary")
        if key not in self._kept:
            cells = pa.concat_arrays(self._content[column].chunks) if len(self) else pa.array([], pa.string())
            coded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
            indices, size = coded.indices.cast(pa.int64()), len(coded.dictionary)
            codes = (pc.fill_null(indices, size) if indices.null_count else indices).to_numpy(zero_copy_only=False)
            values = coded.dictionary.to_pylist()
            texts = values if pa.types.is_string(coded.dictionary.type) else [_words(value) for value in values]
            self._kept[key] = np.array(codes), (*texts, "")
        known: tuple[npt.NDArray[np.int64], tuple[str, ...]] = self._kept[key]
        return known

    def flags(self, column: str, default: bool) -> npt.NDArray[np.bool_]:
        """Booleans written as true/false or 1/0; an empty cell is ``default``."""
        codes, values = self.codes(column)
        known = [default if value == "" else value.lower() in ("true", "1", "1.0", "yes") for value in values]
        return np.array(known, dtype=bool)[codes]

    @property
    def instants(self) -> npt.NDArray[np.int64]:
        """``start`` in seconds since 1970 UTC; a cell without one is -1."""
        return self.per_row("instants", lambda table: table._read_instants())

    def _read_instants(self) -> npt.NDArray[np.int64]:
        codes, values = self.codes("start")
        try:
            return np.array([_seconds(value) for value in values], dtype=np.int64)[codes]
        except ValueError as wrong:
            raise DamagedFileError(self.file, f"start {wrong}") from None


def _words(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value.isoformat() if isinstance(value, datetime) else "" if value is None else str(value)


@lru_cache(maxsize=8192)
def _seconds(text: str) -> int:
    if not text:
        return -1
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"is not an instant: {text[:40]!r}") from None
    if instant.tzinfo is None:
        raise ValueError(f"has no offset: {text}")
    return int(instant.timestamp())
