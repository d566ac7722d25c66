"""SimBench: three low-voltage grids of a German town as a case folder, from tables in ``shared/city/simbench``.

Each grid is a district; about fifteen neighbours by bus number make a building.  A unit is a metered load together
with the plant, the battery, the charger and the heat pump at its bus (the first where a bus has two; alone where
it has none). What the tables call a load becomes

* H0, G, L and APLS (public charging, nobody waits there): a metered load, history up to the day before delivery;
* HLS (charging at home): a vehicle with one stay for every session of the profile, from the session's start until
  the next one, at most the longer of four hours and twice its length; at most the charger's power, at least 6 A;
* Air and Soil (heat pumps): a flexible load that may run an hour ahead of or behind its profile.

Solar plants are metered.  Batteries take eStore, pMin, pMax and etaStore (each way); self-discharge is left out.
There are no prices in SimBench: those of the exchange are made up, and so are the districts' limits (1.3 times the
greatest use).  Profiles are per unit of pLoad or pRES (MW), stamped in winter time.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from real_tables import allocations, stamped, supply, usual_day, write_tables
from simbench_devices import batteries_of, heat_pumps_of, vehicles_of

ZONE, TIMEZONE, HOURS = "town", "Europe/Berlin", 0.25
UNITS_PER_BUILDING = 15
LOOK_AHEAD_HOURS = 12

CASE_TOML = """\
name = "simbench"
delivery_date = {day}
timezone = "Europe/Berlin"
interval_minutes = 15
currency = "EUR"

[place]
latitude = 51.5
longitude = 9.5
country = "DE"

[horizon]
look_ahead_hours = {look_ahead}

[fees]
market_buy_per_mwh = 8.0

[default_tariff]
import_per_mwh = 300.0
export_per_mwh = 20.0

[privacy]
preset = "{preset}"
"""


def simbench(
    folder: Path, source: Path, day: date = date(2016, 1, 18), preset: str = "internal", *, feeder_limits: bool = True
) -> Path:
    """Write the case of one delivery day in January 2016 (not before the 4th, not after the 29th)."""
    loads, solar, batteries = _elements(source)
    plain = loads[loads["kind"] == "plain"]
    power = pd.concat(
        [series(source, "LoadProfile", loads, "pLoad"), series(source, "RESProfile", solar, "pRES")], axis=1
    )
    begin = pd.Timestamp(day, tz=TIMEZONE)
    until = begin + pd.Timedelta(hours=24 + LOOK_AHEAD_HOURS)
    before = power[power.index < begin]
    horizon = power[(power.index >= begin) & (power.index < until)]
    used = (before[plain["name"]] * HOURS).T.groupby(plain.set_index("name")["unit"]).sum().T
    usual = usual_day(used, 0.9)
    tables = {
        "nodes": _nodes(loads, solar, batteries),
        "solar": pd.DataFrame({"plant": solar["name"], "node": solar["unit"], "meter": "m-" + solar["name"]}),
        "loads": _loads(plain),
        "batteries": batteries_of(batteries),
        "vehicles": vehicles_of(loads[loads["kind"] == "vehicle"], power, begin, until),
        "flexible": heat_pumps_of(loads[loads["kind"] == "heat"], horizon),
        "grid": _prices(horizon.index),
        "allocations": allocations(usual),
        "supply": supply(usual, ZONE, 45.0),
        **_metered(plain, solar, before),
    }
    if feeder_limits:
        tables["nodes"] = _limited(tables["nodes"], used)
    folder.mkdir(parents=True, exist_ok=True)
    text = CASE_TOML.format(day=day, look_ahead=LOOK_AHEAD_HOURS, preset=preset)
    (folder / "case.toml").write_text(text, encoding="utf-8")
    write_tables(folder, tables)
    return folder


def _loads(plain: pd.DataFrame) -> pd.DataFrame:
    """Chargers, heat pumps and batteries have profiles of their own: none is inside a load's."""
    columns = {"load": plain["name"], "node": plain["unit"], "meter": "m-" + plain["name"]}
    return pd.DataFrame({**columns, "meter_includes": "none"})


