"""The committed sample city: complete, consistent with its meters, and written by its script."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import planner
from planner import cli
from planner.case import read_case
from planner.forecast import forecast
from planner.gateway import LocalGateway
from planner.generate import riverside
from planner.groups import enrolments, release_groups
from planner.meters import read_meters
from planner.preparation import prepare
from planner.security.disclosure import examine, static_size
from planner.security.policy import EXCHANGE
from planner_models.solve import Options

SAMPLE = Path(__file__).parents[1] / "data" / "riverside"
ASSET_OF = {"solar": "solar", "battery": "batteries", "vehicle": "vehicles", "appliance": "appliances"}


def read(name: str, folder: Path = SAMPLE) -> pd.DataFrame:
    path = next(path for path in sorted(folder.iterdir()) if path.name.split(".")[0] == name and path.is_file())
    return pd.read_csv(path)


@pytest.fixture(scope="module")
def nodes() -> pd.DataFrame:
    return read("nodes").set_index("node")


@pytest.fixture(scope="module")
def exports() -> dict[str, pd.DataFrame]:
    return {path.name: pd.read_csv(path) for path in sorted((SAMPLE / "meters").iterdir())}


def test_the_sample_is_what_its_script_writes(tmp_path: Path) -> None:
    written, again = riverside.write(tmp_path / "once"), riverside.write(tmp_path / "again")
    for path in sorted(written.rglob("*.csv*")):
        here = SAMPLE / path.relative_to(written)
        pd.testing.assert_frame_equal(pd.read_csv(here), pd.read_csv(path), rtol=1e-4, atol=2e-3, obj=path.name)
        assert path.read_bytes() == (again / path.relative_to(written)).read_bytes(), path.name
    assert (SAMPLE / "case.toml").read_text("utf-8") == (written / "case.toml").read_text("utf-8")


def test_it_is_small_enough_to_commit() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 1_500_000


def test_it_is_valid_and_its_day_has_25_hours() -> None:
    case = read_case(SAMPLE)
    assert case.grid.settled == 100
    assert case.settings.privacy.preset == "exchange"
    assert case.settings.allocation.locality == "netting"
    assert case.settings.solver.mode == "decentralised"


def test_three_large_buildings_and_a_cohort_behind_one_feeder(nodes: pd.DataFrame) -> None:
    day = read("allocations").groupby("node")["energy_kwh"].sum()
    units = nodes[nodes["kind"] == "unit"].assign(energy=day)
    assert len(units) >= 150
    people = units[units["use"] != "common"]
    occupants = people.groupby("parent")["occupant"].nunique()
    large = occupants[occupants >= 30].index
    assert len(large) >= 3
    for house in large:
        share = people[people["parent"] == house].groupby("occupant")["energy"].sum()
        assert share.max() <= 0.15 * units.loc[units["parent"] == house, "energy"].sum()
    small = occupants.drop(large).index
    size = units.groupby("parent")["energy"].count()[small]
    assert len(small) >= 5
    assert size.between(3, 10).all()
    assert nodes.loc[small, "parent"].nunique() == 1
    cohort = people[people["parent"].isin(small)]
    total = units.loc[units["parent"].isin(small), "energy"]
    assert cohort.groupby("occupant")["energy"].sum().max() <= 0.15 * total.sum()
    assert total.groupby(units["parent"]).sum().max() <= 0.4 * total.sum()
    assert cohort["occupant"].nunique() >= 15


def test_meters_and_their_files_agree(nodes: pd.DataFrame, exports: dict[str, pd.DataFrame]) -> None:
    meters = read("meters")
    found: dict[str, set[str]] = {}
    for name, table in exports.items():
        if "energy_kwh" in table:
            pairs = set(zip(table["meter"], table["channel"], strict=True))
        else:
            pairs = {tuple(column.split(":")) for column in table.columns if column != "start"}
        found[name] = {f"{meter}:{channel}" for meter, channel in pairs}
    stated = meters.groupby("file").apply(lambda rows: set(rows["meter"] + ":" + rows["channel"]))
    assert found == stated.to_dict()
    assert set(meters["node"]) <= set(nodes.index)
    used = set(read("loads")["meter"].dropna()) | set(read("solar")["meter"].dropna())
    assert used == set(meters.loc[~meters["meter"].str.endswith(("-ev", "-battery")), "meter"])
    assert set(meters["part_of"].dropna()) <= set(meters["meter"])


def test_meter_includes_names_what_is_behind_the_meter() -> None:
    loads, meters = read("loads").dropna(subset="meter_includes"), read("meters").set_index("meter")
    loads = loads[loads["meter_includes"] != "none"]
    words = {word for text in loads["meter_includes"] for word in text.split(";")}
    assert words == set(ASSET_OF)
    for _, load in loads.iterrows():
        for word in load["meter_includes"].split(";"):
            assert load["node"] in set(read(ASSET_OF[word])["node"]), word
        if "solar" in load["meter_includes"]:
            assert (meters["part_of"] == load["meter"]).any()
            assert meters.loc[load["meter"], "channel"] == "net"


def test_a_main_meter_counts_what_its_sub_meters_count(exports: dict[str, pd.DataFrame]) -> None:
    """Less its sub-meters, a main meter shows plain use: never below nothing, and present at every hour."""
    meters = read("meters").set_index("meter")
    below = meters[meters["part_of"].notna() & ~meters["file"].str.contains("long")]
    assert {"import", "net", "production"} == set(below["channel"])
    for main, parts in below.groupby("part_of"):
        table = exports[meters.loc[main, "file"]]
        use = table[f"{main}:{meters.loc[main, 'channel']}"]
        for part, row in parts.iterrows():
            sign = -1 if row["channel"] == "production" else 1
            use = use - sign * table[f"{part}:{row['channel']}"]
        assert use.min() >= -0.0021, main
        assert (use > 0).mean() > 0.9, main


def test_history_spans_four_weeks_and_the_clock_change(exports: dict[str, pd.DataFrame]) -> None:
    table = exports["b01.csv.gz"]
    instants = pd.to_datetime(table["start"], utc=True)
    assert instants.diff().dropna().eq(pd.Timedelta("15min")).all()
    local = instants.dt.tz_convert("Europe/Stockholm").dt.date.astype(str).value_counts()
    assert local["2026-10-25"] == 100
    assert (local.drop("2026-10-25") == 96).all()
    assert len(local) >= 28


def test_exports_have_something_to_report(exports: dict[str, pd.DataFrame]) -> None:
    long = exports["b05.long.csv.gz"]
    assert (long["quality"] == "estimated").any()
    assert long.duplicated().any()
    key = ["meter", "channel", "start"]
    assert len(long.drop_duplicates()) == len(long.drop_duplicates(key)), "no reading is contradicted"
    hours = long.groupby("meter")["start"].nunique()
    assert hours.min() < hours.max(), "hours are missing"
    assert exports["b01.csv.gz"].isna().any().sum() == 2


def test_allocations_fit_the_supply_and_the_transformer(nodes: pd.DataFrame) -> None:
    given = read("allocations").pivot(index="start", columns="node", values="energy_kwh")
    kind = nodes["kind"].reindex(given.columns)
    supply = read("supply").groupby("start")["energy_kwh"].sum()
    assert (given.loc[:, (kind == "building").to_numpy()].sum(axis=1) <= supply + 1e-9).all()
    behind = nodes.index[nodes["parent"] == "t01"]
    assert len(behind) == 2
    assert given[behind].sum(axis=1).max() * 4 <= nodes.loc["t01", "import_limit_kw"]
    np.testing.assert_allclose(given * 1000, (given * 1000).round(), atol=1e-6)


def test_no_answer_is_dominated_by_one_occupant() -> None:
    """At the neighbour's prices every group speaks, and nobody is near the cap of 15 % of the day."""
    case = read_case(SAMPLE)
    city = prepare(case, forecast(case, read_meters(case)))
    groups = release_groups(city, EXCHANGE)
    assert [str(group.kind) for group in groups] == ["building"] * 4 + ["cohort"]
    enrolled, houses = enrolments(city, groups), {house.id: house for house in city.buildings}
    price = np.array(city.exchanges[0].import_price_per_mwh)
    for group in groups:
        members = tuple(houses[name] for name in group.buildings)
        gateway = LocalGateway(group, members, city.grid, city.fees, Options(), 100)
        gateway.price(0, price)
        size = static_size(enrolled[group.id], EXCHANGE)
        enrolment = enrolled[group.id]
        contributions = enrolment.contributions(gateway.answer_delta_wh(0))
        found = examine(contributions, enrolment.on_roster, size, EXCHANGE)
        assert found.failing == (), group.id
        assert found.largest_day_share_ppm <= 110_000, group.id
        assert found.worst_interval_share_ppm <= 400_000, group.id


@pytest.mark.slow
def test_it_clears_with_every_group_speaking(tmp_path: Path) -> None:
    run = planner.clear(read_case(SAMPLE), tmp_path / "run")
    assert run.audit["violations"] == []
    found = run.certificate
    assert (found["groups_released"], found["groups_dark"], found["silent"]) == (5, 0, [])
    assert found["gap_relative"] <= 0.001
    groups = json.loads((tmp_path / "run" / "privacy.json").read_text("utf-8"))["groups"]
    assert max(group["largest_day_share_ppm"] for group in groups) <= 110_000
    assert sum(group["held_back"] for group in groups) <= 15
    logged(tmp_path / "run")


def logged(run: Path) -> None:
    """The log of the clear holds, and fits the outbox until a line of it is gone."""
    assert cli.run(["log", "verify", str(run)]) == 0
    outbox = sorted((run / "outbox").glob("*.jsonl"))[0]
    outbox.write_bytes(b"".join(outbox.read_bytes().splitlines(keepends=True)[1:]))
    assert cli.run(["log", "verify", str(run)]) == 1
