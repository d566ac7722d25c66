"""The sample city `riverside`: ten buildings, a month of meter exports, and a delivery day of 25 hours.

``python -m planner.generate.riverside data/riverside`` writes it again, byte for byte.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from planner.generate import assets, market, network, profiles, riverside_meters, writing
from planner.generate.assets import Fleet
from planner.generate.clock import Clock
from planner.generate.layout import Plan, plan_city
from planner.generate.mix import Mix
from planner.generate.riverside_meters import BY_WEATHER, SEED, Metered

ZONE = "Europe/Stockholm"
LATITUDE, LONGITUDE = 59.33, 18.07
DELIVERY = date(2026, 10, 25)  # clocks go back: 25 hours
DELIVERY_DAYS = 2
HISTORY_FROM, HISTORY_DAYS = date(2026, 9, 28), 30  # to the end of 27 October, for backtests and settlement
SIZES = np.array([38, 37, 36, 36, 7, 8, 6, 9, 8, 6])
KINDS = ("mixed", "homes", "mixed", "homes", "mixed", "homes", "homes", "mixed", "homes", "homes")
DISTRICTS = (0, 1, 1, 1, 0, 0, 0, 0, 0, 0)
# Nobody owns so much that a building's position could give them away: chargers of one phase, small batteries.
MIX = Mix(
    vehicle_ratio=0.22,
    several_units_ratio=0.02,
    home_battery_ratio=0.3,
    home_battery_kwh=(1.2, 2.8),
    pump_kw=(0.8, 1.4),
    vehicle_kwh=6.5,
    vehicle_most_kwh=8.0,
    charger_ratios=(0.7, 0.3, 0.0, 0.0),
    balcony_spread=0.3,
    cover=0.5,
    cover_spread=0.4,
)
TRANSFORMER, BEHIND_TRANSFORMER = "t01", ("b03", "b04")
TRANSFORMER_MARGIN = 1.04


def write(folder: Path) -> Path:
    """Write the sample into ``folder``."""
    past = Clock.of(HISTORY_FROM, HISTORY_DAYS, 15, ZONE)
    clock = Clock.of(DELIVERY, DELIVERY_DAYS, 15, ZONE)
    drawn = profiles.shapes(past, SEED, LATITUDE, LONGITUDE)
    shapes = replace(drawn, values=drawn.values[:, past.starts.isin(clock.starts)])
    plan = plan_city(SIZES, SEED, MIX, KINDS, DISTRICTS)
    fleet = assets.draw(plan, shapes, clock, SEED, MIX)
    limits = network.limits(plan, fleet, clock, SEED, margin=0.12)
    tables = fleet.tables | market.tables(plan, fleet, limits, clock, SEED, MIX)
    metered = riverside_meters.choose(plan, fleet)
    tables |= {
        "nodes": _with_transformer(network.nodes(plan, limits), plan, fleet, clock),
        "limits": _maintenance(clock, limits),
        "profiles": profiles.table(shapes, clock),
        "weather": _weather(clock),
        "loads": _metered_loads(fleet.tables["loads"], metered),
        "solar": _metered_plants(fleet.tables["solar"], metered),
        "meters": riverside_meters.table(plan, fleet, metered),
    }
    settings = writing.Settings(
        "riverside",
        DELIVERY,
        ZONE,
        15,
        SEED,
        latitude=LATITUDE,
        longitude=LONGITUDE,
        country="SE",
    )
    writing.write_case(folder, settings, tables)
    writing.write_table(folder, "allocations", tables["allocations"], ".csv.gz")
    riverside_meters.write(folder / "meters", plan, fleet, metered, drawn, past)
    return folder


def _metered_loads(loads: pd.DataFrame, metered: Metered) -> pd.DataFrame:
    """Metered loads lose their profile and name their meter."""
    table = loads.astype({"profile": object})
    table.insert(2, "meter", "")
    rows = table.index[metered.loads]
    table.loc[rows, "meter"] = "m-" + table.loc[rows, "node"]
    table.loc[rows, "profile"] = ""
    table.loc[rows, "peak_kw"] = np.nan
    table["meter_includes"] = ""
    table.loc[rows, "meter_includes"] = [";".join(metered.includes.get(n, ("none",))) for n in table.loc[rows, "node"]]
    return table


def _metered_plants(solar: pd.DataFrame, metered: Metered) -> pd.DataFrame:
    """Metered plants keep their peak for people; one plant goes by the weather."""
    table = solar.astype({"profile": object})
    table.insert(2, "meter", "")
    rows = table.index[metered.plants]
    table.loc[rows, "meter"] = "m-" + table.loc[rows, "plant"]
    table.loc[rows, "profile"] = ""
    table.loc[table["plant"] == BY_WEATHER, "profile"] = ""
    return table


def _with_transformer(nodes: pd.DataFrame, plan: Plan, fleet: Fleet, clock: Clock) -> pd.DataFrame:
    """Put some buildings behind a transformer just above their expected use: what wants to run at once does not fit."""
    behind = nodes["node"].isin(BEHIND_TRANSFORMER)
    expected = plan.per_building(fleet.base_kwh + fleet.extra_kwh)[np.isin(plan.buildings, BEHIND_TRANSFORMER)]
    into = round(TRANSFORMER_MARGIN * float(expected.sum(axis=0).max()) / clock.hours, 1)
    parent = nodes.loc[behind, "parent"].iloc[0]
    row = {"node": TRANSFORMER, "parent": parent, "kind": "transformer", "label": "Transformer t01"}
    extra = pd.DataFrame([{**row, "import_limit_kw": into, "export_limit_kw": into}])
    moved = nodes.assign(parent=nodes["parent"].mask(behind, TRANSFORMER))
    return pd.concat([moved.iloc[:3], extra, moved.iloc[3:]], ignore_index=True)


def _maintenance(clock: Clock, limits: network.Limits) -> pd.DataFrame:
    """The second day, from ten to noon, district d01 may draw a tenth less."""
    when = (clock.day == 1) & (clock.hour >= 10) & (clock.hour < 12)
    most = round(0.9 * float(limits.district_import[0]), 1)
    return pd.DataFrame({"node": "d01", "start": clock.stamps[when], "import_kw": most, "reason": "maintenance"})


def _weather(clock: Clock) -> pd.DataFrame:
    """Weather for the plants that go by it: sun on the level ground in W/m2, cool October air."""
    rng = np.random.default_rng([SEED, 10])
    level = profiles.sun(clock, 0, 180, LATITUDE, LONGITUDE, rng)
    warm = 7 + 3 * np.sin((clock.hour - 9) / 24 * 2 * np.pi)
    wind = np.clip(5 + rng.normal(0, 0.6, len(clock)), 0, None)
    columns = {"temperature_c": warm.round(1), "ghi_w_m2": (1000 * level).round(0), "wind_m_s": wind.round(1)}
    return pd.DataFrame({"start": clock.stamps, **columns})


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "data/riverside"))
