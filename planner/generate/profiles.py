"""Shared shapes of use and production, each in [0, 1]: a unit scales one by its own peak.

A shape is a base level plus bell curves over the civil day (evenings for homes, working hours for offices); the
variants of a use shift and widen them.  Sunshine follows the position of the sun (declination and hour angle; Duffie
and Beckman, Solar Engineering of Thermal Processes, ch. 1) under a drifting cloud cover.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planner.generate.clock import Clock

LATITUDE, LONGITUDE = 52.5, 13.4
Bell = tuple[float, float, float]  # centre (civil hour), width (hours), height


@dataclass(frozen=True)
class Habit:
    """The day of a use: base level, bells of a working day and of a weekend day, number of variants."""

    base: float
    workday: tuple[Bell, ...]
    weekend: tuple[Bell, ...]
    variants: int


HABITS = {
    "apartment": Habit(
        0.2,
        ((7.3, 1.0, 0.45), (12.8, 2.2, 0.2), (20.2, 2.8, 0.75)),
        ((10.2, 2.0, 0.5), (13.5, 2.2, 0.4), (19.8, 2.8, 0.75)),
        10,
    ),
    "office": Habit(0.14, ((10.0, 1.9, 0.75), (14.5, 2.2, 0.8)), ((12.0, 3.0, 0.12),), 7),
    "shop": Habit(0.16, ((11.5, 2.2, 0.6), (16.8, 2.3, 0.8)), ((13.5, 2.8, 0.7),), 5),
    "parking": Habit(0.35, ((7.8, 1.2, 0.3), (18.4, 2.6, 0.5)), ((15.0, 4.0, 0.3),), 3),
    "common": Habit(0.40, ((7.6, 1.4, 0.3), (18.8, 2.8, 0.5)), ((11.0, 2.5, 0.2), (18.8, 2.8, 0.4)), 4),
}
ROOFS = ((25, 180), (35, 165), (15, 110), (15, 250), (60, 180))  # tilt and azimuth (from north) in degrees
WIND_VARIANTS = 2


@dataclass(frozen=True)
class Shapes:
    """Shape values by name: one row per shape, one column per interval; ``of`` lists a use's rows."""

    names: tuple[str, ...]
    values: np.ndarray
    of: dict[str, np.ndarray]


def shapes(
    clock: Clock, seed: int, latitude: float = LATITUDE, longitude: float = LONGITUDE, noise: float = 0.05
) -> Shapes:
    """All shapes of a city, drawn from the seed; ``noise`` is the relative spread within an interval."""
    rng = np.random.default_rng([seed, 2])
    names: list[str] = []
    rows: list[np.ndarray] = []
    of: dict[str, np.ndarray] = {}
    drawn = {use: [_use(habit, clock, rng, noise) for _ in range(habit.variants)] for use, habit in HABITS.items()}
    drawn["solar"] = [sun(clock, tilt, azimuth, latitude, longitude, rng) for tilt, azimuth in ROOFS]
    drawn["wind"] = [_wind(clock, rng) for _ in range(WIND_VARIANTS)]
    for use, variants in drawn.items():
        of[use] = np.arange(len(rows), len(rows) + len(variants))
        rows += variants
        names += [f"{use}-{k}_pu" for k in range(1, len(variants) + 1)]
    return Shapes(tuple(names), np.round(np.array(rows), 5), of)


def table(drawn: Shapes, clock: Clock) -> pd.DataFrame:
    """profiles.csv: the time column and one column per shape."""
    frame = pd.DataFrame(drawn.values.T, columns=list(drawn.names))
    frame.insert(0, clock.column, clock.stamps)
    return frame


def _use(habit: Habit, clock: Clock, rng: np.random.Generator, noise: float) -> np.ndarray:
    shift, widen = rng.normal(0.0, 0.5), rng.uniform(0.85, 1.2)
    workday = _bells(habit.workday, clock.hour, shift, widen)
    weekend = _bells(habit.weekend, clock.hour, shift, widen)
    level = habit.base * rng.uniform(0.8, 1.25) + np.where(clock.weekday < 5, workday, weekend)
    level = level * rng.lognormal(0.0, noise, len(clock))
    top = max(float(level.max()), 1e-9)
    return level / top


def _bells(bells: tuple[Bell, ...], hour: np.ndarray, shift: float, widen: float) -> np.ndarray:
    total = np.zeros(len(hour))
    for centre, width, height in bells:
        away = (hour - centre - shift + 12) % 24 - 12
        total += height * np.exp(-0.5 * (away / (width * widen)) ** 2)
    return total


def sun(
    clock: Clock, tilt: float, azimuth: float, latitude: float, longitude: float, rng: np.random.Generator
) -> np.ndarray:
    """Output of a plane per kW of peak, in [0, 1]: direct light on the plane, some diffuse, and clouds."""
    moment = clock.starts.tz_convert("UTC") + pd.Timedelta(minutes=clock.minutes / 2)
    hour = np.asarray(moment.hour + moment.minute / 60 + longitude / 15)
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + np.asarray(moment.day_of_year)) / 365)
    angle, place = np.radians(15 * (hour - 12)), np.radians(latitude)
    up = np.sin(place) * np.sin(declination) + np.cos(place) * np.cos(declination) * np.cos(angle)
    east = -np.cos(declination) * np.sin(angle)
    north = np.cos(place) * np.sin(declination) - np.sin(place) * np.cos(declination) * np.cos(angle)
    lean, facing = np.radians(tilt), np.radians(azimuth)
    on_plane = up * np.cos(lean) + np.sin(lean) * (east * np.sin(facing) + north * np.cos(facing))
    clear = np.where(up > 0, 0.85 * np.maximum(on_plane, 0) * np.minimum(1, up * 4) + 0.12 * np.maximum(up, 0), 0.0)
    return np.clip(clear * _clouds(clock, rng), 0, 1)


def _clouds(clock: Clock, rng: np.random.Generator) -> np.ndarray:
    """Share of the light that gets through: a level for each day with a slow drift around it."""
    level = rng.uniform(0.55, 1.0, clock.days)[clock.day]
    return np.clip(level * (1 + 0.12 * _drift(clock, rng)), 0.1, 1)


def _wind(clock: Clock, rng: np.random.Generator) -> np.ndarray:
    return np.clip(0.3 + 0.2 * _drift(clock, rng), 0, 1)


def _drift(clock: Clock, rng: np.random.Generator, memory_h: float = 4.0) -> np.ndarray:
    """A standard autoregressive series with the given memory in hours."""
    keep = float(np.exp(-clock.hours / memory_h))
    steps = rng.normal(0.0, np.sqrt(1 - keep**2), len(clock))
    value, series = rng.normal(), np.empty(len(clock))
    for t, step in enumerate(steps):
        value = keep * value + step
        series[t] = value
    return series
