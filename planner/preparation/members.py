"""Which units a building has, and which of them is its common unit.

What belongs to a building and to no unit (stairs, lifts, an allocation not handed on) belongs to its common unit:
its first unit of use ``common``, else a unit ``<building>.common`` that stands in no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.preparation.desk import Desk, records, text
from planner.preparation.network import Network
from planner_models.words import Asset

ID_LENGTH = 64


@dataclass(frozen=True)
class Members:
    """``units`` per building, sorted, the common one included; ``rows`` of those that stand in nodes.csv."""

    units: Mapping[str, tuple[str, ...]]
    common: Mapping[str, str]
    building_of: Mapping[str, str]
    rows: Mapping[str, Mapping[str, Any]]
    assets: Mapping[str, tuple[Asset, ...]]

    def empty(self, unit: str) -> bool:
        """Whether a unit stands in no file and nothing belongs to it."""
        return unit not in self.rows and unit not in self.assets


def read_members(desk: Desk, network: Network, located: Iterable[tuple[str, Asset]]) -> Members:
    """Units by building, with the assets (located at a unit or a building) of each."""
    rows = {row["node"]: row for row in records(desk.case.nodes, "node") if row["kind"] == "unit"}
    inside: dict[str, list[str]] = {building: [] for building in network.of_kind("building")}
    for unit, row in rows.items():
        if text(row["parent"]) in inside:
            inside[text(row["parent"])].append(unit)
        else:
            desk.problem("nodes", "a unit outside a building", unit, "make a building its parent")
    common = {building: _common(building, units, rows, network) for building, units in inside.items()}
    units = {building: tuple(sorted({*inside[building], common[building]})) for building in inside}
    building_of = {unit: building for building, names in units.items() for unit in names}
    return Members(units, common, building_of, rows, _assets(desk, located, building_of, common))


def _common(building: str, units: list[str], rows: Mapping[str, Mapping[str, Any]], network: Network) -> str:
    named = [unit for unit in units if text(rows[unit]["use"]) == "common"]
    return min(named) if named else virtual_common(building, network.nodes)


def virtual_common(building: str, taken: Mapping[str, Any]) -> str:
    """``<building>.common`` within the length of an id; where that is taken, a digest keeps it apart."""
    suffix = ".common"
    name = building[: ID_LENGTH - len(suffix)] + suffix
    if len(building) + len(suffix) <= ID_LENGTH and name not in taken:
        return name
    suffix = "." + hashlib.sha256(building.encode()).hexdigest()[:8] + suffix
    return building[: ID_LENGTH - len(suffix)] + suffix


def _assets(
    desk: Desk, located: Iterable[tuple[str, Asset]], building_of: Mapping[str, str], common: Mapping[str, str]
) -> dict[str, tuple[Asset, ...]]:
    found: dict[str, list[Asset]] = {}
    for node, asset in located:
        unit = common.get(node, node)
        if unit in building_of:
            found.setdefault(unit, []).append(asset)
        else:
            desk.problem("nodes", "an asset at no unit or building", f"{asset.id} at {node}", "move it to a unit")
    return {unit: tuple(sorted(assets, key=_asset_key)) for unit, assets in found.items()}


def _asset_key(asset: Asset) -> tuple[str, str, int]:
    return (type(asset).__name__, asset.id, getattr(asset, "stay", 0))
