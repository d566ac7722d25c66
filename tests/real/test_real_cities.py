"""Cities with measured or modelled profiles: inputs that add up to the raw files, and clears that audit clean."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from citylearn import citylearn
from simbench import simbench
from simbench_devices import sessions

import planner
from planner.case import Case, read_case
from planner.ledger import Run
from planner.meters import read_meters

pytestmark = pytest.mark.real

# Sums over the raw files (profile x size x 0.25 h, or kWh by the hour), taken once by hand with pandas alone.
SIMBENCH_LOADS_KWH, SIMBENCH_SUN_KWH = 50_491.142, 6_501.054  # 1 to 17 January, 218 loads and 31 plants
CITYLEARN_USE_KWH, CITYLEARN_SUN_KWH = 20_136.002, 11_401.567  # 31 July 23:00 to 5 September, 17 homes
CITYLEARN_HOME_1_KWH = 1_378.616


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    return simbench(tmp_path_factory.mktemp("simbench"), shared / "city" / "simbench")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    return citylearn(tmp_path_factory.mktemp("citylearn"), shared / "city" / "citylearn")


def energy(case: Case, channel: str) -> pd.Series:
    table = read_meters(case).table
    return table[table["channel"] == channel].groupby("meter", observed=True)["energy_kwh"].sum()


def test_simbench_is_valid_and_complete(town: Path) -> None:
    case = read_case(town)
    assert case.nodes["kind"].value_counts().to_dict() == {"unit": 218, "building": 16, "district": 3, "city": 1}
    assert len(case.loads) + case.flexible["load"].nunique() == 235 - 7, "all loads but the seven chargers"
    assert (len(case.solar), len(case.batteries), case.flexible["load"].nunique()) == (31, 14, 10)
    size = case.nodes[case.nodes["kind"] == "unit"].groupby("parent").size()
    assert size.between(10, 20).all()
    assert case.grid.settled == 96


def test_simbench_history_adds_up_to_the_raw_profiles(town: Path) -> None:
    case = read_case(town)
    used, made = energy(case, "import"), energy(case, "production")
    assert (len(used), len(made)) == (218, 31)
    assert used.sum() == pytest.approx(SIMBENCH_LOADS_KWH, abs=0.1)
    assert made.sum() == pytest.approx(SIMBENCH_SUN_KWH, abs=0.1)
    assert used["m-LV1.101-Load-2"] == pytest.approx(210.800, abs=1e-3), "H0-C at 3 kW"


def test_simbench_chargers_and_heat_pumps_keep_their_energy(town: Path, shared: Path) -> None:
    case = read_case(town)
    raw = pd.read_csv(shared / "city" / "simbench" / "LoadProfile_jan2016.csv")
    table = pd.read_csv(shared / "city" / "simbench" / "Load_LV_sample.csv").set_index("id")
    for load, band in case.flexible.groupby("load"):
        element = table.loc[load.replace("-Load-", " Load ")]
        profile = raw[f"{element['profile']}_pload"].to_numpy()[17 * 96 : 17 * 96 + 144] * element["pLoad"] * 250
        assert band["max_cumulative_kwh"].max() == pytest.approx(profile.sum(), abs=0.001)
        so_far = band.sort_values("start")
        wanted = np.cumsum(profile)
        assert (so_far["min_cumulative_kwh"].to_numpy() <= wanted + 0.001).all()
        assert (so_far["max_cumulative_kwh"].to_numpy() >= wanted - 0.001).all()
    for vehicle in case.vehicles.itertuples():
        element = table.loc[vehicle.vehicle.replace("-Load-", " Load ")]
        start = pd.Timestamp(vehicle.arrival)
        first = int((start - pd.Timestamp("2016-01-01", tz="Europe/Berlin")) / pd.Timedelta("15min"))
        power = raw[f"{element['profile']}_pload"].to_numpy()[first:] * element["pLoad"] * 1000
        length = int(np.argmax(power <= 1e-9))
        assert vehicle.energy_kwh == pytest.approx(power[:length].sum() / 4, abs=1e-3)


def test_sessions_are_the_runs_above_zero() -> None:
    assert sessions(pd.Series([0.0, 2, 3, 0, 0, 1])) == [(1, 3), (5, 6)]
    assert sessions(pd.Series([1.0, 0])) == [(0, 1)]
    assert sessions(pd.Series([0.0, 0])) == []


def test_citylearn_is_valid_and_its_clock_is_right(homes: Path) -> None:
    case = read_case(homes)
    assert (len(case.loads), len(case.solar), len(case.batteries)) == (17, 17, 17)
    assert case.solar["peak_kw"].sum() == 9 * 5 + 8 * 4
    table = read_meters(case).table
    assert table["start"].min() == pd.Timestamp("2016-07-31T23:00-08:00")
    sun = table[table["channel"] == "production"]
    hour = sun["start"].dt.tz_convert("Etc/GMT+8").dt.hour
    assert sun.groupby(hour)["energy_kwh"].sum().idxmax() in (11, 12), "the sun is highest around noon"


def test_citylearn_history_adds_up_to_the_raw_files(homes: Path) -> None:
    case = read_case(homes)
    used, made = energy(case, "import"), energy(case, "production")
    assert used.sum() == pytest.approx(CITYLEARN_USE_KWH, abs=0.05)
    assert made.sum() == pytest.approx(CITYLEARN_SUN_KWH, abs=0.05)
    assert used["m-home-01"] == pytest.approx(CITYLEARN_HOME_1_KWH, abs=0.001)


def test_citylearn_pays_the_tariff(homes: Path, shared: Path) -> None:
    """Row 0 of pricing.csv is 31 July 23:00, so 6 September begins in row 36 x 24 + 1."""
    raw = pd.read_csv(shared / "city" / "citylearn" / "pricing.csv")["electricity_pricing"].to_numpy()
    grid = read_case(homes).grid_prices.sort_values("start")
    np.testing.assert_allclose(grid["import_price_per_mwh"], 1000 * raw[865 : 865 + 36], atol=0.005)
    assert grid["import_price_per_mwh"].nunique() > 1


def assert_clean(run: Run, groups: int) -> None:
    """Audited without a violation, everybody heard, everything served, and a proof worth its name."""
    assert run.audit["violations"] == []
    assert run.audit["rules_checked"]
    found = run.certificate
    assert (found["groups_released"], found["groups_dark"], found["silent"]) == (groups, 0, [])
    assert found["gap_relative"] <= 0.01
    assert found["savings"] > 0
    assert pd.read_csv(run.folder / "market" / "exchange.csv")["unserved_kwh"].sum() == 0


@pytest.mark.parametrize("day", [date(2016, 9, 6), date(2017, 1, 15)])
def test_citylearn_clears_clean(tmp_path: Path, shared: Path, day: date) -> None:
    case = read_case(citylearn(tmp_path / "case", shared / "city" / "citylearn", day))
    assert_clean(planner.clear(case, tmp_path / "run"), groups=17)


@pytest.mark.parametrize(("preset", "groups"), [("internal", 16), ("exchange", 1)])
def test_simbench_clears_clean(tmp_path: Path, shared: Path, preset: str, groups: int) -> None:
    """To speak at all, buildings of fifteen homes form a cohort, which feeder limits would split in three."""
    source = shared / "city" / "simbench"
    case = read_case(simbench(tmp_path / "case", source, preset=preset, feeder_limits=preset == "internal"))
    assert_clean(planner.clear(case, tmp_path / "run"), groups)


@pytest.mark.slow
@pytest.mark.parametrize("day", [19, 20, 23, 24])
def test_simbench_clears_clean_on_other_days(tmp_path: Path, shared: Path, day: int) -> None:
    case = read_case(simbench(tmp_path / "case", shared / "city" / "simbench", date(2016, 1, day)))
    assert_clean(planner.clear(case, tmp_path / "run"), groups=16)
