"""buildings/<id>/case/: what a building needs to audit its part, a complete case folder of its own.

What was metered, forecast or scaled is written as numbers on the horizon's own starts, so that neither meters nor a
forecast are needed to read it back.  Tables of many buildings are formatted together and cut apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from planner.cleared import NANO_PER_WH_OF_PRICE_PER_MWH, Cleared, ClearedBuilding
from planner.ledger.by_building import CaseOfBlock
from planner.ledger.case_rows import COLUMNS, STEMS, allocated_wh, case_toml, finite, starts_of
from planner.ledger.tables import csv_bytes, plain, write_contract_tables
from planner.stretches import Rows
from planner_models.words import Building, Flexible, Load, Plant, Unit

SCALING = ("meter", "meter_includes", "annual_kwh", "peak_kw", "tilt_deg", "azimuth_deg")
AS_THEY_ARE = ("batteries", "vehicles", "appliances", "generators", "listings")


def write_building_cases(
    roots: Sequence[Path], case: CaseOfBlock, cleared: Cleared, buildings: Sequence[ClearedBuilding]
) -> None:
    """buildings/<id>/case/ of each: the path from the city to the building, its units and everything they own."""
    block = _Block(roots, case, cleared, buildings)
    settings = case_toml(case, cleared).encode()
    for root in roots:
        root.mkdir(parents=True, exist_ok=True)
        (root / "case.toml").write_bytes(settings)
    block.write("nodes", case.nodes)
    block.write("limits", _limits(block, case.nodes))
    for name, key in (("loads", "load"), ("solar", "plant"), ("wind", "plant")):
        block.write(name, _by_profile(case.owned[name], key))
    block.write("flexible", _bands(block))
    _write_profiles(block)
    for name in AS_THEY_ARE:
        block.write(name, case.owned[name])
    block.write("supply", _contracts(block))
    block.write("allocations", _allocations(block))
    for name, frame in case.of_all.items():
        block.write_to_all(name, frame)


@dataclass(frozen=True)
class _Block:
    """Some buildings and where the case of each goes."""

    roots: Sequence[Path]
    case: CaseOfBlock
    cleared: Cleared
    buildings: Sequence[ClearedBuilding]

    @property
    def names(self) -> list[str]:
        return [building.building for building in self.buildings]

    @property
    def words(self) -> list[Building | None]:
        return [self.case.words.get(name) for name in self.names]

    @property
    def n(self) -> int:
        return len(self.cleared.starts)

    @property
    def hours(self) -> float:
        return self.cleared.minutes / 60

    @property
    def timezone(self) -> str:
        zone: str = self.case.settings.timezone
        return zone

    def write(self, name: str, rows: Rows) -> None:
        """One table of every building that has rows of it."""
        frame = rows.frame[[column for column in COLUMNS[name] if column in rows.frame]]
        paths = [root / f"{STEMS[name]}.csv" for root in self.roots]
        write_contract_tables(paths, frame, rows.lengths, self.timezone)

    def write_to_all(self, name: str, frame: pd.DataFrame) -> None:
        """A table that is the same in every case."""
        first, *others = [root / f"{STEMS[name]}.csv" for root in self.roots]
        kept = frame[[column for column in COLUMNS[name] if column in frame]]
        write_contract_tables([first], kept, [len(kept)], self.timezone)
        if len(kept):
            content = first.read_bytes()
            for path in others:
                path.write_bytes(content)

    def series(self, holders: Sequence[int], columns: dict[str, Any]) -> Rows:
        """Rows by start over the horizon of things that buildings ``holders`` (in order) own.

        A column has one value per thing, (things,), or one per interval as well, (things, intervals).
        """
        k = len(holders)
        frame: dict[str, Any] = {"start": starts_of(self.cleared).take(np.tile(np.arange(self.n), k))}
        for name, values in columns.items():
            array = np.asarray(values)
            frame[name] = array.reshape(k * self.n) if array.ndim == 2 else np.repeat(array, self.n)
        counts = np.bincount(np.asarray(holders, dtype=np.int64), minlength=len(self.buildings))
        return Rows(pd.DataFrame(frame), counts * self.n)


def _by_profile(rows: Rows, key: str) -> Rows:
    frame = rows.frame.drop(columns=list(SCALING), errors="ignore")
    return Rows(frame.assign(profile=frame[key] + "_kw"), rows.lengths)


def _bands(block: _Block) -> Rows:
    """Flexible loads with their numbers."""
    flexible = block.case.owned["flexible"].frame
    node_of = dict(zip(flexible["load"], flexible["node"], strict=True))
    owned = [(i, a) for i, words in enumerate(block.words) for a in _assets(words) if isinstance(a, Flexible)]
    if not owned:
        return block.series([], {})
    bands = [a for _, a in owned]
    columns = {
        "load": [a.id for a in bands],
        "node": [node_of[a.id] for a in bands],
        "min_kw": np.array([a.min_kwh for a in bands]) / block.hours,
        "max_kw": np.array([a.max_kwh for a in bands]) / block.hours,
        "min_cumulative_kwh": np.stack([finite(a.min_cumulative_kwh, block.n) for a in bands]),
        "max_cumulative_kwh": np.stack([finite(a.max_cumulative_kwh, block.n) for a in bands]),
        "deviation_cost_per_mwh": [a.deviation_cost_per_mwh for a in bands],
    }
    return block.series([i for i, _ in owned], columns)


def _assets(words: Building | None) -> Iterator[Any]:
    """Every asset of a building once."""
    yield from {asset.id: asset for unit in (words.units if words else ()) for asset in unit.assets}.values()


def _write_profiles(block: _Block) -> None:
    """profiles.csv: a column (kW) of every load and plant."""
    starts = plain(pd.Series(starts_of(block.cleared)), block.timezone)
    for root, words in zip(block.roots, block.words, strict=True):
        energy = {a.id: a.energy_kwh for a in _assets(words) if isinstance(a, Load)}
        energy |= {a.id: a.available_kwh for a in _assets(words) if isinstance(a, Plant)}
        if not energy:
            continue
        names = sorted(f"{name}_kw" for name in energy)
        power = np.array([energy[name.removesuffix("_kw")] for name in names]) / block.hours
        columns = {name: pa.array(row, from_pandas=True) for name, row in zip(names, power, strict=True)}
        table = pa.table({"start": starts} | {name: c for name, c in columns.items() if c.null_count < len(c)})
        (root / "profiles.csv").write_bytes(csv_bytes(table))


def _limits(block: _Block, nodes: Rows) -> Rows:
    """Limits of building and units on the horizon, where nodes.csv alone does not say them."""
    stated = {
        node: (into, out_of)
        for node, into, out_of in zip(
            nodes.frame["node"], nodes.frame["import_limit_kw"], nodes.frame["export_limit_kw"], strict=True
        )
    }
    owners = [
        (i, owner)
        for i, words in enumerate(block.words)
        for owner in _owners(words)
        if owner.id in stated and not (owner.import_limit_kwh is None and owner.export_limit_kwh is None)
    ]
    if not owners:
        return block.series([], {})
    into, out_of = (
        np.stack([finite(getattr(owner, name), block.n) for _, owner in owners]) / block.hours
        for name in ("import_limit_kwh", "export_limit_kwh")
    )
    said = np.array([stated[owner.id] for _, owner in owners], dtype=float)
    told = np.flatnonzero(~(_same(into, said[:, :1]) & _same(out_of, said[:, 1:])))
    columns = {
        "node": np.array([owners[k][1].id for k in told], dtype=object),
        "import_kw": into[told],
        "export_kw": out_of[told],
    }
    return block.series([owners[k][0] for k in told], columns)


def _owners(words: Building | None) -> list[Building | Unit]:
    return [words, *words.units] if words else []


def _same(limit: np.ndarray, stated: np.ndarray) -> np.ndarray:
    """Rows whose every interval is as stated, or without limit where none is stated."""
    same: np.ndarray = ((limit == stated) | (np.isnan(limit) & np.isnan(stated))).all(axis=1)
    return same


def _allocations(block: _Block) -> Rows:
    """A of the building and a of each unit that nodes.csv knows; the rest of A is the common unit's by rule."""
    rows: list[tuple[int, str, Any, Any]] = []
    for i, (building, words) in enumerate(zip(block.buildings, block.words, strict=True)):
        whole = allocated_wh(building)
        units = sorted(building.units, key=lambda unit: unit.unit)
        known = [u for u in units if block.case.owner.get(u.unit) == building.building and u.allocation_wh.any()]
        if not (whole.any() or known):
            continue
        reserves = _reserves(words, building.building, block.case)
        amounts = {building.building: whole} | {unit.unit: unit.allocation_wh for unit in known}
        rows += [(i, name, amount, reserves.get(name, np.zeros(block.n))) for name, amount in amounts.items()]
    if not rows:
        return block.series([], {})
    columns = {
        "node": np.array([name for _, name, _, _ in rows], dtype=object),
        "energy_kwh": np.array([amount for _, _, amount, _ in rows]) / 1000,
        "reserve_per_mwh": np.array([np.broadcast_to(reserve, block.n) for _, _, _, reserve in rows], dtype=float),
    }
    return block.series([i for i, _, _, _ in rows], columns)


