"""How much may flow: limits of buildings, districts and some units, and the nodes table that holds them.

A building's connection is sized by its greatest plain load and heat.  In most homes it is tight: the vehicles that stay
only for the evening fill nearly all the room the plain load leaves, so the connection binds while they charge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planner.generate.assets import Fleet
from planner.generate.clock import Clock
from planner.generate.layout import AREA_M2, CITY, Plan

TIGHT_RATIO = 1.0  # of buildings that are not pure offices
FILL = 0.9  # share of the evening's room that vehicles take in a tight building
EVENING = (17.0, 23.0)
FUSED_RATIO = 0.08
LOSS_RATIOS = (0.0, 0.01)


@dataclass(frozen=True)
class Limits:
    """Limits in kW; nan where a unit has none."""

    unit_import: np.ndarray
    building_import: np.ndarray
    building_export: np.ndarray
    district_import: np.ndarray
    district_export: np.ndarray


def limits(plan: Plan, fleet: Fleet, clock: Clock, seed: int, margin: float = 0.02) -> Limits:
    """Limits that leave plain loads and heat room (and ``margin`` of it more) and every vehicle time, if only just."""
    rng = np.random.default_rng([seed, 4])
    base = plan.per_building(fleet.base_kwh + fleet.heat_kwh) / clock.hours
    expected = plan.per_building(fleet.base_kwh + fleet.extra_kwh) / clock.hours
    sun = plan.per_building(fleet.sun_kwh) / clock.hours
    tight = (plan.kind != "offices") & (rng.random(len(plan.buildings)) < TIGHT_RATIO)
    room = _room(base, plan.per_building(fleet.extra_kwh - fleet.heat_kwh) / clock.hours, clock)
    wide = expected.max(axis=1) * rng.uniform(1.3, 1.7, len(plan.buildings))
    building_import = np.where(tight, np.maximum(room, (1 + margin) * base.max(axis=1)), wide)
    building_export = np.maximum(0.9 * sun.max(axis=1), 0.6 * building_import)
    of, number = plan.district_of, len(plan.districts)
    together = np.zeros((number, len(clock)))
    np.add.at(together, of, expected)
    return Limits(
        unit_import=_fuses(plan, fleet, clock, rng),
        building_import=np.round(building_import, 1) + 0.1,
        building_export=np.round(building_export, 1) + 0.1,
        district_import=np.round(together.max(axis=1) * rng.uniform(1.06, 1.25, number), 1) + 0.1,
        district_export=np.round(np.bincount(of, building_export, number) * 0.8, 1) + 0.1,
    )


def _room(base: np.ndarray, extra: np.ndarray, clock: Clock) -> np.ndarray:
    """The power under which plain load and what else is expected fill ``FILL`` of the evening, kW by building."""
    evening = (clock.hour >= EVENING[0]) & (clock.hour < EVENING[1])
    return (base[:, evening] + extra[:, evening] / FILL).mean(axis=1)


def _fuses(plan: Plan, fleet: Fleet, clock: Clock, rng: np.random.Generator) -> np.ndarray:
    """Import limits of some units: beside the plain load most of the charger fits, or the appliance, not both."""
    peak = fleet.base_kwh.max(axis=1) / clock.hours
    use = (fleet.base_kwh + fleet.extra_kwh).max(axis=1) / clock.hours
    device = np.maximum(0.8 * fleet.charger_kw, fleet.appliance_kw)
    fuse = np.maximum(1.1 * use, 1.05 * peak + device).round(2) + 0.5
    return np.where((rng.random(len(peak)) < FUSED_RATIO) & (plan.use != "common"), fuse, np.nan)


def nodes(plan: Plan, limits: Limits) -> pd.DataFrame:
    """nodes.csv: the city, its districts, their buildings, their units."""
    city = pd.DataFrame({"node": [CITY], "kind": ["city"], "tariff": ["net-city"]})
    districts = pd.DataFrame(
        {
            "node": plan.districts,
            "parent": CITY,
            "kind": "district",
            "label": np.char.add("District ", plan.districts),
            "import_limit_kw": limits.district_import,
            "export_limit_kw": limits.district_export,
            "tariff": "net-district",
        }
    )
    number = len(plan.buildings)
    buildings = pd.DataFrame(
        {
            "node": plan.buildings,
            "parent": plan.districts[plan.district_of],
            "kind": "building",
            "import_limit_kw": limits.building_import,
            "export_limit_kw": limits.building_export,
            "loss_ratio": np.where(np.arange(number) % 3 == 0, LOSS_RATIOS[1], LOSS_RATIOS[0]),
            "tariff": "net-building",
        }
    )
    business = np.isin(plan.use, ["office", "shop", "parking"])
    units = pd.DataFrame(
        {
            "node": plan.units,
            "parent": plan.buildings[plan.building_of],
            "kind": "unit",
            "use": plan.use,
            "occupant": plan.occupant,
            "floor_area_m2": np.round(np.array([AREA_M2[use] for use in plan.use]) * plan.size, 1),
            "import_limit_kw": limits.unit_import,
            "tariff": np.where(business, "net-business", "net-home"),
        }
    )
    columns = ["node", "parent", "kind", "use", "label", "occupant", "floor_area_m2"]
    columns += ["import_limit_kw", "export_limit_kw", "loss_ratio", "tariff"]
    return pd.concat([city, districts, buildings, units], ignore_index=True).reindex(columns=columns)
