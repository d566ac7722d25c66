"""Buildings with their units, and the limited nodes above them."""

from __future__ import annotations

from collections.abc import Sequence

from planner.preparation.allotted import Allotted
from planner.preparation.desk import Desk, kwh, prices, text, total, unlimited_to_none
from planner.preparation.members import Members
from planner.preparation.network import Network
from planner_models.words import Building, Feeder, Unit, Vector


def buildings(desk: Desk, network: Network, members: Members, allotted: Allotted) -> tuple[Building, ...]:
    """All buildings by id."""
    return tuple(_building(desk, network, members, allotted, name) for name in sorted(members.units))


def feeders(desk: Desk, network: Network, houses: Sequence[Building]) -> tuple[Feeder, ...]:
    """Limited nodes between buildings and zones, with the allocation of all buildings below."""
    below: dict[str, list[Building]] = {}
    for house in houses:
        for node in house.feeders:
            below.setdefault(node, []).append(house)
    return tuple(
        Feeder(
            id=node,
            zone=below[node][0].zone,
            import_limit_kwh=network.limits[node].into,
            export_limit_kwh=network.limits[node].out_of,
            allocation_kwh=total((house.allocation_kwh for house in below[node]), len(desk.grid)),
        )
        for node in sorted(below)
    )


def _building(desk: Desk, network: Network, members: Members, allotted: Allotted, name: str) -> Building:
    units = tuple(_unit(desk, network, members, allotted, unit) for unit in _kept(members, allotted, name))
    into, out_of = _limits(network, name)
    return Building(
        id=name,
        zone=network.zone_of[name],
        units=units,
        import_limit_kwh=into,
        export_limit_kwh=out_of,
        loss_ratio=network.loss_ratio(name),
        feeders=network.feeders(name),
    )


def _kept(members: Members, allotted: Allotted, building: str) -> list[str]:
    """The units of a building; a common unit in no file is left out where it would be empty beside others."""
    units = members.units[building]
    kept = [unit for unit in units if not members.empty(unit) or _has_energy(allotted, unit)]
    return kept or list(units)


def _has_energy(allotted: Allotted, unit: str) -> bool:
    return unit in allotted.unit_wh and bool(allotted.unit_wh[unit].any())


def _unit(desk: Desk, network: Network, members: Members, allotted: Allotted, name: str) -> Unit:
    nothing = (0.0,) * len(desk.grid)
    given, reserve = allotted.unit_wh.get(name), allotted.reserve_per_mwh.get(name)
    row = members.rows.get(name, {"use": "common"})
    into, out_of = _limits(network, name)
    return Unit(
        id=name,
        assets=members.assets.get(name, ()),
        allocation_kwh=nothing if given is None else kwh(given / 1000),
        reserve_per_mwh=nothing if reserve is None else prices(reserve),
        import_limit_kwh=into,
        export_limit_kwh=out_of,
        occupant=text(row.get("occupant")),
        use=text(row.get("use")) or "other",
    )


def _limits(network: Network, node: str) -> tuple[Vector | None, Vector | None]:
    if node not in network.limits:
        return None, None
    limit = network.limits[node]
    return unlimited_to_none(limit.into), unlimited_to_none(limit.out_of)
