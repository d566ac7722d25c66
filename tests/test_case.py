"""Reading a case: normal form, formats, hash, and what a user does with a Case."""

from __future__ import annotations

import datetime as dt
import gzip
import pickle
import random
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest

import planner
from planner.problems import InvalidInput, Problem
from planner.tables import TABLES


def test_a_case_has_every_table_with_every_column(case_folder: Any) -> None:
    case = case_folder.read()
    for table in TABLES:
        frame = case.tables[table.name]
        assert list(frame.columns)[: len(table.names)] == list(table.names)
    assert len(case.wind) == 0
    assert case.settings.market.price_cap == 4000.0
    assert case.settings.delivery_date == dt.date(2026, 6, 10)
    assert case.notes == ()


def test_defaults_are_filled(case_folder: Any) -> None:
    case = case_folder.swap("case.toml", "4000.0", "3000.0").read()
    battery = case.batteries.iloc[0]
    assert (battery.charge_efficiency, battery.minimum_kwh, battery.initial_kwh, battery.final_kwh) == (1.0, 0, 0, 0)
    assert set(case.loads.value_per_mwh) == {3000.0}
    assert case.vehicles.shortfall_cost_per_mwh[0] == 3000.0
    assert case.appliances.profile_minutes[0] == 60
    assert bool(case.solar.curtailable[0]) is True
    assert set(case.allocations.resource) == {"electricity"}
    assert case.nodes.import_limit_kw.isna().sum() == 4
    header = "battery,node,energy_kwh,charge_kw,discharge_kw,initial_kwh\n"
    case = case_folder.write("batteries.csv", header + "cell,flat1,8,4,4,3\n").read()
    assert case.batteries.final_kwh[0] == 3.0


def test_money_that_is_left_to_defaults_is_noted(case_folder: Any) -> None:
    toml = case_folder.text("case.toml").replace("[fees]\nmarket_buy_per_mwh = 8.0\nmarket_sell_per_mwh = 0.0\n", "")
    notes = case_folder.write("case.toml", toml).read().notes
    assert any("[fees] is left out, so market_buy_per_mwh = 8" in note for note in notes)


def test_row_order_never_matters(case_folder: Any, make_case: Any) -> None:
    first = case_folder.read()
    shuffled = make_case("shuffled")
    random.seed(1)
    for path in shuffled.path.glob("*.csv"):
        header, *rows = path.read_text().splitlines()
        random.shuffle(rows)
        path.write_text("\n".join([header, *rows]) + "\n")
    second = shuffled.read()
    assert first.sha256 == second.sha256
    assert first == second
    for table in TABLES:
        pd.testing.assert_frame_equal(first.tables[table.name], second.tables[table.name])


def test_formats_and_column_order_never_matter(case_folder: Any, make_case: Any) -> None:
    first = case_folder.read()
    other = make_case("formats")
    for name in ("nodes", "grid", "supply"):
        frame = pd.read_csv(other.path / f"{name}.csv")
        frame[frame.columns[::-1]].to_parquet(other.path / f"{name}.parquet")
        other.remove(f"{name}.csv")
    for name in ("loads", "allocations"):
        other.write(f"{name}.csv.gz", gzip.compress(other.text(f"{name}.csv").encode()))
        other.remove(f"{name}.csv")
    assert other.read().sha256 == first.sha256


def test_wide_and_long_profiles_are_one(case_folder: Any, make_case: Any) -> None:
    first = case_folder.read()
    assert list(first.profiles.columns) == ["profile", "interval", "start", "value"]
    assert len(first.profiles) == 72
    text = first.profiles.drop(columns="start").to_csv(index=False)
    assert make_case("long", {"profiles.csv": text}).read().sha256 == first.sha256


def test_content_changes_the_hash(case_folder: Any) -> None:
    before = case_folder.read()
    assert case_folder.swap("nodes.csv", "house,north,building,,40", "house,north,building,,41").read() != before
    assert before.for_date("2026-06-11").sha256 != before.sha256
    assert len(before.sha256) == 64


def test_meter_files_are_part_of_the_hash(case_folder: Any) -> None:
    case_folder.write("meters.csv", "meter,node,file\nm1,office,a.csv\n").write("meters/a.csv", "x\n")
    before = case_folder.read().sha256
    assert case_folder.write("meters/a.csv", "y\n").read().sha256 != before


