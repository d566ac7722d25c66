"""Days of 23 and 25 hours with a look-ahead: what a clear repeats after the day, its run folder repeats alike."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from case_folders import CASE_TOML, Folder, rows

import planner
from planner.cleared import Cleared
from planner.ledger.case_rows import on_starts
from planner.timegrid import day_grid
from planner.timeseries import on_grid, sources, starts_of
from planner_models.words import IntervalGrid

HOURS_OF = {"2026-03-29": 23, "2026-10-25": 25}


def tiny_case(path: Path, day: str, minutes: int) -> Folder:
    """Two buildings, one behind a limited feeder; every series by interval and different in each."""
    count = HOURS_OF[day] * 60 // minutes
    every, hours = range(1, count + 1), minutes / 60
    folder = Folder(path)
    toml = CASE_TOML.replace("2026-06-10", day).replace("interval_minutes = 60", f"interval_minutes = {minutes}")
    folder.write("case.toml", toml.replace("look_ahead_hours = 0", "look_ahead_hours = 12"))
    tree = ("city,,city", "north,city,feeder", "house,north,building", "tower,city,building")
    folder.write("nodes.csv", rows("node,parent,kind", *tree, "flat,house,unit", "office,tower,unit"))
    folder.write("limits.csv", rows("node,interval,import_kw", *(f"north,{i},{40 + i / 100}" for i in every)))
    folder.write("profiles.csv", rows("interval,home_kw", *(f"{i},{1 + i / 100}" for i in every)))
    folder.write("loads.csv", rows("load,node,profile", "one,flat,home_kw", "two,office,home_kw"))
    grid = (f"city,{i},{100 + i / 10},60" for i in every)
    folder.write("grid.csv", rows("zone,interval,import_price_per_mwh,export_price_per_mwh", *grid))
    held = {i: round(i * hours * 10) for i in every}
    supply = (f"base,city,{i},{held[i] / 1000},70" for i in every)
    folder.write("supply.csv", rows("contract,zone,interval,energy_kwh,price_per_mwh", *supply))
    shares = (f"{node},{i},{held[i] / 1000}" for node in ("house", "flat") for i in every)
    return folder.write("allocations.csv", rows("node,interval,energy_kwh", *shares))


@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("day", sorted(HOURS_OF))
def test_a_clear_over_a_change_of_the_clock_is_clean(tmp_path: Path, day: str, minutes: int) -> None:
    case = tiny_case(tmp_path / "case", day, minutes).read()
    run = planner.clear(case, mode="monolith")
    assert run.audit["violations"] == []
    assert {"C14", "C15", "C19", "C20", "C22"} <= set(run.audit["rules_checked"])
    kept = planner.read_case(run.folder / "market/case")
    for table, key, value in (("supply", "contract", "energy_kwh"), ("limits", "node", "import_kw")):
        meant, told = (on_grid(getattr(c, table), key, value, case.grid) for c in (case, kept))
        assert meant.keys() == told.keys()
        assert all(np.array_equal(meant[name], told[name]) for name in meant), table


@pytest.mark.parametrize(
    ("day", "after"),
    [
        ("2026-03-29", [1, 1, 2, 3, 4, 5]),  # the first hour after 23 has no 24 hours before it
        ("2026-10-25", [2, 3, 4, 5, 6, 7]),  # 24 hours before the end of 25 is the second
        ("2026-06-10", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_look_ahead_repeats_24_hours_earlier(day: str, after: list[int]) -> None:
    grid = day_grid(dt.date.fromisoformat(day), "Europe/Stockholm", 60, 6)
    assert (sources(grid)[: grid.settled] == np.arange(grid.settled)).all()
    assert (sources(grid)[grid.settled :] + 1).tolist() == after


@pytest.mark.parametrize("day", sorted(HOURS_OF))
def test_a_long_look_ahead_repeats_what_was_repeated(day: str) -> None:
    grid = day_grid(dt.date.fromisoformat(day), "Europe/Stockholm", 30, 72)
    frame = numbered(grid.settled)
    assert (on_grid(frame, "key", "value", grid)["a"] == sources(grid) + 1).all()


def test_a_row_by_start_goes_before_a_repetition() -> None:
    grid = day_grid(dt.date(2026, 3, 29), "Europe/Stockholm", 60, 3)
    known = pd.DataFrame({"key": "a", "interval": pd.NA, "start": starts_of(grid)[[24]], "value": 99.0})
    frame = pd.concat([numbered(grid.settled), known.astype({"interval": "Int64"})], ignore_index=True)
    told = on_starts(frame, ["key"], cleared_on(grid)).sort_values("start")
    assert told["value"].tolist()[23:] == on_grid(frame, "key", "value", grid)["a"][23:].tolist() == [1, 99, 2]


def numbered(count: int) -> pd.DataFrame:
    """One series by interval whose value is the interval's number."""
    return pd.DataFrame(
        {
            "key": "a",
            "interval": pd.array(range(1, count + 1), dtype="Int64"),
            "start": pd.Series([pd.NaT] * count, dtype="datetime64[ns, UTC]"),
            "value": np.arange(1.0, count + 1),
        }
    )


def cleared_on(grid: IntervalGrid) -> Cleared:
    return Cleared(grid.starts, grid.settled, grid.minutes, (), (), (), (), (), {})
