"""What produces: sun on roofs and balconies, a little wind, a few generators."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.generate.clock import Clock
from planner.generate.layout import Plan
from planner.generate.mix import Mix
from planner.generate.profiles import Shapes

ROOF_RATIO, OWN_SOLAR_RATIO, WIND_RATIO, GENERATOR_RATIO = 0.6, 0.1, 0.06, 0.12
NOT_CURTAILABLE_RATIO, SUPPORTED_RATIO = 0.15, 0.2


def pick(rows: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """The stated share of ``rows`` in order, at least one of them (none of none)."""
    number = min(len(rows), max(1, round(ratio * len(rows))))
    return np.sort(rng.choice(rows, number, replace=False))


def solar(
    plan: Plan, shapes: Shapes, clock: Clock, rng: np.random.Generator, mix: Mix
) -> tuple[pd.DataFrame, np.ndarray]:
    """Plants on the roof (in the common unit) and small ones of single units; table and production by unit, kWh."""
    roofs = pick(plan.common, ROOF_RATIO, rng)
    own = pick(np.flatnonzero(plan.use != "common"), OWN_SOLAR_RATIO, rng)
    at = np.concatenate([roofs, own])
    many = np.bincount(plan.building_of)[plan.building_of[roofs]]
    roof = 0.6 * many * rng.uniform(0.5, 1.4, len(roofs))
    peak = np.concatenate([roof, rng.lognormal(np.log(1.6), mix.balcony_spread, len(own))])
    return _plants("pv", at, np.round(peak, 3), shapes.of["solar"], plan, shapes, clock, rng)


def wind(plan: Plan, shapes: Shapes, clock: Clock, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """A few small turbines in common units."""
    at = pick(plan.common, WIND_RATIO, rng)
    return _plants("wind", at, rng.uniform(5, 20, len(at)).round(2), shapes.of["wind"], plan, shapes, clock, rng)


def _plants(
    suffix: str,
    at: np.ndarray,
    peak: np.ndarray,
    choices: np.ndarray,
    plan: Plan,
    shapes: Shapes,
    clock: Clock,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, np.ndarray]:
    row = rng.choice(choices, len(at))
    supported = rng.random(len(at)) < SUPPORTED_RATIO
    table = pd.DataFrame(
        {
            "plant": np.char.add(plan.units[at], f"-{suffix}"),
            "node": plan.units[at],
            "profile": np.array(shapes.names)[row],
            "peak_kw": peak,
            "curtailable": np.where(rng.random(len(at)) < NOT_CURTAILABLE_RATIO, "false", "true"),
            "support_per_mwh": np.where(supported, rng.uniform(5, 40, len(at)).round(2), 0.0),
        }
    )
    produced = np.zeros((len(plan.units), len(clock)))
    np.add.at(produced, at, shapes.values[row] * peak[:, None] * clock.hours)
    return table, produced


def generators(plan: Plan, clock: Clock, rng: np.random.Generator) -> pd.DataFrame:
    """Engines of some buildings: on above a minimum, with start costs and minimum times of half an hour to two."""
    at = pick(plan.common, GENERATOR_RATIO, rng)
    number = len(at)
    many = np.bincount(plan.building_of)[plan.building_of[at]]
    most = np.round(many * rng.uniform(0.3, 0.7, number), 2)
    an_hour = max(1, round(1 / clock.hours))
    return pd.DataFrame(
        {
            "generator": np.char.add(plan.units[at], "-engine"),
            "node": plan.units[at],
            "max_kw": most,
            "min_kw": np.round(most * rng.uniform(0.3, 0.5, number), 2),
            "cost_per_mwh": rng.uniform(95, 190, number).round(2),
            "start_cost": rng.uniform(0.5, 4, number).round(2),
            "min_up_intervals": rng.integers(1, 3, number) * an_hour,
            "min_down_intervals": rng.integers(1, 3, number) * an_hour,
            "initially_on": np.where(rng.random(number) < 0.3, "true", "false"),
        }
    )