def test_bom_semicolon_and_crlf_are_read_and_noted(case_folder: Any) -> None:
    before = case_folder.read()
    text = case_folder.text("supply.csv").replace(",", ";").replace("3;70", "3,0;70,0").replace("\n", "\r\n")
    case = case_folder.write("supply.csv", b"\xef\xbb\xbf" + text.encode()).read()
    assert case.sha256 == before.sha256
    assert any("decimal comma" in note for note in case.notes)
    assert any("byte order mark" in note for note in case.notes)


def test_a_number_with_point_and_comma_is_refused(case_folder: Any) -> None:
    text = case_folder.text("supply.csv").replace(",", ";").replace("city;1;3;70", "city;1;1.003,5;70")
    problems = case_folder.write("supply.csv", text).problems()
    assert str(problems[0]).startswith("supply.csv:2: energy_kwh is not a number (1.003,5)")


def test_note_and_x_columns_pass(case_folder: Any) -> None:
    before = case_folder.read().sha256
    text = "battery,node,energy_kwh,charge_kw,discharge_kw,note,x_serial\ncell,flat1,8,4,4,new,17\n"
    assert case_folder.write("batteries.csv", text).read().sha256 == before


def test_starts_with_any_offset_are_one_instant(case_folder: Any) -> None:
    header = "node,start,import_kw\n"
    one = case_folder.write("limits.csv", header + "house,2026-06-10T10:00:00+02:00,5\n").read()
    two = case_folder.write("limits.csv", header + "house,2026-06-10T08:00Z,5\n").read()
    assert one.sha256 == two.sha256
    assert one.limits.start[0] == pd.Timestamp("2026-06-10T08:00Z")
    assert one.limits.interval.isna().all()


def test_parquet_times_without_timezone_are_refused(case_folder: Any) -> None:
    frame = pd.DataFrame({"node": ["house"], "start": pd.to_datetime(["2026-06-10T08:00"]), "import_kw": [5.0]})
    frame.to_parquet(case_folder.path / "limits.parquet")
    assert "start has no offset" in str(case_folder.problems()[0])
    frame["start"] = frame["start"].dt.tz_localize("Europe/Stockholm")
    frame.to_parquet(case_folder.path / "limits.parquet")
    assert case_folder.read().limits.start[0] == pd.Timestamp("2026-06-10T06:00Z")


def test_orders_keep_their_data_row_and_quantities_in_mw(market_folder: Any) -> None:
    header = "order_id,zone,side,interval,kind,price_per_mwh,quantity_mw\n"
    market_folder.write("orders.csv", header + "z,east,sell,2,step,1,0.5\na,east,buy,1,step,2,1\n")
    orders = market_folder.read().orders
    assert list(orders.order_id) == ["a", "z"]
    assert list(orders.row) == [2, 1]
    assert list(orders.quantity_kwh) == [1000.0, 500.0]


def test_an_empty_book_is_a_case(market_folder: Any) -> None:
    market_folder.write("orders.csv", "order_id,zone,side,interval,kind,price_per_mwh,quantity_kwh\n")
    assert len(market_folder.read().orders) == 0


def test_a_building_without_units_and_a_unit_without_a_meter_are_fine(case_folder: Any) -> None:
    case_folder.add("nodes.csv", "shed,city,building,,,,", "flat3,house,unit,apartment,,,")
    assert len(case_folder.read().nodes) == 9


def test_a_caller_cannot_change_a_case(case_folder: Any) -> None:
    case = case_folder.read()
    before = case.sha256
    frame = case.batteries
    frame.loc[0, "energy_kwh"] = 99.0
    frame["new"] = 1
    assert case.batteries.energy_kwh[0] == 8.0
    assert "new" not in case.batteries
    assert case.for_date("2026-06-10").sha256 == before
    with pytest.raises(AttributeError, match="did you mean 'batteries'"):
        _ = case.battery


