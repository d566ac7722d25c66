"""buildings/<id>/case/: what a building needs to audit its part, a complete case folder of its own.

What was metered, forecast or scaled is written as numbers on the horizon's own starts, so that neither meters nor a
forecast are needed to read it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planner.cleared import NANO_PER_WH_OF_PRICE_PER_MWH, Cleared, ClearedBuilding
from planner.ledger.case_rows import (
    INSIDE,
    Write,
    allocated_wh,
    allocation_rows,
    finite,
    stacked,
    starts_of,
    writer,
)
from planner.ledger.tables import write_contract_table
from planner_models.words import Building, City, Flexible, Load, Plant, Unit

SCALING = ("meter", "meter_includes", "annual_kwh", "peak_kw", "tilt_deg", "azimuth_deg")
AS_THEY_ARE = ("batteries", "vehicles", "appliances", "generators")


def write_building_case(root: Path, case: Any, city: City, cleared: Cleared, building: ClearedBuilding) -> None:
    """buildings/<id>/case/: the path from the city to the building, its units and everything they own."""
    words = next((b for b in city.buildings if b.id == building.building), None)
    write = writer(root, case, cleared)
    nodes = own_nodes(case.nodes, building.building)
    own = set(nodes.loc[nodes["kind"].isin(INSIDE), "node"])
    write("nodes", nodes)
    write("limits", _limit_rows(words, nodes, cleared) if words else pd.DataFrame())
    profiles = _write_series(write, case, words, own, cleared)
    _write_profiles(root / "profiles.csv", profiles, cleared, case.settings.timezone)
    for name in AS_THEY_ARE:
        table = getattr(case, name)
        write(name, table[table["node"].isin(own)])
    write("supply", _contract_rows(building, cleared))
    write("allocations", _building_allocations(building, words, own, cleared))
    write("tariffs", case.tariffs)
    write("resources", case.resources)
    write("listings", case.listings[case.listings["node"].isin(own)])


def own_nodes(nodes: pd.DataFrame, building: str) -> pd.DataFrame:
    """City to building, then its units; what lies above carries losses and tariffs but not its limits."""
    parent = dict(zip(nodes["node"], nodes["parent"], strict=True))
    path, at = [building], parent.get(building, "")
    while isinstance(at, str) and at and at not in path:
        path.append(at)
        at = parent.get(at, "")
    own = nodes[nodes["node"].isin(path) | ((nodes["parent"] == building) & (nodes["kind"] == "unit"))].copy()
    own.loc[own["node"].isin(path[1:]), ["import_limit_kw", "export_limit_kw"]] = np.nan
    return own


def _write_series(
    write: Write, case: Any, words: Building | None, own: set[str], cleared: Cleared
) -> dict[str, np.ndarray]:
    """Loads, plants and flexible loads with their numbers; gives the profiles (kW) that loads and plants name."""
    assets = {asset.id: asset for unit in (words.units if words else ()) for asset in unit.assets}
    hours = cleared.minutes / 60
    profiles: dict[str, np.ndarray] = {}
    for asset in assets.values():
        if isinstance(asset, Load | Plant):
            energy = asset.energy_kwh if isinstance(asset, Load) else asset.available_kwh
            profiles[f"{asset.id}_kw"] = np.array(energy) / hours
    for name, key in (("loads", "load"), ("solar", "plant"), ("wind", "plant")):
        table = getattr(case, name)
        table = table[table["node"].isin(own)]
        write(name, table.drop(columns=list(SCALING), errors="ignore").assign(profile=table[key] + "_kw"))
    flexible = case.flexible[case.flexible["node"].isin(own)]
    node_of = dict(zip(flexible["load"], flexible["node"], strict=True))
    bands = [_band_rows(a, node_of[a.id], cleared) for a in assets.values() if isinstance(a, Flexible)]
    write("flexible", stacked(bands))
    return profiles


def _band_rows(asset: Flexible, node: str, cleared: Cleared) -> pd.DataFrame:
    hours = cleared.minutes / 60
    return pd.DataFrame(
        {
            "load": asset.id,
            "node": node,
            "start": starts_of(cleared),
            "min_kw": np.array(asset.min_kwh) / hours,
            "max_kw": np.array(asset.max_kwh) / hours,
            "min_cumulative_kwh": finite(asset.min_cumulative_kwh, len(cleared.starts)),
            "max_cumulative_kwh": finite(asset.max_cumulative_kwh, len(cleared.starts)),
            "deviation_cost_per_mwh": asset.deviation_cost_per_mwh,
        }
    )


def _write_profiles(path: Path, profiles: Mapping[str, np.ndarray], cleared: Cleared, timezone: str) -> None:
    if profiles:
        columns = {"start": starts_of(cleared), **{name: profiles[name] for name in sorted(profiles)}}
        write_contract_table(path, pd.DataFrame(columns), timezone)


def _limit_rows(building: Building, nodes: pd.DataFrame, cleared: Cleared) -> pd.DataFrame:
    """Limits of building and units on the horizon, where nodes.csv alone does not say them."""
    stated = nodes.set_index("node")
    rows = []
    owners: list[Building | Unit] = [building, *building.units]
    for owner in owners:
        if owner.id not in stated.index or (owner.import_limit_kwh is None and owner.export_limit_kwh is None):
            continue
        into, out_of = (
            finite(limit, len(cleared.starts)) / (cleared.minutes / 60)
            for limit in (owner.import_limit_kwh, owner.export_limit_kwh)
        )
        fixed: Any = stated.loc[owner.id]
        if not (_same(into, float(fixed["import_limit_kw"])) and _same(out_of, float(fixed["export_limit_kw"]))):
            frame = {"node": owner.id, "start": starts_of(cleared), "import_kw": into, "export_kw": out_of}
            rows.append(pd.DataFrame(frame))
    return stacked(rows)


def _same(limit: np.ndarray, stated: float) -> bool:
    return bool(np.all(np.isnan(limit)) if stated != stated else np.all(limit == stated))


def _building_allocations(
    building: ClearedBuilding, words: Building | None, own: set[str], cleared: Cleared
) -> pd.DataFrame:
    """A of the building and a of each unit that nodes.csv knows; the rest of A is the common unit's by rule."""
    reserves = {unit.id: unit for unit in (words.units if words else ())}
    units = sorted(building.units, key=lambda unit: unit.unit)
    known = [unit for unit in units if unit.unit in own and unit.allocation_wh.any()]
    rows = {building.building: allocated_wh(building)} | {unit.unit: unit.allocation_wh for unit in known}
    for virtual in [unit for name, unit in reserves.items() if name not in own]:
        reserves[building.building] = virtual
    reserve = [np.array(reserves[name].reserve_per_mwh) if name in reserves else 0.0 for name in rows]
    return allocation_rows(rows, cleared, reserve)


def _contract_rows(building: ClearedBuilding, cleared: Cleared) -> pd.DataFrame:
    """What backs the building's allocation, at its contract's price."""
    allocated = allocated_wh(building)
    price = next((zone.contract_price_nano for zone in cleared.zones if zone.zone == building.zone), None)
    if price is None or not allocated.any():
        return pd.DataFrame()
    return pd.DataFrame(
        {
            "contract": "allocated",
            "zone": building.zone,
            "start": starts_of(cleared),
            "energy_kwh": allocated / 1000,
            "price_per_mwh": price / NANO_PER_WH_OF_PRICE_PER_MWH,
        }
    )
