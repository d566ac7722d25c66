"""The input each holder needs to audit its part: complete case folders, cut out of the cleared case.

What was metered, forecast or scaled is written as numbers on the horizon's own starts, so that neither meters nor a
forecast are needed to read it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from planner_models.words import Building, City, Flexible, Load, Plant, Unit

from planner.cleared import NANO_PER_WH_OF_PRICE_PER_MWH, Cleared, ClearedBuilding, Wh
from planner.ledger.documents import settings_toml
from planner.ledger.tables import write_contract_table
from planner.tables import TABLES

SCALING = ("meter", "meter_includes", "annual_kwh", "peak_kw", "tilt_deg", "azimuth_deg")
INSIDE = ("building", "unit")
AS_THEY_ARE = ("batteries", "vehicles", "appliances", "generators")
STEMS = {table.name: table.stem for table in TABLES}
COLUMNS = {table.name: table.names for table in TABLES}
Write = Callable[[str, pd.DataFrame], None]


def write_market_case(root: Path, case: Any, city: City, cleared: Cleared) -> None:
    """market/case/: the tree above the buildings and the buildings' names, supply, exchange, orders, lines."""
    write = _writer(root, case, cleared)
    inside = case.nodes["kind"].isin(INSIDE)
    above = case.nodes[~inside].drop(columns=["metering_point", "occupant", "tariff"], errors="ignore")
    buildings = case.nodes.loc[case.nodes["kind"] == "building", ["node", "parent", "kind", "loss_ratio"]]
    write("nodes", pd.concat([above, buildings], ignore_index=True))
    write("limits", _on_starts(case.limits[case.limits["node"].isin(above["node"])], cleared))
    write("grid_prices", _exchange_rows(city, cleared))
    write("supply", _on_starts(case.supply, cleared))
    write("orders", _in_order(case.orders))
    write("lines", case.lines)
    allocated = {b.building: _allocated(b) for b in sorted(cleared.buildings, key=lambda b: b.building)}
    write("allocations", _allocation_rows(allocated, cleared))


def write_building_case(root: Path, case: Any, city: City, cleared: Cleared, building: ClearedBuilding) -> None:
    """buildings/<id>/case/: the path from the city to the building, its units and everything they own."""
    words = next((b for b in city.buildings if b.id == building.building), None)
    write = _writer(root, case, cleared)
    nodes = _own_nodes(case.nodes, building.building)
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


def _writer(root: Path, case: Any, cleared: Cleared) -> Write:
    """Writes case.toml at once, and gives a function that writes one table with the contract's columns."""
    zone = case.settings.timezone
    day = cleared.starts[0].astimezone(ZoneInfo(zone)).date()
    settings = replace(case.settings, delivery_date=day, allocation=replace(case.settings.allocation, policy="given"))
    root.mkdir(parents=True, exist_ok=True)
    (root / "case.toml").write_text(settings_toml(settings), encoding="utf-8")

    def write(name: str, frame: pd.DataFrame) -> None:
        kept = frame[[column for column in COLUMNS[name] if column in frame]]
        write_contract_table(root / f"{STEMS[name]}.csv", kept, zone)

    return write


def _own_nodes(nodes: pd.DataFrame, building: str) -> pd.DataFrame:
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
    write("flexible", _stacked(bands))
    return profiles


def _band_rows(asset: Flexible, node: str, cleared: Cleared) -> pd.DataFrame:
    hours = cleared.minutes / 60
    return pd.DataFrame(
        {
            "load": asset.id,
            "node": node,
            "start": _starts(cleared),
            "min_kw": np.array(asset.min_kwh) / hours,
            "max_kw": np.array(asset.max_kwh) / hours,
            "min_cumulative_kwh": _finite(asset.min_cumulative_kwh, len(cleared.starts)),
            "max_cumulative_kwh": _finite(asset.max_cumulative_kwh, len(cleared.starts)),
            "deviation_cost_per_mwh": asset.deviation_cost_per_mwh,
        }
    )


def _write_profiles(path: Path, profiles: Mapping[str, np.ndarray], cleared: Cleared, timezone: str) -> None:
    if profiles:
        columns = {"start": _starts(cleared), **{name: profiles[name] for name in sorted(profiles)}}
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
            _finite(limit, len(cleared.starts)) / (cleared.minutes / 60)
            for limit in (owner.import_limit_kwh, owner.export_limit_kwh)
        )
        fixed: Any = stated.loc[owner.id]
        if not (_same(into, float(fixed["import_limit_kw"])) and _same(out_of, float(fixed["export_limit_kw"]))):
            frame = {"node": owner.id, "start": _starts(cleared), "import_kw": into, "export_kw": out_of}
            rows.append(pd.DataFrame(frame))
    return _stacked(rows)


