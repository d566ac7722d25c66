"""One file of a case (csv, csv.gz or parquet) -> named columns of raw cells; nothing is interpreted here.

Cells of a csv stay text.  Line numbers are worked out only when somebody asks for one, so a file without
errors costs nothing; a file that cannot be read at all is a problem with a place, never a traceback.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from planner.problems import Problem, shown

SHOWN_ROWS = 10
LONGEST_CELL = 1 << 20
OTHER_SEPARATORS = {"\t": "tabs", "|": "'|'"}


@dataclass(frozen=True)
class Raw:
    """The cells of one file; ``decimal_comma`` says that numbers may be written as 1,5."""

    file: str
    path: Path | None
    columns: dict[str, pa.Array]
    decimal_comma: bool = False
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0


@dataclass(frozen=True)
class Lines:
    """Where data rows stand in a file: ``of(row)`` is the line (from 1) of the row (from 0)."""

    path: Path
    delimiter: str = field(default=",")

    def of(self, row: int) -> int:
        return self._lines[row] if row < len(self._lines) else row + 2

    @cached_property
    def _lines(self) -> list[int]:
        if self.path.name.endswith(".parquet"):
            return []
        try:
            text = content(self.path).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError, zlib.error, EOFError):
            return []
        return [line for line, _ in _data_rows(text, delimiter_of(text)[0])]


def content(path: Path) -> bytes:
    """The bytes of a file, unpacked if it is gzip."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.name.endswith(".gz") else data


def read_raw(path: Path, file: str) -> Raw:
    """Read ``path``, known to the user as ``file``; what cannot be read comes back as problems."""
    try:
        if path.name.endswith(".parquet"):
            return _read_parquet(path, file)
        data = content(path)
    except IsADirectoryError:
        return _refused(path, file, 0, "is a folder, not a file")
    except PermissionError:
        return _refused(path, file, 0, "cannot be opened", hint="check who may read it")
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        return _refused(path, file, 0, "is not a whole gzip file", shown(error), "pack it again, or name it .csv")
    except OSError as error:
        return _refused(path, file, 0, "cannot be read", shown(error.strerror or error))
    return _read_csv(data, path, file)


def _refused(path: Path, file: str, line: int, what: str, value: str = "", hint: str = "") -> Raw:
    return Raw(file, path, {}, problems=(Problem(file, line, what, value, hint),))


def _read_parquet(path: Path, file: str) -> Raw:
    content_in_memory = pa.BufferReader(path.read_bytes())  # so that no message shows where it lies
    try:
        table = pq.read_table(content_in_memory).combine_chunks()
    except (pa.ArrowException, OSError, ValueError) as error:
        return _refused(path, file, 0, "is not a parquet file", shown(error), "write it again")
    if len(set(table.column_names)) < len(table.column_names):
        return _refused(path, file, 0, "has two columns of one name")
    return Raw(file, path, {name: _one(table.column(name)) for name in table.column_names})


def _one(column: pa.ChunkedArray) -> pa.Array:
    """A chunked column as one array, dictionaries and categories decoded."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _read_csv(data: bytes, path: Path, file: str) -> Raw:
    refusal = _not_a_table(data)
    if refusal is None:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            byte = f"byte 0x{data[error.start]:02x}"
            refusal = line, "is not UTF-8 text", byte, "it looks like Latin-1 or Windows-1252: save it as UTF-8"
    if refusal is not None:
        return _refused(path, file, *refusal)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    delimiter, header_line = delimiter_of(text)
    notes = [f"{file}: a byte order mark was skipped"] if data.startswith(b"\xef\xbb\xbf") else []
    if delimiter == ";":
        notes.append(f"{file}: columns are separated by ';', so a comma in a number is a decimal comma")
    header = _header(text, delimiter)
    if len(header) == 1 and (other := OTHER_SEPARATORS.get(next((c for c in header[0] if c in OTHER_SEPARATORS), ""))):
        return _refused(path, file, header_line, f"columns are separated by {other}", "", "separate them by , or ;")
    problems = tuple(_bad_header(header, file, header_line))
    if problems:
        return Raw(file, path, {}, notes=tuple(notes), problems=problems)
    columns, crooked = _cells(text, header, delimiter, file)
    return Raw(file, path, columns, delimiter == ";", tuple(notes), tuple(crooked))


def _not_a_table(data: bytes) -> tuple[int, str, str, str] | None:
    """Why bytes are not a csv at all: (line, what, value, hint)."""
    start = data[:400].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return 1, "is UTF-16 text", "", "save it as UTF-8"
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        return 1, "is empty", "", "a table has at least a header row; leave the file out if there is nothing to say"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        return 1, "is a web page, not a csv", "", "the download link gave a page: fetch the file itself"
    if start.startswith((b"pk\x03\x04", b"%pdf", b"\x1f\x8b", b"par1", b"\xd0\xcf\x11\xe0")):
        return 1, "is not a csv", "", "it is another kind of file under this name; export it as csv"
    nul = data.find(b"\0")
    if nul >= 0:
        return data.count(b"\n", 0, nul) + 1, "has NUL bytes: it is not text", "", "save it as UTF-8"
    return None


def delimiter_of(text: str) -> tuple[str, int]:
    """The delimiter the header row shows without doubt (``;`` or ``,``) and the header's line."""
    for number, line in enumerate(_text_lines(text), start=1):
        if line.strip():
            return (";" if ";" in line and "," not in line else ","), number
    return ",", 1


