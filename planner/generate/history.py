"""What meters would have counted: plain use with the habits of people, and the devices behind the same meter.

Devices in a history were not planned by anybody: a vehicle charges when it arrives, an appliance starts somewhere in
its window, a battery takes the sun at noon and gives it back in the evening.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from planner.generate.clock import Clock
from planner.generate.writing import write_csv

DAY_SPREAD, INTERVAL_SPREAD = 0.08, 0.12


def lived(energy_kwh: np.ndarray, clock: Clock, rng: np.random.Generator) -> np.ndarray:
    """The rows as people live them: busier and quieter days, and chance within the interval."""
    days = rng.lognormal(0.0, DAY_SPREAD, (len(energy_kwh), clock.days))[:, clock.day]
    return energy_kwh * days * rng.lognormal(0.0, INTERVAL_SPREAD, energy_kwh.shape)


def charging(row: pd.Series, clock: Clock, rng: np.random.Generator) -> np.ndarray:
    """A vehicle plugged in on arrival each day it comes, at full power until it has what it needs, kWh."""
    drawn = np.zeros(len(clock))
    arrival = _hour(row["arrival"])
    comes = clock.weekday < (5 if row["arrival"].endswith("mon-fri") else 7)
    for day in range(clock.days):
        starts = np.flatnonzero((clock.day == day) & (clock.hour >= arrival) & comes)
        if not len(starts) or rng.random() < 0.1:
            continue
        wanted = row["energy_kwh"] / row["charge_efficiency"] * rng.uniform(0.8, 1.15)
        left = wanted - row["max_kw"] * clock.hours * np.arange(len(clock) - starts[0])
        drawn[starts[0] :] += np.clip(left, 0, row["max_kw"] * clock.hours)
    return drawn


def washing(row: pd.Series, clock: Clock, rng: np.random.Generator) -> np.ndarray:
    """An appliance run once a day somewhere in its window, kWh."""
    run = np.array([float(kw) for kw in row["profile_kw"].split(";")]) * clock.hours
    drawn = np.zeros(len(clock))
    for day in range(clock.days):
        inside = (clock.day == day) & (clock.hour >= _hour(row["earliest"])) & (clock.hour < _hour(row["latest_end"]))
        room = np.flatnonzero(inside)[: -len(run) or None]
        if len(room) and rng.random() < 0.9:
            start = int(rng.choice(room))
            drawn[start : start + len(run)] += run
    return drawn


def cycling(row: pd.Series, clock: Clock) -> np.ndarray:
    """A battery filled from 10 to 14 o'clock and emptied from 18 to 22, half its size each day; charging positive."""
    noon, evening = (clock.hour >= 10) & (clock.hour < 14), (clock.hour >= 18) & (clock.hour < 22)
    power = min(0.5 * row["energy_kwh"] / 4, row["charge_kw"], row["discharge_kw"]) * clock.hours
    back = row["charge_efficiency"] * row["discharge_efficiency"]
    return power * (noon - back * evening)


def write_wide(path: Path, series: dict[str, np.ndarray], stamps: np.ndarray) -> None:
    """One row an instant, one column a ``meter:channel``; nan is an empty cell."""
    frame = pd.DataFrame({name: np.round(values, 3) + 0.0 for name, values in series.items()})
    frame.insert(0, "start", stamps)
    write_csv(path, frame)


def long_rows(series: dict[str, np.ndarray], stamps: np.ndarray, minutes: int) -> pd.DataFrame:
    """The canonical long table of ``meter:channel`` series."""
    frames = []
    for name, values in series.items():
        meter, channel = name.rsplit(":", 1)
        rows = {"meter": meter, "channel": channel, "start": stamps, "minutes": minutes}
        frames.append(pd.DataFrame({**rows, "energy_kwh": np.round(values, 3) + 0.0, "quality": "actual"}))
    return pd.concat(frames, ignore_index=True)


def hourly(values: np.ndarray, clock: Clock) -> np.ndarray:
    """Energy by clock hour from energy by interval."""
    return values.reshape(-1, round(1 / clock.hours)).sum(axis=1)


def _hour(clock_time: str) -> float:
    hours, minutes = clock_time.split()[0].split(":")
    return int(hours) + int(minutes) / 60