def _same(limit: np.ndarray, stated: float) -> bool:
    return bool(np.all(np.isnan(limit)) if stated != stated else np.all(limit == stated))


def _exchange_rows(city: City, cleared: Cleared) -> pd.DataFrame:
    hours, n = cleared.minutes / 60, len(cleared.starts)
    return _stacked(
        [
            pd.DataFrame(
                {
                    "zone": exchange.zone,
                    "start": _starts(cleared),
                    "import_price_per_mwh": exchange.import_price_per_mwh,
                    "export_price_per_mwh": exchange.export_price_per_mwh,
                    "import_limit_kw": _finite(exchange.import_limit_kwh, n) / hours,
                    "export_limit_kw": _finite(exchange.export_limit_kwh, n) / hours,
                }
            )
            for exchange in city.exchanges
        ]
    )


def _building_allocations(
    building: ClearedBuilding, words: Building | None, own: set[str], cleared: Cleared
) -> pd.DataFrame:
    """A of the building and a of each unit that nodes.csv knows; the rest of A is the common unit's by rule."""
    reserves = {unit.id: unit for unit in (words.units if words else ())}
    units = sorted(building.units, key=lambda unit: unit.unit)
    known = [unit for unit in units if unit.unit in own and unit.allocation_wh.any()]
    rows = {building.building: _allocated(building)} | {unit.unit: unit.allocation_wh for unit in known}
    reserve = [np.array(reserves[name].reserve_per_mwh) if name in reserves else 0.0 for name in rows]
    return _allocation_rows(rows, cleared, reserve)


def _allocation_rows(
    energy_wh: Mapping[str, Wh], cleared: Cleared, reserve_per_mwh: Sequence[Any] | None = None
) -> pd.DataFrame:
    """Allocations of nodes over the horizon; none at all where nobody is allocated anything."""
    if not any(energy.any() for energy in energy_wh.values()):
        return pd.DataFrame()
    n = len(cleared.starts)
    frame = pd.DataFrame(
        {
            "node": np.repeat(list(energy_wh), n),
            "start": _starts(cleared)[np.tile(np.arange(n), len(energy_wh))],
            "energy_kwh": np.concatenate(list(energy_wh.values())) / 1000,
        }
    )
    if reserve_per_mwh is not None:
        frame["reserve_per_mwh"] = np.concatenate([np.broadcast_to(reserve, n) for reserve in reserve_per_mwh])
    return frame


def _allocated(building: ClearedBuilding) -> Wh:
    """A: what the building's units are entitled to together."""
    return np.sum([np.zeros_like(building.loss_wh), *(unit.allocation_wh for unit in building.units)], axis=0)


def _contract_rows(building: ClearedBuilding, cleared: Cleared) -> pd.DataFrame:
    """What backs the building's allocation, at its contract's price."""
    allocated = _allocated(building)
    price = next((zone.contract_price_nano for zone in cleared.zones if zone.zone == building.zone), None)
    if price is None or not allocated.any():
        return pd.DataFrame()
    return pd.DataFrame(
        {
            "contract": "allocated",
            "zone": building.zone,
            "start": _starts(cleared),
            "energy_kwh": allocated / 1000,
            "price_per_mwh": price / NANO_PER_WH_OF_PRICE_PER_MWH,
        }
    )


def _on_starts(frame: pd.DataFrame, cleared: Cleared) -> pd.DataFrame:
    """A series by interval or start as rows by start on the horizon; the look-ahead repeats the delivery day."""
    if frame.empty:
        return frame
    starts = _starts(cleared)
    by_start = frame[frame["interval"].isna() & frame["start"].isin(starts)]
    numbered = frame[frame["interval"].notna()]
    cells = pd.DataFrame({"interval": np.arange(len(starts)) % cleared.settled + 1, "start": starts})
    cells["interval"] = cells["interval"].astype(frame["interval"].dtype)
    tiled = numbered.drop(columns="start").merge(cells, on="interval", how="inner")
    joined = pd.concat([part for part in (by_start, tiled) if len(part)] or [by_start], ignore_index=True)
    return joined.drop(columns="interval")


def _in_order(orders: pd.DataFrame) -> pd.DataFrame:
    """Orders in the rows in which they were given, since acceptances name the row; quantities once."""
    if orders.empty:
        return orders
    frame = orders.sort_values("row", kind="stable") if "row" in orders else orders
    told_twice = "quantity_mw" in frame and frame["quantity_kwh"].notna().all()
    return frame.drop(columns="quantity_mw") if told_twice else frame


def _starts(cleared: Cleared) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(cleared.starts)


def _finite(values: Any, n: int) -> np.ndarray:
    """Floats with NaN where nothing limits."""
    array = np.full(n, np.nan) if values is None else np.array(values, dtype=float)
    return np.where(np.isfinite(array), array, np.nan)


def _stacked(frames: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [frame for frame in frames if len(frame)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
