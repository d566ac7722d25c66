"""A building's own folder at work: read, forecast, prepared, asked, and written when the day is settled."""

from __future__ import annotations

import hashlib
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planner.case import Case, read_case
from planner.cleared import Cleared, ClearedZone, Wh
from planner.closing import close_building
from planner.gateway import LocalGateway
from planner.groups import Group, GroupKind, enrolments
from planner.ledger import COHORT_BOOK, add_file, ledger_bytes, write_building_part
from planner.marketplace.carrier import Settle
from planner.marketplace.clearids import clear_id_for
from planner.preparation import prepare
from planner.problems import InvalidInput, Problem
from planner.provenance import Provenance, building_files, look_back
from planner.questions import MICRO, Commitment
from planner.schedule import Schedule
from planner.security.enrolment import EnrolledUnit, Enrolment
from planner.security.messages import LOT_WH
from planner.settlement import Dues, book, dues_of, settle_own
from planner_models.answer import Ladder
from planner_models.solve import Options
from planner_models.words import Building, City, Fees

FILE = "gateway.toml"
KEYS = {"gateway": str, "building": str, "group": str, "kind": str, "zone": str, "below_a_limit": bool, "lit": int}


@dataclass(frozen=True)
class Told:
    """gateway.toml: who this gateway is, with whom it speaks and through whom."""

    gateway: str
    building: str
    group: Group
    below_a_limit: bool
    lit: int
    speaker: str = ""
    share: float = 1.0
    members: tuple[str, ...] = ()

    @property
    def speaks(self) -> bool:
        """Whether the marketplace hears this very gateway."""
        return self.group.kind is GroupKind.BUILDING or bool(self.members)


