"""CityLearn 2022: seventeen homes in Fontana, California, as a case folder, from ``shared/city/citylearn``.

Each home is a building with one unit.  Use and sun are metered by the hour, sun as W per kW of peak times the
plant's peak in schema.json; batteries take capacity and power from there, and the square root of the round trip's
efficiency each way.  The first row is the last hour of 31 July 2016; stamps keep Pacific standard time all year
(``Etc/GMT+8``).  Imports cost what pricing.csv says; there is no price for exports: they earn four tenths of it
(assumed).
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pandas as pd
from real_tables import allocations, stamped, supply, usual_day, write_tables

ZONE, TIMEZONE = "fontana", "Etc/GMT+8"
FIRST = pd.Timestamp("2016-07-31T23:00", tz=TIMEZONE)
LOOK_AHEAD_HOURS = 12
EXPORT_RATIO = 0.4

CASE_TOML = """\
name = "citylearn"
delivery_date = {day}
timezone = "Etc/GMT+8"
interval_minutes = 60
currency = "USD"

[place]
latitude = 34.1
longitude = -117.4
country = "US"
subdivision = "CA"

[market]
price_cap = 4000.0

[horizon]
look_ahead_hours = {look_ahead}

[default_tariff]
import_per_mwh = 600.0
export_per_mwh = 20.0

[privacy]
preset = "internal"

[solver]
mode = "{mode}"
"""


def citylearn(folder: Path, source: Path, day: date = date(2016, 9, 6), mode: str = "decentralised") -> Path:
    """Write the case of one delivery day, with all meter readings before it."""
    homes = _homes(source)
    readings = pd.concat([metered(source, number) for number in homes["number"]], axis=1)
    begin = pd.Timestamp(day, tz=TIMEZONE)
    before = readings[readings.index < begin]
    whole_days = before[before.index >= FIRST + pd.Timedelta("1h")]
    used = whole_days.filter(like=":import").set_axis(homes["unit"], axis=1)
    usual = usual_day(used, 0.6)
    folder.mkdir(parents=True, exist_ok=True)
    text = CASE_TOML.format(day=day, look_ahead=LOOK_AHEAD_HOURS, mode=mode)
    (folder / "case.toml").write_text(text, encoding="utf-8")
    meters = [
        pd.DataFrame(
            {"meter": prefix + homes["home"], "node": homes["unit"], "file": "history.csv", "channel": channel}
        )
        for prefix, channel in (("m-", "import"), ("pv-", "production"))
    ]
    history = before.round(6)
    history.insert(0, "start", stamped(history.index))
    tables = {
        "nodes": _nodes(homes),
        "loads": _loads(homes),
        "solar": _solar(homes),
        "batteries": _batteries(homes),
        "meters": pd.concat(meters),
        "meters/history": history,
        "grid": _prices(source, begin),
        "allocations": allocations(usual),
        "supply": supply(usual, ZONE, 180.0),
    }
    write_tables(folder, tables)
    return folder


def _homes(source: Path) -> pd.DataFrame:
    """A row per home: number, ids, and what schema.json says of its plant and battery."""
    schema = json.loads((source / "schema.json").read_text(encoding="utf-8"))
    rows = []
    for name, home in schema["buildings"].items():
        number = int(name.removeprefix("Building_"))
        battery, plant = home["electrical_storage"]["attributes"], home["pv"]["attributes"]
        rows.append({"number": number, "home": f"home-{number:02d}", "peak_kw": plant["nominal_power"], **battery})
    homes = pd.DataFrame(rows).sort_values("number", ignore_index=True)
    return homes.assign(unit=homes["home"] + "-unit")


def metered(source: Path, number: int) -> pd.DataFrame:
    """Use and production of one home in kWh by the hour."""
    raw = pd.read_csv(source / f"Building_{number}.csv")
    schema = json.loads((source / "schema.json").read_text(encoding="utf-8"))
    peak_kw = schema["buildings"][f"Building_{number}"]["pv"]["attributes"]["nominal_power"]
    starts = pd.date_range(FIRST, periods=len(raw), freq="h")
    use, sun = raw["non_shiftable_load"].to_numpy(), raw["solar_generation"].to_numpy() * peak_kw / 1000
    home = f"home-{number:02d}"
    return pd.DataFrame({f"m-{home}:import": use, f"pv-{home}:production": sun}, index=starts)


def _nodes(homes: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame({"node": [ZONE], "kind": "city"}),
            pd.DataFrame({"node": homes["home"], "parent": ZONE, "kind": "building"}),
            pd.DataFrame({"node": homes["unit"], "parent": homes["home"], "kind": "unit", "use": "apartment"}),
        ],
        ignore_index=True,
    )


def _loads(homes: pd.DataFrame) -> pd.DataFrame:
    """The battery is a thought of the challenge, not behind the meter of the home."""
    columns = {"load": "use-" + homes["home"], "node": homes["unit"], "meter": "m-" + homes["home"]}
    return pd.DataFrame({**columns, "meter_includes": "none"})


def _solar(homes: pd.DataFrame) -> pd.DataFrame:
    columns = {"plant": "sun-" + homes["home"], "node": homes["unit"], "meter": "pv-" + homes["home"]}
    return pd.DataFrame({**columns, "peak_kw": homes["peak_kw"]})


def _batteries(homes: pd.DataFrame) -> pd.DataFrame:
    each_way = homes["efficiency"] ** 0.5
    columns = {"battery": "battery-" + homes["home"], "node": homes["unit"], "energy_kwh": homes["capacity"]}
    power = {"charge_kw": homes["nominal_power"], "discharge_kw": homes["nominal_power"]}
    return pd.DataFrame({**columns, **power, "charge_efficiency": each_way, "discharge_efficiency": each_way})


def _prices(source: Path, begin: pd.Timestamp) -> pd.DataFrame:
    """The tariff of the delivery day and its look-ahead, in USD per MWh."""
    tariff = pd.read_csv(source / "pricing.csv")["electricity_pricing"] * 1000
    series = tariff.set_axis(pd.date_range(FIRST, periods=len(tariff), freq="h"))
    series = series[begin : begin + pd.Timedelta(hours=24 + LOOK_AHEAD_HOURS - 1)]
    columns = {"zone": ZONE, "start": stamped(series.index), "import_price_per_mwh": series.round(2).to_numpy()}
    return pd.DataFrame({**columns, "export_price_per_mwh": (series * EXPORT_RATIO).round(2).to_numpy()})
