"""Every error of an input is found, at its file and line, in words that name it; and the valid case has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from planner.case import read_case
from planner.problems import Problem
from planner.validation import validate

Change = tuple[str, ...]


@dataclass(frozen=True)
class Broken:
    """One way to break the small case: texts swapped or rows added, and the problem that must be reported."""

    name: str
    where: str
    words: str
    swap: Iterable[tuple[str, str, str]] = ()
    add: Iterable[tuple[str, str]] = ()
    write: Iterable[tuple[str, str | bytes]] = ()
    hint: str = ""
    only: bool = True
    remove: Iterable[str] = field(default=())


def apply(folder: Any, broken: Broken) -> None:
    for name, text in broken.write:
        folder.write(name, text)
    for name, old, new in broken.swap:
        folder.swap(name, old, new)
    for name, row in broken.add:
        folder.add(name, row)
    for name in broken.remove:
        folder.remove(name)


def place(problem: Problem) -> str:
    return f"{problem.file}:{problem.line}"


def check(folder: Any, broken: Broken) -> None:
    apply(folder, broken)
    problems = folder.problems()
    found = [p for p in problems if place(p) == broken.where and broken.words in f"{p.what} ({p.value})"]
    assert found, "\n".join(map(str, problems)) or "no problem at all"
    assert broken.hint in found[0].hint
    if broken.only:
        assert len(problems) == 1, "\n".join(map(str, problems))


METERS = ("meters.csv", "meter,node,file,channel,part_of\nm1,flat1,a.csv,import,\n")
METER_FILE = ("meters/a.csv", "start,energy_kwh\n")

TARIFF_TWICE = """tariff,component,level,direction,basis,rate
home,energy,unit,import,per_mwh,150
home,energy,unit,import,per_mwh,50
home,energy,unit,import,per_mwh,150.0
"""

NODES = [
    Broken(
        "unknown parent",
        "nodes.csv:4",
        "unknown parent (nort)",
        [("nodes.csv", "house,north", "house,nort")],
        hint="'north'",
        only=False,
    ),
    Broken(
        "cycle",
        "nodes.csv:9",
        "its own ancestor (loop > north > loop)",
        [("nodes.csv", "north,city,feeder", "north,loop,feeder")],
        [("nodes.csv", "loop,north,district,,,,")],
        only=False,
    ),
    Broken("two roots", "nodes.csv:9", "has no parent", add=[("nodes.csv", "town,,city,,,,")], hint="name its parent"),
    Broken("root of itself", "nodes.csv:2", "its own ancestor", [("nodes.csv", "city,,city", "city,city,city")]),
    Broken(
        "root is a building",
        "nodes.csv:2",
        "a building cannot be the root",
        [("nodes.csv", "city,,city,", "city,,building,")],
        only=False,
    ),
    Broken(
        "unit outside a building",
        "nodes.csv:6",
        "a unit outside a building (north)",
        [("nodes.csv", "flat1,house", "flat1,north")],
        only=False,
    ),
    Broken(
        "building in a building",
        "nodes.csv:5",
        "a building inside another",
        [("nodes.csv", "tower,city", "tower,house")],
        only=False,
    ),
    Broken(
        "feeder in a building",
        "nodes.csv:9",
        "only units stand in a building",
        add=[("nodes.csv", "sub,house,feeder,,,,")],
    ),
    Broken(
        "unknown kind",
        "nodes.csv:4",
        "unknown kind (bulding)",
        [("nodes.csv", "building", "bulding")],
        hint="'building'",
        only=False,
    ),
    Broken(
        "unknown use",
        "nodes.csv:8",
        "unknown use (ofice)",
        [("nodes.csv", "unit,office", "unit,ofice")],
        hint="'office'",
    ),
    Broken(
        "unknown node", "loads.csv:2", "unknown node (flat9)", [("loads.csv", "load,flat1", "load,flat9")], hint="'flat"
    ),
    Broken(
        "asset on a feeder",
        "batteries.csv:2",
        "an asset outside a building",
        [("batteries.csv", "cell,flat1", "cell,north")],
    ),
    Broken(
        "duplicate id",
        "nodes.csv:9",
        "node stands here twice (flat1)",
        add=[("nodes.csv", "flat1,house,unit,,,,")],
        hint="line 6",
        only=False,
    ),
    Broken(
        "duplicate by case",
        "nodes.csv:9",
        "differs from 'flat1' only in case (Flat1)",
        add=[("nodes.csv", "Flat1,house,unit,,,,")],
    ),
    Broken(
        "duplicate asset",
        "batteries.csv:3",
        "battery stands here twice",
        add=[("batteries.csv", "cell,flat2,8,4,4")],
        hint="line 2",
    ),
    Broken(
        "two assets of a unit with one id",
        "batteries.csv:2",
        "id of one in loads",
        [("batteries.csv", "cell,flat1", "flat1-load,flat1")],
    ),
    Broken(
        "id is a path",
        "nodes.csv:9",
        "node is not an id (a/b)",
        add=[("nodes.csv", "a/b,house,unit,,,,")],
        hint="not a path",
    ),
    Broken("id is ..", "nodes.csv:9", "node is not an id (..)", add=[("nodes.csv", "..,house,unit,,,,")]),
    Broken("id is .", "nodes.csv:9", "node is not an id (.)", add=[("nodes.csv", ".,house,unit,,,,")]),
    Broken("id too long", "nodes.csv:9", "node is not an id", add=[("nodes.csv", "x" * 65 + ",house,unit,,,,")]),
    Broken("id empty", "nodes.csv:9", "node is missing", add=[("nodes.csv", ",house,unit,,,,")]),
    Broken(
        "loss on a unit",
        "nodes.csv:7",
        "loss_ratio on a unit",
        [("nodes.csv", "unit,apartment,,,", "unit,apartment,,,0.1")],
        hint="building",
    ),
    Broken("loss ratio one", "nodes.csv:4", "loss_ratio must be below 1 (1)", [("nodes.csv", "0.02", "1")]),
    Broken("loss ratio negative", "nodes.csv:4", "loss_ratio is negative", [("nodes.csv", "0.02", "-0.1")]),
    Broken(
        "unknown tariff",
        "nodes.csv:2",
        "unknown tariff (day)",
        write=[("nodes.csv", "node,parent,kind,tariff\ncity,,city,day\n")],
        only=False,
    ),
]

CELLS = [
    Broken(
        "negative energy",
        "batteries.csv:2",
        "energy_kwh is negative (-8)",
        [("batteries.csv", ",8,", ",-8,")],
        only=False,
    ),
    Broken(
        "NaN energy",
        "supply.csv:2",
        "energy_kwh is not a number (NaN)",
        [("supply.csv", "city,1,3", "city,1,NaN")],
        only=False,
    ),
    Broken(
        "infinite energy",
        "supply.csv:2",
        "energy_kwh is not a number (inf)",
        [("supply.csv", "city,1,3", "city,1,inf")],
        only=False,
    ),
    Broken(
        "text for a number",
        "supply.csv:9",
        "energy_kwh is not a number (three)",
        [("supply.csv", "city,8,3", "city,8,three")],
        only=False,
    ),
    Broken(
        "watt-hours",
        "supply.csv:9",
        "beyond 100,000,000 (1e12)",
        [("supply.csv", "city,8,3", "city,8,1e12")],
        hint="Wh?",
    ),
    Broken(
        "watts", "loads.csv:4", "beyond 10,000,000 (1e300)", [("loads.csv", "work_pu,5", "work_pu,1e300")], hint="W?"
    ),
    Broken("a price of nobody", "supply.csv:2", "beyond 1,000,000 (-1e300)", [("supply.csv", "1,3,70", "1,3,-1e300")]),
    Broken(
        "a limit of nobody", "nodes.csv:6", "(1e300)", [("nodes.csv", "apartment,10,", "apartment,1e300,")], hint="W?"
    ),
    Broken("a huge cost", "generators.csv:2", "cost_per_mwh is not plausible", [("generators.csv", "2,150", "2,1e9")]),
    Broken(
        "an appliance in watts", "appliances.csv:2", "profile_kw is not plausible", [("appliances.csv", "1.2", "1e9")]
    ),
    Broken("a profile in watts", "profiles.csv:2", "value is not plausible", [("profiles.csv", "1,0.4", "1,4e8")]),
    Broken(
        "a peak in watts",
        "loads.csv:4",
        "peak_kw times",
        [("loads.csv", "work_pu,5", "work_pu,9.9e6"), ("profiles.csv", "1,0.4,0.2", "1,0.4,20")],
    ),
    Broken(
        "a cap of nobody",
        "case.toml:12",
        "price_cap must lie",
        [("case.toml", "price_cap = 4000.0", "price_cap = 1e300")],
    ),
    Broken(
        "import above the cap",
        "grid.csv:4",
        "import_price_per_mwh is above price_cap 4000 (5000)",
        [("grid.csv", "city,3,103", "city,3,5000")],
        hint="raise price_cap",
    ),
    Broken(
        "export below the floor",
        "grid.csv:4",
        "export_price_per_mwh is below price_floor -500 (-501)",
        [("grid.csv", "city,3,103,60", "city,3,103,-501")],
        hint="lower price_floor",
    ),
    Broken(
        "a tariff row twice",
        "tariffs.csv:4",
        "a duplicate row of component 'energy' (home)",
        write=[("tariffs.csv", TARIFF_TWICE)],
        hint="line 2",
    ),
    Broken("missing energy", "supply.csv:3", "energy_kwh is missing", [("supply.csv", "city,2,3,", "city,2,,")]),
    Broken(
        "thousands separator",
        "supply.csv:2",
        "energy_kwh is not a number (3,000)",
        [("supply.csv", "city,1,3", 'city,1,"3,000"')],
        hint="without thousands",
        only=False,
    ),
    Broken(
        "no flag",
        "solar.csv:2",
        "curtailable is neither true nor false (perhaps)",
        write=[("solar.csv", "plant,node,profile,peak_kw,curtailable\nroof,flat1,sun_pu,6,perhaps\n")],
    ),
    Broken(
        "unknown column",
        "loads.csv:1",
        "unknown column (peak_kv)",
        [("loads.csv", "peak_kw", "peak_kv")],
        hint="'peak_kw'",
        only=False,
    ),
    Broken(
        "missing column", "batteries.csv:1", "column 'charge_kw' is missing", [("batteries.csv", "charge_kw,", "x_kw,")]
    ),
    Broken(
        "two columns of a name",
        "batteries.csv:1",
        "two columns are called 'charge_kw'",
        [("batteries.csv", "discharge_kw", "charge_kw")],
        only=False,
    ),
    Broken(
        "row too short", "batteries.csv:3", "the row has 2 cells, the header 5", add=[("batteries.csv", "b2,flat1")]
    ),
    Broken(
        "latin-1",
        "nodes.csv:2",
        "is not UTF-8",
        write=[("nodes.csv", b"node,parent,kind,label\ncity,,city,Malm\xf6\n")],
        hint="Latin-1",
    ),
    Broken("utf-16", "nodes.csv:1", "is UTF-16", write=[("nodes.csv", "node,parent,kind\n".encode("utf-16"))]),
    Broken("empty file", "solar.csv:1", "is empty", write=[("solar.csv", "")]),
    Broken("web page", "grid.csv:1", "is a web page", write=[("grid.csv", "<!DOCTYPE html>\n<html></html>\n")]),
    Broken("zip named csv", "grid.csv:1", "is not a csv", write=[("grid.csv", b"PK\x03\x04rest")]),
    Broken("not gzip", "wind.csv.gz:0", "not a whole gzip file", write=[("wind.csv.gz", b"plant,node\n")]),
    Broken("not parquet", "wind.parquet:0", "not a parquet file", write=[("wind.parquet", b"plant,node\n")]),
    Broken("table twice", "solar.csv.gz:0", "there is also solar.csv", write=[("solar.csv.gz", b"")]),
    Broken(
        "misnamed table",
        "battery.csv:0",
        "is no table of a case",
        write=[("battery.csv", "battery\n")],
        hint="'batteries.csv'",
    ),
    Broken(
        "table named in capitals",
        "Nodes.CSV:0",
        "is no table of a case",
        write=[("Nodes.CSV", "node,parent,kind\n")],
        remove=["nodes.csv"],
        hint="'nodes.csv'",
    ),
    Broken(
        "header again",
        "batteries.csv:3",
        "the header stands here again",
        add=[("batteries.csv", "battery,node,energy_kwh,charge_kw,discharge_kw")],
    ),
    Broken(
        "separator note of a spreadsheet",
        "batteries.csv:1",
        "a spreadsheet's note on the separator",
        [("batteries.csv", "battery,node", "sep=,\nbattery,node")],
    ),
    Broken(
        "column without a name",
        "batteries.csv:1",
        "a column has no name",
        write=[("batteries.csv", "battery,node,energy_kwh,charge_kw,discharge_kw,,\n")],
        hint="delete it",
    ),
]

TIMES = [
    Broken(
        "interval outside 24 h",
        "grid.csv:26",
        "interval is outside the day: 2026-06-10 has 24 hours, intervals 1 to 24 (25)",
        add=[("grid.csv", "city,25,100,50")],
    ),
    Broken(
        "interval outside 23 h",
        "grid.csv:25",
        "has 23 hours, intervals 1 to 23 (24)",
        [("case.toml", "2026-06-10", "2026-03-29")],
        only=False,
    ),
    Broken(
        "interval outside 25 h",
        "grid.csv:26",
        "has 25 hours, intervals 1 to 25 (26)",
        [("case.toml", "2026-06-10", "2026-10-25")],
        [("grid.csv", "city,26,100,50")],
        only=False,
    ),
    Broken("interval 0", "grid.csv:26", "interval is below 1 (0)", add=[("grid.csv", "city,0,100,50")]),
    Broken(
        "half an interval", "grid.csv:26", "interval is not a whole number (1.5)", add=[("grid.csv", "city,1.5,100,50")]
    ),
    Broken(
        "time without offset",
        "limits.csv:2",
        "start has no offset (2026-06-10T10:00)",
        write=[("limits.csv", "node,start,import_kw\nhouse,2026-06-10T10:00,5\n")],
        hint="+02:00",
    ),
    Broken(
        "no time",
        "limits.csv:2",
        "start is not a time (yesterday)",
        write=[("limits.csv", "node,start,import_kw\nhouse,yesterday,5\n")],
    ),
    Broken(
        "no time column",
        "limits.csv:1",
        "column 'interval' or 'start' is missing",
        write=[("limits.csv", "node,import_kw\nhouse,5\n")],
    ),
    Broken(
        "no time in a row",
        "limits.csv:2",
        "neither interval nor start",
        write=[("limits.csv", "node,interval,import_kw\nhouse,,5\n")],
    ),
    Broken(
        "off the grid",
        "limits.csv:2",
        "not the start of an interval",
        write=[("limits.csv", "node,start,import_kw\nhouse,2026-06-10T10:07:00+02:00,5\n")],
    ),
    Broken(
        "interval and start disagree",
        "limits.csv:2",
        "disagree",
        write=[("limits.csv", "node,interval,start,import_kw\nhouse,3,2026-06-10T10:00:00+02:00,5\n")],
    ),
    Broken(
        "duplicate row",
        "grid.csv:26",
        "a second row for the same time (city, interval 1)",
        add=[("grid.csv", "city,1,100,50")],
        hint="line 2",
    ),
    Broken(
        "duplicate instant in two offsets",
        "limits.csv:3",
        "a second row for the same time",
        write=[
            ("limits.csv", "node,start,import_kw\nhouse,2026-06-10T10:00:00+02:00,5\nhouse,2026-06-10T08:00:00Z,6\n")
        ],
    ),
    Broken(
        "gap",
        "grid.csv:2",
        "missing in interval 7 of 'city'",
        [("grid.csv", "city,7,107,60\n", "")],
        hint="24 intervals",
    ),
    Broken(
        "gap in a profile",
        "profiles.csv:2",
        "missing in interval 2 of 'sun_pu'",
        write=[
            (
                "profiles.csv",
                "interval,home_kw,work_pu,sun_pu\n1,1,1,1\n2,1,1,\n" + "".join(f"{h},1,1,1\n" for h in range(3, 25)),
            )
        ],
    ),
    Broken(
        "day not covered",
        "grid.csv:2",
        "missing in the delivery day",
        write=[("grid.csv", "zone,start,import_price_per_mwh,export_price_per_mwh\ncity,2025-01-01T00:00Z,1,1\n")],
    ),
    Broken(
        "unknown profile",
        "loads.csv:2",
        "unknown profile (homes_kw)",
        [("loads.csv", "home_kw", "homes_kw")],
        hint="'home_kw'",
    ),
    Broken(
        "unnamed profile",
        "profiles.csv:1",
        "must end in _kw or _pu (sun)",
        [("profiles.csv", "sun_pu", "sun")],
        only=False,
    ),
    Broken(
        "unnamed profile, long",
        "profiles.csv:2",
        "must end in _kw or _pu (sun)",
        write=[("profiles.csv", "profile,interval,value\nsun,1,1\n")],
        only=False,
    ),
]

ASSETS = [
    Broken("load without source", "loads.csv:2", "neither meter nor profile", [("loads.csv", "home_kw", "")]),
    Broken(
        "load with two sources",
        "loads.csv:2",
        "both meter and profile",
        write=[
            METERS,
            METER_FILE,
            ("loads.csv", "load,node,meter,profile,meter_includes\nl,flat1,m1,home_kw,solar;battery\n"),
        ],
    ),
    Broken(
        "share without scale", "loads.csv:4", "needs annual_kwh or peak_kw", [("loads.csv", "work_pu,5", "work_pu,")]
    ),
    Broken("plant without scale", "solar.csv:2", "needs peak_kw", [("solar.csv", "sun_pu,6", "sun_pu,")]),
    Broken("plant by weather without weather", "solar.csv:2", "needs weather.csv", [("solar.csv", "sun_pu,6", ",6")]),
    Broken(
        "vehicle too short",
        "vehicles.csv:2",
        "the stay is too short: 9 h at 7.4 kW bring 66.6 kWh of 80 (car)",
        [("vehicles.csv", ",12,7.4", ",80,7.4")],
    ),
    Broken(
        "vehicle too short by efficiency",
        "vehicles.csv:2",
        "bring 59.94 kWh of 60",
        write=[
            (
                "vehicles.csv",
                "vehicle,node,arrival,departure,energy_kwh,max_kw,charge_efficiency\ncar,flat2,08:00,17:00,60,7.4,0.9\n",
            )
        ],
    ),
    Broken(
        "vehicle leaves before it arrives",
        "vehicles.csv:2",
        "leaves before it arrives",
        [("vehicles.csv", "08:00 mon-fri,17:00", "2026-06-10T18:00:00+02:00,2026-06-10T08:00:00+02:00")],
    ),
    Broken(
        "vehicle leaves when it arrives",
        "vehicles.csv:2",
        "leaves when it arrives",
        [("vehicles.csv", "17:00", "08:00")],
    ),
    Broken(
        "vehicle without offset",
        "vehicles.csv:2",
        "arrival has no offset",
        [("vehicles.csv", "08:00 mon-fri,17:00", "2026-06-10T08:00:00,2026-06-10T18:00:00")],
    ),
    Broken("vehicle at no day", "vehicles.csv:2", "arrival is not a time", [("vehicles.csv", "mon-fri", "mon-fry")]),
    Broken("vehicle min above max", "vehicles.csv:2", "min_kw is above max_kw", [("vehicles.csv", "7.4,1.4", "7.4,9")]),
    Broken(
        "vehicle in two places",
        "vehicles.csv:3",
        "overlap",
        write=[
            (
                "vehicles.csv",
                "vehicle,node,arrival,departure,energy_kwh,max_kw\n"
                "car,flat2,2026-06-10T08:00:00+02:00,2026-06-10T18:00:00+02:00,1,7\n"
                "car,flat1,2026-06-10T17:00:00+02:00,2026-06-10T19:00:00+02:00,1,7\n",
            )
        ],
    ),
    Broken(
        "appliance too short",
        "appliances.csv:2",
        "the window of 1 h is shorter than the run of 2 h",
        [("appliances.csv", "20:00", "09:00")],
    ),
    Broken(
        "appliance profile",
        "appliances.csv:2",
        "profile_kw is no list of powers (1.2;x)",
        [("appliances.csv", "1.2;0.8", "1.2;x")],
    ),
    Broken(
        "battery final",
        "batteries.csv:2",
        "final_kwh is above energy_kwh (9)",
        write=[("batteries.csv", "battery,node,energy_kwh,charge_kw,discharge_kw,final_kwh\ncell,flat1,8,4,4,9\n")],
    ),
    Broken(
        "battery initial high",
        "batteries.csv:2",
        "initial_kwh is above energy_kwh (9)",
        write=[("batteries.csv", "battery,node,energy_kwh,charge_kw,discharge_kw,initial_kwh\ncell,flat1,8,4,4,9\n")],
        only=False,
    ),
    Broken(
        "battery initial low",
        "batteries.csv:2",
        "initial_kwh is below minimum_kwh (1)",
        write=[
            (
                "batteries.csv",
                "battery,node,energy_kwh,charge_kw,discharge_kw,initial_kwh,minimum_kwh\ncell,flat1,8,4,4,1,2\n",
            )
        ],
    ),
    Broken(
        "efficiency zero",
        "batteries.csv:2",
        "charge_efficiency must be above 0",
        write=[
            ("batteries.csv", "battery,node,energy_kwh,charge_kw,discharge_kw,charge_efficiency\ncell,flat1,8,4,4,0\n")
        ],
    ),
    Broken(
        "flexible band", "flexible.csv:4", "min_kw is above max_kw", [("flexible.csv", "office,3,0,2", "office,3,3,2")]
    ),
    Broken("generator band", "generators.csv:2", "min_kw is above max_kw", [("generators.csv", ",4,2,", ",4,5,")]),
    Broken(
        "tariff times",
        "tariffs.csv:2",
        "from_time is not understood (8h)",
        write=[
            (
                "tariffs.csv",
                "tariff,component,level,direction,basis,rate,from_time\nday,energy,unit,import,per_mwh,5,8h\n",
            )
        ],
    ),
]

ALLOCATIONS = [
    Broken(
        "above the building's",
        "allocations.csv:6",
        "the units' allocations are above those of building 'house' in interval 5 (2.001 kWh against 2 in interval 5)",
        [("allocations.csv", "flat1,5,1", "flat1,5,1.501")],
    ),
    Broken(
        "above the contract",
        "allocations.csv:2",
        "above the contracted supply of zone 'city' in interval 1",
        [("supply.csv", "city,1,3", "city,1,1.999")],
    ),
    Broken(
        "above the feeder",
        "allocations.csv:2",
        "above its import limit: the network cannot carry them in intervals 1 to 24",
        [("nodes.csv", "feeder,,100", "feeder,,1.9")],
    ),
    Broken(
        "above the feeder's limit of the day",
        "allocations.csv:5",
        "the network cannot carry them in interval 4",
        write=[("limits.csv", "node,interval,import_kw\nnorth,4,1.9\n")],
    ),
    Broken(
        "for a feeder",
        "allocations.csv:26",
        "allocations are for buildings and units (north)",
        [("allocations.csv", "flat1,1,1\n", "north,1,1\n")],
        only=False,
    ),
    Broken(
        "export above import",
        "grid.csv:2",
        "export_price_per_mwh is above import_price_per_mwh (102)",
        [("grid.csv", "city,1,101,60", "city,1,101,102")],
    ),
    Broken(
        "unknown zone",
        "grid.csv:2",
        "unknown zone (citi)",
        [("grid.csv", "city,1", "citi,1")],
        hint="'city'",
        only=False,
    ),
    Broken(
        "a building is no zone",
        "supply.csv:2",
        "unknown zone (house)",
        [("supply.csv", "city,1", "house,1")],
        only=False,
    ),
]

TARIFF_DAYS = "tariff,component,level,direction,basis,rate,from_time\nday,energy,unit,import,per_mwh,5,06:00 mon-fri\n"
SEMICOLONS = "battery;node;energy_kwh;charge_kw;discharge_kw\ncell;flat1;8,5;4;1.234\n"
LISTING = "listing,node,resource,side,quantity,start,end,limit_price_total\n"

FORMS = [
    Broken("tariff time with days", "tariffs.csv:2", "(06:00 mon-fri)", write=[("tariffs.csv", TARIFF_DAYS)]),
    Broken(
        "a point that could part thousands",
        "batteries.csv:2",
        "discharge_kw is not a number (1.234)",
        write=[("batteries.csv", SEMICOLONS)],
        hint="1234,5 as elsewhere in this file",
    ),
    Broken(
        "tabs",
        "batteries.csv:1",
        "separated by tabs",
        write=[("batteries.csv", "battery\tnode\tenergy_kwh\ncell\tflat1\t8\n")],
        hint=", or ;",
    ),
    Broken(
        "a part of a spot",
        "listings.csv:2",
        "a part of what is not divisible (1.5)",
        write=[
            ("resources.csv", "resource,unit,divisible\nspot,spot,false\n"),
            ("listings.csv", LISTING + "l,flat1,spot,offer,1.5,08:00,17:00,3\n"),
        ],
    ),
    Broken(
        "off the grid by the clock of the case",
        "imbalance.csv:2",
        "start is not the start of an interval (2026-06-10T00:30:00+02:00)",
        write=[("imbalance.csv", "start,long_per_mwh,short_per_mwh\n2026-06-09T22:30:00Z,1,2\n")],
    ),
]

METERED = [
    Broken(
        "unknown meter",
        "loads.csv:2",
        "unknown meter (m9)",
        write=[("loads.csv", "load,node,meter,meter_includes\nl,flat1,m9,none\n")],
    ),
    Broken("no file", "meters.csv:2", "no such file below meters/ (a.csv)", write=[METERS]),
    Broken(
        "a path out",
        "meters.csv:2",
        "not a path below meters/ (../a.csv)",
        write=[("meters.csv", "meter,node,file\nm1,flat1,../a.csv\n")],
    ),
    Broken(
        "two meters of a channel",
        "meters.csv:3",
        "a second meter on channel import of node 'flat1', beside 'm1'",
        write=[METERS, METER_FILE],
        add=[("meters.csv", "m2,flat1,a.csv,import,")],
        hint="part_of",
    ),
    Broken(
        "sub-meter of itself",
        "meters.csv:2",
        "part of itself",
        write=[METER_FILE, ("meters.csv", "meter,node,file,part_of\nm1,flat1,a.csv,m1\n")],
    ),
    Broken(
        "unknown main meter",
        "meters.csv:2",
        "unknown part_of (m7)",
        write=[METER_FILE, ("meters.csv", "meter,node,file,part_of\nm1,flat1,a.csv,m7\n")],
    ),
    Broken(
        "asset behind the meter",
        "loads.csv:2",
        "the node has battery and solar that the meter",
        write=[METERS, METER_FILE, ("loads.csv", "load,node,meter\nl,flat1,m1\n")],
        hint="meter_includes = battery;solar",
    ),
    Broken(
        "one of two is said",
        "loads.csv:2",
        "the node has battery that the meter",
        write=[METERS, METER_FILE, ("loads.csv", "load,node,meter,meter_includes\nl,flat1,m1,solar\n")],
    ),
    Broken(
        "unknown include",
        "loads.csv:2",
        "unknown word in meter_includes (panels)",
        write=[METERS, METER_FILE, ("loads.csv", "load,node,meter,meter_includes\nl,flat1,m1,solar;battery;panels\n")],
    ),
]

SETTINGS = [
    Broken(
        "unknown key",
        "case.toml:12",
        "unknown key in [market] (price_kap)",
        [("case.toml", "price_cap", "price_kap")],
        hint="'price_cap'",
    ),
    Broken("unknown section", "case.toml:15", "unknown key (fee)", [("case.toml", "[fees]", "[fee]")], hint="'fees'"),
    Broken(
        "unknown timezone",
        "case.toml:3",
        "unknown timezone (Europe/Stokholm)",
        [("case.toml", "Stockholm", "Stokholm")],
        hint="'Europe/Stockholm'",
    ),
    Broken(
        "a timezone that is a path",
        "case.toml:3",
        "unknown timezone",
        [("case.toml", "Europe/Stockholm", "../../etc/passwd")],
    ),
    Broken(
        "interval minutes", "case.toml:4", "unknown interval_minutes (20)", [("case.toml", "= 60", "= 20")], hint="15"
    ),
    Broken(
        "number as text",
        "case.toml:4",
        "interval_minutes must be a whole number (60)",
        [("case.toml", "= 60", '= "60"')],
    ),
    Broken(
        "floor above cap",
        "case.toml:11",
        "price_floor is not below price_cap 4000",
        [("case.toml", "-500.0", "4000.0")],
    ),
    Broken("negative fee", "case.toml:16", "market_buy_per_mwh is negative (-8)", [("case.toml", "= 8.0", "= -8.0")]),
    Broken(
        "fee without end",
        "case.toml:16",
        "market_buy_per_mwh must be a finite number",
        [("case.toml", "= 8.0", "= nan")],
    ),
    Broken(
        "lab of real people",
        "case.toml:22",
        "preset lab needs synthetic = true",
        [("case.toml", "synthetic = true", "synthetic = false")],
    ),
    Broken("unknown preset", "case.toml:22", "unknown preset (labs)", [("case.toml", '"lab"', '"labs"')], hint="'lab'"),
    Broken(
        "monolith",
        "case.toml:24",
        "mode monolith is not open to preset exchange",
        [("case.toml", '"lab"\n', '"exchange"\n[solver]\nmode = "monolith"\n')],
    ),
    Broken(
        "order-book rule",
        "case.toml:11",
        "this rule is for order books alone (no_pab)",
        [("case.toml", "[market]\n", '[market]\npricing = "no_pab"\n')],
    ),
    Broken(
        "gate closure",
        "case.toml:11",
        "gate_closure is not understood",
        [("case.toml", "[market]\n", '[market]\ngate_closure = "noon"\n')],
        hint="D-1 12:00",
    ),
    Broken(
        "date as text", "case.toml:2", "delivery_date must be a date", [("case.toml", "2026-06-10", '"2026-06-10"')]
    ),
    Broken("no name", "case.toml:1", "'name' is missing", [("case.toml", 'name = "small"\n', "")]),
    Broken(
        "not TOML", "case.toml:1", "this is not TOML", [("case.toml", 'name = "small"', "name = small")], only=False
    ),
    Broken("missing case.toml", "case.toml:0", "is missing", remove=["case.toml"]),
    Broken(
        "look-ahead",
        "case.toml:14",
        "not a whole number of intervals",
        [("case.toml", "look_ahead_hours = 0", "look_ahead_hours = 0.5")],
    ),
]

ORDERS = [
    Broken(
        "zero quantity",
        "orders.csv:2",
        "quantity_kwh must be above 0 (0)",
        [("orders.csv", "10,10,", "10,0,")],
        only=False,
    ),
    Broken(
        "negative quantity",
        "orders.csv:2",
        "quantity_kwh must be above 0 (-1)",
        [("orders.csv", "10,10,", "10,-1,")],
        only=False,
    ),
    Broken("missing quantity", "orders.csv:2", "quantity_kwh is missing", [("orders.csv", "10,10,", "10,,")]),
    Broken(
        "price above cap",
        "orders.csv:4",
        "outside floor and cap, -500 to 4000 (4000.01)",
        [("orders.csv", ",30,", ",4000.01,")],
    ),
    Broken("unknown kind", "orders.csv:2", "unknown kind (stepp)", [("orders.csv", "step", "stepp")], hint="'step'"),
    Broken(
        "interpolated is reserved",
        "orders.csv:2",
        "unknown kind (interpolated)",
        [("orders.csv", "step", "interpolated")],
    ),
    Broken("unknown side", "orders.csv:2", "unknown side (sel)", [("orders.csv", "sell", "sel")], hint="'sell'"),
    Broken(
        "ratio above one",
        "orders.csv:5",
        "min_acceptance_ratio is above 1",
        [("orders.csv", "4,0.5", "4,1.5")],
        only=False,
    ),
    Broken(
        "ratio below zero",
        "orders.csv:5",
        "min_acceptance_ratio is negative",
        [("orders.csv", "4,0.5", "4,-0.5")],
        only=False,
    ),
    Broken(
        "two prices in a block",
        "orders.csv:6",
        "price_per_mwh differs within order 'k1' (16.0 after 15.0)",
        [("orders.csv", "2,block,15", "2,block,16")],
    ),
    Broken(
        "two zones in a block",
        "orders.csv:6",
        "zone differs within order 'k1'",
        [("orders.csv", "west,sell,2", "east,sell,2")],
    ),
    Broken(
        "interval 25 of a day of 24 hours",
        "orders.csv:6",
        "has 24 hours, intervals 1 to 24 (25)",
        [("orders.csv", "west,sell,2", "west,sell,25")],
    ),
    Broken(
        "unknown parent",
        "orders.csv:5",
        "unknown parent_order_id (k9)",
        write=[
            (
                "orders.csv",
                "order_id,zone,side,interval,kind,price_per_mwh,quantity_kwh,parent_order_id\n"
                "a,east,sell,1,step,1,1,\nb,east,sell,1,block,1,1,\nc,east,sell,1,block,1,1,b\nk1,east,sell,1,block,1,1,k9\n",
            )
        ],
    ),
    Broken(
        "family of itself",
        "orders.csv:2",
        "an order is its own ancestor (k1 > k2 > k1)",
        write=[
            (
                "orders.csv",
                "order_id,zone,side,interval,kind,price_per_mwh,quantity_kwh,parent_order_id\n"
                "k1,east,sell,1,block,1,1,k2\nk2,east,sell,1,block,1,1,k1\n",
            )
        ],
    ),
    Broken("zone by case", "lines.csv:2", "differs from 'east' only in case (East)", [("lines.csv", "east", "East")]),
    Broken("line to itself", "lines.csv:2", "are the same", [("lines.csv", "east,west", "east,east")]),
    Broken("negative capacity", "lines.csv:2", "forward_kwh is negative", [("lines.csv", ",20,20", ",-20,20")]),
]


@pytest.mark.parametrize(
    "broken",
    [*NODES, *CELLS, *TIMES, *ASSETS, *ALLOCATIONS, *FORMS, *METERED, *SETTINGS],
    ids=lambda broken: broken.name,
)
def test_broken_city_is_refused(case_folder: Any, broken: Broken) -> None:
    check(case_folder, broken)


@pytest.mark.parametrize("broken", ORDERS, ids=lambda broken: broken.name)
def test_broken_order_book_is_refused(market_folder: Any, broken: Broken) -> None:
    check(market_folder, broken)


def test_valid_cases_have_no_problem(case_folder: Any, market_folder: Any) -> None:
    assert case_folder.problems() == ()
    assert market_folder.problems() == ()


def test_unknown_zone_of_an_order_in_a_city(case_folder: Any) -> None:
    case_folder.write(
        "orders.csv",
        "order_id,zone,side,interval,kind,price_per_mwh,quantity_kwh\no1,north,sell,1,step,1,1\no2,nrth,buy,1,step,1,1\n",
    )
    (problem,) = [p for p in case_folder.problems() if p.file == "orders.csv"]
    assert (problem.line, problem.what, problem.value) == (3, "unknown zone", "nrth")


def test_all_errors_come_at_once_in_reading_order(case_folder: Any) -> None:
    case_folder.swap("case.toml", "= 8.0", "= -8.0")
    case_folder.swap("batteries.csv", ",8,", ",x,").swap("nodes.csv", "house,north", "house,nowhere")
    case_folder.add("grid.csv", "city,25,1,1")
    lines = [str(problem) for problem in case_folder.problems()]
    assert [line.split(":")[0] for line in lines] == ["case.toml", "nodes.csv", "batteries.csv", "grid.csv"]
    assert lines[2] == (
        "batteries.csv:2: energy_kwh is not a number (x); write 1234.5, without thousands separators or units"
    )


def test_a_row_that_does_not_parse_is_reported_once(case_folder: Any) -> None:
    case_folder.swap("vehicles.csv", ",12,7.4", ",much,7.4")
    assert len(case_folder.problems()) == 1


def test_a_row_with_several_errors_has_all_of_them_named(case_folder: Any) -> None:
    """What cannot be read in one cell hides nothing that is wrong with the others."""
    case_folder.write("resources.csv", "resource,unit\nspot,spot\n")
    case_folder.write("listings.csv", LISTING + "l,flat9,spott,offer,0,18:00,2026-06-10T20:00:00Z,\n")
    words = [problem.what for problem in case_folder.problems()]
    assert {"quantity must be above 0", "unknown node", "unknown resource", "no limit price"} <= set(words)
    assert any("one end is an instant" in what for what in words)


def test_semicolons_with_points_alone_are_read(case_folder: Any) -> None:
    case_folder.write("batteries.csv", SEMICOLONS.replace("8,5", "8.5"))
    assert case_folder.read().batteries["discharge_kw"].tolist() == [1.234]


def test_a_parquet_file_that_is_none_does_not_show_where_it_lies(case_folder: Any) -> None:
    (case_folder.path / "nodes.csv").rename(case_folder.path / "nodes.parquet")
    (problem,) = case_folder.problems()
    assert str(problem).startswith("nodes.parquet: is not a parquet file")
    assert str(case_folder.path)[:20] not in str(problem)


def test_an_unreadable_table_does_not_drag_others_along(case_folder: Any) -> None:
    case_folder.write("nodes.csv", "")
    assert [problem.file for problem in case_folder.problems()] == ["nodes.csv"]


def test_thousands_of_errors_stay_readable(case_folder: Any) -> None:
    rows = "".join(f"house,{h},x\n" for h in range(1, 25))
    case_folder.write("allocations.csv", "node,interval,energy_kwh\n" + rows)
    problems = case_folder.problems()
    assert len(problems) <= 12
    assert any("and in 13 more rows" in p.what for p in problems)


def test_lines_are_those_of_the_file(case_folder: Any) -> None:
    text = 'node,parent,kind,label\n\ncity,,city,"two\nlines"\nb,city,building,\nu,b,unit,\nv,city,unit,\n'
    for name in ("loads", "solar", "batteries", "vehicles", "appliances", "generators", "flexible", "allocations"):
        case_folder.remove(f"{name}.csv")
    case_folder.write("nodes.csv", text)
    (problem,) = case_folder.problems()
    assert str(problem).startswith("nodes.csv:7: a unit outside a building (city)")


def test_none_and_separate_meters_are_accepted(case_folder: Any) -> None:
    case_folder.write("meters/a.csv", "x\n")
    case_folder.write("meters.csv", "meter,node,file\nm1,flat1,a.csv\n")
    case_folder.write("loads.csv", "load,node,meter,meter_includes\nl,flat1,m1,none\n")
    assert case_folder.problems() == ()
    case_folder.write("meters.csv", "meter,node,file\nm1,flat1,a.csv\nm2,flat1,a.csv\n")
    case_folder.write("loads.csv", "load,node,meter,meter_includes\nl,flat1,m1,battery\n")
    case_folder.write("solar.csv", "plant,node,meter\nroof,flat1,m2\n")
    assert case_folder.problems() == (), "a plant with its own meter stands beside the load's"


@pytest.mark.parametrize(("date", "hours"), [("2026-03-29", 23), ("2026-06-10", 24), ("2026-10-25", 25)])
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_every_length_of_day_is_accepted_whole_and_refused_one_too_many(
    case_folder: Any, date: str, hours: int, minutes: int
) -> None:
    n = hours * 60 // minutes
    for name in ("loads", "solar", "flexible", "supply", "allocations", "profiles"):
        case_folder.remove(f"{name}.csv")
    case_folder.swap("case.toml", "2026-06-10", date).swap("case.toml", "= 60", f"= {minutes}")
    header = "zone,interval,import_price_per_mwh,export_price_per_mwh\n"
    case_folder.write("grid.csv", header + "".join(f"city,{i},100,50\n" for i in range(1, n + 1)))
    assert case_folder.problems() == ()
    case_folder.add("grid.csv", f"city,{n + 1},100,50")
    (problem,) = case_folder.problems()
    assert problem.value == str(n + 1)
    assert f"has {hours} hours, intervals 1 to {n}" in problem.what


def test_without_a_date_only_what_needs_one_is_left_unchecked(case_folder: Any) -> None:
    case_folder.swap("case.toml", "delivery_date = 2026-06-10\n", "")
    assert case_folder.problems() == ()
    case_folder.swap("nodes.csv", "house,north", "house,nowhere")
    assert len(case_folder.problems()) == 1


def test_checks_are_listed_once(case_folder: Any) -> None:
    from planner.validation import checks

    names: list[Callable[..., Any]] = list(checks())
    assert len(names) == len(set(names))


def test_two_times_that_cannot_be_read_are_not_one_time_twice(case_folder: Any) -> None:
    case_folder.write("limits.csv", "node,start,import_kw\nhouse,6/10/26 1:00,5\nhouse,6/10/26 2:00,5\n")
    assert [(p.line, p.what) for p in case_folder.problems()] == [
        (2, "start is not a time"),
        (3, "start is not a time"),
    ]


def test_rows_of_separators_say_nothing_and_lines_are_still_counted(case_folder: Any) -> None:
    """As spreadsheets write them: an empty row in the middle, too wide ones at the end."""
    case_folder.swap("grid.csv", "city,2,", ",,,\ncity,2,").add("grid.csv", ",,,,,,")
    assert not case_folder.problems()
    case_folder.swap("grid.csv", "city,24,", "cite,24,")
    assert [(p.line, p.value) for p in case_folder.problems() if p.what == "unknown zone"] == [(26, "cite")]


def test_what_was_validated_is_validated_again_once_it_is_changed(case_folder: Any) -> None:
    """Of a case that had no problem the solver's settings are looked at alone, and everything else after any change."""
    case = read_case(case_folder.path)
    assert not validate(case.with_(solver={"gap_relative": 0.5}))
    nowhere = case.loads.assign(node="nowhere")
    for broken in (case.with_(loads=nowhere), case.with_(loads=nowhere).with_(solver={"gap_relative": 0.5})):
        assert any("nowhere" in str(problem) for problem in validate(broken))
    later = case.for_date("2031-01-01")
    assert bool(validate(later)) == bool(validate(replace(later, validated=None)))
    closed = case.with_(privacy={"preset": "exchange"}, solver={"mode": "monolith"})
    assert [problem.what for problem in validate(closed)] == [
        problem.what for problem in validate(replace(closed, validated=None))
    ]
    assert any("monolith" in problem.what for problem in validate(closed))
