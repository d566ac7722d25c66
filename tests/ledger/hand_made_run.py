"""A small case folder and a clear of it made by hand: every load is served, the outside brings what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from factories_cleared import order

from planner.case import Case, read_case
from planner.cleared import Cleared, ClearedBuilding, ClearedExchange, ClearedUnit, ClearedZone
from planner.preparation import prepare
from planner_models.words import Building, City, Load, Plant, Unit

HOURS = range(1, 25)
FILES = {
    "case.toml": """
name = "ledger"
delivery_date = 2026-10-25
timezone = "Europe/Stockholm"
interval_minutes = 60
synthetic = true
[horizon]
look_ahead_hours = 2
[privacy]
preset = "lab"
""",
    "nodes.csv": """
node,parent,kind,use,occupant,import_limit_kw,export_limit_kw,loss_ratio,tariff,label,metering_point
city,,city,,,,,,net,"The city, all of it",
d1,city,district,,,500,400,,,,
b1,d1,building,,,60,40,0.02,,,EAN1
b1.a,b1,unit,office,o1,,,,,,EAN2
b1.b,b1,unit,apartment,o2,20,,,,,
b1.hall,b1,unit,common,,,,,,,
b2,city,building,,,,,,,,
b2.a,b2,unit,shop,o3,,,,,,
""",
    "profiles.csv": "interval,base_pu,sun_pu,own_kw\n"
    + "".join(f"{i},{0.3 + i / 100:.2f},{max(0, 6 - abs(13 - i)) / 6:.4f},{i / 8}\n" for i in range(1, 26)),
    "loads.csv": """
load,node,profile,peak_kw,value_per_mwh,curtailable_ratio,curtailment_cost_per_mwh
l1,b1.a,base_pu,12,,0.1,90
l2,b1.b,own_kw,,,,
l3,b2.a,base_pu,7,900,,
l4,b1,base_pu,0.5,,,
""",
    "solar.csv": "plant,node,profile,peak_kw,curtailable\npv1,b1.b,sun_pu,30,true\n",
    "batteries.csv": "battery,node,energy_kwh,charge_kw,discharge_kw,initial_kwh\nbat1,b1.a,10,5,5,4\n",
    "vehicles.csv": "vehicle,node,arrival,departure,energy_kwh,max_kw\nev1,b2.a,18:00,07:00,14,11\n",
    "appliances.csv": "appliance,node,earliest,latest_end,profile_kw\nwash,b1.b,08:00,16:00,1.2;0.8\n",
    "generators.csv": "generator,node,max_kw,cost_per_mwh\ngen1,b2.a,5,120\n",
    "flexible.csv": "load,node,interval,min_kw,max_kw,max_cumulative_kwh\n"
    + "".join(f"heat,b1.a,{i},0,2,{i}\n" for i in range(1, 26)),
    "limits.csv": "node,interval,import_kw,export_kw,reason\nb1,3,55,40,outage\nd1,4,450,400,dso_limit\n",
    "grid.csv": "zone,interval,import_price_per_mwh,export_price_per_mwh,import_limit_kw\n"
    + "".join(f"city,{i},{60 + i},{30 + i},900\n" for i in range(1, 26)),
    "supply.csv": "contract,zone,interval,energy_kwh,price_per_mwh\n"
    + "".join(f"c1,city,{i},9,45\n" for i in range(1, 26)),
    "allocations.csv": "node,interval,energy_kwh,reserve_per_mwh\n"
    + "".join(f"b1,{i},6,\nb1.a,{i},4,12\nb2,{i},2,\nb2.a,{i},2,\n" for i in range(1, 26)),
    "orders.csv": """
order_id,participant,zone,side,interval,kind,price_per_mwh,quantity_kwh
s1,acme,city,sell,9,step,40,5
d1,acme,city,buy,2,step,100,3
""",
    "tariffs.csv": "tariff,component,level,direction,basis,rate\nnet,grid_use,building,import,per_mwh,25\n",
}


def write_files(folder: Path, files: Mapping[str, str] = FILES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text.lstrip(), encoding="utf-8")
    return folder


def hand_made(folder: Path) -> tuple[Case, City, Cleared]:
    """The case read from ``folder``, its City, and a clear at the outside's import price."""
    case = read_case(write_files(folder))
    city = prepare(case, None)
    return case, city, clear_by_hand(city)


