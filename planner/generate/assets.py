"""What stands in each unit: the plain loads, and the tables of every other kind of asset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planner.generate import flexibility, production
from planner.generate.clock import Clock
from planner.generate.layout import Plan
from planner.generate.mix import Mix
from planner.generate.profiles import Shapes

CURTAILABLE_RATIO, CUT_BELOW_CAP_RATIO = 0.3, 0.25


@dataclass(frozen=True)
class Fleet:
    """The asset tables, and what they are expected to use.

    ``base_kwh`` is the plain load; ``extra_kwh`` vehicles, heat pumps and appliances spread evenly over their windows,
    ``heat_kwh`` the heat pumps among them; ``sun_kwh`` the production of sun and wind: a row per unit, a column per
    interval.  ``charger_kw`` is the power of a unit's charger, ``appliance_kw`` the greatest of its appliance.
    """

    tables: dict[str, pd.DataFrame]
    base_kwh: np.ndarray
    extra_kwh: np.ndarray
    heat_kwh: np.ndarray
    sun_kwh: np.ndarray
    charger_kw: np.ndarray
    appliance_kw: np.ndarray


def draw(plan: Plan, shapes: Shapes, clock: Clock, seed: int, mix: Mix) -> Fleet:
    """Draw all assets; each kind has its own stream of random numbers, so that kinds do not disturb each other."""
    streams = [np.random.default_rng([seed, 3, kind]) for kind in range(8)]
    loads, base = _loads(plan, shapes, clock, streams[0])
    solar, sun = production.solar(plan, shapes, clock, streams[1], mix)
    wind, air = production.wind(plan, shapes, clock, streams[2])
    vehicles = flexibility.vehicles(plan, clock, streams[3], mix)
    appliances = flexibility.appliances(plan, clock, streams[4])
    pumps, heat = flexibility.heat_pumps(plan, clock, streams[5], mix)
    return Fleet(
        tables={
            "loads": loads,
            "solar": solar,
            "wind": wind,
            "batteries": flexibility.batteries(plan, streams[6], mix),
            "vehicles": vehicles.table,
            "appliances": appliances.table,
            "flexible": pumps,
            "generators": production.generators(plan, clock, streams[7]),
        },
        base_kwh=base,
        extra_kwh=vehicles.expected_kwh + appliances.expected_kwh + heat,
        heat_kwh=heat,
        sun_kwh=sun + air,
        charger_kw=vehicles.charger_kw,
        appliance_kw=appliances.greatest_kw,
    )


def _loads(plan: Plan, shapes: Shapes, clock: Clock, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """One plain load per unit; three in ten have a part that may be curtailed at a price, a quarter a lower value."""
    number = len(plan.units)
    row = np.empty(number, dtype=int)
    for use in np.unique(plan.use):
        mine = plan.use == use
        row[mine] = rng.choice(shapes.of[use], int(mine.sum()))
    peak = plan.peak_kw
    agreed, cut = rng.random(number) < CURTAILABLE_RATIO, rng.random(number) < CUT_BELOW_CAP_RATIO
    ratio, cost = rng.uniform(0.05, 0.3, number).round(3), rng.uniform(140, 600, number).round(2)
    value = rng.uniform(900, 2800, number).round(2)
    table = pd.DataFrame(
        {
            "load": np.char.add(plan.units, "-load"),
            "node": plan.units,
            "profile": np.array(shapes.names)[row],
            "peak_kw": peak,
            "value_per_mwh": np.where(cut, value, np.nan),
            "curtailable_ratio": np.where(agreed, ratio, 0.0),
            "curtailment_cost_per_mwh": np.where(agreed, cost, np.nan),
        }
    )
    return table, shapes.values[row] * peak[:, None] * clock.hours
