"""What can wait or store: batteries, vehicles, appliances and heat pumps with a tank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planner.generate.clock import Clock
from planner.generate.layout import Plan
from planner.generate.mix import Mix
from planner.generate.production import pick

HOUSE_BATTERY_RATIO = 0.4
APPLIANCE_RATIO, SKIP_RATIO = 0.2, 0.4
PUMP_RATIO, HOUSE_PUMP_RATIO = 0.05, 0.35
# Most and least power while charging, kW (6 A on one or three phases).
CHARGERS = np.array([[3.68, 1.38], [7.36, 1.38], [11.04, 4.14], [22.08, 4.14]])
# Programmes in kW by quarter hours.
PROGRAMMES = {
    "dishwasher": (1.9, 0.2, 0.1, 1.7, 0.15),
    "washer": (2.0, 0.5, 0.25, 0.4, 0.45),
    "dryer": (2.3, 2.2, 1.9, 1.2),
}


@dataclass(frozen=True)
class Vehicles:
    """vehicles.csv, the expected use by unit (kWh), and each unit's charger (kW)."""

    table: pd.DataFrame
    expected_kwh: np.ndarray
    charger_kw: np.ndarray


@dataclass(frozen=True)
class Appliances:
    """appliances.csv, the expected use by unit (kWh), and the greatest power of each unit's appliance (kW)."""

    table: pd.DataFrame
    expected_kwh: np.ndarray
    greatest_kw: np.ndarray


def batteries(plan: Plan, rng: np.random.Generator, mix: Mix) -> pd.DataFrame:
    """Small batteries of units and one larger for some buildings; a quarter lose a little while standing."""
    house = pick(plan.common, HOUSE_BATTERY_RATIO, rng)
    own = pick(np.flatnonzero(np.isin(plan.use, ["apartment", "office", "shop"])), mix.home_battery_ratio, rng)
    at = np.concatenate([house, own])
    number = len(at)
    many = np.bincount(plan.building_of)[plan.building_of[house]]
    in_house, in_unit = rng.uniform(0.6, 1.6, len(house)), rng.uniform(*mix.home_battery_kwh, len(own))
    size = np.concatenate([many * in_house, in_unit]).round(2)
    power = np.round(size * rng.uniform(0.3, 0.6, number), 2)
    return pd.DataFrame(
        {
            "battery": np.char.add(plan.units[at], "-battery"),
            "node": plan.units[at],
            "energy_kwh": size,
            "charge_kw": power,
            "discharge_kw": np.round(power * rng.uniform(0.9, 1.1, number), 2),
            "charge_efficiency": rng.uniform(0.93, 0.98, number).round(3),
            "discharge_efficiency": rng.uniform(0.93, 0.98, number).round(3),
            "minimum_kwh": np.round(size * 0.05, 2),
            "initial_kwh": np.round(size * rng.uniform(0.2, 0.6, number), 2),
            "standing_loss_per_h": np.where(rng.random(number) < 0.25, 0.0005, 0.0),
            "wear_per_mwh": rng.uniform(8, 30, number).round(2),
        }
    )


def vehicles(plan: Plan, clock: Clock, rng: np.random.Generator, mix: Mix) -> Vehicles:
    """One semi-continuous vehicle in the stated share of all units, parked for the night, the evening or at work."""
    private = np.flatnonzero(plan.use != "common")
    at = pick(private, mix.vehicle_ratio * len(plan.units) / len(private), rng)
    number = len(at)
    kind = rng.choice(len(CHARGERS), number, p=mix.charger_ratios)
    most, least = CHARGERS[kind].T
    night, evening, first, last = _stays(plan.use[at], clock, rng)
    working = ~(night | evening)
    efficiency = rng.uniform(0.88, 0.95, number).round(3)
    possible = most * efficiency * ((last - first) % 24)
    wanted = np.minimum(rng.lognormal(np.log(mix.vehicle_kwh), 0.45, number), mix.vehicle_most_kwh)
    energy = np.minimum(wanted, 0.6 * possible).round(2)
    costly = rng.random(number) < 0.3
    table = pd.DataFrame(
        {
            "vehicle": np.char.add(plan.units[at], "-ev"),
            "node": plan.units[at],
            "arrival": [_clock_time(h) + (" mon-fri" if w else "") for h, w in zip(first, working, strict=True)],
            "departure": [_clock_time(h) for h in last],
            "energy_kwh": energy,
            "max_kw": most,
            "min_kw": least,
            "charge_efficiency": efficiency,
            "shortfall_cost_per_mwh": np.where(costly, np.nan, rng.uniform(500, 1800, number).round(2)),
        }
    )
    parked = clock.inside(first, last) & ((clock.weekday < 5)[None, :] | ~working[:, None])
    drawn = energy / efficiency
    expected = np.zeros((len(plan.units), len(clock)))
    expected[at] = parked * (drawn * _days(parked, clock) / np.maximum(parked.sum(axis=1), 1))[:, None]
    chargers = np.zeros(len(plan.units))
    chargers[at] = most
    return Vehicles(table, expected, chargers)


