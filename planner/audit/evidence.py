"""The files of a run folder as arrays, read once each: the whole run, its market part and its buildings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from planner.audit.building import Building as Building
from planner.audit.document import read_json
from planner.audit.grid import Grid
from planner.audit.holder import MARKET, part_of
from planner.audit.reading import read_alike, read_parquet_alike, read_table
from planner.audit.series import Series
from planner.audit.table import (
    ENDINGS,
    DamagedFileError,
    MissingFileError,
    Table,
)
from planner.audit.terms import Terms, read_terms
from planner.timegrid import Window

if TYPE_CHECKING:
    from planner.audit.market import Market


OF_BUILDING = ("units", "position", "trades", "settlement", "statements")
OF_CASE = (
    *("nodes", "limits", "loads", "solar", "wind", "batteries", "vehicles", "appliances", "flexible", "generators"),
    *("supply", "allocations", "tariffs"),
)


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in os.scandir(folder))
    except OSError:
        return frozenset()


class Evidence:
    """A run folder, or one holder's folder by itself.  Files are named as in the whole run.

    Reading raises MissingFileError or DamagedFileError, each time the same.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.part = root, part_of(root)
        self.windows: dict[tuple[str, str], tuple[Window, ...]] = {}  # kept by shifting.spans
        self.open_times: dict[tuple[str, ...], npt.NDArray[np.bool_]] = {}  # kept by components
        self.first_behind: dict[tuple[str, tuple[str, ...]], Building] | None = None  # kept by prices
        self._tables: dict[str, Table | Exception] = {}
        self._listings: dict[str, frozenset[str]] = {}

    def path(self, file: str) -> Path:
        """Where the run's ``file`` lies: in a holder's folder its own files lie at the top."""
        return self.root / file.removeprefix(f"{self.part}/")

    @cached_property
    def certificate(self) -> dict[str, Any]:
        return self.json("certificate.json")

    @cached_property
    def buildings(self) -> tuple[Building, ...]:
        if self.part:
            return (Building(self, self.part.split("/", 1)[1]),) if self.part != MARKET else ()
        folder = self.root / "buildings"
        names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        return tuple(Building(self, name) for name in names)

    @cached_property
    def market(self) -> Market:
        from planner.audit.market import Market

        return Market(self)

    @cached_property
    def terms(self) -> Terms:
        """The terms of the first case folder there is; C1 compares the others with them."""
        present = [f for f in self.holders if self.path(f"{f}/case/case.toml").is_file()]
        return self.terms_of((present or self.holders)[0])

    @property
    def holders(self) -> tuple[str, ...]:
        """The folders that carry a case: the market's and every building's."""
        return ("market", *(b.folder for b in self.buildings))

    def terms_of(self, folder: str) -> Terms:
        try:
            day = str(self.certificate.get("delivery_date", ""))
        except (MissingFileError, DamagedFileError):
            day = ""
        file = f"{folder}/case/case.toml"
        return read_terms(self.path(file), file, day)

    @property
    def grid(self) -> Grid:
        return self.terms.grid

    def complete(self) -> tuple[Building, ...]:
        """All buildings of the run, or MissingFileError if this folder holds only some."""
        if len(self.buildings) != self.certificate.get("buildings"):
            raise MissingFileError("buildings/ does not hold every building of the run")
        return self.buildings

    def json(self, file: str) -> dict[str, Any]:
        return read_json(self.path(file), file)

    def table(self, file: str) -> Table:
        """A table by its path without ending; read once, a failure remembered."""
        if file not in self._tables:
            try:
                self._tables[file] = self._read(file)
            except (MissingFileError, DamagedFileError) as failure:
                self._tables[file] = failure
        known = self._tables[file]
        if isinstance(known, Table):
            return known
        raise known

    def at_hand(self, name: str) -> Table | None:
        """The table of a file by its whole name, if it is in memory."""
        known = self._tables.get(name.rsplit(".", 1)[0])
        return known if isinstance(known, Table) and known.file == name else None

    def _read(self, file: str) -> Table:
        """The listing of a folder is read once: a city's cases lack many tables."""
        place = self.path(file)
        folder = str(place.parent)
        if folder not in self._listings:
            self._listings[folder] = _names(place.parent)
        if not any(f"{place.name}{ending}" in self._listings[folder] for ending in ENDINGS):
            raise MissingFileError(f"{file}{ENDINGS[0]} is missing")
        return read_table(place, file)

    def read_ahead(self, buildings: Sequence[Building]) -> None:
        """Read the plain tables of some buildings together."""
        parts = ["", "case/"] + (["look_ahead/"] if len(self.grid) > self.grid.settled else [])
        for name in (f"{part}{table}" for part in parts for table in (OF_CASE if part == "case/" else OF_BUILDING)):
            self._tables.update(read_alike(self._unread(buildings, name)))
        for part in (part for part in parts if part != "case/"):
            self._tables.update(read_parquet_alike(self._unread(buildings, f"{part}dispatch")))

    def _unread(self, buildings: Sequence[Building], name: str) -> dict[str, Path]:
        files = [f"{b.folder}/{name}" for b in buildings]
        return {file: self.path(file) for file in files if file not in self._tables}

    def forget(self, buildings: Sequence[Building]) -> None:
        """Let go of the tables of some buildings; they are read again if anybody asks."""
        folders = tuple(f"{b.folder}/" for b in buildings)
        self._tables = {file: table for file, table in self._tables.items() if not file.startswith(folders)}
        for b in buildings:
            b.forget()

    def optional(self, file: str) -> Table | None:
        """A table of a case folder, None where the case has none; without the folder it is missing."""
        try:
            return self.table(file)
        except MissingFileError:
            if not self.path(file).parent.is_dir():
                raise MissingFileError(f"{Path(file).parent.as_posix()}/ is missing") from None
            return None

    def series(self, folder: str, name: str) -> tuple[Series, ...]:
        """A series of the delivery day and, where there is a look-ahead, its continuation."""
        day = Series(self.table(f"{folder}/{name}"), self.grid, 0, self.grid.settled)
        if len(self.grid) == self.grid.settled:
            return (day,)
        ahead = self.table(f"{folder}/look_ahead/{name}")
        return (day, Series(ahead, self.grid, self.grid.settled, len(self.grid)))
