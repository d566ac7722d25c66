"""What-if: edits of a case, the forecast carried over, and what a comparison says."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from case_folders import Folder, write_case

from planner.case import Case
from planner.forecast import forecast
from planner.ledger import read_run
from planner.meters import read_meters
from planner.preparation import prepare
from planner.problems import InvalidInput
from planner.scenario import Comparison, Scenario, compare, dates_between, read_scenarios
from planner.scenario.assumed import Assumed
from planner.scenario.comparison import NOT_SIGNIFICANT, OTHERS_DARK, compare_runs
from planner.validation import validate
from planner_models.words import Load, Plant

GAP = 1e-3


def twice_the_solar(case: Case) -> Case:
    return case.with_(solar=case.solar.assign(peak_kw=lambda d: d["peak_kw"] * 2))


@pytest.fixture
def small(case_folder: Folder) -> Case:
    """The small case, solved in one piece."""
    return case_folder.read().with_(solver={"mode": "monolith"})


@pytest.fixture
def metered(case_folder: Folder) -> Case:
    """The small case with four days of readings: a plant's own meter, and a load's meter that also counts the plant."""
    starts = pd.date_range("2026-06-04T22:00Z", "2026-06-08T21:00Z", freq="h")
    hour = starts.tz_convert("Europe/Stockholm").hour.to_numpy()
    sun = np.where((hour > 6) & (hour < 20), 3.0, 0.0)
    frames = [
        pd.DataFrame({"meter": meter, "channel": channel, "start": starts, "minutes": 60, "energy_kwh": kwh})
        for meter, channel, kwh in (
            ("m-roof", "production", sun),
            ("m-flat1", "import", np.maximum(1.0 - sun, 0)),
            ("m-flat1", "export", np.maximum(sun - 1.0, 0)),
        )
    ]
    table = pd.concat(frames).assign(quality="actual")
    table["start"] = table["start"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    case_folder.write("meters/all.csv", table.to_csv(index=False))
    case_folder.write("meters.csv", "meter,node,file\nm-roof,flat1,all.csv\nm-flat1,flat1,all.csv\n")
    case_folder.remove("batteries.csv").write("solar.csv", "plant,node,meter,peak_kw\nroof,flat1,m-roof,6\n")
    text = case_folder.text("loads.csv").splitlines()
    rows = [text[0] + ",meter,meter_includes", "flat1-load,flat1,,,,,m-flat1,solar", *(f"{row},," for row in text[2:])]
    return case_folder.write("loads.csv", "\n".join(rows) + "\n").read()


def of_kind(case: Case, kind: type) -> np.ndarray:
    """kWh per interval that all plants can give, or all loads want, in the city that would be cleared."""
    told = forecast(case, read_meters(case)) if len(case.meters) else None
    city = prepare(case, told)
    assets = [asset for building in city.buildings for unit in building.units for asset in unit.assets]
    name = "available_kwh" if kind is Plant else "energy_kwh"
    return np.sum([getattr(asset, name) for asset in assets if isinstance(asset, kind)], axis=0)


def test_twice_the_peak_of_a_metered_plant_is_twice_its_production(metered: Case) -> None:
    before = of_kind(metered, Plant)
    assert before.max() == pytest.approx(3.0)
    after = Assumed(metered).carry_over(twice_the_solar(metered))
    assert validate(after) == ()
    assert of_kind(after, Plant) == pytest.approx(2 * before)
    assert of_kind(twice_the_solar(metered), Plant) == pytest.approx(before), "without carrying over nothing changes"


def test_past_use_behind_the_same_meter_stays(metered: Case) -> None:
    """Panels that were never there are not taken out of what the load's meter counted."""
    before = of_kind(metered, Load)
    assert of_kind(Assumed(metered).carry_over(twice_the_solar(metered)), Load) == pytest.approx(before)
    without = metered.with_(solar=metered.solar.iloc[:0])
    assert of_kind(Assumed(metered).carry_over(without), Load) == pytest.approx(before)
    assert of_kind(without, Load).sum() < before.sum(), "forecast anew, the sun would be missing from past use"


def test_an_unchanged_case_is_not_carried_over(metered: Case) -> None:
    assert Assumed(metered).carry_over(metered) is metered


def test_a_case_without_meters_is_not_carried_over(small: Case) -> None:
    assert Assumed(small).carry_over(twice_the_solar(small)).solar["profile"].tolist() == ["sun_pu"]


