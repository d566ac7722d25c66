"""Allocations of the units in whole Wh, and what of the contracted supply nobody was given (C19).

Policy ``given`` reads allocations.csv: a building's amount less what its units have is its common unit's; a
building without a row has what its units have.  Any other policy shares each zone's supply among its units.
A common unit keeps the reserve of its own row, and takes the building's where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planner.allocation import Recipient, Wh, allocate
from planner.preparation.desk import Desk, Floats, number, total
from planner.preparation.market import supply_wh
from planner.preparation.members import Members
from planner.preparation.network import Network
from planner_models.words import Load


@dataclass(frozen=True)
class Allotted:
    """Allocation (Wh) and reserve price per unit, remainder R (Wh) per zone; a missing unit has nothing."""

    unit_wh: Mapping[str, Wh]
    reserve_per_mwh: Mapping[str, Floats]
    remainder_wh: Mapping[str, Wh]


def allot(desk: Desk, network: Network, members: Members) -> Allotted:
    """Allocations under the case's policy, refused where they exceed the supply or a standing limit."""
    supply = supply_wh(desk)
    policy = desk.case.settings.allocation.policy
    if policy == "given":
        shares, reserve = _given(desk, members)
    else:
        shares, reserve = _shared(desk, policy, network, members, supply), {}
    remainder = _remainder(desk, network, members, shares, supply)
    _refuse_undeliverable(desk, network, members, shares)
    return Allotted(shares, reserve, remainder)


def _given(desk: Desk, members: Members) -> tuple[dict[str, Wh], dict[str, Floats]]:
    table = desk.case.allocations
    table = table[table["resource"] == "electricity"]
    for node in sorted(set(table["node"].unique()) - set(members.building_of) - set(members.common)):
        desk.problem("allocations", "an allocation to no unit or building", node, "hand it to buildings or units")
    energy = desk.series("allocations", "node", "energy_kwh", table, fill=0.0)
    reserve = desk.series("allocations", "node", "reserve_per_mwh", table, fill=0.0)
    shares = {unit: _wh(energy[unit]) for unit in members.building_of if unit in energy}
    reserves = {unit: reserve[unit] for unit in members.building_of if unit in reserve}
    for building in sorted(set(energy) & set(members.common)):
        common = members.common[building]
        handed = sum((shares[unit] for unit in members.units[building] if unit in shares), 0)
        rest = _wh(energy[building]) - handed
        if (rest < 0).any():
            at = int(np.argmax(rest < 0)) + 1
            desk.problem(
                "allocations",
                "units hold more than their building",
                f"{building} in interval {at}",
                "raise it",
            )
        shares[common] = shares.get(common, 0) + rest
        reserves.setdefault(common, reserve.get(building, np.zeros(len(desk.grid))))
    return shares, reserves


def _shared(desk: Desk, policy: str, network: Network, members: Members, supply: Mapping[str, Wh]) -> dict[str, Wh]:
    shares: dict[str, Wh] = {}
    for zone in sorted(supply):
        recipients = [
            _recipient(desk, members, unit)
            for building, units in members.units.items()
            if network.zone_of[building] == zone
            for unit in units
            if not members.empty(unit) or len(units) == 1
        ]
        if policy == "by_area" and not any(recipient.floor_area_m2 > 0 for recipient in recipients):
            desk.problem("nodes", "no unit has a floor_area_m2 to share by", zone, "fill it in, or take another policy")
        shares |= allocate(policy, supply[zone], recipients)
    return shares


def _recipient(desk: Desk, members: Members, unit: str) -> Recipient:
    row = members.rows.get(unit, {})
    loads = [asset.energy_kwh for asset in members.assets.get(unit, ()) if isinstance(asset, Load)]
    need = total(loads, len(desk.grid))
    return Recipient(
        node=unit,
        need_kwh=need,
        floor_area_m2=number(row.get("floor_area_m2"), 0.0),
        guaranteed_kwh=number(row.get("guaranteed_kwh"), 0.0),
        priority=number(row.get("priority"), float("inf")),
    )


def _remainder(
    desk: Desk, network: Network, members: Members, shares: Mapping[str, Wh], supply: Mapping[str, Wh]
) -> dict[str, Wh]:
    """R = S - sum of allocations per zone; below zero is refused.

    Without any contract (a building's own folder) the allocations are taken as backed elsewhere, and R is 0.
    """
    if not supply:
        return {}
    left = {zone: supply.get(zone, np.zeros(len(desk.grid), np.int64)).copy() for zone in network.zones}
    for unit in sorted(shares):
        zone = network.zone_of[members.building_of[unit]]
        if zone in left:
            left[zone] -= shares[unit]
    for zone, rest in left.items():
        if (rest < 0).any():
            at = int(np.argmax(rest < 0))
            desk.problem(
                "allocations",
                "allocations exceed the contracted supply",
                f"zone {zone}, interval {at + 1}: by {-rest[at] / 1000:g} kWh",
                "allocate less or add the contract to supply.csv",
            )
    return left


def _refuse_undeliverable(desk: Desk, network: Network, members: Members, shares: Mapping[str, Wh]) -> None:
    """No node above buildings may hand on more than its standing import limit carries.

    An override of limits.csv (an outage) comes after the allocation was made and refuses nothing.
    """
    below: dict[str, list[Wh]] = {}
    for unit, share in shares.items():
        for node in network.path[members.building_of[unit]][1:]:
            below.setdefault(node, []).append(share)
    for node in sorted(below):
        limit_kw = number(network.nodes[node]["import_limit_kw"], float("inf"))
        if (np.sum(below[node], axis=0) > limit_kw * desk.grid.hours * 1000 + 0.5).any():
            desk.problem(
                "allocations",
                "allocations exceed what a node imports",
                f"{node}: {limit_kw:g} kW",
                "allocate less",
            )


def _wh(energy_kwh: Floats) -> Wh:
    return np.round(energy_kwh * 1000).astype(np.int64)
