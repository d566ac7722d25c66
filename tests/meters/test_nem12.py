"""NEM12 and NEM13 records, well and badly written."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from planner.meters import Metered, ingest
from planner.problems import InvalidInput

DAY = ",".join(["0.5"] * 48)
HEAD = "100,NEM12,202601011200,MDP,Retailer\n"


def register(suffix: str = "E1", unit: str = "kWh", minutes: object = 30, nmi: str = "NMI0000001") -> str:
    return f"200,{nmi},E1B1,1,{suffix},N1,SERIAL,{unit},{minutes},\n"


def read(tmp_path: Path, text: str, keep_going: bool = False) -> Metered:
    path = tmp_path / "a.csv"
    path.write_text(text)
    return ingest([path], keep_going=keep_going)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, text)
    return [str(problem) for problem in caught.value.errors]


def found(metered: Metered) -> dict[str, int]:
    return {finding.what: finding.count for finding in metered.reports[0].findings}


def test_market_time_is_ten_hours_ahead_all_year(tmp_path: Path) -> None:
    metered = read(tmp_path, HEAD + register() + f"300,20260115,{DAY},A,,,20260116120000,\n900\n")
    assert str(metered.table["start"].iloc[0]) == "2026-01-14 14:00:00+00:00"
    assert metered.table["energy_kwh"].sum() == 24.0
    assert metered.reports[0].format == "nem12"
    assert len(metered.table) == 48


@pytest.mark.parametrize(("unit", "factor"), [("kWh", 1), ("KWH", 1), ("Wh", 1e-3), ("MWh", 1e3)])
def test_units(tmp_path: Path, unit: str, factor: float) -> None:
    metered = read(tmp_path, HEAD + register(unit=unit) + f"300,20260115,{DAY},A,,,,\n900\n")
    assert metered.table["energy_kwh"].sum() == pytest.approx(24 * factor)


def test_directions_and_reactive(tmp_path: Path) -> None:
    text = HEAD
    for suffix, unit in (("E1", "kWh"), ("E2", "kWh"), ("B1", "kWh"), ("Q1", "kVArh"), ("K1", "kVArh")):
        text += register(suffix, unit) + f"300,20260115,{DAY},A,,,,\n"
    metered = read(tmp_path, text + "900\n")
    sums = metered.table.groupby("channel", observed=True)["energy_kwh"].sum().to_dict()
    assert sums == {"import": 48.0, "export": 24.0}
    assert found(metered) == {"reactive": 1, "registers_summed": 2}
    assert (metered.reports[0].rows_read, metered.reports[0].rows_rejected) == (144, 0)


def test_missing_100_and_900_are_noted(tmp_path: Path) -> None:
    metered = read(tmp_path, "\n" + register() + f"300,20260115,{DAY},A\n")
    assert len(metered.table) == 48
    assert len(metered.reports[0].notes) == 2


def test_the_last_update_wins_in_any_order(tmp_path: Path) -> None:
    new = f"300,20260115,{DAY},F14,,,20260120120000,\n"
    old = f"300,20260115,{DAY.replace('0.5', '9')},A,,,20260116120000,\n"
    for days in (new + old, old + new):
        metered = read(tmp_path, HEAD + register() + days + "900\n")
        assert metered.table["energy_kwh"].sum() == 24.0
        assert set(metered.table["quality"]) == {"substituted"}
        assert found(metered)["superseded"] == 48


def test_days_without_update_that_contradict_are_refused(tmp_path: Path) -> None:
    days = f"300,20260115,{DAY},A\n300,20260115,{DAY.replace('0.5', '9')},A\n"
    assert "a.csv:4: days contradict each other (lines 3, 4)" in problems(tmp_path, HEAD + register() + days)[0]


def test_quality_ranges(tmp_path: Path) -> None:
    ranges = "400,1,10,A,,\n400,11,20,E52,,\n400,21,40,F14,79,\n400,41,48,N,,\n"
    metered = read(tmp_path, HEAD + register() + f"300,20260115,{DAY},V,,,,\n{ranges}900\n")
    assert dict(metered.reports[0].quality) == {"actual": 10, "estimated": 10, "substituted": 20, "missing": 8}
    assert metered.table["energy_kwh"].sum() == 20.0


def test_ranges_that_do_not_cover_the_day(tmp_path: Path) -> None:
    metered = read(tmp_path, HEAD + register() + f"300,20260115,{DAY},V,,,,\n400,1,40,A,,\n900\n")
    assert found(metered)["quality_unknown"] == 8
    outside = HEAD + register() + f"300,20260115,{DAY},V,,,,\n400,1,60,A,,\n900\n"
    assert "a.csv:4: quality range does not fit the day (1-60 of 48)" in problems(tmp_path, outside)[0]


@pytest.mark.parametrize(("minutes", "named"), [(15, "30-minute"), (5, "30-minute")])
def test_another_interval_length_is_named(tmp_path: Path, minutes: int, named: str) -> None:
    (problem,) = problems(tmp_path, HEAD + register(minutes=minutes) + f"300,20260115,{DAY},A,,,,\n900\n")
    assert problem.startswith("a.csv:3: number of values does not fit the interval length")
    assert named in problem


def test_bad_rows_are_rejected_and_the_rest_is_kept(tmp_path: Path) -> None:
    rows = f"300,20260115,{DAY},A\n300,20261399,{DAY},A\n300,20260117,1,2,A\n"
    rows += f"300,20260118,{DAY.replace('0.5', 'x', 1)},A\nhello\n"
    metered = read(tmp_path, HEAD + register() + rows + "900\n", keep_going=True)
    assert [problem.line for problem in metered.problems] == [4, 5, 6, 7]
    assert len(metered.table) == 48
    assert metered.reports[0].rows_rejected == 2 + 48


def test_a_day_broken_over_lines_is_joined_and_noted(tmp_path: Path) -> None:
    half = ",".join(["0.5"] * 24)
    metered = read(tmp_path, HEAD + register() + f"300,20260115,\n{half},\n{half},A,,,,\n900\n")
    assert metered.table["energy_kwh"].sum() == 24.0
    assert any("line 3" in note for note in metered.reports[0].notes)


def test_registers_of_different_length_meet_at_the_longer(tmp_path: Path) -> None:
    fine = ",".join(["0.125"] * 96)
    text = (
        HEAD + register("E1", minutes=15) + f"300,20260115,{fine},A\n" + register("E2") + f"300,20260115,{DAY},A\n900\n"
    )
    metered = read(tmp_path, text)
    assert set(metered.table["minutes"]) == {30}
    assert np.allclose(metered.table["energy_kwh"], 0.75)
    assert found(metered)["coarsened"] == 96


def test_a_register_that_ends_gives_way_to_the_next(tmp_path: Path) -> None:
    first = register("E1") + f"300,20260115,{DAY},V\n400,1,24,A,,\n400,25,48,N,,\n"
    second = register("E2") + f"300,20260115,{DAY},V\n400,1,24,N,,\n400,25,48,A,,\n"
    metered = read(tmp_path, HEAD + first + second + "900\n")
    assert metered.table["energy_kwh"].sum() == 24.0
    assert len(metered.table) == 48


def test_zip_with_odd_names(tmp_path: Path) -> None:
    path = tmp_path / "NEM12#001#MDP#RETAILER.ZIP"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("NEM12#001#MDP#RETAILER.V05", HEAD + register() + f"300,20260115,{DAY},A\n900\n")
    assert len(ingest([path]).table) == 48


def test_nem13_periods_and_a_falling_export_register(tmp_path: Path) -> None:
    text = "100,NEM13,202601011200,MDP,R\n"
    text += "250,NMI0000002,11,1,11,11,S,E,100,20260101000001,A,,,400,20260401000000,A,,,300,kWh,,20260401,\n"
    text += "250,NMI0000003,41,1,41,41,S,I,990,20260101000001,A,,,980,20260401000000,E62,,,-10,kWh,,20260401,\n900\n"
    metered = read(tmp_path, text)
    assert metered.table["energy_kwh"].tolist() == [300.0, 10.0]
    assert metered.table["channel"].tolist() == ["import", "export"]
    assert metered.table["minutes"].tolist() == [90 * 1440] * 2
    assert found(metered)["sign"] == 1
