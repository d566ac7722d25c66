"""The outside and the contracts: exchange prices, supply bought ahead, allocations and tariffs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.generate.assets import Fleet
from planner.generate.clock import Clock
from planner.generate.layout import CITY, Plan
from planner.generate.mix import Mix
from planner.generate.network import Limits

KEPT_RATIO = 0.01  # of a building's allocation, not handed to units
SPARE_RATIO = 0.02  # of the supply, not handed to buildings
# Civil hour and price: low at noon and in the late evening, high at breakfast and dinner.
PRICE_DAY = ((0, 54), (3, 63), (5, 72), (8, 98), (10, 60), (12, 14), (13, 4), (14, 8), (16, 52), (18, 124))
PRICE_NIGHT = ((19.2, 131), (20.5, 78), (21.5, 50), (23, 44), (24, 50))


def tables(plan: Plan, fleet: Fleet, limits: Limits, clock: Clock, seed: int, mix: Mix) -> dict[str, pd.DataFrame]:
    """grid, supply, allocations and tariffs of the city."""
    rng = np.random.default_rng([seed, 5])
    units, buildings, supply = allocate(plan, fleet, limits, clock, rng, mix)
    return {
        "grid": grid_prices(clock, supply.max() / 1000 / clock.hours, rng),
        "supply": _supply(supply, clock, rng),
        "allocations": _allocations(plan, units, buildings, clock),
        "tariffs": tariffs(),
    }


def grid_prices(clock: Clock, size_kw: float, rng: np.random.Generator) -> pd.DataFrame:
    """The neighbour's prices: an import margin above spot, an export discount below; exports around one cost money."""
    hours, prices = np.array(PRICE_DAY + PRICE_NIGHT).T
    spot = np.interp(clock.hour, hours, prices) * rng.uniform(0.9, 1.1, clock.days)[clock.day]
    spot = spot + rng.normal(0, 1.5, len(clock))
    dip = (clock.hour >= 13) & (clock.hour < 14)
    return pd.DataFrame(
        {
            "zone": CITY,
            clock.column: clock.stamps,
            "import_price_per_mwh": np.maximum(spot + 9, 1).round(2),
            "export_price_per_mwh": np.where(dip, -12 - rng.uniform(0, 3, len(clock)), spot - 6).round(2),
            "import_limit_kw": np.ceil(3 * size_kw),
            "export_limit_kw": np.ceil(3 * size_kw),
        }
    )


def allocate(
    plan: Plan, fleet: Fleet, limits: Limits, clock: Clock, rng: np.random.Generator, mix: Mix
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Allocations of units and buildings and the supply behind them, in whole Wh.

    A unit's allocation is its expected use times a factor of its own and one of the interval, so that in every
    interval some have too much and some too little; buildings and districts are scaled down to what their connections
    carry.
    """
    number, n = len(plan.units), len(clock)
    own = rng.lognormal(-0.03, mix.cover_spread, number)[:, None]
    wanted = (fleet.base_kwh + fleet.extra_kwh) * (mix.cover * own) * rng.uniform(0.85, 1.15, (number, n))
    per_building = plan.per_building(wanted)
    room = limits.building_import[:, None] * clock.hours * (1 - 2 * KEPT_RATIO)
    scale = np.minimum(1, room / np.maximum(per_building, 1e-9))
    per_district = np.zeros((len(plan.districts), n))
    np.add.at(per_district, plan.district_of, per_building * scale)
    room = limits.district_import[:, None] * clock.hours * (1 - 2 * KEPT_RATIO)
    scale *= np.minimum(1, room / np.maximum(per_district, 1e-9))[plan.district_of]
    wanted *= 1000 * scale[plan.building_of]
    units = np.floor(wanted, out=wanted)
    handed = plan.per_building(units)
    buildings = handed + np.floor(handed * KEPT_RATIO)
    return units, buildings, np.ceil(buildings.sum(axis=0) * (1 + SPARE_RATIO))


def _supply(supply: np.ndarray, clock: Clock, rng: np.random.Generator) -> pd.DataFrame:
    """Two contracts: one for the base, the other for the rest; prepaid, in whole Wh."""
    base = np.full(len(clock), np.floor(0.6 * supply.min()))
    parts = (("base", base, 68.0), ("shape", supply - base, round(float(rng.uniform(84, 96)), 2)))
    frames = [
        pd.DataFrame(
            {
                "contract": name,
                "zone": CITY,
                clock.column: clock.stamps,
                "energy_kwh": energy / 1000,
                "price_per_mwh": price,
            }
        )
        for name, energy, price in parts
    ]
    return pd.concat(frames, ignore_index=True)


def _allocations(plan: Plan, units: np.ndarray, buildings: np.ndarray, clock: Clock) -> pd.DataFrame:
    """allocations.csv; names are stored once (a table of 100,000 units has ten million rows)."""
    names = np.concatenate([plan.buildings, plan.units])
    codes = np.repeat(np.arange(len(names), dtype=np.int32), len(clock))
    stamps = clock.stamps.astype(np.int16) if clock.by_interval else pd.Categorical(clock.stamps)
    return pd.DataFrame(
        {
            "node": pd.Categorical.from_codes(codes, pd.Index(names)),
            clock.column: _tiled(stamps, len(names)),
            "energy_kwh": np.concatenate([buildings, units]).ravel() / 1000,
        }
    )


def _tiled(stamps: np.ndarray | pd.Categorical, times: int) -> np.ndarray | pd.Categorical:
    if isinstance(stamps, pd.Categorical):
        return pd.Categorical.from_codes(np.tile(stamps.codes, times), dtype=stamps.dtype)
    return np.tile(stamps, times)


def tariffs() -> pd.DataFrame:
    """Network tariffs and taxes by level, some by time of day, some on internal trade too."""
    rows = [
        ("net-home", "network day", "unit", "import", "per_mwh", 62.0, "06:00", "22:00", "mon-fri", 0.0, 0.2, None),
        ("net-home", "network other", "unit", "import", "per_mwh", 24.0, "22:00", "06:00", "", 0.0, 0.2, None),
        ("net-home", "energy tax", "unit", "import", "per_mwh", 41.0, "", "", "", 1.0, 0.2, None),
        ("net-home", "meter", "unit", "import", "per_day", 0.21, "", "", "", 0.0, 0.2, None),
        ("net-business", "network", "unit", "import", "per_mwh", 38.0, "", "", "", 0.0, 0.0, None),
        ("net-business", "energy tax", "unit", "import", "per_mwh", 41.0, "", "", "", 1.0, 0.0, None),
        ("net-business", "feed-in", "unit", "export", "per_mwh", 1.5, "", "", "", 0.0, 0.0, None),
        ("net-building", "power", "building", "import", "per_kw_month", 4.6, "", "", "", 0.0, 0.0, 80.0),
        ("net-district", "district network", "district", "import", "per_mwh", 5.5, "", "", "", 0.0, 0.0, None),
        ("net-city", "transmission", "city", "import", "per_mwh", 7.25, "", "", "", 0.0, 0.0, None),
    ]
    columns = ["tariff", "component", "level", "direction", "basis", "rate", "from_time", "to_time", "days"]
    return pd.DataFrame(rows, columns=[*columns, "applies_to_internal", "vat_ratio", "peak_so_far_kw"])
