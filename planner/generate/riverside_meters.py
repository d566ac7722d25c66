"""The meters of the sample city `riverside`: who has one, what is behind it, and the exports as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from planner.generate import history, writing
from planner.generate.assets import Fleet
from planner.generate.clock import Clock
from planner.generate.layout import Plan
from planner.generate.profiles import Shapes

SEED = 2026
FULLY_METERED, HALF_METERED, HOURLY = ("b01", "b02", "b03"), ("b04",), ("b05", "b06")
SUB_METERED = {"vehicle": "import", "battery": "net"}  # wallboxes and inverters count for themselves; plugs do not
BY_WEATHER = "b03-u00-pv"
TABLE_OF = {"solar": "solar", "battery": "batteries", "vehicle": "vehicles", "appliance": "appliances"}


@dataclass(frozen=True)
class Metered:
    """Loads and plants with a meter; ``includes`` names per load the devices behind its meter."""

    loads: np.ndarray
    plants: np.ndarray
    includes: dict[str, tuple[str, ...]]


def choose(plan: Plan, fleet: Fleet) -> Metered:
    """Which loads and plants are metered, and what is behind each load's meter."""
    name = plan.buildings[plan.building_of]
    half = np.isin(name, HALF_METERED) & (np.arange(len(name)) % 2 == 0)
    loads = np.flatnonzero(np.isin(name, FULLY_METERED + HOURLY) | half)
    units = set(plan.units[loads])
    solar = fleet.tables["solar"]
    plants = np.flatnonzero(solar["node"].isin(units) & (solar["plant"] != BY_WEATHER))
    behind = {node: words for node, words in _devices(fleet, plants).items() if node in units and node[4:] != "u00"}
    whole = sorted(behind)[::2]  # the other half has its devices on meters of their own, which nobody reads here
    return Metered(loads, plants, {node: behind[node] for node in whole})


def _devices(fleet: Fleet, plants: np.ndarray) -> dict[str, tuple[str, ...]]:
    """The words of meter_includes for the devices of each unit."""
    words: dict[str, tuple[str, ...]] = {}
    metered_sun = fleet.tables["solar"].iloc[plants]
    tables = {"solar": metered_sun} | {word: fleet.tables[name] for word, name in TABLE_OF.items() if word != "solar"}
    for word, table in tables.items():
        for node in table["node"].unique():
            words[node] = (*words.get(node, ()), word)
    return words


def _file_of(building: str) -> str:
    return f"{building}.long.csv.gz" if building in HOURLY else f"{building}.csv.gz"


def _channel(node: str, metered: Metered) -> str:
    """A meter with sun or a battery behind it counts both ways."""
    return "net" if {"solar", "battery"} & set(metered.includes.get(node, ())) else "import"


def table(plan: Plan, fleet: Fleet, metered: Metered) -> pd.DataFrame:
    """meters.csv: the meters of loads, of plants and of devices; what is behind a load's meter is its sub-meter."""
    rows = []
    for unit in plan.units[metered.loads]:
        rows.append((f"m-{unit}", unit, _file_of(unit[:3]), _channel(unit, metered), ""))
    for _, plant in fleet.tables["solar"].iloc[metered.plants].iterrows():
        node = plant["node"]
        above = f"m-{node}" if "solar" in metered.includes.get(node, ()) else ""
        rows.append((f"m-{plant['plant']}", node, _file_of(node[:3]), "production", above))
    for word, channel in SUB_METERED.items():
        devices = fleet.tables[TABLE_OF[word]]
        inside = [word in metered.includes.get(node, ()) for node in devices["node"]]
        for device, node in zip(devices[inside][word], devices[inside]["node"], strict=True):
            rows.append((f"m-{device}", node, _file_of(node[:3]), channel, f"m-{node}"))
    return pd.DataFrame(rows, columns=["meter", "node", "file", "channel", "part_of"])


def write(folder: Path, plan: Plan, fleet: Fleet, metered: Metered, shapes: Shapes, past: Clock) -> None:
    """One file per building: wide by quarter hours, or long by hours with the faults of real exports."""
    folder.mkdir(exist_ok=True)
    series = _counted(plan, fleet, metered, shapes, past)
    stamps = past.stamps
    rng = np.random.default_rng([SEED, 8])
    for building in (*FULLY_METERED, *HALF_METERED):
        mine = {name: values for name, values in series.items() if name.startswith(f"m-{building}-")}
        _lose(mine, rng)
        history.write_wide(folder / _file_of(building), mine, stamps)
    for building in HOURLY:
        mine = {n: history.hourly(v, past) for n, v in series.items() if n.startswith(f"m-{building}-")}
        writing.write_csv(folder / _file_of(building), _damaged(history.long_rows(mine, stamps[::4], 60), rng))


def _counted(plan: Plan, fleet: Fleet, metered: Metered, shapes: Shapes, past: Clock) -> dict[str, np.ndarray]:
    """Energy by ``meter:channel`` and interval, kWh."""
    rng = np.random.default_rng([SEED, 9])
    row = {name: k for k, name in enumerate(shapes.names)}
    loads, solar = fleet.tables["loads"].iloc[metered.loads], fleet.tables["solar"].iloc[metered.plants]
    plain = shapes.values[loads["profile"].map(row)] * loads["peak_kw"].to_numpy()[:, None] * past.hours
    counted = dict(zip(loads["node"], history.lived(plain, past, rng), strict=True))
    sun = shapes.values[solar["profile"].map(row)] * solar["peak_kw"].to_numpy()[:, None] * past.hours
    made = dict(zip(solar["plant"], sun * rng.uniform(0.93, 1.0, sun.shape), strict=True))
    inner = {}
    for node, words in metered.includes.items():
        for word, device, drawn in _behind(words, node, fleet, made, past, rng):
            counted[node] = counted[node] + drawn
            if word in SUB_METERED:
                inner[f"m-{device}:{SUB_METERED[word]}"] = drawn
    uses = {f"m-{node}:{_channel(node, metered)}": values for node, values in counted.items()}
    return uses | inner | {f"m-{plant}:production": values for plant, values in made.items()}


def _behind(
    words: tuple[str, ...], node: str, fleet: Fleet, made: dict[str, np.ndarray], past: Clock, rng: np.random.Generator
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Kind, id and draw (kWh, production negative) of every device behind the meter of ``node``."""
    for word in words:
        devices = fleet.tables[TABLE_OF[word]]
        for _, device in devices[devices["node"] == node].iterrows():
            if word == "vehicle":
                yield word, device["vehicle"], history.charging(device, past, rng)
            elif word == "appliance":
                yield word, device["appliance"], history.washing(device, past, rng)
            elif word == "battery":
                yield word, device["battery"], history.cycling(device, past)
            else:
                yield word, device["plant"], -made[device["plant"]]


def _lose(series: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Empty some cells: two meters lose part of a day each."""
    for name in rng.choice(sorted(series), 2, replace=False):
        first = int(rng.integers(96, 96 * 20))
        series[name] = series[name].copy()
        series[name][first : first + int(rng.integers(4, 60))] = np.nan


def _damaged(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Estimated hours, hours that are missing, and rows sent twice."""
    number = len(rows)
    rows = rows.copy()
    rows.loc[rng.choice(number, number // 50, replace=False), "quality"] = "estimated"
    gone = int(rng.integers(0, number - 800))
    twice = rows.iloc[rng.choice(number, 6, replace=False)]
    kept = rows.drop(index=range(gone, gone + 7))
    return pd.concat([kept, twice], ignore_index=True)
