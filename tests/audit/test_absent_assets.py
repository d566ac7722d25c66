"""A vehicle that is not there and an appliance that is not due need no rows, and may have none but zeros."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from case_folders import Folder, write_case
from factory import town

import planner
from planner.audit import audit

CAR = "08:00 mon-fri,17:00"


def saturday(path: Path) -> Folder:
    """The small case on a Saturday: the weekday car stays away."""
    return write_case(path).swap("case.toml", "2026-06-10", "2026-06-13")


def another_day(path: Path) -> Folder:
    stay = "2026-06-15T08:00:00+02:00,2026-06-15T17:00:00+02:00"
    return saturday(path).swap("vehicles.csv", CAR, stay)


def idle_washer(path: Path) -> Folder:
    return saturday(path).swap("appliances.csv", "08:00,20:00", "08:00 mon-fri,20:00")


@pytest.mark.parametrize("written", [saturday, another_day, idle_washer])
def test_what_takes_no_part_needs_no_rows(tmp_path: Path, written) -> None:
    run = planner.clear(written(tmp_path / "case").read(), mode="monolith")
    assert "car" not in set(run.dispatch["asset"])
    assert run.audit["violations"] == []
    assert {"C6", "C7", "C10", "C20", "C22"} <= set(run.audit["rules_checked"])


def test_a_generated_case_on_a_saturday_is_clean(tmp_path: Path) -> None:
    planner.generate(tmp_path / "case", units=3, delivery_date=dt.date(2026, 3, 28), interval_minutes=15, preset="lab")
    case = planner.read_case(tmp_path / "case")
    run = planner.clear(case)
    assert len(set(case.vehicles["vehicle"]) - set(run.dispatch["asset"])) >= 1, "the case has nobody away"
    assert run.audit["violations"] == []


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """The run worked out by hand, its car's stay moved to another day; its rows are still there."""
    run = town(tmp_path / "run")
    path = run / "buildings/b2/case/vehicles.csv"
    path.write_text(path.read_text().replace("2026-03-02", "2026-03-05"))
    return run


def keep_rows(run: Path, kept) -> None:
    """Write the dispatch of b2 again with the rows that ``kept`` wants, changed as it says."""
    path = run / "buildings/b2/dispatch.parquet"
    pq.write_table(pa.Table.from_pylist([r for r in map(kept, pq.read_table(path).to_pylist()) if r]), path)


def zero(row: dict) -> dict:
    return row | {"energy_kwh": 0.0, "power_kw": 0.0, "on": 0} if row["asset"] == "d2.car" else row


def test_rows_of_an_absent_vehicle_must_be_zero(away: Path) -> None:
    assert any(v.rule == "C6" and v.where.name == "d2.car" for v in audit(away).violations)
    keep_rows(away, zero)
    assert "C6" in audit(away).rules_checked
    assert not [v for v in audit(away).violations if v.where.name == "d2.car"]


def test_rows_of_a_vehicle_that_is_there_are_still_demanded(tmp_path: Path) -> None:
    run = town(tmp_path / "run")
    keep_rows(run, lambda row: None if row["asset"] == "d2.car" else row)
    assert any("d2.car" in str(v) for v in audit(run).violations if v.rule == "C10")