def read_told(folder: Path) -> Told:
    """gateway.toml of a folder; raises InvalidInput."""
    path = folder / FILE
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput([Problem(FILE, 0, "is missing", hint="planner split writes a gateway's folder")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput([Problem(FILE, 0, "cannot be read", str(error))]) from None
    wrong = [
        Problem(FILE, 0, f"{key} is missing or not of its kind")
        for key, kind in KEYS.items()
        if type(said.get(key)) is not kind
    ]
    if wrong:
        raise InvalidInput(wrong)
    kind = GroupKind(said["kind"])
    group = Group(said["group"], kind, (said["building"],), said["zone"])
    members = tuple(str(name) for name in said.get("members", ()))
    share = float(said.get("share", 1.0))
    return Told(
        said["gateway"],
        said["building"],
        group,
        said["below_a_limit"],
        said["lit"],
        said.get("speaker", ""),
        share,
        members,
    )


class Site:
    """One building: its case, its model, and the papers of the day."""

    def __init__(
        self, folder: Path, date: str | None = None, began: float | None = None, clear_id: str | None = None
    ) -> None:
        self.folder, self.began = folder, time.perf_counter() if began is None else began
        self.told = read_told(folder)
        self.case: Case = read_case(folder, date)
        self.clear_id = clear_id_for(str(self.case.settings.delivery_date), clear_id)
        self.provenance: Provenance = look_back(self.case)
        self.city: City = prepare(self.case, self.provenance.tomorrow)
        named = [b for b in self.city.buildings if b.id == self.told.building]
        if not named:
            raise InvalidInput([Problem(FILE, 0, "names a building that nodes.csv does not have", self.told.building)])
        self.building = named[0]
        self.gateway = self._gateway(self.building, self.city.fees, LOT_WH)

    @property
    def intervals(self) -> int:
        return len(self.city.grid)

    def _options(self) -> Options:
        solver = self.case.settings.solver
        return Options(solver.gap_relative, max(self._left(), 1.0), solver.seed, solver.lp_solver)

    def _left(self) -> float:
        return self.case.settings.solver.time_limit_s - (time.perf_counter() - self.began)

    def _gateway(self, building: Building, fees: Fees, lot_wh: int) -> LocalGateway:
        options = self._options()
        fast = replace(options, gap=options.gap / 4)
        patience = max(1.0, self._left() / (4 * max(1, self.told.lit)))
        group = replace(self.told.group, feeders=building.feeders)
        return LocalGateway(
            group, (building,), self.city.grid, fees, fast, lot_wh, commit_gap=fast.gap, commit_time_s=patience
        )

    def enrolment(self) -> Enrolment:
        """The building's units as the gate counts them."""
        group = replace(self.told.group, kind=GroupKind.BUILDING)
        return enrolments(self.city, [group])[group.id]

    def enrolled_numbers(self) -> list[int]:
        """The same for the cohort's named gateway: a number for the occupant, contracted Wh, counted or not, a unit."""
        units = self.enrolment().units
        rows = [[_code(unit.occupant), unit.contracted_wh, int(unit.counted)] for unit in units]
        return [value for row in rows for value in row]

    def alone(self) -> Dues:
        """The day of a building that says nothing: at the default tariff, or without trade below a limited feeder."""
        n = self.intervals
        return self.finish(Settle((0,) * n, self.contract_nano(), taken=False))

    def contract_nano(self) -> tuple[int, ...]:
        """The price of allocated energy as the building's own contract says it, nano-currency per Wh."""
        from planner.contracts import contract_prices

        prices = contract_prices(self.case, self.city).get(self.building.zone, np.zeros(self.intervals))
        return tuple(np.rint(np.asarray(prices) * 1000).astype(np.int64).tolist())

    def finish(self, settled: Settle) -> Dues:
        """Write the building's papers below ``out``, unless they are there, and give what it owes and is owed."""
        tariff = self.case.settings.default_tariff
        node = np.array(settled.node_nano, dtype=np.int64)
        default = None if settled.taken else tariff.pair
        if settled.taken:
            (kept,) = self.gateway.kept().values()
            schedule, alone, proven = kept.schedule, kept.without_trade, kept.proven
        else:
            schedule = self._dark()
            alone = proven = schedule.cost
        own = close_building(self.city, self.told.group.id, schedule, node, alone, proven, default)
        zone = _zone(self.building.zone, node, np.array(settled.contract_nano, dtype=np.int64))
        grid = self.city.grid
        cleared = Cleared(grid.starts, grid.settled, grid.minutes, (own,), (zone,), (), (), (), {})
        ledger, due = settle_own(cleared, self.case)
        extra = {Path(name).name: text for name, text in building_files(self.case, self.city, self.provenance)}
        if not self.out.exists():
            write_building_part(self.out, cleared, ledger, self.case, self.city, extra)
        return due

    def keep_book(self, settled: Settle, members: Sequence[Dues], stands: Commitment, alone_micro: int) -> None:
        """Write the book of the cohort that this gateway speaks for beside the papers, unless it is there already."""
        if (self.out / COHORT_BOOK).exists():
            return
        grid, group = self.city.grid, self.told.group
        place = Building(group.id, self.building.zone, (), None, None, 0.0, self.building.feeders)
        node = np.array(settled.node_nano, dtype=np.int64)
        made = Schedule(place, (), stands.position_wh, stands.cost_micro / MICRO, (), False)
        itself = close_building(self.city, group.id, made, node, alone_micro / MICRO, -np.inf, None)
        frame = book(members, dues_of(itself, self.case, grid.settled), pd.DatetimeIndex(grid.starts[: grid.settled]))
        add_file(self.out, COHORT_BOOK, ledger_bytes(frame, grid.starts, self.case.settings.timezone))

    @property
    def out(self) -> Path:
        """Where the papers of the day go."""
        return self.folder / "runs" / self.clear_id

    def _dark(self) -> Any:
        tariff, n = self.case.settings.default_tariff, self.intervals
        flat = (np.full(n, tariff.import_per_mwh), np.full(n, tariff.export_per_mwh))
        ladder = Ladder.closed(n) if self.told.below_a_limit else Ladder.tariff(*flat)
        itself = replace(self.told.group, id=self.told.building, kind=GroupKind.DARK)
        return LocalGateway(itself, (self.building,), self.city.grid, Fees(), self._options(), lot_wh=1).face(ladder)


def cohort_enrolment(group: str, members: Sequence[str], numbers: Sequence[Sequence[int]]) -> Enrolment:
    """What the named gateway knows of its cohort: units by member, occupants by number; raises InvalidInput."""
    from planner.security.enrolment import Level

    units = []
    for member, values in zip(members, numbers, strict=True):
        for i in range(0, len(values), 3):
            occupant, contracted, counted = values[i : i + 3]
            units.append(EnrolledUnit(f"{member}.{i // 3}", f"{occupant:015d}", member, contracted, bool(counted)))
    return Enrolment(group, Level.COHORT, tuple(units))


def _code(occupant: str) -> int:
    """A number that stands for a pseudonym: equal in all buildings of the cohort, since an occupant counts once."""
    return int.from_bytes(hashlib.sha256(b"allotment/occupant/v1\0" + occupant.encode()).digest()[:6], "big")


def _zone(name: str, node_nano: Wh, contract_nano: Wh) -> ClearedZone:
    """The building's zone as far as its own ledger needs it."""
    nothing = np.zeros_like(node_nano)
    flat, no = np.zeros(len(node_nano)), np.zeros(len(node_nano), dtype=bool)
    return ClearedZone(name, node_nano, flat, flat, no, nothing, nothing, nothing, contract_nano)
