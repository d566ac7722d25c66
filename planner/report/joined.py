"""Tables of one kind of some buildings, one after another: a city's files are parsed together, not one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from planner.audit.reading import parsed_alike, read_table
from planner.audit.table import MissingFileError, Table

Ints = npt.NDArray[np.int64]
MILLION = 1_000_000
"""Energy is added up in whole millionths of a kWh: exact, so that no order of adding changes anything."""


@dataclass(frozen=True)
class Joined:
    """Rows of a table; ``owner`` is the building of each, by its place among those that were asked for."""

    table: Table
    owner: Ints

    def __len__(self) -> int:
        return len(self.table)

    def energy(self, column: str) -> Ints:
        """kWh in millionths; where there is no number there is no energy."""
        return np.rint(np.nan_to_num(self.table.numbers(column)) * MILLION).astype(np.int64)

    def intervals(self, n: int) -> Ints:
        """Interval of each row from 0; -1 where it is none of the first ``n``."""
        t = np.nan_to_num(self.table.numbers("interval")).astype(np.int64) - 1
        return np.where((t >= 0) & (t < n), t, -1)

    def by_interval(self, values: Ints, buildings: int, n: int) -> Ints:
        """(buildings x n): the sum of one value per row."""
        t = self.intervals(n)
        keep = t >= 0
        out = np.zeros((buildings, n), dtype=np.int64)
        np.add.at(out, (self.owner[keep], t[keep]), values[keep])
        return out


class Tables:
    """The tables of some buildings below ``root``, the buildings by their folders."""

    def __init__(self, root: Path, buildings: Sequence[str]) -> None:
        self.root, self.buildings = root, buildings

    def __call__(self, name: str, *columns: str) -> Iterator[Joined]:
        """The rows of a table (its path in a building's folder without ending) under each of its headers.

        A building without the table has no rows.  Raises DamagedFileError.
        """
        place = {f"buildings/{building}/{name}": i for i, building in enumerate(self.buildings)}
        left = dict(place)
        for files, table, lengths in parsed_alike({file: self.root / file for file in place}, columns):
            owner = np.repeat(np.array([left.pop(file) for file in files], dtype=np.int64), lengths)
            if len(owner):
                yield Joined(Table(f"{files[0]}.csv", table), owner)
        for file, i in left.items():
            try:
                alone = read_table(self.root / file, file)
            except MissingFileError:
                continue
            if len(alone):
                yield Joined(alone, np.full(len(alone), i, dtype=np.int64))
