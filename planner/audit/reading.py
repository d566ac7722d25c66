"""Files of a run folder to tables: one by one, or many of one kind together."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from planner.audit.table import BOM, ENDINGS, EXACT, TEXT, DamagedFileError, MissingFileError, Table


def read_table(place: Path, file: str) -> Table:
    """The table at ``place``, a path without its ending; ``file`` is how the run calls it."""
    for ending in ENDINGS:
        path = place.with_name(place.name + ending)
        if path.is_file():
            return Table(file + ending, _parse(path, file + ending))
    raise MissingFileError(f"{file}{ENDINGS[0]} is missing")


def read_parquet(path: Path, name: str) -> Table:
    return Table(name, _parse(path, name))


def read_alike(places: Mapping[str, Path]) -> dict[str, Table]:
    """Tables of one kind in many folders, by how the run calls them; what ``parsed_alike`` leaves out is left out."""
    found = {}
    for files, whole, lengths in parsed_alike(places):
        found.update(_apart({file: f"{file}.csv" for file in files}, whole, lengths))
    return found


def read_parquet_alike(places: Mapping[str, Path]) -> dict[str, Table]:
    """The same of parquet files, which have the same columns or are left out."""
    parts: dict[str, pa.Table] = {}
    for file, place in places.items():
        path = place.with_name(f"{place.name}.parquet")
        with suppress(DamagedFileError):
            if path.is_file() and not any(place.with_name(place.name + e).is_file() for e in ENDINGS[:-1]):
                parts[file] = _parse(path, file)
    first = next(iter(parts.values()), None)
    alike = {file: part for file, part in parts.items() if first is not None and part.schema.equals(first.schema)}
    if len(alike) < 2:
        return {}
    lengths = np.array([part.num_rows for part in alike.values()], dtype=np.int64)
    return _apart({file: f"{file}.parquet" for file in alike}, pa.concat_tables(alike.values()), lengths)


def _apart(names: Mapping[str, str], content: pa.Table, lengths: npt.NDArray[np.int64]) -> dict[str, Table]:
    """Tables that were read together, each with its own name."""
    whole, firsts = Table("", content), np.cumsum(lengths) - lengths
    return {
        file: Table(name, content.slice(first, n), whole, first)
        for (file, name), first, n in zip(names.items(), firsts.tolist(), lengths.tolist(), strict=True)
    }


def parsed_alike(
    places: Mapping[str, Path], columns: Sequence[str] = ()
) -> Iterator[tuple[list[str], pa.Table, npt.NDArray[np.int64]]]:
    """(files, their rows one after another, rows of each) of the tables under one header: they are parsed together.

    A line of a plain CSV without quotes is a row whatever stands around it.  What is not that plain, or alone under
    its header, is left out, and is for ``read_table`` to read or to refuse.  ``columns`` are all that is asked for,
    without values where a header lacks them; every column if left out.
    """
    by_header: dict[bytes, list[tuple[str, bytes]]] = {}
    for file, place in places.items():
        try:
            content = place.with_name(f"{place.name}.csv").read_bytes()
        except OSError:
            continue
        header, _, body = content.partition(b"\n")
        if not any(mark in content for mark in (b'"', b"\r", BOM)):
            body = body if body[-1:] in (b"\n", b"") else body + b"\n"
            by_header.setdefault(header, []).append((file, body))
    for header, files in by_header.items():
        if len(files) > 1 and (parsed := _parsed_together(header, files, columns)) is not None:
            yield [file for file, _ in files], *parsed


def _parsed_together(
    header: bytes, files: Sequence[tuple[str, bytes]], columns: Sequence[str]
) -> tuple[pa.Table, npt.NDArray[np.int64]] | None:
    lengths = np.array([body.count(b"\n") for _, body in files], dtype=np.int64)
    joined = b"\n".join((header, *(body.removesuffix(b"\n") for _, body in files if body)))
    try:
        whole = _parse_csv(joined, files[0][0], columns)
    except (DamagedFileError, pa.ArrowException, UnicodeDecodeError):
        return None
    return (whole, lengths) if whole.num_rows == lengths.sum() else None  # else some line is empty, and no row


def _parse_csv(content: bytes, name: str, columns: Sequence[str] = ()) -> pa.Table:
    header = content.split(b"\n", 1)[0].decode().strip().replace('"', "").split(",")
    if len(set(header)) != len(header) or header == [""]:
        raise DamagedFileError(name, "the header row is empty or repeats a column")
    types = {column: _type_of(column) for column in columns or header}
    options = pacsv.ConvertOptions(
        column_types=types, strings_can_be_null=False, include_columns=list(columns), include_missing_columns=True
    )
    alone = pacsv.ReadOptions(use_threads=False)
    return pacsv.read_csv(pa.BufferReader(content), alone, convert_options=options).unify_dictionaries()


def _type_of(column: str) -> pa.DataType:
    """Names come again and again; exact numbers stay text of their own."""
    if column in EXACT:
        return pa.string()
    return pa.dictionary(pa.int32(), pa.string()) if column in TEXT or column[:2] == "x_" else pa.float64()


def _parse(path: Path, name: str) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            return pq.ParquetFile(path).read(use_threads=False)
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        return _parse_csv(content.removeprefix(BOM), name)
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise DamagedFileError(name, f"cannot be read: {' '.join(str(error).split())[:160]}") from None
