"""Allocations: nobody hands out more than they hold, and the network can carry it; compared in whole Wh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from planner.hierarchy import parents, upwards, zones
from planner.problems import Problem
from planner.timeseries import missing_words, on_grid, positions, summed_on_grid
from planner.validation.common import each, in_file_order, of, rows_where
from planner_models.words import IntervalGrid

if TYPE_CHECKING:
    from planner.case import Case

Wh = npt.NDArray[np.int64]
ByNode = dict[str, Wh]


@of("grid_prices")
def prices_in_order(case: Case) -> Iterator[Problem]:
    """Exporting never earns more than importing costs, else the neighbour would pay for a circle."""
    grid = case.grid_prices
    wrong = grid["export_price_per_mwh"] > grid["import_price_per_mwh"]
    what = "export_price_per_mwh is above import_price_per_mwh"
    yield from each(case, "grid_prices", wrong, what, grid["export_price_per_mwh"])


@of("allocations")
def one_unit_of_account(case: Case) -> Iterator[Problem]:
    known = {"electricity", *case.resources["resource"]}
    wrong = ~case.allocations["resource"].isin(known)
    yield from each(case, "allocations", wrong, "unknown resource", case.allocations["resource"])


@of("allocations")
def of_buildings_and_units(case: Case) -> Iterator[Problem]:
    nodes, allocations = case.nodes, case.allocations
    above = set(nodes.loc[~nodes["kind"].isin(["building", "unit", ""]), "node"])
    wrong = allocations["node"].isin(above)
    yield from each(case, "allocations", wrong, "allocations are for buildings and units", allocations["node"])


@of("allocations")
def units_within_building(case: Case) -> Iterator[Problem]:
    grid = _comparable(case)
    if grid is None:
        return
    handed = _handed_out(case, grid)
    parent = parents(case.nodes)
    kind = _kinds(case)
    total: ByNode = {}
    for node, energy in handed.items():
        building = parent.get(node, "")
        if kind.get(node) == "unit" and building:
            total[building] = total.get(building, 0) + energy
    for building, energy in sorted(total.items()):
        if building in handed:
            words = f"the units' allocations are above those of building '{building}'"
            yield from _above(case, grid, energy, handed[building], building, words)


def buildings_within_supply(case: Case) -> Iterator[Problem]:
    """Per zone, what buildings are entitled to is backed by contracts, where there are any."""
    grid = _comparable(case, "supply")
    if grid is None or not len(case.supply):
        return
    supply = summed_on_grid(case.supply, "zone", "energy_kwh", grid)
    held = {name: _wh(energy) for name, energy in supply.items()}
    parent, known = parents(case.nodes), set(zones(case.tables))
    total: ByNode = {}
    for building, energy in of_buildings(case, grid).items():
        zone = next((node for node in upwards(building, parent) if node in known), "")
        if zone:
            total[zone] = total.get(zone, 0) + energy
    for zone, energy in sorted(total.items()):
        limit = held.get(zone, np.zeros_like(energy))
        words = f"the buildings' allocations are above the contracted supply of zone '{zone}'"
        yield from _above(case, grid, energy[: grid.settled], limit[: grid.settled], zone, words)


def network_carries_them(case: Case) -> Iterator[Problem]:
    """Above the buildings, no node's import limit is below the allocations that must pass it."""
    grid = _comparable(case, "limits")
    if grid is None or not len(case.allocations):
        return
    parent, kind = parents(case.nodes), _kinds(case)
    limits = import_limits(case, grid)
    total: ByNode = {}
    for building, energy in of_buildings(case, grid).items():
        for node in upwards(building, parent):
            if node in limits and kind.get(node) not in ("building", "unit"):
                total[node] = total.get(node, 0) + energy
    for node, energy in sorted(total.items()):
        words = f"the allocations below '{node}' are above its import limit: the network cannot carry them"
        yield from _above(case, grid, energy, limits[node], node, words)


def of_buildings(case: Case, grid: IntervalGrid) -> ByNode:
    """What each building is entitled to, Wh of the delivery day: its own rows, or else the sum of its units'."""
    handed, parent, kind = _handed_out(case, grid), parents(case.nodes), _kinds(case)
    own = {node: energy for node, energy in handed.items() if kind.get(node) == "building"}
    summed: ByNode = {}
    for node, energy in handed.items():
        building = parent.get(node, "")
        if kind.get(node) == "unit" and building and building not in own:
            summed[building] = summed.get(building, 0) + energy
    return {**own, **summed}


def import_limits(case: Case, grid: IntervalGrid) -> ByNode:
    """Import limit of every limited node, Wh per interval of the delivery day; limits.csv wins where it speaks."""
    nodes = case.nodes
    n, unlimited = grid.settled, np.int64(2**62)
    found: ByNode = {}
    for row in rows_where(nodes["import_limit_kw"].notna()):
        wh = _wh(np.array([nodes["import_limit_kw"].iloc[row] * grid.hours]))[0]
        found[nodes["node"].iloc[row]] = np.full(n, wh)
    special = case.limits[case.limits["import_kw"].notna()]
    for node, power in on_grid(special, "node", "import_kw", grid, fill=-1.0).items():
        here = power[:n] >= 0
        base = found.get(node, np.full(n, unlimited))
        found[node] = np.where(here, _wh(np.maximum(power[:n], 0.0) * grid.hours), base)
    return found


def _handed_out(case: Case, grid: IntervalGrid) -> ByNode:
    rows = case.allocations
    rows = rows[rows["resource"] == "electricity"]
    series = on_grid(rows, "node", "energy_kwh", grid, fill=0.0)
    energy = np.array(list(series.values())).reshape(len(series), len(grid))
    return dict(zip(series, _wh(energy[:, : grid.settled]), strict=True))


def _kinds(case: Case) -> dict[str, str]:
    nodes = case.nodes
    return dict(zip(nodes["node"].to_numpy(dtype=object), nodes["kind"].to_numpy(dtype=object), strict=True))


def _wh(energy_kwh: npt.NDArray[np.float64]) -> Wh:
    """Whole Wh; sums that no meter could show are cut off."""
    return np.rint(np.clip(energy_kwh, -1e14, 1e14) * 1000).astype(np.int64)


def _comparable(case: Case, *tables: str) -> IntervalGrid | None:
    """The grid, if there is one and none of these tables has cells that could not be read."""
    return None if case.doubtful & {"nodes", "allocations", *tables} else case.grid_or_none


def _above(case: Case, grid: IntervalGrid, energy: Wh, limit: Wh, node: str, words: str) -> Iterator[Problem]:
    """One problem for a node whose energy is above its limit, at the first row that has a part in it."""
    over = energy > limit
    if not over.any():
        return
    i = int(np.argmax(over))
    value = f"{energy[i] / 1000:.12g} kWh against {limit[i] / 1000:.12g} in interval {i + 1}"
    parent, rows = parents(case.nodes), case.allocations
    below = {name for name in rows["node"].unique() if node in upwards(name, parent)}
    here = positions(rows, grid) == i
    found = rows_where(here & (rows["node"] == node)) or rows_where(here & rows["node"].isin(below))
    row = in_file_order(case, "allocations", found)[:1] or [-2]
    yield case.problem("allocations", row[0], f"{words} in {missing_words(over)}", value)


CHECKS = (
    prices_in_order,
    one_unit_of_account,
    of_buildings_and_units,
    units_within_building,
    buildings_within_supply,
    network_carries_them,
)
