"""The models as ordinary nested Pyomo, for readers and for witnesses.

The clear never solves these: it stamps compiled templates.  Here the same ``write`` functions speak on named
blocks, ``m.b3.units[...].assets[...]``, a parent's socket being the sum of what its children deliver, so that a
model can be printed, changed and solved by hand, and the stamped arrays be held against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import singledispatch
from typing import Any

import numpy as np
import pyomo.core as pyo

from planner_models import building as building_model
from planner_models import unit as unit_model
from planner_models.assets import KINDS, battery
from planner_models.marketplace import write_market
from planner_models.template import Family, Values
from planner_models.words import Asset, Battery, Building, City, Fees, IntervalGrid, Unit


@singledispatch
def as_pyomo(thing: Any, *args: Any, **options: Any) -> pyo.ConcreteModel:
    """A ConcreteModel of a city or a building, with ``m.objective`` (currency) to be minimised.

    ``as_pyomo(city)`` is the monolith; ``as_pyomo(building, grid, fees, price)`` the building's answer to a price
    (currency per MWh, one number an interval), or to q = 0 where there is none.  ``exclusive=True`` writes the
    direction binaries (C5, C12).
    """
    raise TypeError(f"no model of a {type(thing).__name__}")


@as_pyomo.register
def _(thing: City, exclusive: bool = False) -> pyo.ConcreteModel:
    m = pyo.ConcreteModel(name="city")
    write_market(m, thing)
    m.buildings = pyo.Block([b.id for b in thing.buildings])
    for b in thing.buildings:
        write_building(m.buildings[b.id], b, thing.grid, thing.fees, exclusive)
    positions = {b.id: m.buildings[b.id].position for b in thing.buildings}
    below = {f.id: [b.id for b in thing.buildings if f.id in b.feeders] for f in thing.feeders}
    inside = {z: [b.id for b in thing.buildings if b.zone == z] for z in thing.zones}
    m.zone_link = pyo.Constraint(
        m.Z, m.T, rule=lambda m, z, t: m.zone_position[z, t] == sum(positions[b][t] for b in inside[z])
    )
    m.feeder_link = pyo.Constraint(
        m.F, m.T, rule=lambda m, f, t: m.feeder_position[f, t] == sum(positions[b][t] for b in below[f])
    )
    m.objective = pyo.Objective(expr=m.cost + sum(m.buildings[b.id].total_cost for b in thing.buildings))
    return m


@as_pyomo.register
def _(
    thing: Building,
    grid: IntervalGrid,
    fees: Fees | None = None,
    price: Iterable[float] | None = None,
    exclusive: bool = False,
) -> pyo.ConcreteModel:
    m = pyo.ConcreteModel(name=thing.id)
    m.building = pyo.Block()
    write_building(m.building, thing, grid, fees or Fees(), exclusive)
    paid: Any = 0
    if price is None:
        m.no_trade = pyo.Constraint(m.building.T, rule=lambda m, t: m.building.position[t] == 0)
    else:
        paid = sum(p / 1000 * m.building.position[t] for t, p in enumerate(price))
    m.objective = pyo.Objective(expr=m.building.total_cost + paid)
    return m


def write_building(b: Any, building: Building, grid: IntervalGrid, fees: Fees, exclusive: bool = False) -> None:
    """A building and its units on a Pyomo block; leaves ``b.position[t]`` (kWh) and ``b.total_cost`` (currency)."""
    b.units = pyo.Block([u.id for u in building.units])
    for unit in building.units:
        _write_unit(b.units[unit.id], unit, grid, exclusive)
    below = [b.units[u.id] for u in building.units]
    sockets = {"positions": [u.position for u in below], "kept": [u.kept for u in below]}
    form = building_model.shape(building, exclusive)
    _write(b, building_model.FAMILY, len(grid), form, building_model.values(building, grid, fees), sockets)
    b.total_cost = b.cost + sum(u.total_cost for u in below)


def _write_unit(b: Any, unit: Unit, grid: IntervalGrid, exclusive: bool) -> None:
    b.assets = pyo.Block(range(len(unit.assets)))
    for i, asset in enumerate(unit.assets):
        kind = KINDS[type(asset)]
        _write(b.assets[i], kind.family, len(grid), _form(asset, exclusive), kind.values(asset, grid), {})
    below = [b.assets[i] for i in range(len(unit.assets))]
    sockets = {"draw": [a.draw for a in below]}
    _write(b, unit_model.FAMILY, len(grid), unit_model.shape(unit), unit_model.values(unit, grid), sockets)
    b.total_cost = b.cost + sum(a.cost for a in below)


def _form(asset: Asset, exclusive: bool) -> Any:
    return battery.shape(asset, exclusive) if isinstance(asset, Battery) else KINDS[type(asset)].shape(asset)


def _write(b: Any, family: Family, n: int, form: Any, values: Values, sockets: Mapping[str, list[Any]]) -> None:
    """What a family's ``write`` expects: the index set, its parameters as numbers, its sockets as sums."""
    b.T = pyo.RangeSet(0, n - 1)
    for name in family.scalars:
        b.add_component(name, pyo.Param(initialize=float(values[name]), within=pyo.Any))  # type: ignore[arg-type]
    for name in family.vectors:
        numbers = np.array(values[name], dtype=float)
        given = {t: float(v) for t, v in enumerate(numbers)}
        b.add_component(name, pyo.Param(list(given), initialize=given, within=pyo.Any))
    for socket in family.sockets:
        children = sockets[socket]
        b.add_component(socket, pyo.Expression(b.T, rule=lambda b, t, c=children: sum(child[t] for child in c)))
    family.write(b, n, form)
