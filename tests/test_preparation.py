"""From a case folder to the numbers of the model, checked against numbers worked out by hand."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import planner
from planner.case import Case, read_case
from planner.preparation import allocations, prepare
from planner.preparation.appliances import resampled
from planner.preparation.members import virtual_common
from planner.preparation.plants import sun_ratio, wind_ratio
from planner.problems import InvalidInput
from planner_models.words import (
    UNLIMITED,
    Appliance,
    Asset,
    Battery,
    Building,
    City,
    Flexible,
    Generator,
    Load,
    Plant,
    Side,
    Unit,
    Vehicle,
)

CASES = Path(__file__).parents[1] / "data" / "cases"
TOML = """
name = "small"
delivery_date = 2026-06-15
timezone = "Europe/Stockholm"
interval_minutes = 60
synthetic = true
[place]
latitude = 59.3
longitude = 18.1
[horizon]
look_ahead_hours = {ahead}
[allocation]
policy = "{policy}"
"""
NODES = "node,parent,kind,use\ncity,,city,\nb1,city,building,\nu1,b1,unit,office\nu2,b1,unit,shop\n"
GRID = "zone,interval,import_price_per_mwh,export_price_per_mwh\n" + "".join(f"city,{i},50,20\n" for i in range(1, 25))


def column(name: str, value: Any = 1) -> str:
    """A wide profiles.csv of one profile, ``value`` a constant or a function of the interval."""
    at = value if callable(value) else lambda _: value
    return f"interval,{name}\n" + "".join(f"{i},{at(i)}\n" for i in range(1, 25))


def dense(header: str, *prefixes: str) -> str:
    """Rows ``prefix,interval,rest`` for all intervals; a prefix is ``key|rest``."""
    rows = [f"{p.split('|')[0]},{i},{p.split('|')[1]}" for p in prefixes for i in range(1, 25)]
    return "\n".join([header, *rows]) + "\n"


def case_of(folder: Path, ahead: int = 0, policy: str = "given", **tables: str) -> Case:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "case.toml").write_text(TOML.format(ahead=ahead, policy=policy))
    for name, text in ({"nodes": NODES} | tables).items():
        (folder / f"{name}.csv").write_text(text)
    return read_case(folder)


def unit(city: City, name: str) -> Unit:
    return next(u for b in city.buildings for u in b.units if u.id == name)


def building(city: City, name: str = "b1") -> Building:
    return next(b for b in city.buildings if b.id == name)


def asset(city: City, name: str) -> Any:
    found = [a for b in city.buildings for u in b.units for a in u.assets if a.id == name]
    return found[0]


def assets_of(city: City, kind: type[Asset]) -> list[Any]:
    return [a for b in city.buildings for u in b.units for a in u.assets if isinstance(a, kind)]


class TestLoads:
    def test_kw_is_used_as_it_is(self, tmp_path: Path) -> None:
        tables = {"loads": "load,node,profile\nl,u1,p_kw\n", "profiles": column("p_kw", 1.2345678)}
        assert asset(prepare(case_of(tmp_path, **tables)), "l") == Load("l", (1.235,) * 24, 4000.0)

    def test_pu_is_scaled_by_peak(self, tmp_path: Path) -> None:
        tables = {"loads": "load,node,profile,peak_kw\nl,u1,p_pu,8\n", "profiles": column("p_pu", 0.25)}
        assert asset(prepare(case_of(tmp_path, **tables)), "l").energy_kwh == (2.0,) * 24

    def test_short_pu_takes_the_day_for_an_average_day(self, tmp_path: Path) -> None:
        tables = {
            "loads": "load,node,profile,annual_kwh\nl,u1,p_pu,3650\n",
            "profiles": column("p_pu", lambda i: i % 2),
        }
        energy = asset(prepare(case_of(tmp_path, **tables)), "l").energy_kwh
        assert energy[:2] == (0.833, 0.0)
        assert sum(energy) == pytest.approx(10, abs=0.006)

    def test_a_year_of_pu_is_normalised_by_the_year(self, tmp_path: Path) -> None:
        starts = pd.date_range("2025-06-17", "2026-06-17", freq="h", tz="UTC", inclusive="left")
        values = np.where(starts.month == 6, 4.0, 1.0)
        rows = "".join(f"{s:%Y-%m-%dT%H:%M:%SZ},{v}\n" for s, v in zip(starts, values, strict=True))
        tables = {"loads": "load,node,profile,annual_kwh\nl,u1,p_pu,3650\n", "profiles": "start,p_pu\n" + rows}
        energy = asset(prepare(case_of(tmp_path, **tables)), "l").energy_kwh
        assert energy[0] == pytest.approx(3650 * 4 / values.sum(), abs=0.0006)

    def test_a_metered_load_is_its_forecast(self, tmp_path: Path) -> None:
        case = case_of(tmp_path, loads="load,node,profile\nl,u1,p_kw\n", profiles=column("p_kw"))
        metered = case.with_(loads=case.loads.assign(meter="m", profile=""))
        forecast: Any = SimpleNamespace(load_kwh={"l": np.full(24, 0.7)}, plant_kwh={})
        assert asset(prepare(metered, forecast), "l").energy_kwh == (0.7,) * 24
        with pytest.raises(InvalidInput, match="no forecast for a metered load"):
            prepare(metered, None)

    def test_terms_of_curtailment(self, tmp_path: Path) -> None:
        head = "load,node,profile,value_per_mwh,curtailable_ratio,curtailment_cost_per_mwh\n"
        load = asset(prepare(case_of(tmp_path, loads=head + "l,u1,p_kw,900,0.3,150\n", profiles=column("p_kw"))), "l")
        assert (load.value_per_mwh, load.curtailable_ratio, load.curtailment_cost_per_mwh) == (900.0, 0.3, 150.0)


class TestPlants:
    def test_profile_and_peak(self, tmp_path: Path) -> None:
        tables = {
            "solar": "plant,node,profile,peak_kw,curtailable,support_per_mwh\ns,u1,p_pu,10,false,30\n",
            "profiles": column("p_pu", 0.5),
        }
        expected = Plant("s", (5.0,) * 24, curtailable=False, support_per_mwh=30.0, spill_cost_per_mwh=4000.0)
        assert asset(prepare(case_of(tmp_path, **tables)), "s") == expected

    def test_sun_and_wind_from_weather(self, tmp_path: Path) -> None:
        starts = pd.date_range("2026-06-14T22:00Z", periods=24, freq="h")
        rows = "".join(f"{s:%Y-%m-%dT%H:%M:%SZ},400,12\n" for s in starts)
        tables = {
            "solar": "plant,node,peak_kw\ns,u1,10\n",
            "wind": "plant,node,peak_kw\nw,u1,10\n",
            "weather": "start,ghi_w_m2,wind_m_s\n" + rows,
        }
        city = prepare(case_of(tmp_path, **tables))
        assert asset(city, "s").available_kwh == (3.4,) * 24
        assert asset(city, "w").available_kwh == (10.0,) * 24

    def test_weather_models_at_their_corners(self) -> None:
        assert sun_ratio(np.array([0.0, 1000.0, 1500.0])).tolist() == [0.0, 0.85, 1.0]
        assert wind_ratio(np.array([2.0, 3.0, 12.0, 25.0, 25.1])).tolist() == [0.0, 0.0, 1.0, 1.0, 0.0]

    def test_a_plant_that_nothing_describes_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"(?i)weather"):
            prepare(case_of(tmp_path, solar="plant,node,peak_kw\ns,u1,10\n"))


class TestVehicles:
    HEAD = "vehicle,node,arrival,departure,energy_kwh,max_kw\n"

    def stays(self, tmp_path: Path, row: str, ahead: int = 0) -> list[Vehicle]:
        return assets_of(prepare(case_of(tmp_path, ahead, vehicles=self.HEAD + row + "\n")), Vehicle)

    def test_daytime_stay_counts_whole_intervals(self, tmp_path: Path) -> None:
        (stay,) = self.stays(tmp_path, "v,u1,08:20,17:40,20,11")
        assert (stay.first, stay.last, stay.energy_kwh) == (9, 17, 20.0)

    def test_overnight_stays_are_shared_by_time(self, tmp_path: Path) -> None:
        """20:00 to 06:00: six of ten hours belong to the morning, four to the evening."""
        stays = self.stays(tmp_path, "v,u1,20:00,06:00,10,11")
        assert [(s.first, s.last, s.energy_kwh, s.stay) for s in stays] == [(0, 6, 6.0, 0), (20, 24, 4.0, 1)]

    def test_look_ahead_holds_the_whole_night(self, tmp_path: Path) -> None:
        stays = self.stays(tmp_path, "v,u1,20:00,06:00,10,11", ahead=12)
        assert [(s.first, s.last, s.energy_kwh) for s in stays] == [(0, 6, 6.0), (20, 30, 10.0)]

    def test_days_are_those_of_the_arrival(self, tmp_path: Path) -> None:
        """15 June 2026 is a Monday: Sunday night is no weekday night."""
        stays = self.stays(tmp_path, "v,u1,20:00 mon-fri,06:00,10,11")
        assert [(s.first, s.last) for s in stays] == [(20, 24)]

    def test_instants(self, tmp_path: Path) -> None:
        (stay,) = self.stays(tmp_path, "v,u1,2026-06-15T10:00+02:00,2026-06-15T12:00+02:00,5,11")
        assert (stay.first, stay.last, stay.energy_kwh, stay.shortfall_cost_per_mwh) == (10, 12, 5.0, 4000.0)

    def test_another_days_stay_is_left_out(self, tmp_path: Path) -> None:
        assert self.stays(tmp_path, "v,u1,2026-06-20T10:00+02:00,2026-06-20T12:00+02:00,5,11") == []

    def test_two_stays_at_once_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="two stays at once"):
            self.stays(tmp_path, "v,u1,08:00,12:00,5,11\nv,u1,11:00,13:00,5,11")

    def test_what_is_refused_has_the_line_of_its_row(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"^vehicles\.csv:3: a stay without one whole interval \(a\)"):
            self.stays(tmp_path, "z,u1,08:00,12:00,5,11\na,u1,18:30,18:50,1,11")


class TestAppliances:
    HEAD = "appliance,node,earliest,latest_end,profile_kw,profile_minutes,skip_value\n"

    def run(self, tmp_path: Path, row: str, ahead: int = 0) -> list[Appliance]:
        return assets_of(prepare(case_of(tmp_path, ahead, appliances=self.HEAD + row + "\n")), Appliance)

    def test_window_profile_and_must_run(self, tmp_path: Path) -> None:
        (run,) = self.run(tmp_path, "a,u1,08:00,12:00,2;1,60,")
        assert run == Appliance("a", 8, 10, (2.0, 1.0), skip_cost=0.003 * 4000)

    def test_skip_value_is_money(self, tmp_path: Path) -> None:
        (run,) = self.run(tmp_path, "a,u1,08:00,12:00,2;1,60,1.5")
        assert run.skip_cost == 1.5

    def test_a_window_past_midnight_needs_look_ahead(self, tmp_path: Path) -> None:
        (run,) = self.run(tmp_path, "a,u1,23:00,02:00,2;1,60,", ahead=12)
        assert (run.first_start, run.last_start) == (23, 24)
        with pytest.raises(InvalidInput, match="look_ahead_hours"):
            self.run(tmp_path, "a,u1,23:00,02:00,2;1,60,")

    def test_resampling_keeps_the_energy_to_the_wh(self) -> None:
        assert resampled([1.2, 0.8, 0.8], 15, 60) == (0.7,)
        assert resampled([3.0], 60, 15) == (0.75,) * 4
        assert resampled([1.0, 1.0], 40, 60) == (1.0, 0.333)
        assert sum(resampled([1 / 3] * 7, 15, 15)) == pytest.approx(7 / 12, abs=5e-4)


class TestOtherAssets:
    def test_battery_defaults(self, tmp_path: Path) -> None:
        row = "battery,node,energy_kwh,charge_kw,discharge_kw,initial_kwh\nb,u1,10,5,4,3\n"
        battery = asset(prepare(case_of(tmp_path, batteries=row)), "b")
        assert battery == Battery("b", 10.0, 5.0, 4.0, initial_kwh=3.0, final_kwh=3.0, shortfall_cost_per_mwh=4000.0)

    def test_generator(self, tmp_path: Path) -> None:
        head = "generator,node,max_kw,min_kw,cost_per_mwh,start_cost,min_up_intervals,initially_on\n"
        expected = Generator("g", 9.0, 2.0, 80.0, 3.0, min_up_intervals=4, min_down_intervals=1, initially_on=True)
        assert asset(prepare(case_of(tmp_path, generators=head + "g,u1,9,2,80,3,4,true\n")), "g") == expected

    def test_flexible_band_goes_on_in_the_look_ahead(self, tmp_path: Path) -> None:
        head = "load,node,interval,min_kw,max_kw,min_cumulative_kwh,max_cumulative_kwh,deviation_cost_per_mwh\n"
        rows = "".join(f"h,u1,{i},0,2,{i if i % 12 == 0 else ''},,90\n" for i in range(1, 25))
        band = asset(prepare(case_of(tmp_path, 37, flexible=head + rows)), "h")
        assert isinstance(band, Flexible)
        assert (band.min_kwh, band.max_kwh) == ((0.0,) * 61, (2.0,) * 61)
        assert band.min_cumulative_kwh is not None
        assert [band.min_cumulative_kwh[i] for i in (0, 11, 12, 23, 35, 47, 59)] == [0, 12, 0, 24, 36, 48, 60]
        assert band.max_cumulative_kwh is None
        assert band.deviation_cost_per_mwh == 90.0

    @pytest.mark.parametrize("anew", [True, False], ids=["counts anew", "goes on"])
    def test_flexible_band_by_start_continues_either_way(self, tmp_path: Path, anew: bool) -> None:
        starts = pd.date_range("2026-06-14T22:00Z", periods=26, freq="h")
        counted = [i % 24 + 1 if anew else i + 1 for i in range(26)]
        rows = "".join(f"h,u1,{s:%Y-%m-%dT%H:%M:%SZ},0,2,{c}\n" for s, c in zip(starts, counted, strict=True))
        head = "load,node,start,min_kw,max_kw,max_cumulative_kwh\n"
        band = asset(prepare(case_of(tmp_path, 2, flexible=head + rows)), "h")
        assert band.max_cumulative_kwh == tuple(float(i + 1) for i in range(26))


class TestNetwork:
    NODES = (
        "node,parent,kind,import_limit_kw,export_limit_kw,loss_ratio\ncity,,city,,,\nd1,city,district,100,,0.02\n"
        "f1,d1,feeder,,,\nb1,f1,building,30,10,0.05\nu1,b1,unit,,5,\nb2,city,building,,,\nu2,b2,unit,,,\n"
    )

    def test_limits_losses_and_feeders(self, tmp_path: Path) -> None:
        city = prepare(case_of(tmp_path, nodes=self.NODES, grid=GRID))
        one, other = building(city, "b1"), building(city, "b2")
        assert (one.import_limit_kwh, one.export_limit_kwh) == ((30.0,) * 24, (10.0,) * 24)
        assert (other.import_limit_kwh, other.export_limit_kwh, other.loss_ratio) == (None, None, 0.0)
        assert one.loss_ratio == pytest.approx(1 - 0.98 * 0.95)
        assert (one.feeders, other.feeders) == (("d1",), ())
        assert unit(city, "u1").export_limit_kwh == (5.0,) * 24
        (feeder,) = city.feeders
        assert (feeder.id, feeder.zone, feeder.import_limit_kwh[0]) == ("d1", "city", 100.0)
        assert feeder.export_limit_kwh == (UNLIMITED,) * 24

    def test_limits_csv_overrides_where_it_speaks(self, tmp_path: Path) -> None:
        limits = "node,interval,import_kw,export_kw\nb1,3,0,\nb2,4,,7\n"
        city = prepare(case_of(tmp_path, nodes=self.NODES, limits=limits))
        one, other = building(city, "b1"), building(city, "b2")
        assert one.import_limit_kwh == (30.0, 30.0, 0.0, *(30.0,) * 21)
        assert one.export_limit_kwh == (10.0,) * 24
        assert other.import_limit_kwh is None
        assert other.export_limit_kwh == (UNLIMITED,) * 3 + (7.0,) + (UNLIMITED,) * 20

    def test_the_nearest_named_node_is_the_zone(self, tmp_path: Path) -> None:
        city = prepare(case_of(tmp_path, nodes=self.NODES, grid=GRID + GRID.split("\n", 1)[1].replace("city", "d1")))
        assert city.zones == ("city", "d1")
        assert (building(city, "b1").zone, building(city, "b2").zone) == ("d1", "city")
        assert building(city, "b1").loss_ratio == pytest.approx(0.05)
        assert city.feeders == ()
        assert city.exchanges[1].import_limit_kwh == (100.0,) * 24

    def test_a_limit_above_a_zone_is_refused(self, tmp_path: Path) -> None:
        nodes = self.NODES.replace("city,,city,,,", "city,,city,500,,").replace("b2,city", "b2,f1")
        with pytest.raises(InvalidInput, match="a limit above the zones"):
            prepare(case_of(tmp_path, nodes=nodes, grid=GRID.replace("city", "d1")))


class TestMembersAndAllocations:
    SUPPLY = dense("contract,interval,zone,energy_kwh,price_per_mwh", "c|city,10,40")

    def test_what_belongs_to_a_building_belongs_to_its_common_unit(self, tmp_path: Path) -> None:
        tables = {"loads": "load,node,profile\nlift,b1,p_kw\n", "profiles": column("p_kw")}
        city = prepare(case_of(tmp_path, **tables))
        assert [u.id for u in building(city).units] == ["b1.common", "u1", "u2"]
        assert unit(city, "b1.common").use == "common"
        assert [a.id for a in unit(city, "b1.common").assets] == ["lift"]

    def test_an_existing_common_unit_serves(self, tmp_path: Path) -> None:
        tables = {"loads": "load,node,profile\nlift,b1,p_kw\n", "profiles": column("p_kw")}
        city = prepare(case_of(tmp_path, nodes=NODES.replace("shop", "common"), **tables))
        assert [u.id for u in building(city).units] == ["u1", "u2"]
        assert [a.id for a in unit(city, "u2").assets] == ["lift"]

    def test_a_building_without_units_is_a_common_unit(self, tmp_path: Path) -> None:
        city = prepare(case_of(tmp_path, nodes="node,parent,kind\ncity,,city\nb1,city,building\n"))
        assert [u.id for u in building(city).units] == ["b1.common"]
        assert building(city).allocation_kwh == (0.0,) * 24

    def test_a_long_name_is_clipped_and_kept_apart(self) -> None:
        one, other = virtual_common("x" * 63 + "a", {}), virtual_common("x" * 63 + "b", {})
        assert len(one) == len(other) == 64
        assert one != other
        assert virtual_common("b1", {"b1.common": {}}) != "b1.common"

    def test_the_rest_is_the_common_units_and_the_remainder_the_zones(self, tmp_path: Path) -> None:
        given = dense("node,interval,energy_kwh,reserve_per_mwh", "b1|8,3", "u1|5,7")
        city = prepare(case_of(tmp_path, supply=self.SUPPLY, allocations=given))
        assert unit(city, "u1").allocation_kwh == (5.0,) * 24
        assert unit(city, "u1").reserve_per_mwh == (7.0,) * 24
        assert unit(city, "b1.common").allocation_kwh == (3.0,) * 24
        assert unit(city, "b1.common").reserve_per_mwh == (3.0,) * 24
        assert city.remainders[0].energy_kwh == (2.0,) * 24

    def test_more_than_the_supply_is_refused(self, tmp_path: Path) -> None:
        case = case_of(tmp_path, supply=self.SUPPLY, allocations=dense("node,interval,energy_kwh", "u1|10"))
        with pytest.raises(InvalidInput, match="allocations exceed the contracted supply"):
            prepare(case.with_(allocations=case.allocations.assign(energy_kwh=10.001)))

    def test_more_than_the_district_carries_is_refused(self, tmp_path: Path) -> None:
        nodes = "node,parent,kind,import_limit_kw\ncity,,city,\nd1,city,district,9\nb1,d1,building,\nu1,b1,unit,\n"
        with pytest.raises(InvalidInput, match="what a node imports"):
            prepare(case_of(tmp_path, policy="equal", nodes=nodes, supply=self.SUPPLY))

    def test_without_contracts_allocations_are_backed_elsewhere(self, tmp_path: Path) -> None:
        city = prepare(case_of(tmp_path, allocations=dense("node,interval,energy_kwh", "u1|5")))
        assert unit(city, "u1").allocation_kwh == (5.0,) * 24
        assert city.remainders == ()

    def test_units_with_more_than_their_building_are_refused(self, tmp_path: Path) -> None:
        given = dense("node,interval,energy_kwh", "b1|5", "u1|5")
        case = case_of(tmp_path, supply=self.SUPPLY, allocations=given)
        more = case.allocations.assign(energy_kwh=lambda rows: rows["energy_kwh"] + (rows["node"] == "u1"))
        with pytest.raises(InvalidInput, match="units hold more than their building"):
            prepare(case.with_(allocations=more))

    def test_a_policy_hands_out_the_whole_supply(self, tmp_path: Path) -> None:
        case = case_of(tmp_path, policy="equal", supply=self.SUPPLY)
        city = prepare(case)
        assert unit(city, "u1").allocation_kwh == unit(city, "u2").allocation_kwh == (5.0,) * 24
        assert city.remainders == ()
        table = allocations(case)
        assert table.groupby("start")["energy_kwh"].sum().eq(10).all()

    def test_by_history_follows_the_loads(self, tmp_path: Path) -> None:
        tables = {
            "loads": "load,node,profile,peak_kw\na,u1,p_pu,3\nb,u2,p_pu,1\n",
            "profiles": column("p_pu"),
            "supply": self.SUPPLY,
        }
        city = prepare(case_of(tmp_path, policy="by_history", **tables))
        assert (unit(city, "u1").allocation_kwh[0], unit(city, "u2").allocation_kwh[0]) == (7.5, 2.5)


class TestMarket:
    ORDERS = (
        "order_id,zone,side,interval,kind,price_per_mwh,quantity_kwh,quantity_mw,min_acceptance_ratio\n"
        "s2,city,sell,1,step,20,5,,\ns1,city,sell,1,step,10,,0.01,\nx,city,buy,2,block,70,1,,0.5\nx,city,buy,1,block,70,2,,0.5\n"
    )

    def test_steps_and_blocks(self, tmp_path: Path) -> None:
        city = prepare(case_of(tmp_path, orders=self.ORDERS))
        assert [(s.id, s.row, s.interval, s.quantity_kwh, s.side) for s in city.steps] == [
            ("s1", 2, 0, 10.0, Side.SELL),
            ("s2", 1, 0, 5.0, Side.SELL),
        ]
        (block,) = city.blocks
        assert (block.rows, block.intervals, block.quantities_kwh) == ((4, 3), (0, 1), (2.0, 1.0))
        assert (block.price_per_mwh, block.min_acceptance_ratio) == (70.0, 0.5)

    def test_a_complex_order_stays_one(self, tmp_path: Path) -> None:
        city = prepare(case_of(tmp_path, orders=self.ORDERS.replace("sell,1,step", "sell,1,complex")))
        assert city.steps == ()
        assert [(c.id, c.rows, c.intervals, c.quantities_kwh) for c in city.complexes] == [
            ("s1", (2,), (0,), (10.0,)),
            ("s2", (1,), (0,), (5.0,)),
        ]

    def test_exchange_prices_limits_and_look_ahead(self, tmp_path: Path) -> None:
        grid = dense("zone,interval,import_price_per_mwh,export_price_per_mwh,import_limit_kw", "city|50,-5,80")
        (outside,) = prepare(case_of(tmp_path, 2, grid=grid)).exchanges
        assert outside.import_price_per_mwh == (50.0,) * 26
        assert outside.export_price_per_mwh == (-5.0,) * 26
        assert outside.import_limit_kwh == (80.0,) * 26
        assert outside.export_limit_kwh == (UNLIMITED,) * 26

    def test_lines_by_interval_or_for_all(self, tmp_path: Path) -> None:
        nodes = "node,parent,kind\ncity,,city\nd1,city,district\nd2,city,district\n"
        head = "line_id,from_zone,to_zone,interval,forward_kwh,reverse_kwh,loss_ratio\nm,d1,d2,,7,8,\n"
        lines = head + "".join(f"l,d1,d2,{i},4,{i},0.05\n" for i in range(1, 25))
        line, always = prepare(case_of(tmp_path, 1, nodes=nodes, lines=lines)).lines
        assert (always.forward_kwh, always.reverse_kwh) == ((7.0,) * 25, (8.0,) * 25)
        assert line.forward_kwh == (4.0,) * 25
        assert line.reverse_kwh == (*(float(i) for i in range(1, 25)), 1.0)
        assert (line.from_zone, line.to_zone, line.loss_ratio) == ("d1", "d2", 0.05)


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    tables = {
        "loads": "load,node,profile,peak_kw\na,u1,p_pu,3\nb,u2,p_pu,1\nc,b1,p_pu,2\n",
        "profiles": column("p_pu", lambda i: i / 24),
        "solar": "plant,node,profile,peak_kw\ns,u2,p_pu,4\nr,u1,p_pu,3\n",
        "grid": GRID,
        "nodes": NODES,
    }
    upside_down = {}
    for name, text in tables.items():
        head, *rows = text.strip().split("\n")
        upside_down[name] = "\n".join([head, *rows[::-1]]) + "\n"
    assert prepare(case_of(tmp_path / "one", **tables)) == prepare(case_of(tmp_path / "other", **upside_down))


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    case = case_of(tmp_path, loads="load,node,profile\na,u1,p_kw\nb,u2,p_kw\n", profiles=column("p_kw"))
    with pytest.raises(InvalidInput) as refused:
        prepare(case.with_(loads=case.loads.assign(meter="m", profile="")))
    assert len(refused.value.errors) == 2


def test_a_buildings_own_folder_prepares_to_the_same_building() -> None:
    """What a run leaves for a building's holder is all that the building was cleared from."""
    case = read_case(CASES / "k14-lossy")
    own = planner.clear(case).folder / "buildings" / "b1" / "case"
    assert building(prepare(read_case(own))) == building(prepare(case))


def test_a_thousand_units_are_prepared_in_half_a_second(tmp_path: Path) -> None:
    case = case_of(tmp_path, 12)
    units = pd.DataFrame({"node": [f"x{i:04d}" for i in range(1000)], "parent": "b1", "kind": "unit"})
    loads = pd.DataFrame({"load": "l" + units["node"], "node": units["node"], "meter": "m"})
    cars = pd.DataFrame({"vehicle": "v" + units["node"], "node": units["node"], "arrival": "20:00"})
    batteries = pd.DataFrame({"battery": "b" + units["node"], "node": units["node"], "energy_kwh": 5.0})
    big = case.with_(
        nodes=pd.concat([case.nodes, units]),
        loads=loads,
        vehicles=cars.assign(departure="06:00", energy_kwh=10.0, max_kw=11.0),
        batteries=batteries.assign(charge_kw=3.0, discharge_kw=3.0),
    )
    forecast: Any = SimpleNamespace(load_kwh=dict.fromkeys(loads["load"], np.ones(36)), plant_kwh={})
    began = time.process_time()
    city = prepare(big, forecast)
    assert time.process_time() - began < 0.5
    assert sum(len(u.assets) for u in building(city).units) == 4000
