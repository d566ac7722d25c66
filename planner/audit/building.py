"""One building's part of a run as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from planner.audit.grid import Grid
from planner.audit.series import Series, dense, dense_numbers, dense_wh, names_of
from planner.audit.table import Numbers, Table, Wh
from planner.audit.terms import Terms

if TYPE_CHECKING:
    from planner.audit.evidence import Evidence

LARGE = ("nodes", "unit_rows", "use", "withheld", "dispatch", "dispatched")


class Building:
    """One building's part of the run: its case and its answer.  Energy in Wh (names x intervals of the horizon)."""

    def __init__(self, run: Evidence, name: str) -> None:
        self.run, self.id, self.folder = run, name, f"buildings/{name}"
        self.counted_cost: float | None = None  # kept by objective.building_cost
        self.path: tuple[str, ...] | None = None  # kept by network.path
        self.assets: dict[str, str] | None = None  # kept by positions.asset_nodes
        self.numbers: int | None = None  # kept by opportunity.of_building
        self.trading: tuple[tuple[str, ...], Wh] | None = None  # kept by internal_trade.participants
        self.inside: tuple[Wh, Wh] | None = None  # kept by internal_trade.traded_inside
        self.prints: dict[str, str] | None = None  # kept by certificate.fingerprints

    def forget(self) -> None:
        """Keep what others ask about a building, and not what its own checks alone look at."""
        for name in LARGE:
            self.__dict__.pop(name, None)
        self.trading = self.inside = None

    def remembered(self) -> dict[str, Any]:
        """What is known of the building so far, for another process."""
        return {name: known for name, known in self.__dict__.items() if name not in ("run", "terms")}

    def remember(self, known: Mapping[str, Any]) -> None:
        """Take over what ``remembered`` gave."""
        self.__dict__.update(known)

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

    @property
    def in_cohort(self) -> bool:
        """Whether it trades with others as one party."""
        return self.group != self.id and not self.dark

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
