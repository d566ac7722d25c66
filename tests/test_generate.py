"""Synthetic cities: reproducible, complete, plausible and within their own limits."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from planner.case import read_case
from planner.generate import generate
from planner.generate.layout import even_sizes

KINDS = ("loads", "solar", "wind", "batteries", "vehicles", "appliances", "flexible", "generators")


def read(case: Path, name: str) -> pd.DataFrame:
    parquet = case / f"{name}.parquet"
    if parquet.exists():
        return pd.read_parquet(parquet)
    return pd.read_csv(case / f"{name}.csv", keep_default_na=True)


def digest(case: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(case.iterdir())}


def wide(table: pd.DataFrame, index: str, value: str) -> pd.DataFrame:
    return table.pivot(index=index, columns="interval", values=value)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("city"), 300, 50, 60, seed=7)


@pytest.fixture(scope="module")
def base_kwh(city: Path) -> pd.DataFrame:
    """Plain use by unit and interval."""
    loads, shapes = read(city, "loads"), read(city, "profiles").set_index("interval")
    energy = shapes[loads["profile"]].to_numpy().T * loads["peak_kw"].to_numpy()[:, None]
    return pd.DataFrame(energy, index=loads["node"], columns=shapes.index)


def test_same_arguments_write_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    first, again = generate(tmp_path / "a", 60, 20, seed=3), generate(tmp_path / "b", 60, 20, seed=3)
    other = generate(tmp_path / "c", 60, 20, seed=4)
    assert digest(first) == digest(again)
    assert digest(other)["loads.csv"] != digest(first)["loads.csv"]
    assert digest(other)["grid.csv"] != digest(first)["grid.csv"]


def test_no_process_writes_another_city(tmp_path: Path) -> None:
    """Whatever the hashes of a process are, its working directory or its zone."""
    written = []
    for seed, zone in (("1", "UTC"), ("77", "Asia/Tokyo")):
        case = tmp_path / seed
        code = f"from planner.generate import generate; generate({str(case)!r}, 60, 20, seed=3)"
        paths = os.pathsep.join(sys.path)
        env = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": paths}
        subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, check=True)
        written.append(digest(case))
    assert written[0] == written[1] == digest(generate(tmp_path / "here", 60, 20, seed=3))


@pytest.mark.parametrize("units", [24, 300])
def test_every_kind_of_asset_is_there(tmp_path: Path, units: int) -> None:
    case = generate(tmp_path, units, 12)
    nodes = read(case, "nodes")
    assert (nodes["kind"] == "unit").sum() == units
    assert {kind: len(read(case, kind)) > 0 for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert read(case, "vehicles")["min_kw"].min() > 0
    assert 0 < read(case, "appliances")["skip_value"].notna().mean() < 1 or units < 100
    assert (read(case, "loads")["curtailable_ratio"] > 0).any()
    assert "synthetic = true" in (case / "case.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", [1, 2, 3, 11])
def test_no_two_units_are_alike(tmp_path: Path, seed: int) -> None:
    loads = read(generate(tmp_path, 300, 50, 60, seed=seed), "loads")
    own = [column for column in loads.columns if column not in ("load", "node")]
    assert not loads.duplicated(own).any()


def test_floor_areas_are_lognormal(tmp_path: Path) -> None:
    """Log areas of homes are normal within two deviations; the areas themselves lean to the right and are not."""
    nodes = read(generate(tmp_path, 1500, 50, 60, seed=2), "nodes")
    area = nodes.loc[nodes["use"] == "apartment", "floor_area_m2"].to_numpy()
    z = (np.log(area) - np.log(area).mean()) / np.log(area).std()
    within = stats.truncnorm(-2, 2)
    assert stats.kstest(z * within.std(), within.cdf).pvalue > 0.05
    assert stats.skew(area) > 0.5
    assert stats.normaltest(area).pvalue < 1e-6


def test_a_quarter_of_the_units_has_a_semi_continuous_vehicle(city: Path) -> None:
    vehicles = read(city, "vehicles")
    assert vehicles["node"].nunique() >= 0.25 * 300
    assert (vehicles["min_kw"] < vehicles["max_kw"]).all()


def test_allocations_fit_the_supply_the_buildings_and_the_connections(city: Path) -> None:
    nodes = read(city, "nodes").set_index("node")
    given = wide(read(city, "allocations"), "node", "energy_kwh")
    kind = nodes["kind"].reindex(given.index)
    buildings, units = given[kind == "building"], given[kind == "unit"]
    supply = read(city, "supply").groupby("interval")["energy_kwh"].sum()
    assert (buildings.sum() <= supply + 1e-9).all()
    assert (units.groupby(nodes["parent"]).sum() <= buildings + 1e-9).all().all()
    assert (buildings.sum(axis=1) > 0).all()
    np.testing.assert_allclose(given * 1000, (given * 1000).round(), atol=1e-6)
    for name, level in (("building", buildings), ("district", buildings.groupby(nodes["parent"]).sum())):
        room = nodes.loc[nodes["kind"] == name, "import_limit_kw"]
        assert (level.le(room, axis=0)).all().all(), name


def test_some_have_too_much_and_some_too_little_in_every_interval(city: Path, base_kwh: pd.DataFrame) -> None:
    given = wide(read(city, "allocations"), "node", "energy_kwh").reindex(base_kwh.index)
    over = (given > base_kwh).sum()
    assert (over >= 20).all()
    assert (over <= len(base_kwh) - 20).all()


def test_plain_use_fits_every_connection(city: Path, base_kwh: pd.DataFrame) -> None:
    nodes = read(city, "nodes").set_index("node")
    for level in ("building", "district"):
        owner = nodes["parent"] if level == "building" else nodes["parent"].map(nodes["parent"])
        use = base_kwh.groupby(owner.reindex(base_kwh.index)).sum()
        assert use.le(nodes.loc[use.index, "import_limit_kw"], axis=0).all().all()
    fused = nodes["import_limit_kw"].reindex(base_kwh.index).dropna()
    assert len(fused) > 0
    assert base_kwh.loc[fused.index].le(fused, axis=0).all().all()


def test_chargers_switched_on_at_once_overload_most_evenings(city: Path, base_kwh: pd.DataFrame) -> None:
    """Limits that vehicles never reach would make connections an ornament."""
    nodes, vehicles = read(city, "nodes").set_index("node"), read(city, "vehicles")
    arrival = vehicles["arrival"].str[:2].astype(int)
    here = vehicles[(arrival >= 16)].groupby(nodes["parent"].reindex(vehicles["node"]).to_numpy()[arrival >= 16])
    use = base_kwh.groupby(nodes["parent"].reindex(base_kwh.index)).sum()
    evening = use.loc[:, 20:22].add(here["max_kw"].sum(), axis=0).fillna(0)
    assert evening.gt(nodes.loc[use.index, "import_limit_kw"], axis=0).mean().mean() > 0.5


def test_grid_prices_are_ordered_low_at_noon_and_negative_for_an_hour(city: Path) -> None:
    grid = read(city, "grid").set_index("interval")
    assert (grid["export_price_per_mwh"] <= grid["import_price_per_mwh"]).all()
    assert 1 <= (grid["export_price_per_mwh"] < 0).sum() <= 3
    assert grid["import_price_per_mwh"].loc[13:15].mean() < 0.5 * grid["import_price_per_mwh"].loc[19:21].mean()


def test_buildings_of_fifty_may_speak_for_themselves(city: Path) -> None:
    """At least 15 occupants and none above 15 % of the contracted energy (a holder of several units counts once)."""
    nodes = read(city, "nodes").set_index("node")
    day = read(city, "allocations").groupby("node")["energy_kwh"].sum()
    units = nodes[nodes["kind"] == "unit"].assign(energy=day)
    for _, house in units.groupby("parent"):
        people = house[house["use"] != "common"]
        assert people["occupant"].nunique() >= 15
        holder = people["occupant"].fillna(pd.Series(people.index, people.index))
        assert people.groupby(holder)["energy"].sum().max() <= 0.15 * house["energy"].sum()
    assert units["occupant"].dropna().duplicated().any(), "some occupants hold several units"


def test_large_cities_use_parquet_and_are_written_quickly(tmp_path: Path) -> None:
    begun = time.perf_counter()
    case = generate(tmp_path, 1000, 50, 15)
    assert time.perf_counter() - begun < 3
    assert (case / "allocations.parquet").exists()
    assert len(read(case, "allocations")) == 96 * (1000 + 20)
    generate(tmp_path, 100, 50, 15)
    assert not (case / "allocations.parquet").exists(), "a case holds each table once"
    assert (case / "allocations.csv").exists()


def test_several_days_are_stamped_and_the_long_day_is_long(tmp_path: Path) -> None:
    case = generate(tmp_path, 20, 10, 30, days=2, delivery_date=date(2026, 10, 25))
    stamps = read(case, "grid")["start"]
    assert len(stamps) == 50 + 48
    assert stamps.iloc[0] == "2026-10-25T00:00:00+02:00"
    assert stamps.is_unique
    assert pd.to_datetime(stamps, utc=True).diff().dropna().eq(pd.Timedelta("30min")).all()


def test_weekend_days_differ_from_working_days(tmp_path: Path) -> None:
    case = generate(tmp_path, 40, 20, 60, days=4, delivery_date=date(2026, 4, 16))  # Thursday to Sunday
    office = read(case, "profiles").filter(like="office").mean(axis=1).to_numpy().reshape(4, 24)
    assert office[2, 9:16].mean() < 0.5 * office[0, 9:16].mean()


@pytest.mark.parametrize(
    "wrong",
    [{"units": 1}, {"units": 9, "units_per_building": 1}, {"units": 9, "interval_minutes": 7}, {"units": 9, "days": 0}],
)
def test_sizes_that_make_no_city_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        generate(tmp_path / "none", **wrong)
    assert not (tmp_path / "none").exists()


def test_even_sizes_use_every_unit() -> None:
    for units, most in ((101, 50), (7, 50), (100, 50), (5, 2)):
        sizes = even_sizes(units, most)
        assert sizes.sum() == units
        assert sizes.min() >= 2
        assert np.ptp(sizes) <= 1


@pytest.mark.parametrize(("units", "minutes", "days"), [(60, 60, 1), (600, 15, 1), (40, 30, 3)])
def test_a_generated_city_is_valid(tmp_path: Path, units: int, minutes: int, days: int) -> None:
    case = read_case(generate(tmp_path, units, 20, minutes, days))
    assert case.settings.synthetic
    assert (case.nodes["kind"] == "unit").sum() == units