def test_a_forecast_is_made_under_the_changed_settings(metered: Case) -> None:
    """Half the interval: the carried profile has the changed case's intervals, and the same energy."""
    finer = twice_the_solar(metered).with_(interval_minutes=30)
    after = Assumed(metered).carry_over(finer)
    mine = after.profiles[after.profiles["profile"] == "roof.metered_pu"]
    assert len(mine) == len(after.grid) == 48
    assert mine["value"].max() == pytest.approx(0.5)


def test_a_metered_plant_without_a_peak_to_compare_with_is_refused(metered: Case) -> None:
    blind = metered.with_(solar=metered.solar.assign(peak_kw=np.nan))
    with pytest.raises(InvalidInput, match="knows no peak_kw"):
        compare({"today": blind, "more": metered})


@pytest.fixture(scope="module")
def cleared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The small case, the same again, and with twice the solar."""
    case = write_case(tmp_path_factory.mktemp("compared") / "case").read().with_(solver={"mode": "monolith"})
    more = Scenario("Twice the solar!", twice_the_solar)
    out = tmp_path_factory.mktemp("out")
    return compare({"today": case, "again": case.with_(), more.name: more}, gap=GAP, out=out)


def test_the_same_case_twice_differs_by_nothing(cleared: Comparison) -> None:
    row = cleared.table.loc["again"]
    changes = [name for name in cleared.table if name.endswith("_change")]
    assert len(changes) == 6
    assert (row[changes] == 0).all()
    assert (row[[name.replace("_change", "_note") for name in changes]] == NOT_SIGNIFICANT).all()
    folders = [read_run(cleared.folder / name).certificate["output_sha256"] for name in ("today", "again")]
    assert folders[0] == folders[1]


def test_measures_are_those_of_the_runs(cleared: Comparison) -> None:
    run = read_run(cleared.folder / "today")
    today = cleared.table.loc["today"]
    assert today["cost"] == run.certificate["objective"]
    assert today["savings"] == run.certificate["savings"]
    net = (run.exchange["import_kwh"] - run.exchange["export_kwh"]).to_numpy()
    assert today["peak_import_kw"] == net.max()
    assert today["import_kwh"] == pytest.approx(run.exchange["import_kwh"].sum())
    assert today["mean_price_per_mwh"] == pytest.approx(run.prices["price_per_mwh"].mean())
    curve = cleared.curves[cleared.curves["scenario"] == "today"]
    assert curve["net_import_kw"].to_numpy() == pytest.approx(net)
    assert str(curve["start"].iloc[0]) == "2026-06-10 00:00:00+02:00"


def test_twice_the_solar_shows(cleared: Comparison) -> None:
    today, solar = cleared.table.loc["today"], cleared.table.loc["Twice the solar!"]
    assert solar["cost_change"] == pytest.approx(solar["cost"] - today["cost"])
    assert solar["cost_change"] < 0
    assert solar["cost_note"] == ""
    made = [
        -read_run(cleared.folder / name).dispatch.query("asset == 'roof'")["energy_kwh"].sum()
        for name in ("today", "twice-the-solar")
    ]
    assert made[1] == pytest.approx(2 * made[0], rel=1e-3)
    assert len(cleared.plot().axes) == 2
    assert "Twice the solar!" in cleared._repr_html_()


def comparison(gaps: tuple[float, float], cost: float, imported: float) -> Comparison:
    """Two scenarios by hand: 100 against ``cost``, 50 kWh against ``imported``."""
    row = {"delivery_date": "2026-06-10", "savings": 5.0, "groups_dark": 0, "peak_import_kw": 10.0}
    row |= {"export_kwh": 0.0, "mean_price_per_mwh": 60.0, "dark": ""}
    rows = [
        {"scenario": "<today>", **row, "cost": 100.0, "import_kwh": 50.0, "gap": gaps[0]},
        {"scenario": "other", **row, "cost": cost, "import_kwh": imported, "gap": gaps[1]},
    ]
    return Comparison(Path("x"), "EUR", pd.DataFrame(rows), pd.DataFrame())


@pytest.mark.parametrize(
    ("gaps", "cost", "note"),
    [((1.0, 2.0), 103.0, NOT_SIGNIFICANT), ((1.0, 2.0), 103.1, ""), ((1.0, 2.0), 96.9, ""), ((0.0, 0.0), 100.01, "")],
)
def test_a_difference_within_both_gaps_is_not_significant(gaps: tuple[float, float], cost: float, note: str) -> None:
    assert comparison(gaps, cost, 50.0).table.loc["other", "cost_note"] == note


def test_other_measures_are_judged_by_relative_gaps() -> None:
    assert comparison((1.0, 1.0), 100.0, 51.0).table.loc["other", "import_kwh_note"] == NOT_SIGNIFICANT
    assert comparison((1.0, 1.0), 100.0, 52.0).table.loc["other", "import_kwh_note"] == ""


def test_a_comparison_shows_itself_escaped() -> None:
    html = comparison((1.0, 1.0), 101.0, 50.0)._repr_html_()
    assert "&lt;today&gt;" in html
    assert "<today>" not in html
    assert "+1.00 not significant" in html


def test_dark_buildings_cost_what_the_default_tariff_asks(cleared: Comparison, tmp_path: Path) -> None:
    """A run with one building made dark: its trade is priced at the default tariff, import and export apart."""
    folder = Path(shutil.copytree(cleared.folder / "today", tmp_path / "dark"))
    root = folder / "buildings" / "house"
    answer = json.loads((root / "answer.json").read_text()) | {"dark": True, "cost": 7.0}
    (root / "answer.json").write_text(json.dumps(answer))
    position = pd.read_csv(root / "position.csv")
    position["position_kwh"] = [10.0, -5.0, *[0.0] * (len(position) - 2)]
    position.to_csv(root / "position.csv", index=False)
    told = read_run(folder).certificate
    found = compare_runs({("x", "2026-06-10"): read_run(folder)}, tmp_path).days.iloc[0]
    dark = 7.0 + (10 * 320 - 5 * 20) / 1000
    assert found["cost"] == pytest.approx(told["objective"] + dark)
    assert found["gap"] == pytest.approx(told["gap_absolute"] + GAP * dark)


def test_other_dark_groups_are_pointed_out() -> None:
    found = comparison((1.0, 1.0), 101.0, 50.0)
    assert OTHERS_DARK not in found._repr_html_()
    found.days.loc[1, "dark"] = "b01"
    assert OTHERS_DARK in found._repr_html_()


def test_several_dates_are_summed(small: Case, tmp_path: Path) -> None:
    days = dates_between("2026-06-10..2026-06-11")
    assert days == (dt.date(2026, 6, 10), dt.date(2026, 6, 11))
    found = compare({"today": small}, gap=GAP, out=tmp_path, dates=days)
    assert found.days["delivery_date"].tolist() == ["2026-06-10", "2026-06-11"]
    assert found.table.loc["today", "cost"] == pytest.approx(found.days["cost"].sum())
    assert found.table.loc["today", "peak_import_kw"] == found.days["peak_import_kw"].max()
    assert (tmp_path / "2026-06-11" / "today" / "certificate.json").exists()


@pytest.mark.parametrize("text", ["2026-06-11..2026-06-10", "soon", "2026-06-10..later"])
def test_dates_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput):
        dates_between(text)


def test_every_problem_of_every_scenario_comes_before_the_first_clear(small: Case, tmp_path: Path) -> None:
    def stranger(case: Case) -> Case:
        return case.with_(solar=case.solar.assign(node="nowhere"))

    def broken(case: Case) -> Case:
        return case.with_(solar=case.solar.assign(peak_kw="much"))

    with pytest.raises(InvalidInput) as caught:
        compare({"today": small, "a": broken}, out=tmp_path)
    assert [problem.file for problem in caught.value.errors] == ["a: solar.csv"]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_text("taken")
    with pytest.raises(InvalidInput) as caught:
        compare({"today": small, "a": stranger, "b": small, "B!": small}, out=tmp_path)
    text = str(caught.value)
    assert "a: solar.csv:1: unknown node (nowhere)" in text
    assert "b: b: is not empty" in text
    assert "would share a folder" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "case"]


SCENARIOS = """\
[[scenario]]
name = "twice the solar"
scale = [{ table = "solar", column = "peak_kw", by = 2.0 }]

