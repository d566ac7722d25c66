"""The tree between a unit and its zone: which zone a building trades in, what limits and losses lie on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.hierarchy import parents, upwards
from planner.preparation.desk import Desk, Floats, kwh, number, records
from planner_models.words import UNLIMITED, Vector


@dataclass(frozen=True)
class Limit:
    """kWh per interval that may flow in and out of a node; infinite where nothing limits."""

    into: Vector
    out_of: Vector

    @property
    def binds(self) -> bool:
        return min(self.into) < UNLIMITED or min(self.out_of) < UNLIMITED


@dataclass(frozen=True)
class Network:
    """nodes.csv as lookups.

    ``zone_of`` and ``path`` (building first, the node below its zone last) are per building; ``limits`` holds
    every limited node.
    """

    nodes: Mapping[str, Mapping[str, Any]]
    zones: tuple[str, ...]
    zone_of: Mapping[str, str]
    path: Mapping[str, tuple[str, ...]]
    limits: Mapping[str, Limit]

    def of_kind(self, kind: str) -> list[str]:
        """Ids of one kind, sorted."""
        return sorted(name for name, row in self.nodes.items() if row["kind"] == kind)

    def loss_ratio(self, building: str) -> float:
        """Share lost between building and zone: 1 - prod(1 - loss_ratio) over the path."""
        kept = 1.0
        for node in self.path[building]:
            kept *= 1 - number(self.nodes[node]["loss_ratio"], 0.0)
        return 1 - kept if kept < 1 else 0.0

    def feeders(self, building: str) -> tuple[str, ...]:
        """Limited nodes strictly above the building and below its zone, sorted."""
        return tuple(sorted(node for node in self.path[building][1:] if node in self.limits))


def read_network(desk: Desk) -> Network:
    """The tree with zones found and limits on the grid."""
    nodes = {row["node"]: row for row in records(desk.case.nodes, "node")}
    zones, parent = desk.case.zones, parents(desk.case.nodes)
    zone_of: dict[str, str] = {}
    path: dict[str, tuple[str, ...]] = {}
    for name in sorted(nodes):
        if nodes[name]["kind"] != "building":
            continue
        below, zone = [], ""
        for node in upwards(name, parent):
            if node in zones:
                zone = node
                break
            below.append(node)
        if not zone:
            desk.problem("nodes", "a building below no zone", name, f"known zones: {', '.join(zones)}")
        zone_of[name], path[name] = zone, tuple(below)
    limits = _limits(desk, nodes)
    _refuse_limits_above(desk, zones, parent, limits)
    return Network(nodes, zones, zone_of, path, limits)


def _limits(desk: Desk, nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Limit]:
    """Limits of nodes.csv, overridden per interval by limits.csv."""
    nan = float("nan")
    overrides = [desk.series("limits", "node", column, fill=nan) for column in ("import_kw", "export_kw")]
    limits = {}
    for name, row in nodes.items():
        columns = (row["import_limit_kw"], row["export_limit_kw"])
        limit = Limit(
            *(_limit(desk, column, override.get(name)) for column, override in zip(columns, overrides, strict=True))
        )
        if limit.binds:
            limits[name] = limit
    return limits


def _limit(desk: Desk, standing_kw: float, override_kw: Floats | None) -> Vector:
    standing = number(standing_kw, UNLIMITED) * desk.grid.hours
    if override_kw is None:
        return (standing,) * len(desk.grid) if standing == UNLIMITED else kwh(np.full(len(desk.grid), standing))
    return kwh(np.where(np.isnan(override_kw), standing, override_kw * desk.grid.hours))


def _refuse_limits_above(
    desk: Desk, zones: tuple[str, ...], parent: Mapping[str, str], limits: Mapping[str, Limit]
) -> None:
    """A limit above a zone would be no rule of the model: refuse it rather than ignore it."""
    for zone in zones:
        for above in list(upwards(zone, parent))[1:]:
            if above in limits and above not in zones:
                desk.problem("nodes", "a limit above the zones", above, "limit the zone's exchange or a line instead")
