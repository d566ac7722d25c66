"""Gateways elsewhere say what gateways here say, whatever happens to the places they are in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pytest
from clearing_desk import PRECISE, Desk
from random_cities import random_city

from planner.answered import Answered
from planner.decentralised import clear_in_rounds
from planner.fitting import BYTES_EACH, EVER
from planner.fleet import Fleet, Frank, Kept
from planner.fleets import LARGE, LOCAL, fleet_of
from planner.gateway import Plan
from planner.pool import ProcessPlace
from planner.problems import InvalidInput
from planner.spread import Bench, GoneError, LateError, MakePlace, Order, Recipe, Spread, Told
from planner_models.words import City, Locality

CITY = random_city(3, houses=4, n=4, kinds=("load", "plant", "battery", "vehicle"))


def recipes(whole: City) -> tuple[Desk, list[Recipe]]:
    desk, houses = Desk(whole), {b.id: b for b in whole.buildings}
    return desk, [
        Plan(group, tuple(houses[b] for b in group.buildings), whole.grid, whole.fees, PRECISE, 1, 1e-6, 60.0)
        for group in desk.groups
    ]


def cleared(desk: Desk, fleet: Fleet) -> Answered:
    return clear_in_rounds(
        desk.master, fleet, 1, 1e-3, max_rounds=8, locality=Locality.NETTING, tick=0.01, seconds_left=lambda: 60.0
    )


def spread_over(place: MakePlace, places: int, patience_s: float = 50.0) -> tuple[Answered, Spread]:
    desk, how = recipes(CITY)
    spread = Spread(desk.groups, how, place, places, patience_s)
    try:
        return cleared(desk, spread), spread
    finally:
        spread.close()


def same(one: Answered, other: Answered) -> None:
    assert one.rounds.equals(other.rounds)
    assert (one.bound, dict(one.proven)) == (other.bound, dict(other.proven))
    assert np.array_equal(one.prices.zone, other.prices.zone)
    for name, schedule in one.schedules.items():
        assert np.array_equal(schedule.position_wh, other.schedules[name].position_wh)


@pytest.fixture(scope="module")
def here() -> Answered:
    desk = Desk(CITY)
    return cleared(desk, Frank(desk.gateways))


class Fragile:
    """A place in this process that fails with ``error`` once ``when`` says so of a group and the orders it heard."""

    def __init__(
        self,
        when: Callable[[int, int], bool],
        error: type[Exception],
        homes: Mapping[int, Recipe],
        seconds: float = 0.0,
        most: int = EVER,
    ) -> None:
        self.bench, self.when, self.error, self.seconds = Bench(homes, True, most), when, error, seconds
        self.words: list[Told | None] = []
        self.heard = dict.fromkeys(homes, 0)

    def tell(self, orders: list[tuple[int, Order]]) -> None:
        for g, order in orders:
            self.heard[g] += 1
            if self.when(g, self.heard[g]):
                self.words.append(None)
            elif (told := self.bench.work(g, order)) is not None:
                self.words.append(told)

    def hear(self, timeout_s: float) -> Told:
        told = self.words.pop(0)
        if told is None:
            raise self.error
        return told

    def kept(self) -> Mapping[str, Kept]:
        return self.bench.kept()

    def close(self) -> None:
        pass


@pytest.mark.parametrize("places", [1, 2, 3, 9])
def test_words_do_not_depend_on_the_number_of_places(places: int, here: Answered) -> None:
    found, _ = spread_over(partial(Fragile, lambda g, k: False, GoneError), places)
    same(found, here)


@pytest.mark.parametrize(("seed", "most"), [(11, 1), (11, 3), (12, 1), (13, 2)])
def test_words_do_not_depend_on_how_many_models_are_there_at_once(seed: int, most: int) -> None:
    """Five buildings that are asked in turn: with room for three each finds its model gone every time."""
    city = random_city(seed, houses=5, n=6)
    found = []
    for models in (EVER, most):
        desk, how = recipes(city)
        place = partial(Fragile, lambda g, k: False, GoneError, most=models)
        found.append(cleared(desk, Spread(desk.groups, how, place, 1)))
    same(*found)
    one, other = ({k: s.assets for k, s in f.schedules.items()} for f in found)
    for name, assets in one.items():
        for a, b in zip(assets, other[name], strict=True):
            assert a.keys == b.keys
            assert a.draw_wh.tobytes() + a.stored_kwh.tobytes() == b.draw_wh.tobytes() + b.stored_kwh.tobytes()


@pytest.mark.parametrize("at", [1, 2, 6, 10, 12])
def test_a_place_lost_once_is_made_anew_and_nobody_notices(at: int, here: Answered) -> None:
    gone: list[int] = []

    def once(g: int, heard: int) -> bool:
        if gone or (g, heard) != (1, at):
            return False
        gone.append(g)
        return True

    found, spread = spread_over(partial(Fragile, once, GoneError), 2)
    assert gone
    assert not spread.lost
    same(found, here)


@pytest.mark.parametrize(("error", "reason"), [(GoneError, "is gone"), (LateError, "came too late")])
@pytest.mark.parametrize("at", [1, 3, 6, 11])
def test_a_group_that_costs_its_place_again_is_lost_and_its_neighbours_are_not(
    at: int, error: type[Exception], reason: str
) -> None:
    found, spread = spread_over(partial(Fragile, lambda g, k: g == 1 and k >= at, error), 2)
    assert spread.lost == {1}
    assert list(found.faults.values()) == [reason]
    assert len(found.schedules) == 3


def test_processes_say_the_same_and_one_that_is_killed_comes_back(here: Answered) -> None:
    """Two processes; the second is killed while it works on a round."""
    made: list[ProcessPlace] = []

    class Watched(ProcessPlace):
        told = 0

        def __init__(self, homes: Mapping[int, Recipe]) -> None:
            super().__init__(homes, gated=True)
            made.append(self)

        def tell(self, orders: list[tuple[int, Order]]) -> None:
            super().tell(orders)
            self.told += 1
            if self.told == 5 and len(made) == 2 and self is made[1]:
                self.process.kill()

    found, spread = spread_over(Watched, 2)
    assert len(made) == 3
    assert not spread.lost
    same(found, here)
    assert all(place.process.poll() is not None for place in made)


def test_only_a_large_city_whose_fleet_nobody_named_is_spread_by_itself() -> None:
    auto = fleet_of("auto")
    cores = len(os.sched_getaffinity(0))
    assert auto.for_city(LARGE - 1, 9).places == 0
    assert auto.for_city(LARGE, 9).places == (cores if cores > 1 else 0)
    assert fleet_of("local").for_city(10 * LARGE, 9) == LOCAL
    assert fleet_of("processes:3").for_city(10 * LARGE, 9).places == 3


def test_as_many_models_are_there_at_once_as_memory_holds() -> None:
    gib = 4_000_000 * BYTES_EACH / 2**30
    fits = fleet_of("processes:2", gib).for_city(4_000_000, 100)
    half = fleet_of("processes:2", gib / 2).for_city(4_000_000, 100)
    assert (fits.most, half.places, half.most) == (EVER, 2, 25)
    assert fleet_of("processes:2", 1e-9).for_city(4_000_000, 100).most == 1


@pytest.mark.parametrize("memory", [0.0, -1.0, float("nan"), float("inf")])
def test_memory_that_is_none_is_refused(memory: float) -> None:
    with pytest.raises(InvalidInput, match="--memory"):
        fleet_of("auto", memory)


@pytest.mark.parametrize("text", ["", "processes", "processes:0", "processes:9999", "process:2", "rays", "locally"])
def test_a_fleet_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no fleet"):
        fleet_of(text)
