"""A small valid case as files, to be broken by tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import planner
from planner.problems import Problem

ROOT = Path(__file__).resolve().parents[1]

CASE_TOML = """\
name = "small"
delivery_date = 2026-06-10
timezone = "Europe/Stockholm"
interval_minutes = 60
currency = "EUR"
synthetic = true
[place]
latitude = 59.3
longitude = 18.1
[market]
price_floor = -500.0
price_cap = 4000.0
[horizon]
look_ahead_hours = 0
[fees]
market_buy_per_mwh = 8.0
market_sell_per_mwh = 0.0
[default_tariff]
import_per_mwh = 320.0
export_per_mwh = 20.0
[privacy]
preset = "lab"
"""

HOURS = range(1, 25)


def rows(header: str, *rows: str) -> str:
    return "\n".join([header, *rows]) + "\n"


def small_tables() -> dict[str, str]:
    """The files of a valid case: one city, one feeder, two buildings, three units, one asset of every kind."""
    load = [0.4 if hour < 7 else 1.2 for hour in HOURS]
    sun = [max(0.0, 1 - abs(hour - 13) / 6) for hour in HOURS]
    return {
        "case.toml": CASE_TOML,
        "nodes.csv": rows(
            "node,parent,kind,use,import_limit_kw,export_limit_kw,loss_ratio",
            "city,,city,,,,",
            "north,city,feeder,,100,100,0.01",
            "house,north,building,,40,40,0.02",
            "tower,city,building,,,,",
            "flat1,house,unit,apartment,10,10,",
            "flat2,house,unit,apartment,,,",
            "office,tower,unit,office,,,",
        ),
        "loads.csv": rows(
            "load,node,profile,peak_kw,curtailable_ratio,curtailment_cost_per_mwh",
            "flat1-load,flat1,home_kw,,,",
            "flat2-load,flat2,home_kw,,0.2,300",
            "office-load,office,work_pu,5,,",
        ),
        "solar.csv": rows("plant,node,profile,peak_kw", "roof,flat1,sun_pu,6"),
        "batteries.csv": rows("battery,node,energy_kwh,charge_kw,discharge_kw", "cell,flat1,8,4,4"),
        "vehicles.csv": rows(
            "vehicle,node,arrival,departure,energy_kwh,max_kw,min_kw", "car,flat2,08:00 mon-fri,17:00,12,7.4,1.4"
        ),
        "appliances.csv": rows("appliance,node,earliest,latest_end,profile_kw", "washer,flat2,08:00,20:00,1.2;0.8"),
        "generators.csv": rows("generator,node,max_kw,min_kw,cost_per_mwh", "chp,office,4,2,150"),
        "flexible.csv": rows("load,node,interval,min_kw,max_kw", *(f"pump,office,{h},0,2" for h in HOURS)),
        "profiles.csv": rows(
            "interval,home_kw,work_pu,sun_pu",
            *(f"{h},{load[h - 1]},{load[h - 1] / 2},{sun[h - 1]:.3f}" for h in HOURS),
        ),
        "grid.csv": rows(
            "zone,interval,import_price_per_mwh,export_price_per_mwh", *(f"city,{h},{100 + h},60" for h in HOURS)
        ),
        "supply.csv": rows("contract,zone,interval,energy_kwh,price_per_mwh", *(f"base,city,{h},3,70" for h in HOURS)),
        "allocations.csv": rows(
            "node,interval,energy_kwh",
            *(f"{node},{h},{kwh}" for node, kwh in (("house", 2), ("flat1", 1), ("flat2", 0.5)) for h in HOURS),
        ),
    }


@dataclass(frozen=True)
class Folder:
    """A case folder that a test may change before it reads it."""

    path: Path

    def write(self, name: str, text: str | bytes) -> Folder:
        """Put a file in place."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return self

    def text(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def swap(self, name: str, old: str, new: str) -> Folder:
        """Replace the first ``old`` in a file; the test is wrong if there is none."""
        text = self.text(name)
        assert old in text, f"{name} has no {old!r}"
        return self.write(name, text.replace(old, new, 1))

    def add(self, name: str, *rows: str) -> Folder:
        """Append rows to a file."""
        return self.write(name, self.text(name) + "".join(row + "\n" for row in rows))

    def remove(self, name: str) -> Folder:
        (self.path / name).unlink()
        return self

    def read(self, date: str | None = None) -> planner.Case:
        return planner.read_case(self.path, date)

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with it; empty if nothing is."""
        from planner.case import validate_folder

        return validate_folder(self.path)[1]


def write_case(path: Path) -> Folder:
    folder = Folder(path)
    for name, text in small_tables().items():
        folder.write(name, text)
    return folder