def test_with_replaces_tables_and_settings(case_folder: Any) -> None:
    case = case_folder.read()
    more = case.with_(solar=case.solar.assign(peak_kw=lambda d: d.peak_kw * 2))
    assert (more.solar.peak_kw[0], case.solar.peak_kw[0]) == (12.0, 6.0)
    assert case.with_(solar=lambda c: c.solar.head(0)).solar.empty
    assert case.with_(orders=case.orders).sha256 == case.sha256
    changed = case.with_(market={"pricing": "fixed_integers"}, interval_minutes=30)
    assert changed.settings.market.pricing == "fixed_integers"
    assert changed.settings.market.price_cap == 4000.0
    assert len(changed.grid) == 48


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sollar": None}, "neither a table nor a setting (sollar); did you mean 'solar'?"),
        ({"market": {"pricing": "convex"}}, "unknown pricing (convex); did you mean 'convex_hull'?"),
        ({"batteries": pd.DataFrame({"battery": ["a/b"]})}, "battery is not an id (a/b)"),
        ({"batteries": 3}, "needs a DataFrame"),
    ],
)
def test_with_refuses_what_is_no_case(case_folder: Any, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        case_folder.read().with_(**change)
    assert words in str(raised.value)


def test_with_is_validated_when_it_is_asked_for(case_folder: Any) -> None:
    from planner.validation import validate

    case = case_folder.read()
    moved = case.with_(batteries=case.batteries.assign(node="nowhere"))
    (problem,) = validate(moved)
    assert str(problem).startswith("batteries.csv:1: unknown node (nowhere)")
    assert validate(case) == ()


def test_the_grid_needs_a_day(case_folder: Any) -> None:
    case = case_folder.swap("case.toml", "delivery_date = 2026-06-10\n", "").read()
    with pytest.raises(InvalidInput, match="no delivery_date"):
        _ = case.grid
    assert len(case.for_date("2026-10-25").grid) == 25
    assert len(case_folder.read(date="2026-06-10").grid) == 24
    with pytest.raises(InvalidInput, match="is not a date"):
        case_folder.read(date="tomorrow")


def test_a_case_travels_between_processes(case_folder: Any) -> None:
    case = case_folder.read()
    assert pickle.loads(pickle.dumps(case)) == case
    error = InvalidInput([Problem("a.csv", 3, "is wrong", "1", "do it right")])
    assert str(pickle.loads(pickle.dumps(error))) == "a.csv:3: is wrong (1); do it right"


def test_a_case_shows_itself(case_folder: Any) -> None:
    import matplotlib

    matplotlib.use("Agg")
    case = case_folder.swap("case.toml", '"small"', '"<small>"').read()
    html = case._repr_html_()
    assert "&lt;small&gt;" in html
    assert "<small>" not in html
    assert "2 of kind building" in html
    assert not any(f">{node}<" in html or f" {node} " in html for node in case.nodes.node), "counts, and no ids"
    assert {text.get_text() for text in case.plot().texts} == set(case.nodes.node)


def test_invalid_input_is_a_value_error_with_all_errors(case_folder: Any) -> None:
    case_folder.swap("case.toml", "= 8.0", "= -8.0").swap("nodes.csv", "house,north", "house,nort")
    with pytest.raises(ValueError) as raised:
        planner.read_case(case_folder.path)
    assert isinstance(raised.value, planner.InvalidInput)
    assert len(raised.value.errors) >= 2
    assert len(str(raised.value).splitlines()) == len(raised.value.errors)


@pytest.mark.parametrize("name", ["nodes.csv", "case.toml", "solar.csv"])
def test_a_folder_in_place_of_a_file(case_folder: Any, name: str) -> None:
    case_folder.remove(name)
    (case_folder.path / name).mkdir()
    assert any(p.file == name for p in case_folder.problems())


def test_no_folder_at_all(case_folder: Any, tmp_path: Any) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        planner.read_case(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="is not a folder"):
        planner.read_case(case_folder.path / "nodes.csv")


JUNK = [
    b"",
    b"nan",
    b"-1",
    b"1e309",
    b"\0",
    b'"',
    b"\n",
    b";",
    b"9999-12-31T23:59:59Z",
    b"\xff",
    b"[[x]]",
    b"..",
    b"==",
]


@pytest.mark.parametrize("seed", range(12))
def test_damage_is_reported_and_never_a_traceback(case_folder: Any, seed: int) -> None:
    random_ = random.Random(seed)
    for _ in range(3):
        path = random_.choice(sorted(case_folder.path.iterdir()))
        data = path.read_bytes()
        at = random_.randrange(len(data) + 1)
        cut = data[:at] if random_.random() < 0.3 else data[:at] + random_.choice(JUNK) + data[at + 1 :]
        path.write_bytes(cut)
    for problem in case_folder.problems():
        assert str(problem).isprintable()


def test_importing_the_package_is_quick_and_names_resolve() -> None:
    code = (
        "import sys, planner; assert not {'pandas', 'pyomo', 'networkx', 'matplotlib'} & set(sys.modules); "
        "from planner import read_case, Case; assert planner.__version__; import planner.case; "
        "assert 'networkx' not in sys.modules; assert 'read_case' in dir(planner)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError):
        _ = planner.nothing


def test_a_function_is_not_hidden_by_its_module() -> None:
    import planner.audit  # loads the module of that name
    from planner.audit import audit

    assert planner.audit is audit
    assert callable(planner.audit)