def _text_lines(text: str) -> Iterator[str]:
    """Line by line with its end, so that who wants only the first does not pay for all."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin) + 1 or len(text)
        yield text[begin:end]
        begin = end


def _header(text: str, delimiter: str) -> list[str]:
    return [name.strip() for name in _raw_header(text, delimiter)]


def _bad_header(header: list[str], file: str, line: int) -> Iterator[Problem]:
    if not header:
        yield Problem(file, line, "the header row cannot be read")
    elif header[0].lower().startswith("sep="):
        yield Problem(file, line, "is a spreadsheet's note on the separator, not a header", hint="delete this line")
        return
    for name in sorted({name for name in header if name and header.count(name) > 1}):
        yield Problem(file, line, f"two columns are called '{shown(name)}'", hint="rename one of them")
    if "" in header:
        hint = "delete it if it is empty; a name beginning with x_ has it ignored"
        yield Problem(file, line, "a column has no name", hint=hint)


def _cells(text: str, header: list[str], delimiter: str, file: str) -> tuple[dict[str, pa.Array], list[Problem]]:
    """All cells as text, column by column, and the rows that have too few or too many of them."""
    crooked: list[pacsv.InvalidRow] = []

    def skip(row: pacsv.InvalidRow) -> str:
        if row.text is None or row.text.strip(delimiter):  # a row of separators alone says nothing
            crooked.append(row)
        return "skip"

    data = text.encode()
    try:
        table = pacsv.read_csv(
            pa.BufferReader(data),
            pacsv.ReadOptions(use_threads=False, block_size=min(len(data) + 64, 2**31 - 1)),
            pacsv.ParseOptions(delimiter=delimiter, newlines_in_values='"' in text, invalid_row_handler=skip),
            pacsv.ConvertOptions(
                column_types={name: pa.string() for name in _raw_header(text, delimiter)}, strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, ValueError) as error:
        return {}, [Problem(file, 1, "cannot be read as a table", shown(error))]
    if table.num_columns != len(header):
        return {}, [Problem(file, 1, "the header row cannot be read")]
    problems = list(_crooked_rows(text, header, delimiter, file)) if crooked else []
    repeated = _like(table, table.column_names)
    if repeated.any():
        problems += _repeated_header(text, delimiter, file)
    kept = np.flatnonzero(~(repeated | _like(table, [""] * len(header))))
    if len(kept) < table.num_rows:
        table = table.take(pa.array(kept))
    return {name: _one(table.column(i)) for i, name in enumerate(header)}, problems


def _like(table: pa.Table, row: list[str]) -> npt.NDArray[np.bool_]:
    """Which rows hold just these cells; the later columns are looked at only where the earlier ones agree."""
    alike = np.ones(table.num_rows, dtype=bool)
    for column, cell in zip(table.columns, row, strict=True):
        alike &= np.asarray(pc.equal(column, cell))
        if not alike.any():
            break
    return alike


def _repeated_header(text: str, delimiter: str, file: str) -> Iterator[Problem]:
    rows = _rows(text, delimiter)
    _, header = next(rows)
    for line in [line for line, cells in rows if cells == header][:SHOWN_ROWS]:
        yield Problem(file, line, "the header stands here again", hint="delete this line")


def _raw_header(text: str, delimiter: str) -> list[str]:
    return next(_rows(text, delimiter), (0, []))[1]


def _crooked_rows(text: str, header: list[str], delimiter: str, file: str) -> Iterator[Problem]:
    found = last = 0
    for line, cells in _rows(text, delimiter):
        if any(cells) and len(cells) != len(header):
            found, last = found + 1, line
            if found <= SHOWN_ROWS:
                what = f"the row has {len(cells)} cells, the header {len(header)}"
                yield Problem(file, line, what, shown(delimiter.join(cells)), "quote a cell that holds the separator")
    if found > SHOWN_ROWS:
        yield Problem(file, last, f"the last of {found - SHOWN_ROWS} more rows with a wrong number of cells")
    if not found:
        yield Problem(file, 0, "some rows cannot be read", hint="check the quotes")


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not blank, the header first; it ends where quotes make no sense."""
    csv.field_size_limit(max(LONGEST_CELL, len(text) + 1))
    reader = csv.reader(_text_lines(text.replace("\r\n", "\n").replace("\r", "\n")), delimiter=delimiter)
    begin = 1
    try:
        for cells in reader:
            line, begin = begin, reader.line_num + 1
            if cells:
                yield line, cells
    except csv.Error:
        return


def _data_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that :func:`_cells` keeps: as wide as the header, not the header again, and some cell not empty."""
    rows = _rows(text, delimiter)
    _, header = next(rows, (0, []))
    return ((line, cells) for line, cells in rows if len(cells) == len(header) and cells != header and any(cells))
