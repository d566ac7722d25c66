"""A case parted among its holders: a public folder for the marketplace, a private one for every building.

    OUT/market/             the tree above the buildings, supply, exchange, orders, lines, groups.csv
    OUT/buildings/<id>/     the building's own case, gateway.toml and meters; nobody else may open it (0700)

Both are complete case folders.  A building's holds no id of another one: gateways have numbers for names, and the
named gateway of a cohort knows its members by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planner.cleared import Wh
from planner.groups import Group, GroupKind
from planner.ledger.by_building import CaseByBuilding
from planner.ledger.case_rows import INSIDE, Write, allocation_rows, starts_of, writer
from planner.ledger.documents import mapping_toml
from planner.ledger.folder import PRIVATE, open_partial, publish
from planner.ledger.market_case import write_market_case
from planner.ledger.tables import write_csv
from planner.meters import table as readings
from planner_models.words import Building, City

OF_NODES = (
    *("limits", "loads", "solar", "wind", "batteries", "vehicles", "appliances", "flexible", "generators"),
    "listings",
)
PUBLIC = ("weather", "imbalance", "resources")
READINGS = "readings.parquet"


@dataclass(frozen=True)
class Parting:
    """What is parted: the case, its city, groups, the readings of all meters, contract price per zone and interval."""

    case: Any
    city: City
    groups: Sequence[Group]
    metered: pd.DataFrame | None
    contract_price: Mapping[str, Any]

    def gateways(self) -> dict[str, str]:
        """The name of every building's gateway: a number that tells nothing of the building."""
        digits = len(str(len(self.city.buildings)))
        return {b.id: f"gw-{i:0{digits}d}" for i, b in enumerate(sorted(self.city.buildings, key=lambda b: b.id), 1)}


def write_holders(out: Path, parting: Parting) -> Path:
    """Write every holder's folder below ``out``, all or none; raises InvalidInput if ``out`` is taken."""
    partial = open_partial(out)
    gateways = parting.gateways()
    city, parted = parting.city, CaseByBuilding(parting.case, parting.city)
    allocated = {b.id: np.rint(np.array(b.allocation_kwh) * 1000).astype(np.int64) for b in city.buildings}
    market = partial / "market"
    write_market_case(market, parting.case, city, city.grid, allocated)
    _write_groups(market / "groups.csv", parting.groups, gateways)
    (partial / "buildings").mkdir(mode=PRIVATE)
    for group in parting.groups:
        shares = cohort_shares([b for b in city.buildings if b.id in group.buildings])
        for building in (b for b in city.buildings if b.id in group.buildings):
            root = partial / "buildings" / building.id
            root.mkdir(mode=PRIVATE)
            _write_building(root, parting, parted, building, allocated[building.id])
            told = _gateway(building, group, gateways, shares, parting)
            (root / "gateway.toml").write_text(mapping_toml(told), encoding="utf-8")
    return publish(partial, out)


def cohort_shares(buildings: Sequence[Building]) -> dict[str, float]:
    """Each building's share of what its group is offered: by allocation over the horizon."""
    weight = np.array([max(sum(b.allocation_kwh), 1e-9) for b in buildings])
    return {b.id: float(share) for b, share in zip(buildings, weight / weight.sum(), strict=True)}


def _gateway(
    building: Building, group: Group, gateways: Mapping[str, str], shares: Mapping[str, float], parting: Parting
) -> dict[str, Any]:
    """gateway.toml: who this gateway is, and with whom and through whom it speaks."""
    speaker = gateways[group.buildings[0]]
    told: dict[str, Any] = {
        "gateway": gateways[building.id],
        "building": building.id,
        "group": group.id,
        "kind": str(group.kind),
        "zone": building.zone,
        "below_a_limit": bool(building.feeders),
        "lit": sum(len(g.buildings) for g in parting.groups if g.kind is not GroupKind.DARK),
    }
    if group.kind is GroupKind.COHORT:
        told |= {"speaker": speaker, "share": shares[building.id]}
        if gateways[building.id] == speaker:
            told["members"] = [gateways[b] for b in group.buildings]
    return told


def _write_groups(path: Path, groups: Sequence[Group], gateways: Mapping[str, str]) -> None:
    """groups.csv: who speaks for whom; a dark group has no voice."""
    rows = sorted(groups, key=lambda g: g.id)
    columns = {
        "group": [g.id for g in rows],
        "kind": [str(g.kind) for g in rows],
        "zone": [g.zone for g in rows],
        "feeders": [";".join(g.feeders) for g in rows],
        "gateway": ["" if g.kind is GroupKind.DARK else gateways[g.buildings[0]] for g in rows],
        "buildings": [len(g.buildings) for g in rows],
    }
    write_csv(path, columns)


def _write_building(root: Path, parting: Parting, parted: CaseByBuilding, building: Building, allocated: Wh) -> None:
    """The building's own rows of every table, as they stand in the case."""
    case, city = parting.case, parting.city
    write = writer(root, case, city.grid)
    nodes = parted.nodes([building.id]).frame
    own = set(nodes.loc[nodes["kind"].isin(INSIDE), "node"])
    write("nodes", nodes)
    for name in OF_NODES:
        rows = getattr(case, name)
        write(name, rows[rows["node"].isin(own)])
    for name in PUBLIC:
        write(name, getattr(case, name))
    write("tariffs", case.tariffs[case.tariffs["tariff"].isin(set(nodes["tariff"]))])
    named = {name for table in ("loads", "solar", "wind") for name in _own(getattr(case, table), own)["profile"]}
    write("profiles", case.profiles[case.profiles["profile"].isin(named)])
    write("allocations", _allocations(parting, building, own))
    write("supply", _contract(parting, building, allocated))
    _write_meters(root, write, parting, own)


def _own(frame: pd.DataFrame, own: set[str]) -> pd.DataFrame:
    return frame[frame["node"].isin(own)]


def _allocations(parting: Parting, building: Building, own: set[str]) -> pd.DataFrame:
    """Rows as given; where a policy shared the supply, what came of it for this building's units."""
    if parting.case.settings.allocation.policy == "given":
        return _own(parting.case.allocations, own)
    amounts = {unit.id: np.rint(np.array(unit.allocation_kwh) * 1000).astype(np.int64) for unit in building.units}
    rows = {unit: amount for unit, amount in amounts.items() if unit in own}
    if len(rows) < len(amounts):  # the rest is the common unit's by rule
        rows[building.id] = np.sum(list(amounts.values()), axis=0)
    return allocation_rows(rows, parting.city.grid)


def _contract(parting: Parting, building: Building, allocated: Wh) -> pd.DataFrame:
    """What backs the building's allocation, at its contract's price; it also names the zone."""
    grid = parting.city.grid
    return pd.DataFrame(
        {
            "contract": "allocated",
            "zone": building.zone,
            "start": starts_of(grid),
            "energy_kwh": allocated / 1000,
            "price_per_mwh": parting.contract_price.get(building.zone, np.zeros(len(grid))),
        }
    )


def _write_meters(root: Path, write: Write, parting: Parting, own: set[str]) -> None:
    """meters.csv, and the readings of these meters alone, whatever files they came in."""
    meters = _own(parting.case.meters, own)
    if meters.empty or parting.metered is None:
        return
    write("meters", meters.assign(file=READINGS, format="canonical", timezone=""))
    table = parting.metered
    table = table[table["meter"].isin(meters["meter"])].reset_index(drop=True)
    (root / "meters").mkdir()
    readings.write(table.assign(meter=table["meter"].cat.remove_unused_categories()), root / "meters" / READINGS)
