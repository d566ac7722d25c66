"""What buildings moved and paid, added up: some buildings in memory at a time, of a large run on every core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from planner.audit.table import DamagedFileError
from planner.beside import cores, in_order
from planner.problems import InvalidInput, Problem
from planner.report.day import Moved, moved
from planner.report.joined import Tables
from planner.report.money import Booked, booked
from planner.report.papers import Papers

AT_ONCE = 16
"""Buildings whose tables are in memory at a time."""
MANY = 100
"""Buildings from which a process beside this one earns back what its start costs."""


class Sums(NamedTuple):
    """Of all buildings that are here: energy by kind and interval, money by account and line."""

    moved: Moved
    booked: Booked


def read_sums(papers: Papers) -> Sums:
    """Every building's files, each read once.  Raises InvalidInput where one cannot be read."""
    names, read = papers.buildings, _Reader(papers.folder, papers.seconds, papers.minutes)
    blocks = [names[first : first + AT_ONCE] for first in range(0, len(names), AT_ONCE)]
    found = Sums(Moved.nothing(len(papers.starts)), Booked())
    try:
        for part in in_order(read, blocks, cores() if len(names) >= MANY else 1):
            found.moved.add(part.moved)
            found.booked.add(part.booked)
    except DamagedFileError as damage:
        raise InvalidInput(
            [Problem(damage.file, 0, damage.why, hint="planner audit names all that is wrong")]
        ) from None
    return found


@dataclass(frozen=True)
class _Reader:
    """Reads a block of buildings, in whatever process."""

    root: Path
    seconds: tuple[int, ...]
    minutes: int

    def __call__(self, names: Sequence[str]) -> Sums:
        tables = Tables(self.root, names)
        try:
            return Sums(moved(tables, self.seconds, self.minutes), booked(tables))
        except DamagedFileError:
            for name in names if len(names) > 1 else ():  # of files that are read together none is named
                self((name,))
            raise