def clear_by_hand(city: City) -> Cleared:
    n = len(city.grid)
    price = _nano([60 + t % city.grid.settled + 1 for t in range(n)])
    buildings = tuple(_building(b, city, price) for b in city.buildings)
    orders = (order("s1", "sell", 5, 40, interval=9, row=1), order("d1", "buy", 3, 100, interval=2, row=2))
    orders = tuple(type(o)(**{**o.__dict__, "participant": "acme"}) for o in orders)
    remainder = next((r.energy_kwh for r in city.remainders), (0.0,) * n)
    net = np.sum([b.position_wh for b in buildings], axis=0) - _wh(remainder)
    for o in orders:
        net[o.interval - 1] += o.accepted_wh if o.side == "buy" else -o.accepted_wh
    outside = city.exchanges[0]
    zone = ClearedZone(
        zone="city",
        price_nano=price,
        price_low=price / 1000,
        price_high=np.full(n, np.inf),
        indicative=np.zeros(n, dtype=bool),
        supply_wh=_wh(remainder),
        unserved_wh=np.zeros(n, dtype=np.int64),
        remainder_wh=np.zeros(n, dtype=np.int64),
        contract_price_nano=_nano([45] * n),
    )
    exchange = ClearedExchange("city", net, _nano(outside.import_price_per_mwh), _nano(outside.export_price_per_mwh))
    return Cleared(
        starts=city.grid.starts,
        settled=city.grid.settled,
        minutes=city.grid.minutes,
        buildings=buildings,
        zones=(zone,),
        exchanges=(exchange,),
        acceptances=orders,
        flows=(),
        certificate={"status": "optimal", "objective": 12.5, "wall_s": 0.25},
    )


def _building(words: Building, city: City, price: np.ndarray) -> ClearedBuilding:
    served = {unit.id: _use(unit, city) for unit in words.units}
    use = np.sum([x for x, _ in served.values()], axis=0)
    return ClearedBuilding(
        building=words.id,
        group=words.id,
        zone=words.zone,
        dark=False,
        units=tuple(
            ClearedUnit(u.id, u.occupant, served[u.id][0], _wh(u.allocation_kwh), np.zeros_like(use))
            for u in words.units
        ),
        loss_wh=np.rint(words.loss_ratio * np.abs(use)).astype(np.int64),
        price_nano=price,
        internal_price_nano=price + 8000,
        cost=2.0,
        no_trade_cost=300.0,
        proven_bound=1.5,
        dispatch=pd.concat([rows for _, rows in served.values()], ignore_index=True),
    )


def _use(unit: Unit, city: City) -> tuple[np.ndarray, pd.DataFrame]:
    """Loads and plants at what they are; everything that could move stands still."""
    n = len(city.grid)
    total, frames = np.zeros(n, dtype=np.int64), [pd.DataFrame()]
    for asset in unit.assets:
        energy = np.zeros(n, dtype=np.int64)
        if isinstance(asset, Load | Plant):
            energy = _wh(asset.energy_kwh) if isinstance(asset, Load) else -_wh(asset.available_kwh)
        total = total + energy
        columns = {"unit": unit.id, "asset": asset.id, "interval": np.arange(1, n + 1)}
        columns |= {"start": pd.DatetimeIndex(city.grid.starts), "power_kw": energy / 1000, "energy_kwh": energy / 1000}
        columns |= {"state_of_charge_kwh": np.nan, "on": pd.array([pd.NA] * n, dtype="Int64")}
        frames.append(pd.DataFrame(columns))
    return total, pd.concat(frames, ignore_index=True)


def _wh(values: object) -> np.ndarray:
    return np.rint(np.array(values, dtype=float) * 1000).astype(np.int64)


def _nano(values: object) -> np.ndarray:
    return np.rint(np.array(values, dtype=float) * 1000).astype(np.int64)
