"""A case parted among its holders: each part is a case of its own, says the same, and names nobody else."""

from __future__ import annotations

import re
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from case_folders import Folder, rows

from planner import cli
from planner.audit import audit
from planner.case import Case, read_case
from planner.clearing import clear
from planner.generate import generate
from planner.holders import split
from planner.ledger import Run, read_run, share
from planner.preparation import prepare
from planner.problems import InvalidInput
from planner.provenance import look_back
from planner_models.words import City

OUTSIDE = ("grid", "zones", "feeders", "exchanges", "remainders", "steps", "blocks", "lines", "fees", "price_cap")


def city_of(case: Case) -> City:
    return prepare(case, look_back(case).tomorrow)


def metered(folder: Folder) -> Folder:
    """The loads of a flat and of the office behind meters, whose readings lie in one file."""
    folder.write("meters.csv", rows("meter,node,file", "m-flat1,flat1,all.csv", "m-office,office,all.csv"))
    starts = pd.date_range("2026-05-20", "2026-06-08", freq="h", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [
        f"m-{node},import,{at},60,{0.3 + i % 5 / 10}" for node in ("flat1", "office") for i, at in enumerate(starts)
    ]
    folder.write("meters/all.csv", rows("meter,channel,start,minutes,energy_kwh", *lines))
    folder.swap("loads.csv", "load,node,", "meter_includes,meter,load,node,").swap(
        "loads.csv", "flat1-load", "none,m-flat1,flat1-load"
    )
    text = folder.text("loads.csv").replace("flat1,home_kw", "flat1,").replace("office,work_pu,5", "office,,")
    text = text.replace("\nflat2-load", "\n,,flat2-load").replace("\noffice-load", "\nnone,m-office,office-load")
    return folder.write("loads.csv", text)


@pytest.mark.parametrize("policy", ["given", "equal", "by_history"])
def test_parts_say_what_the_whole_says(case_folder: Folder, tmp_path: Path, policy: str) -> None:
    case = metered(case_folder).read().with_(allocation={"policy": policy})
    split(case, tmp_path / "parts")
    whole = city_of(case)
    market = city_of(read_case(tmp_path / "parts/market"))
    for name in OUTSIDE:
        assert getattr(market, name) == getattr(whole, name), name
    for building in whole.buildings:
        mine = city_of(read_case(tmp_path / "parts/buildings" / building.id))
        assert mine.zones == (building.zone,)
        # Limits above the building are the marketplace's; its folder does not know of them.
        assert mine.buildings == (replace(building, feeders=()),)
    below = {b.id: (b.zone, b.feeders) for b in market.buildings}
    assert below == {b.id: (b.zone, b.feeders) for b in whole.buildings}


def words_of(folder: Path) -> set[str]:
    """Every word in the files of a folder, those of parquet tables included, and the names of the files."""
    found: set[str] = set()
    for path in (p for p in folder.rglob("*") if p.is_file()):
        text = pd.read_parquet(path).to_csv() if path.suffix == ".parquet" else path.read_text(encoding="utf-8")
        found |= set(re.findall(r"[A-Za-z0-9._-]+", f"{path.relative_to(folder).as_posix()} {text}"))
    return found


def names_in(city: City) -> dict[str, set[str]]:
    """Building -> ids of the building, its units and assets."""
    return {b.id: {b.id, *(u.id for u in b.units), *(a.id for u in b.units for a in u.assets)} for b in city.buildings}


def test_nobody_finds_another_one_in_a_private_folder(case_folder: Folder, tmp_path: Path) -> None:
    case = metered(case_folder).read()
    split(case, tmp_path / "parts")
    names = names_in(city_of(case))
    meters = {"house": "m-flat1", "tower": "m-office"}
    for building, own in names.items():
        said = words_of(tmp_path / "parts/buildings" / building)
        assert building in said
        assert meters[building] in said
        for other in names.keys() - {building}:
            assert not said & (names[other] | {meters[other]}), other
        assert own - {f"{building}.common"} <= said
    public = words_of(tmp_path / "parts/market")
    assert not public & set().union(*(own - {building} for building, own in names.items()))


def test_private_folders_are_private(case_folder: Folder, tmp_path: Path) -> None:
    split(case_folder.read(), tmp_path / "parts")
    private = tmp_path / "parts/buildings"
    for path in (private, *private.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert (tmp_path / "parts/market/case.toml").stat().st_mode & 0o044, "who may read it is the market's affair"
    with pytest.raises(InvalidInput, match="is not empty"):
        split(case_folder.read(), tmp_path / "parts")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten houses too small to speak alone, parted."""
    root = tmp_path_factory.mktemp("cohort")
    case = read_case(generate(root / "case", units=40, units_per_building=4, seed=3))
    split(case, root / "parts")
    return root / "parts"


def test_one_gateway_of_a_cohort_is_named_to_sum_it(cohort: Path) -> None:
    told = [tomllib.loads((path / "gateway.toml").read_text()) for path in sorted((cohort / "buildings").iterdir())]
    groups = pd.read_csv(cohort / "market/groups.csv").set_index("group")
    for name in {t["group"] for t in told if t["kind"] == "cohort"}:
        members = [t for t in told if t["group"] == name]
        (speaker,) = [t for t in members if "members" in t]
        assert {t["speaker"] for t in members} == {speaker["gateway"]} == {groups.loc[name, "gateway"]}
        assert speaker["members"] == [t["gateway"] for t in members]
        assert sum(t["share"] for t in members) == pytest.approx(1)
    assert any(t["kind"] == "cohort" for t in told)
    assert len({t["gateway"] for t in told}) == 10


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in which every part of a run folder is there, envelopes and look-ahead included."""
    root = tmp_path_factory.mktemp("shared")
    case = read_case(generate(root / "case", units=40, units_per_building=20, seed=3))
    return clear(case, root / "run", gap=0.05)


Part = Callable[[str], Path]


@pytest.fixture
def part(finished: Run, tmp_path: Path) -> Part:
    """One party's part, unpacked."""

    def unpack(party: str) -> Path:
        share(finished, party, tmp_path / "part.zip")
        with zipfile.ZipFile(tmp_path / "part.zip") as archive:
            archive.extractall(tmp_path / "part")
        return tmp_path / "part"

    return unpack


def a_unit(run: Run) -> tuple[str, str]:
    """A unit with a battery, and its building, which spoke."""
    spoke = {path.stem for path in (run.folder / "outbox").glob("*.jsonl")}
    for building in (name for name in run.buildings if name in spoke):
        table = pd.read_csv(run.folder / "buildings" / building / "case" / "batteries.csv")
        return str(table["node"][0]), building
    raise AssertionError("no building has a battery")


@pytest.mark.parametrize(
    ("party", "checked", "unchecked"),
    [
        ("market", {"C16", "C19", "C23", "R1", "R6", "S4"}, {"C2", "C14", "R3"}),
        ("building", {"C2", "C4", "C10", "C12", "C13", "S1", "S2", "R1"}, {"C14", "C15", "C17", "C18", "C20", "S4"}),
        ("unit", {"C2", "C4", "C10", "C11"}, {"C12", "C17", "S1", "S4", "R1"}),
        ("auditor", {"R1", "R6"}, {"C2", "C17", "C18", "C23", "S5"}),
    ],
)
def test_a_part_is_audited_as_far_as_it_goes(
    finished: Run, part: Part, party: str, checked: set[str], unchecked: set[str]
) -> None:
    unit, building = a_unit(finished)
    found = audit(part({"building": f"building:{building}", "unit": f"unit:{unit}"}.get(party, party)))
    assert not found.violations, str(found)
    assert checked <= set(found.rules_checked), found.rules_not_checkable
    assert unchecked <= set(found.rules_not_checkable), found.rules_checked


def test_a_part_holds_nothing_of_the_others(finished: Run, part: Part) -> None:
    unit, _building = a_unit(finished)
    units = {name: set(finished.units.loc[finished.units["building"] == name, "unit"]) for name in finished.buildings}
    said = words_of(part(f"unit:{unit}"))
    assert unit in said
    assert not said & (set().union(*units.values()) - {unit})


def test_neither_market_nor_auditor_get_a_unit(finished: Run, part: Part) -> None:
    units = set(finished.units["unit"])
    assert not words_of(part("market")) & units


def test_the_auditor_gets_digests_and_no_energy(finished: Run, part: Part) -> None:
    folder = part("auditor")
    assert not words_of(folder) & set(finished.units["unit"])
    assert not list(folder.rglob("positions.csv"))
    assert not list(folder.rglob("rounds.csv"))
    listed = (folder / "sha256.txt").read_text()
    assert "buildings/" in listed
    assert "market/positions.csv" in listed
    assert (folder / "outbox").is_dir()
    assert not (folder / "privacy.json").exists()  # its outside version is the marketplace's


def test_damage_in_a_part_is_found(finished: Run, part: Part) -> None:
    unit, building = a_unit(finished)
    folder = part(f"unit:{unit}")
    path = folder / "buildings" / building / "dispatch.parquet"
    table = pd.read_parquet(path)
    table.loc[table["state_of_charge_kwh"].notna(), "state_of_charge_kwh"] += 0.5
    table.to_parquet(path)
    assert "C4" in {v.rule for v in audit(folder).violations}


def test_the_same_part_has_the_same_bytes(finished: Run, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        share(finished, "market", tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("party", ["nobody", "building:none", "unit:none", "unit:", "market:x", ""])
def test_nobodys_part_is_refused(finished: Run, tmp_path: Path, party: str) -> None:
    with pytest.raises(InvalidInput):
        share(finished, party, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_the_commands(finished: Run, case_folder: Folder, tmp_path: Path) -> None:
    assert cli.run(["split", str(case_folder.path), "-o", str(tmp_path / "parts")]) == 0
    assert (tmp_path / "parts/buildings/house/gateway.toml").is_file()
    assert cli.run(["split", str(case_folder.path), "-o", str(tmp_path / "parts")]) == 2
    building = read_run(finished.folder).buildings[0]
    out = tmp_path / "x.zip"
    assert cli.run(["share", str(finished.folder), "--for", f"building:{building}", "-o", str(out)]) == 0
    assert cli.run(["audit", str(out)]) == 0
