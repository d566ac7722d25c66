"""The files of a run folder as arrays, read once each: the whole run, its market part and its buildings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from planner.audit.document import read_json
from planner.audit.grid import Grid
from planner.audit.holder import MARKET, part_of
from planner.audit.series import Series, dense, dense_numbers, dense_wh, names_of
from planner.audit.table import DamagedFileError, MissingFileError, Numbers, Table, Wh, read_table
from planner.audit.terms import Terms, read_terms
from planner.timegrid import Window

if TYPE_CHECKING:
    from planner.audit.market import Market


class Evidence:
    """A run folder, or one holder's folder by itself.  Files are named as in the whole run.

    Reading raises MissingFileError or DamagedFileError, each time the same.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.part = root, part_of(root)
        self.windows: dict[tuple[str, str], tuple[Window, ...]] = {}  # kept by shifting.spans
        self._tables: dict[str, Table | Exception] = {}

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
                self._tables[file] = read_table(self.path(file), file)
            except (MissingFileError, DamagedFileError) as failure:
                self._tables[file] = failure
        known = self._tables[file]
        if isinstance(known, Table):
            return known
        raise known

    def optional(self, file: str) -> Table | None:
        """A table of a case folder, None where the case has none; without the folder it is missing."""
        if not self.path(file).parent.is_dir():
            raise MissingFileError(f"{Path(file).parent.as_posix()}/ is missing")
        try:
            return self.table(file)
        except MissingFileError:
            return None

    def series(self, folder: str, name: str) -> tuple[Series, ...]:
        """A series of the delivery day and, where there is a look-ahead, its continuation."""
        day = Series(self.table(f"{folder}/{name}"), self.grid, 0, self.grid.settled)
        if len(self.grid) == self.grid.settled:
            return (day,)
        ahead = self.table(f"{folder}/look_ahead/{name}")
        return (day, Series(ahead, self.grid, self.grid.settled, len(self.grid)))


class Building:
    """One building's part of the run: its case and its answer.  Energy in Wh (names x intervals of the horizon)."""

    def __init__(self, run: Evidence, name: str) -> None:
        self.run, self.id, self.folder = run, name, f"buildings/{name}"
        self.counted_cost: float | None = None  # kept by objective.building_cost

    @property
    def grid(self) -> Grid:
        return self.run.grid

    @cached_property
    def terms(self) -> Terms:
        return self.run.terms

    @cached_property
    def answer(self) -> dict[str, Any]:
        return self.run.json(f"{self.folder}/answer.json")

    @property
    def dark(self) -> bool:
        return bool(self.answer.get("dark", False))

    @property
    def group(self) -> str:
        return str(self.answer.get("group", self.id))

    def file(self, name: str) -> str:
        """How a violation names one of the building's files."""
        ending = "" if "." in name else ".parquet" if name == "dispatch" else ".csv"
        return f"{self.folder}/{name}{ending}"

    def case(self, name: str) -> Table | None:
        return self.run.optional(f"{self.folder}/case/{name}")

    @cached_property
    def nodes(self) -> Table:
        return self.run.table(f"{self.folder}/case/nodes")

    def series(self, name: str) -> tuple[Series, ...]:
        return self.run.series(self.folder, name)

    @cached_property
    def unit_rows(self) -> tuple[Series, ...]:
        return self.series("units")

    @cached_property
    def units(self) -> tuple[str, ...]:
        return names_of(self.unit_rows, "unit")

    def of_units(self, value: str) -> Wh:
        return dense_wh(self.unit_rows, "unit", self.units, value)

    @cached_property
    def use(self) -> Wh:
        return self.of_units("use_kwh")

    @cached_property
    def allocation(self) -> Wh:
        return self.of_units("allocation_kwh")

    @cached_property
    def withheld(self) -> Wh:
        return self.of_units("withheld_kwh")

    @cached_property
    def delta(self) -> Wh:
        """Positions of the units: requested minus offered."""
        return self.of_units("requested_kwh") - self.of_units("offered_kwh")

    def of_building(self, value: str) -> Wh:
        whole: Wh = dense_wh(self.series("position"), "", ("",), value)[0]
        return whole

    @cached_property
    def position(self) -> Wh:
        return self.of_building("position_kwh")

    @cached_property
    def loss(self) -> Wh:
        return self.of_building("loss_kwh")

    @cached_property
    def node_price(self) -> Wh:
        """Nano-currency per Wh; a price per MWh has three decimals as kWh has."""
        return self.of_building("node_price_per_mwh")

    @cached_property
    def internal_price(self) -> Wh:
        return self.of_building("internal_price_per_mwh")

    @cached_property
    def dispatch(self) -> tuple[Series, ...]:
        return self.series("dispatch")

    @cached_property
    def dispatched(self) -> frozenset[str]:
        """Assets that have rows at all."""
        return frozenset(names_of(self.dispatch, "asset"))

    def energy(self, assets: Sequence[str]) -> Wh:
        """Draw of each asset, Wh; negative where it produces."""
        return dense_wh(self.dispatch, "asset", assets, "energy_kwh")

    def state(self, assets: Sequence[str]) -> Numbers:
        """State of charge at the end of each interval, Wh."""
        return dense_numbers(self.dispatch, "asset", assets, "state_of_charge_kwh") * 1000

    def running(self, assets: Sequence[str]) -> npt.NDArray[np.bool_]:
        flags: npt.NDArray[np.bool_] = dense(
            self.dispatch, "asset", assets, [part.table.flags("on", False) for part in self.dispatch]
        )
        return flags