[[scenario]]
name = "many things"
scale = [{ table = "nodes", column = "import_limit_kw", by = 0.5, where = { node = "north" } }]
set = [{ table = "loads", column = "curtailable_ratio", value = 0.1, where = { node = ["flat1", "office"] } }]
drop = [{ table = "generators" }]
append = [{ table = "vehicles", rows = [
  { vehicle = "x1", node = "flat1", arrival = "18:00", departure = "22:00", energy_kwh = 3.0, max_kw = 7.4 },
] }]
settings = { fees = { market_buy_per_mwh = 0.0 }, solver = { seed = 7 } }
"""


def test_edits_change_what_they_name_and_nothing_else(small: Case, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SCENARIOS)
    solar, many = read_scenarios(tmp_path / "s.toml")
    before = small.sha256
    assert solar(small) == twice_the_solar(small)
    after = many(small)
    assert validate(after) == ()
    limits = after.nodes.set_index("node")["import_limit_kw"]
    assert (limits["north"], limits["house"]) == (50, 40)
    assert after.loads.set_index("load")["curtailable_ratio"].to_dict() == {
        "flat1-load": 0.1,
        "flat2-load": 0.2,
        "office-load": 0.1,
    }
    assert after.generators.empty
    assert after.vehicles["vehicle"].tolist() == ["car", "x1"]
    assert after.settings.fees.market_buy_per_mwh == 0
    assert after.settings.solver.mode == "monolith"
    assert small.sha256 == before


def test_appending_to_an_empty_table(case_folder: Folder, tmp_path: Path) -> None:
    case = case_folder.remove("vehicles.csv").read()
    (tmp_path / "s.toml").write_text(SCENARIOS)
    assert read_scenarios(tmp_path / "s.toml")[1](case).vehicles["energy_kwh"].tolist() == [3.0]


def test_all_errors_of_a_file_at_once(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        """\
title = "x"
[[scenario]]
name = "one"
scale = [{ table = "solr", column = "peak_kw", by = 2 }, { table = "solar", column = "peek_kw", by = 2 }]
[[scenario]]
name = "one"
scales = []
set = [{ table = "solar", column = "peak_kw" }]
[[scenario]]
scale = [{ table = "solar", column = "node", by = "two" }]
append = [{ table = "solar", rows = [{ plnt = "x" }] }]
settings = { fee = { market_buy_per_mwh = 1 } }
[[scenario]]
name = "idle"
"""
    )
    with pytest.raises(InvalidInput) as caught:
        read_scenarios(tmp_path / "s.toml")
    told = [str(problem) for problem in caught.value.errors]
    for expected in (
        "s.toml: unknown key (title)",
        "s.toml:2: unknown table (solr); did you mean 'solar'?",
        "s.toml:2: solar has no column (peek_kw); did you mean 'peak_kw'?",
        "s.toml:5: unknown key (scales); did you mean 'scale'?",
        "s.toml:5: 'set' needs 'value'",
        "s.toml:9: has no name",
        "s.toml:9: 'by' is a number (two)",
        "s.toml:9: solar.node is no number and cannot be scaled",
        "s.toml:9: solar has no column (plnt); did you mean 'plant'?",
        "s.toml:9: unknown section in 'settings' (fee)",
        "s.toml:13: changes nothing (idle)",
        "s.toml: two scenarios have this name (one)",
    ):
        assert any(line.startswith(expected) for line in told), (expected, told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no [[scenario]] in it"),
        ("[[scenario]", "s.toml:1: is not TOML"),
        ("scenario = 3", "no [[scenario]] in it"),
        ("scenario = [3]", "a scenario is a table"),
        ('[[scenario]]\nname = "x"\nscale = 3', "'scale' is a list of tables"),
        (
            '[[scenario]]\nname = "x"\nscale = [{ table = "solar", column = "peak_kw", by = 2, where = 3 }]',
            "'where' is",
        ),
        ('[[scenario]]\nname = "x"\nscale = [{ table = ["solar"], column = ["peak_kw"], by = 2 }]', "unknown table"),
        ('[[scenario]]\nname = "x"\nset = [{ table = "solar", column = ["peak_kw"], value = 2 }]', "has no column"),
    ],
)
def test_files_that_are_none(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_scenarios(tmp_path / "s.toml")
    assert told in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"s\.toml: cannot be read"):
        read_scenarios(tmp_path / "s.toml")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            'scale = [{ table = "solar", column = "peak_kw", by = 2, where = { node = "flat9" } }]',
            "s.toml:1: 'scale' meets",
        ),
        ('scale = [{ table = "wind", column = "peak_kw", by = 2 }]', "s.toml:1: 'scale' meets no row of wind"),
        ('set = [{ table = "solar", column = "peak_kw", value = "much" }]', "solar.csv:"),
        ('append = [{ table = "vehicles", rows = [{ vehicle = "x" }] }]', "vehicles.csv:"),
        ("settings = { fees = { market_buy_per_mwh = -1 } }", "market_buy_per_mwh"),
        ("settings = { fees = { nothing = 1 } }", "nothing"),
    ],
)
def test_what_only_the_case_can_show(edit: str, told: str, small: Case, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(f'[[scenario]]\nname = "x"\n{edit}\n')
    (scenario,) = read_scenarios(tmp_path / "s.toml")
    with pytest.raises(InvalidInput) as caught:
        compare({"today": small, "x": scenario})
    assert told in str(caught.value)
    assert all(problem.file.startswith("x: ") for problem in caught.value.errors)
