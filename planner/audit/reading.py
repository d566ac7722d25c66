"""Files of a run folder to tables: one by one, or many of one kind together."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
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


def read_alike(places: Mapping[str, Path]) -> dict[str, Table]:
    """Tables of one kind in many folders, by how the run calls them: those under one header are parsed together.

    A line of a plain CSV without quotes is a row whatever stands around it.  What is not that plain is left out, and
    is for ``read_table`` to read or to refuse.
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
            by_header.setdefault(header, []).append((f"{file}.csv", body))
    found = {}
    for header, files in by_header.items():
        found.update(_parsed_together(header, files) if len(files) > 1 else {})
    return found


def _parsed_together(header: bytes, files: Sequence[tuple[str, bytes]]) -> dict[str, Table]:
    lengths = [body.count(b"\n") for _, body in files]
    try:
        whole = _parse_csv(b"\n".join((header, *(body.removesuffix(b"\n") for _, body in files if body))), files[0][0])
    except (DamagedFileError, pa.ArrowException, UnicodeDecodeError):
        return {}
    if whole.num_rows != sum(lengths):  # some line is empty, and no row
        return {}
    firsts = np.cumsum(lengths) - lengths
    tables = [
        Table(name, whole.slice(int(first), n)) for (name, _), first, n in zip(files, firsts, lengths, strict=True)
    ]
    return {table.file.removesuffix(".csv"): table for table in tables}


def _parse_csv(content: bytes, name: str) -> pa.Table:
    header = content.split(b"\n", 1)[0].decode().strip().replace('"', "").split(",")
    if len(set(header)) != len(header) or header == [""]:
        raise DamagedFileError(name, "the header row is empty or repeats a column")
    types = {column: _type_of(column) for column in header}
    options = pacsv.ConvertOptions(column_types=types, strings_can_be_null=False)
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
