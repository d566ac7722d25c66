"""A building that an alert trips takes no part, and the rest is cleared without it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from services_world import Reference, Running, World, world_of

from planner.audit import audit
from planner.clearing import clear
from planner.marketplace.client import Link
from planner.marketplace.memory import Said
from planner.marketplace.recomputing import recompute


def run_with_a_trip(world: World, building: str, root: Path) -> Path:
    """A clear over sockets during which ``building`` is without electricity; the marketplace's part of it."""
    world.forget()
    running = Running(world.marketplace(root / "messages", root / "run", patience_s=120.0))
    with world.gateways(lambda: Link([running.url])) as loops:
        for loop in loops:
            if loop.site.told.building == building:
                loop.tripped = lambda: True
        running.wait()
    assert [loop.taken for loop in loops if loop.site.told.building == building] == [False]
    return root / "run"


def test_the_rest_is_what_it_would_be_without_the_building(tmp_path: Path) -> None:
    world = world_of(tmp_path, units=60, units_per_building=30, rounds=2)
    out = run_with_a_trip(world, "b01", tmp_path)
    alone = clear(world.case, tmp_path / "reference" / "run", without=["b01"]).folder
    ours, theirs = (pd.read_csv(run / "market/positions.csv") for run in (out, alone))
    assert set(ours["group"]) == set(theirs["group"]) == {"b02"}
    # One was asked beside another group and one alone: two answers within the gap of one problem.
    assert ours["requested_kwh"].sum() == pytest.approx(theirs["requested_kwh"].sum(), rel=0.01)
    assert not audit(out).violations
    assert recompute(out).same
    assert b"electric" not in (out / "market/payloads.jsonl").read_bytes(), "nobody is told why it stays out"


def test_a_cohort_keeps_silent_with_its_member(houses: Reference, tmp_path: Path) -> None:
    """A sum without the member, beside one with it, would tell its part; all five end at the default tariff."""
    world = houses.world
    out = run_with_a_trip(world, world.buildings[2].name, tmp_path)
    assert pd.read_csv(out / "market/positions.csv").empty
    assert all((world.papers(folder) / "settlement.csv").is_file() for folder in world.buildings)


def test_cut_off_after_a_trip_a_gateway_goes_on_as_it_had_begun(houses: Reference) -> None:
    """What it had said before the trip stands; what it had not said yet it leaves unsaid, over a restart too."""
    loop = houses.world.gateway(houses.world.buildings[0], Link(["http://127.0.0.1:1"]))
    loop.memory.keep(1, "q1", Said(mark="an answer"))
    loop.memory.keep(2, "q2", Said(mark="takes no part today"))
    loop.tripped = lambda: True
    assert [loop._stays_out(number) for number in (1, 2, 3)] == [False, True, True]
    loop.tripped = lambda: False
    assert [loop._stays_out(number) for number in (1, 2, 3)] == [False, True, False]
    loop.memory.forget()
