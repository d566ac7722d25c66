"""One file per kind of asset; this table says which family writes which word."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from planner_models.assets import appliance, battery, flexible, generator, load, plant, vehicle
from planner_models.template import Family, Values
from planner_models.words import Appliance, Battery, Flexible, Generator, IntervalGrid, Load, Plant, Vehicle


class Kind(NamedTuple):
    """How one kind of asset becomes a family member."""

    family: Family
    shape: Callable[[Any], Hashable]
    values: Callable[[Any, IntervalGrid], Values]


KINDS: dict[type, Kind] = {
    Load: Kind(load.FAMILY, load.shape, load.values),
    Plant: Kind(plant.FAMILY, plant.shape, plant.values),
    Battery: Kind(battery.FAMILY, battery.shape, battery.values),
    Vehicle: Kind(vehicle.FAMILY, vehicle.shape, vehicle.values),
    Appliance: Kind(appliance.FAMILY, appliance.shape, appliance.values),
    Flexible: Kind(flexible.FAMILY, flexible.shape, flexible.values),
    Generator: Kind(generator.FAMILY, generator.shape, generator.values),
}
