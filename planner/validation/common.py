"""What several checks need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from planner.problems import Problem
from planner.settings import FILE, line_of_key
from planner.timegrid import zone

if TYPE_CHECKING:
    from planner.case import Case
    from planner.validation import Check

MOST = 20


def of(*tables: str) -> Callable[[Check], Check]:
    """A check that speaks of rows of these tables alone: where none of them has any, it need not look."""

    def looking(check: Check) -> Check:
        @wraps(check)
        def found(case: Case) -> Iterator[Problem]:
            if any(len(case.tables[table]) for table in tables):
                yield from check(case)

        return found

    return looking


def rows_where(condition: Any) -> list[int]:
    """The rows at which a condition holds (missing means it does not)."""
    return [int(row) for row in np.flatnonzero(np.asarray(condition, dtype=bool))]


def coded(texts: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """A text column as numbers of its different values, and these in the order in which they first stand there."""
    found = pa.array(texts, from_pandas=True).dictionary_encode()
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    codes = found.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, found.dictionary.to_numpy(zero_copy_only=False).tolist()


def distinct(texts: pd.Series) -> list[str]:
    """The different values of a text column, in the order in which they first stand there."""
    return coded(texts)[1]


def each(
    case: Case, table: str, condition: Any, what: str, value: pd.Series | None = None, hint: str = ""
) -> Iterator[Problem]:
    """One problem for every row where a condition holds, the first ones in full and the rest as a number."""
    rows = rows_where(condition) if len(condition) else []
    for row in rows[:MOST]:
        yield case.problem(table, row, what, "" if value is None else said(case, value.iloc[row]), hint)
    if len(rows) > MOST:
        yield case.problem(table, rows[MOST], f"{what}, and in {len(rows) - MOST - 1} more rows", "", hint)


def said(case: Case, value: Any) -> Any:
    """A value as an error shows it: an instant by the clock of the case."""
    if not isinstance(value, pd.Timestamp):
        return value
    try:
        return value.tz_convert(zone(case.settings.timezone)).isoformat()
    except ValueError:
        return value.isoformat()


def in_file_order(case: Case, table: str, rows: Sequence[int]) -> list[int]:
    """Rows of a frame as they stand in the file."""
    return sorted(rows, key=lambda row: case.problem(table, row, "").line)


def setting(case: Case, path: str, what: str, value: object = "", hint: str = "") -> Problem:
    """A problem with a setting, at the line of case.toml where it stands."""
    section, _, key = path.rpartition(".")
    return Problem(FILE, line_of_key(_text(case.folder), section, key), what, str(value), hint)


def _text(folder: Path | None) -> str:
    try:
        return (folder / FILE).read_bytes().decode("utf-8-sig") if folder else ""
    except (OSError, UnicodeDecodeError):
        return ""
