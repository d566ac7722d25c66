"""The cells of a table in a text file, wherever its header stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

HEADER_WITHIN = 40
DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Grid:
    """Header names and the rows below, each with its line; ``ragged`` rows have too few or too many cells."""

    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    ragged: list[tuple[int, int]]
    delimiter: str

    def column(self, name: str) -> list[str]:
        """Trimmed cells of a column (its name compared without case)."""
        position = [known.lower() for known in self.names].index(name.lower())
        return [plain(row[position]) for row in self.rows]


def grid(text: str, header: Sequence[str]) -> Grid | None:
    """The table whose header has all the names given, or nothing."""
    wanted = {name.lower() for name in header}
    for delimiter in DELIMITERS:
        head = text[:20000].lower()
        if all(name in head for name in wanted):
            table = _table(text, delimiter, wanted)
            if table is not None:
                return table
    return None


def plain(cell: str) -> str:
    """A cell without blanks, quotes and the ``="..."`` that spreadsheets write around long numbers."""
    cell = cell.strip().strip("\u00a0")
    if cell.startswith('="') and cell.endswith('"'):
        return cell[2:-1]
    return cell.strip('"').lstrip("'")


def _table(text: str, delimiter: str, wanted: set[str]) -> Grid | None:
    rows: list[list[str]] = []
    lines: list[int] = []
    ragged: list[tuple[int, int]] = []
    names: tuple[str, ...] = ()
    reader = csv.reader(
        io.StringIO(text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")), delimiter=delimiter
    )
    before = 1
    try:
        for row in reader:
            at, before = before, reader.line_num + 1
            if not names:
                cells = [plain(cell) for cell in row]
                if wanted <= {cell.lower() for cell in cells}:
                    names = tuple(cells)
                elif at > HEADER_WITHIN:
                    return None
            elif any(cell.strip() for cell in row):
                whole = row[: len(names)] if not any(row[len(names) :]) else row
                if len(whole) == len(names):
                    rows.append(whole)
                    lines.append(at)
                else:
                    ragged.append((at, len(row)))
    except csv.Error:
        return None
    return Grid(names, rows, lines, ragged, delimiter) if names else None
