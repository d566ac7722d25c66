"""report.html: what it says, that it says it of any part of a run, and that it needs nothing but itself."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from case_folders import CASE_TOML, Folder, rows, small_tables, write_case

import planner
from planner.audit.rules import RULES
from planner.ledger import Run
from planner.problems import InvalidInput
from planner.report import charts, sums, write_report
from planner.report.day import group_positions
from planner.report.disclosure import read_released
from planner.report.money import read_settlement
from planner.report.papers import Papers
from planner.report.readings import read_readings
from planner.report.sums import read_sums
from planner.report.words import counted, energy, number, percent

CASES = Path(__file__).resolve().parents[1] / "data" / "cases"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small synthetic city, cleared in rounds."""
    root = tmp_path_factory.mktemp("report")
    planner.generate(root / "city", units=10, units_per_building=5, preset="lab")
    return planner.clear(planner.read_case(root / "city"), root / "run")


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    """Its page."""
    return page_of(run.folder)


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    """A copy of that run that a test may break."""
    return Path(shutil.copytree(run.folder, tmp_path / "run"))


def page_of(folder: Path) -> str:
    return write_report(Run(folder)).read_text("utf-8")


def text_of(page: str) -> str:
    """What a reader sees."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)))


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    assert not re.search(r"<script|<link|<iframe|\ssrc=|@import|url\((?!#)", page)
    links = re.findall(r'(?:href|action)="([^"]*)"', page)
    assert all(link.startswith("#") for link in links)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_the_same_folder_gives_the_same_bytes(copy: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(copy, tmp_path / "moved"))
    assert page_of(copy) == page_of(elsewhere)


def test_where_and_how_many_buildings_are_read_at_a_time_changes_no_byte(
    run: Run, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at_once, many in ((1, 100), (1, 1)):
        monkeypatch.setattr(sums, "AT_ONCE", at_once)
        monkeypatch.setattr(sums, "MANY", many)
        assert page_of(run.folder) == page


@pytest.mark.parametrize("row", ["operator,uplift\n", "operator,uplift,,,,,twelve\n"])
def test_a_file_that_cannot_be_read_is_named(copy: Path, row: str) -> None:
    path = copy / "buildings" / "b02" / "settlement.csv"
    path.write_text(path.read_text() + row)
    with pytest.raises(InvalidInput, match=r"buildings/b02/settlement\.csv"):
        page_of(copy)


def test_no_two_elements_share_an_id(page: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert ids
    assert len(ids) == len(set(ids))


def test_the_headline_has_cost_savings_gap_and_verdict(run: Run, page: str) -> None:
    text, told = text_of(page), run.certificate
    for name in ("objective", "savings", "gap_absolute"):
        assert number(told[name]) in text
    assert "Wednesday 15 April 2026" in text
    assert re.search(r"Audit\s+clean\s+\d+.rules re-checked", text)
    assert "internal: not for release" in text


def test_what_dark_groups_cost_is_said(copy: Path, page: str) -> None:
    assert "not in these numbers" not in text_of(page)
    told = json.loads((copy / "certificate.json").read_text()) | {"groups_dark": 2, "dark_cost": 1140.676}
    (copy / "certificate.json").write_text(json.dumps(told))
    assert "their own costs, 1,140.68 EUR, are not in these numbers" in text_of(page_of(copy))


def test_every_rule_is_listed_with_its_state(run: Run, page: str) -> None:
    text = text_of(page)
    for key, meaning in RULES.items():
        assert meaning in text.replace("&#39;", "'"), key
    assert text.count("not checkable") >= len(run.audit["rules_not_checkable"])


def test_a_violation_is_shown_and_escaped(copy: Path) -> None:
    audit = json.loads((copy / "audit.json").read_text())
    where = {"file": "market/<img src=x>.csv", "name": "a&b", "interval": 3}
    audit["violations"] = [{"rule": "C14", "where": where, "what": "<script>x</script>", "value": 1.5, "expected": 0}]
    (copy / "audit.json").write_text(json.dumps(audit))
    page = page_of(copy)
    assert "<script>" not in page
    assert "<img" not in page
    assert "market/&lt;img src=x&gt;.csv, a&amp;b, interval 3" in page
    assert re.search(r"Audit\s+1.violation\s+of C14", text_of(page))


def test_a_name_from_the_case_is_escaped_in_charts_too(copy: Path) -> None:
    path = copy / "market" / "case" / "case.toml"
    path.write_text(path.read_text().replace('currency = "EUR"', 'currency = "<b>$x$</b>"'))
    page = page_of(copy)
    assert "<b>$x$" not in page
    assert "&lt;b&gt;$x$&lt;/b&gt; per MWh" in page


def test_energy_is_that_of_the_run(run: Run) -> None:
    day = read_sums(Papers(run.folder)).moved.day()
    dispatch, trades = run.dispatch, run.trades
    assert day.internal.sum() == pytest.approx(trades["energy_kwh"].sum())
    drawn = sum(part.sum() for part in day.drawn.values())
    made = sum(part.sum() for part in day.made.values())
    assert drawn - made == pytest.approx(dispatch["energy_kwh"].sum())
    assert {"loads", "sun"} <= {*day.drawn, *day.made}
    assert "other" not in {*day.drawn, *day.made}
    signed = run.positions["requested_kwh"] - run.positions["offered_kwh"]
    assert sum(q.sum() for q in group_positions(Papers(run.folder)).values()) == pytest.approx(signed.sum())


def test_what_loads_did_not_get_is_said(copy: Path, page: str) -> None:
    """Of the first load of b02, one kWh less is served in one interval than was asked for."""
    before = read_sums(Papers(copy)).moved.cut
    assert set(before) == {"b01", "b02"}
    loads = pd.read_csv(copy / "buildings" / "b02" / "case" / "loads.csv")["load"]
    frame = pd.read_parquet(copy / "buildings" / "b02" / "dispatch.parquet")
    row = frame.index[frame["asset"].isin(loads) & (frame["energy_kwh"] > 1)][0]
    frame.loc[row, "energy_kwh"] -= 1
    frame.to_parquet(copy / "buildings" / "b02" / "dispatch.parquet")
    after = read_sums(Papers(copy)).moved.cut
    assert after["b02"].sum() == pytest.approx(before["b02"].sum() + 1, abs=1e-6)
    assert "curtailed or not served: b02" in text_of(page_of(copy)).replace("b01 0.0 kWh, ", "")


def test_settlement_is_that_of_the_ledgers_and_sums_to_zero(run: Run) -> None:
    found = read_settlement(Papers(run.folder), read_sums(Papers(run.folder)).booked)
    assert found.ledgers == 1 + len(run.buildings)
    assert found.open_ledgers == []
    ledger = run.settlement
    fees = ledger[(ledger["ledger"] != "market") & (ledger["account"] == "marketplace") & (ledger["line"] == "fee")]
    (fee,) = found.payments["fees: the units → the marketplace"]
    assert fee.amount == pytest.approx(fees["amount"].sum())
    assert any(heading.startswith("tariffs") for heading in found.payments)
    for account in found.accounts:
        mine = ledger[(ledger["ledger"] == "market") & (ledger["account"] == account.name)]
        assert account.total == pytest.approx(mine["amount"].sum())


def test_a_ledger_that_does_not_close_is_named(copy: Path) -> None:
    path = copy / "buildings" / "b02" / "settlement.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[0, "amount"] = str(float(frame.loc[0, "amount"]) + 1e-9)
    frame.to_csv(path, index=False)
    assert read_sums(Papers(copy)).booked.open_ledgers == ["b02"]
    assert "Ledgers that do not sum to zero: b02" in text_of(page_of(copy))


@pytest.mark.parametrize(
    "kept", [("market", "certificate.json"), ("buildings/b01",), ("buildings/b01", "audit.json"), ()]
)
def test_any_holder_can_have_one(copy: Path, tmp_path: Path, kept: tuple[str, ...]) -> None:
    part = tmp_path / "part"
    part.mkdir()
    for name in kept:
        target = part / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(copy / name, target) if (copy / name).is_dir() else shutil.copy(copy / name, target)
    text = text_of(page_of(part))
    assert ("Clearing price" in text) == ("market" in kept)
    assert ("Production against consumption" in text) == ("buildings/b01" in kept)
    assert ("Building b01 speaks" in text) == ("buildings/b01" in kept)
    assert ("How good the plan provably is" in text) == ("certificate.json" in kept)
    assert "b02" not in text or "market" in kept


def test_findings_of_the_gate_are_shown_with_what_is_dark(tmp_path: Path) -> None:
    (tmp_path / "market" / "case").mkdir(parents=True)
    (tmp_path / "market" / "case" / "case.toml").write_text('name = "x"\n[privacy]\npreset = "exchange"\n')
    rows = "group,kind,zone,dark,feeders\nb1,building,city,false,n;s\nb2,dark,city,true,\nco,cohort,city,false,\n"
    (tmp_path / "market" / "groups.csv").write_text(rows)
    groups = [
        {
            "group": "b1",
            "envelopes": 7,
            "held_back": 2,
            "occupants": 19,
            "min_active": 6,
            "worst_interval_share_ppm": 250000,
        },
        {"group": "b2", "envelopes": 0, "silent_because": "an interval has too few active occupants"},
    ]
    (tmp_path / "privacy.json").write_text(json.dumps({"policy": "exchange", "groups": groups}))
    found = read_released(Papers(tmp_path))
    assert found.stamp == ""
    first, cohort = found.speaking
    assert (first.group, first.feeders, first.envelopes, first.held_back) == ("b1", "n, s", 7, 2)
    assert (first.min_active, first.interval_share, first.day_share) == (6, 0.25, None)
    assert (cohort.group, cohort.min_active) == ("co", None)
    assert [group.group for group in found.dark] == ["b2"]
    text = text_of(page_of(tmp_path))
    assert "b2 (an interval has too few active occupants)" in text
    assert "internal: not for release" not in text


def test_without_findings_the_files_are_recounted(copy: Path) -> None:
    """Under a gated preset the recount agrees with a count by hand."""
    for path in copy.rglob("case.toml"):
        path.write_text(path.read_text().replace('preset = "lab"', 'preset = "exchange"'))
    (copy / "privacy.json").write_text("{}")
    found = read_released(Papers(copy))
    assert found.known == "a recount of the buildings' files"
    nodes = pd.read_csv(copy / "buildings" / "b01" / "case" / "nodes.csv", dtype=str, keep_default_na=False)
    counted_units = set(nodes.loc[nodes["use"] != "common", "node"])
    units = pd.read_csv(copy / "buildings" / "b01" / "units.csv")
    units = units[units["unit"].isin(counted_units)]
    moved = (units["requested_kwh"] + units["offered_kwh"]).to_numpy().reshape(units["unit"].nunique(), -1)
    b01 = next(group for group in found.speaking if group.group == "b01")
    busy = moved.sum(axis=0) > 0
    assert b01.min_active == np.count_nonzero(moved[:, busy], axis=0).min()
    assert b01.day_share == pytest.approx(moved.sum(axis=1).max() / moved.sum(), abs=1e-5)


@pytest.mark.parametrize("name", ["k14-lossy", "k15-even"])
def test_known_cases_have_a_page(name: str, tmp_path: Path) -> None:
    page = page_of(planner.clear(planner.read_case(CASES / name), tmp_path / name).folder)
    assert "Position" in page
    assert "nan" not in text_of(page).lower().replace("tenant", "")


def test_a_city_without_loads_has_a_page(tmp_path: Path) -> None:
    nodes = rows("node,parent,kind", "city,,city", "b,city,building")
    files = {"case.toml": CASE_TOML, "nodes.csv": nodes, "grid.csv": small_tables()["grid.csv"]}
    for name, text in files.items():
        Folder(tmp_path / "case").write(name, text)
    folder = planner.clear(planner.read_case(tmp_path / "case"), tmp_path / "run").folder
    assert "How good the plan provably is" in page_of(folder)


@pytest.mark.parametrize(
    ("bounds", "value"), [([0.0], 0.0), ([-5.0, 0.0], 0.0), ([3.0, 3.0], 3.0), ([-9.0, 2.0], -1.0)]
)
def test_bounds_are_drawn_whatever_they_are(bounds: list[float], value: float) -> None:
    svg = charts.convergence("rounds", list(range(len(bounds))), np.array(bounds), value, "EUR")
    assert svg.startswith("<svg")


def test_numbers_are_written_for_people() -> None:
    assert number(-1234.5) == "−1,234.50"
    assert number(-0.001) == "0.00"
    assert number(None) == number(float("nan")) == "–"
    assert energy(1234.4) == "1,234\u00a0kWh"
    assert percent(0.001) == "0.10\u00a0%"
    assert percent(0) == "0\u00a0%"
    assert percent(1e-7) == "below\u00a00.01\u00a0%"
    assert counted(1, "building") == "1\u00a0building"
    assert counted(2, "building") == "2\u00a0buildings"


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two buildings in one meter file: house has a row twice, an estimate and a lost hour, tower an empty cell."""
    root = tmp_path_factory.mktemp("metered")
    folder = write_case(root / "case")
    lines = ["meter,channel,start,minutes,energy_kwh,quality"]
    starts = pd.date_range("2026-05-01", "2026-06-09", freq="h", tz="Europe/Stockholm", inclusive="left")
    for i, start in enumerate(starts):
        quality = "estimated" if i == 3 else "actual"
        lines += [f"m1,import,{start.isoformat()},60,0.5,{quality}"] if i != 7 else []
        lines += [f"m2,import,{start.isoformat()},60,{'' if i == 9 else 1.5},actual"]
    folder.write("meters/all.csv", "\n".join([*lines, lines[1]]) + "\n")
    folder.write("meters.csv", "meter,node,file\nm1,flat1,all.csv\nm2,office,all.csv\n")
    folder.write(
        "loads.csv",
        "load,node,meter,profile,peak_kw,meter_includes\n"
        "flat1-load,flat1,m1,,,none\nflat2-load,flat2,,home_kw,,\noffice-load,office,m2,,,none\n",
    )
    return planner.clear(planner.read_case(folder.path), root / "run")


def test_what_the_meters_said_is_counted_per_building(metered: Run) -> None:
    found = read_readings(Papers(metered.folder))
    hours = 39 * 24
    assert [(row.building, row.meters, row.counts) for row in found.buildings] == [
        ("house", 1, (hours - 1, 1, 1, 1, 0)),
        ("tower", 1, (hours - 1, 0, 0, 0, 1)),
    ]
    assert [row["asset"] for row in found.forecasts] == ["flat1-load", "office-load"]
    text = text_of(page_of(metered.folder))
    assert "Forecast error of each meter" in text
    assert "flat1-load m1 7" in text


def test_a_building_reads_nothing_of_the_meters_of_another(metered: Run) -> None:
    """Also where both came in one file."""
    for building, own, other in (("house", "m1", "m2"), ("tower", "m2", "m1")):
        folder = metered.folder / "buildings" / building
        told = [(folder / name).read_text() for name in ("readings.csv", "forecast.csv", "meters.txt")]
        assert all(own in text and other not in text for text in told), building