def _reserves(words: Building | None, building: str, case: CaseOfBlock) -> dict[str, Any]:
    """Reserve of each unit; that of a unit which nodes.csv does not know is the building's."""
    units = words.units if words else ()
    found: dict[str, Any] = {unit.id: unit.reserve_per_mwh for unit in units}
    unknown = [unit.reserve_per_mwh for unit in units if case.owner.get(unit.id) != building]
    return found | ({building: unknown[-1]} if unknown else {})


def _contracts(block: _Block) -> Rows:
    """What backs each building's allocation, at its contract's price."""
    price = {zone.zone: zone.contract_price_nano for zone in block.cleared.zones}
    backed = [(i, allocated_wh(b), price[b.zone]) for i, b in enumerate(block.buildings) if b.zone in price]
    backed = [(i, allocated, nano) for i, allocated, nano in backed if allocated.any()]
    if not backed:
        return block.series([], {})
    columns = {
        "contract": ["allocated"] * len(backed),
        "zone": [block.buildings[i].zone for i, _, _ in backed],
        "energy_kwh": np.array([allocated for _, allocated, _ in backed]) / 1000,
        "price_per_mwh": np.array([nano for _, _, nano in backed]) / NANO_PER_WH_OF_PRICE_PER_MWH,
    }
    return block.series([i for i, _, _ in backed], columns)