def _metered(plain: pd.DataFrame, solar: pd.DataFrame, before: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """meters.csv and its one file, wide."""
    elements = pd.concat([plain.assign(channel="import"), solar.assign(channel="production")])
    meter = "m-" + elements["name"]
    columns = {"meter": meter, "node": elements["unit"], "file": "history.csv", "channel": elements["channel"]}
    readings = (before[elements["name"]] * HOURS).round(6).set_axis(meter + ":" + elements["channel"], axis=1)
    readings.insert(0, "start", stamped(readings.index))
    return {"meters": pd.DataFrame(columns), "meters/history": readings}


def _limited(nodes: pd.DataFrame, used_kwh: pd.DataFrame) -> pd.DataFrame:
    """Districts may import 1.3 times what their loads ever used at once."""
    by_district = used_kwh.T.groupby(lambda unit: unit.split("-")[0]).sum().T / HOURS
    return nodes.assign(import_limit_kw=nodes["node"].map((1.3 * by_district.max()).round(1)))


def _elements(source: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Loads, plants and batteries, each with name, unit and (loads) kind."""
    tables = [pd.read_csv(source / f"{name}_LV_sample.csv") for name in ("Load", "RES", "Storage")]
    kinds = {"HLS": "vehicle", "Air": "heat", "Soi": "heat"}
    loads = tables[0]
    loads["kind"] = loads["profile"].str[:3].map(kinds).fillna("plain")
    for table in tables:
        table["name"] = table["id"].str.replace(" ", "-")
        table["bus"] = table["node"].str.rsplit(" ", n=1).str[-1].astype(int)
        table["unit"] = table["subnet"] + "-bus-" + table["bus"].astype(str)
    again = loads[loads["kind"] == "plain"].groupby("unit").cumcount()
    loads["unit"] += again.reindex(loads.index).map(lambda k: f"-{k + 1:.0f}" if k > 0 else "")
    return tables[0], tables[1], tables[2]


def series(source: Path, file: str, elements: pd.DataFrame, scale: str) -> pd.DataFrame:
    """Power in kW by element and start: its profile times its size."""
    raw = pd.read_csv(source / f"{file}_jan2016.csv")
    starts = pd.DatetimeIndex(pd.to_datetime(raw["time"], format="%d.%m.%Y %H:%M")).tz_localize(TIMEZONE)
    suffix = "_pload" if file == "LoadProfile" else ""
    values = raw[elements["profile"] + suffix].to_numpy() * (elements[scale].to_numpy() * 1000)
    return pd.DataFrame(values, index=starts, columns=elements["name"].to_list())


def _nodes(*tables: pd.DataFrame) -> pd.DataFrame:
    """Town, a district per grid, buildings of neighbours, a unit per bus."""
    columns = ["subnet", "bus", "unit"]
    units = pd.concat([table[columns] for table in tables]).drop_duplicates().sort_values(["subnet", "bus"])
    rank = units.groupby("subnet").cumcount()
    many = units.groupby("subnet")["bus"].transform("size")
    houses = np.ceil(many / UNITS_PER_BUILDING)
    number = np.floor(rank * houses / many).astype(int) + 1
    units["building"] = units["subnet"] + "-b" + number.astype(str)
    buildings = units.drop_duplicates("building")
    use = tables[0].drop_duplicates("unit").set_index("unit")["profile"].str[0]
    uses = units["unit"].map(use).map({"H": "apartment", "G": "office"}).fillna("other")
    subnets = units["subnet"].unique()
    rows = [
        pd.DataFrame({"node": [ZONE], "kind": "city"}),
        pd.DataFrame({"node": subnets, "parent": ZONE, "kind": "district"}),
        pd.DataFrame({"node": buildings["building"], "parent": buildings["subnet"], "kind": "building"}),
        pd.DataFrame({"node": units["unit"], "parent": units["building"], "kind": "unit", "use": uses}),
    ]
    return pd.concat(rows, ignore_index=True)


def _prices(starts: pd.DatetimeIndex) -> pd.DataFrame:
    """Made up: cheap at night, dear at breakfast and dinner."""
    hour = starts.hour + starts.minute / 60
    spot = 38 + 14 * np.exp(-0.5 * ((hour - 8.5) / 1.5) ** 2) + 22 * np.exp(-0.5 * ((hour - 18.5) / 2) ** 2)
    columns = {"zone": ZONE, "start": stamped(starts), "import_price_per_mwh": (spot + 12).round(2)}
    return pd.DataFrame({**columns, "export_price_per_mwh": (spot - 12).round(2)})