def _stays(
    use: np.ndarray, clock: Clock, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Who stays for the night, who for the evening (the others stay while at work); arrival and departure hours."""
    number = len(use)
    draw, home = rng.random(number), use == "apartment"
    night = (home & (draw < 0.5)) | (~home & (draw < 0.1))
    evening = (home & ~night) | (~home & (draw > 0.75))
    early, late = rng.uniform(0, 1, number), rng.uniform(0, 1, number)
    first = np.where(night, 17 + 3.5 * early, np.where(evening, 16.5 + 2 * early, 7.5 + 2 * early))
    last = np.where(night, 6 + 2.5 * late, np.where(evening, 21.5 + 2 * late, 15.5 + 2.5 * late))
    return night, evening, _on_grid(first, clock), _on_grid(last, clock)


def _days(parked: np.ndarray, clock: Clock) -> np.ndarray:
    """On how many days each vehicle is parked."""
    return np.sum([parked[:, clock.day == day].any(axis=1) for day in range(clock.days)], axis=0)


def _on_grid(hour: np.ndarray, clock: Clock) -> np.ndarray:
    """The hour moved to the nearest start of an interval."""
    return np.round(hour / clock.hours) * clock.hours


def _clock_time(hour: float) -> str:
    minutes = round(hour * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def appliances(plan: Plan, clock: Clock, rng: np.random.Generator) -> Appliances:
    """Washing and drying within a window of the day; four in ten may be skipped for a stated value."""
    at = pick(np.flatnonzero(np.isin(plan.use, ["apartment", "office"])), APPLIANCE_RATIO, rng)
    number = len(at)
    kinds = np.array(list(PROGRAMMES))[rng.integers(0, len(PROGRAMMES), number)]
    runs = [_programme(kind, scale, clock) for kind, scale in zip(kinds, rng.uniform(0.8, 1.25, number), strict=True)]
    first = _on_grid(rng.uniform(7, 16, number), clock)
    last = _on_grid(np.minimum(first + rng.uniform(5, 9, number), 23.5), clock)
    skip = np.where(rng.random(number) < SKIP_RATIO, rng.uniform(0.1, 1.5, number).round(2), np.nan)
    table = pd.DataFrame(
        {
            "appliance": np.char.add(np.char.add(plan.units[at], "-"), kinds),
            "node": plan.units[at],
            "earliest": [_clock_time(h) for h in first],
            "latest_end": [_clock_time(h) for h in last],
            "profile_kw": [";".join(f"{kw:g}" for kw in run) for run in runs],
            "skip_value": skip,
        }
    )
    window = clock.inside(first, last)
    energy = np.array([run.sum() for run in runs]) * clock.hours * clock.days
    expected = np.zeros((len(plan.units), len(clock)))
    expected[at] = window * (energy / np.maximum(window.sum(axis=1), 1))[:, None]
    greatest = np.zeros(len(plan.units))
    greatest[at] = [run.max() for run in runs]
    return Appliances(table, expected, greatest)


def _programme(kind: str, scale: float, clock: Clock) -> np.ndarray:
    """The programme's mean power in each interval it runs, kW."""
    quarters = np.array(PROGRAMMES[kind]) * scale
    each = round(clock.minutes / 15)
    padded = np.pad(quarters, (0, -len(quarters) % each))
    return padded.reshape(-1, each).mean(axis=1).round(3)


def heat_pumps(plan: Plan, clock: Clock, rng: np.random.Generator, mix: Mix) -> tuple[pd.DataFrame, np.ndarray]:
    """Heat pumps whose tank lets them run some hours ahead of or behind the heat wanted.

    The cumulative band counts from each civil midnight: the heat wanted so far, less or more half a tank.
    """
    house = pick(plan.common, HOUSE_PUMP_RATIO, rng)
    own = pick(np.flatnonzero(np.isin(plan.use, ["apartment", "shop"])), PUMP_RATIO, rng)
    at = np.concatenate([house, own])
    number = len(at)
    many = np.bincount(plan.building_of)[plan.building_of[house]]
    in_house, in_unit = rng.uniform(0.1, 0.22, len(house)), rng.uniform(*mix.pump_kw, len(own))
    most = np.concatenate([many * in_house, in_unit]).round(3)
    wanted = most[:, None] * clock.hours * _heat(clock, number, rng)
    tank = most * rng.uniform(0.6, 1.6, number)
    so_far = np.concatenate([np.cumsum(wanted[:, clock.day == d], axis=1) for d in range(clock.days)], axis=1)
    table = pd.DataFrame(
        {
            "load": np.repeat(np.char.add(plan.units[at], "-heat"), len(clock)),
            "node": np.repeat(plan.units[at], len(clock)),
            clock.column: np.tile(clock.stamps, number),
            "min_kw": 0.0,
            "max_kw": np.repeat(most, len(clock)),
            "min_cumulative_kwh": np.maximum(so_far - tank[:, None] / 2, 0).round(3).ravel(),
            "max_cumulative_kwh": (so_far + tank[:, None] / 2).round(3).ravel(),
            "deviation_cost_per_mwh": np.repeat(rng.uniform(600, 2000, number).round(2), len(clock)),
        }
    )
    expected = np.zeros((len(plan.units), len(clock)))
    np.add.at(expected, at, wanted)
    return table, expected


def _heat(clock: Clock, number: int, rng: np.random.Generator) -> np.ndarray:
    """Heat wanted as a share of the pump's power: colder at night, showers in the morning."""
    level = rng.uniform(0.25, 0.45, number)[:, None]
    cold = 1 + 0.25 * np.cos((clock.hour - 5) / 24 * 2 * np.pi)
    showers = 0.5 * np.exp(-0.5 * ((clock.hour - 7) / 1.0) ** 2)
    return np.minimum(level * (cold + showers)[None, :], 0.95)
