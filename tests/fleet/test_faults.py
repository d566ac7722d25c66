"""Whatever a gateway does wrong, and whenever: the others clear, and what is proven for them holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clearing_desk import Desk, rounding
from faulty import FAULTS, Faulty
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cities import city, house, random_city, unit
from reference_milp import city_optimum

from planner.answered import Answered
from planner.decentralised import clear_in_rounds
from planner.fleet import Frank, InProcess
from planner.questions import Commit, Question, Word
from planner.wary import Wary
from planner_models.words import City, Feeder, Load, Locality

KINDS = ("load", "plant", "battery", "vehicle")


def clear_with(whole: City, bad: int, kind: str, at: int) -> tuple[Desk, Answered, Faulty]:
    desk = Desk(whole)
    watch = [0.0]
    gateways = [
        Faulty(gateway, kind if g == bad else "none", at if g == bad else 10**9, watch)
        for g, gateway in enumerate(desk.gateways)
    ]
    carrier = InProcess[Word](gateways, patience_s=50.0, clock=lambda: watch[0])
    fleet = Wary(carrier, len(whole.grid), 1)
    found = clear_in_rounds(
        desk.master, fleet, 1, 1e-3, max_rounds=8, locality=Locality.NETTING, tick=0.01, seconds_left=lambda: 60.0
    )
    return desk, found, gateways[bad]


def without(whole: City, name: str) -> City:
    return replace(whole, buildings=tuple(b for b in whole.buildings if b.id != name))


@given(seed=st.integers(0, 10**6), bad=st.integers(0, 2), kind=st.sampled_from(FAULTS), at=st.integers(0, 14))
@settings(max_examples=20, derandomize=True, deadline=None)
def test_the_others_clear_with_a_valid_proof(seed: int, bad: int, kind: str, at: int) -> None:
    whole = random_city(seed % 50, houses=3, n=4, kinds=KINDS)
    desk, found, _ = clear_with(whole, bad, kind, at)
    name = desk.groups[bad].id
    rest = without(whole, name) if name in found.mute else whole
    assert set(found.mute) <= {name}
    assert set(found.schedules) == {b.id for b in rest.buildings} == set(found.proven)
    assert found.bound <= city_optimum(rest) + rounding(whole)
    q = np.sum([found.schedules[b.id].position_wh for b in rest.buildings], axis=0)
    assert np.isfinite(found.market_x).all()
    assert q.shape == (4,)
    if name in found.faults:
        assert found.faults[name] == found.mute[name]
        assert not any(character.isdigit() for character in found.faults[name])


@pytest.mark.parametrize("at", [0, 1, 4, 6])
@pytest.mark.parametrize(
    "kind", [kind for kind in FAULTS if kind not in ("floods the feeder", "too good", "no papers")]
)
def test_a_fault_at_any_round_is_named(kind: str, at: int) -> None:
    """At the first question, in a slice, at a price; what is possible but untrue is for other tests."""
    whole = random_city(3, houses=3, n=4, kinds=KINDS)
    desk, found, gateway = clear_with(whole, 1, kind, at)
    assert gateway.failed
    assert list(found.mute) == [desk.groups[1].id]
    assert (desk.groups[1].id in found.faults) == (kind != "silent")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("floods the feeder", "trades where it should do nothing"),
        ("too good", "costs less than its own answers allow"),
        ("no papers", "has lost its schedules"),
    ],
)
def test_a_commitment_that_cannot_be_is_no_commitment(kind: str, reason: str) -> None:
    """Three homes behind one feeder; one says at the end what breaks it, pays for itself, or is not there any more."""
    homes = tuple(
        house(f"b{i}", unit(f"u{i}", (Load(f"l{i}", (1.0, 1.0), 300.0 + i),), 2), feeders=("f",)) for i in range(3)
    )
    whole = city(homes, 2, feeders=(Feeder("f", "z", (2.5, 2.5), (9.0, 9.0), (0.0, 0.0)),))
    at = next(k for k in range(99) if isinstance(asked(whole, 1)[k], Commit))
    _, found, _ = clear_with(whole, 1, kind, at)
    assert found.faults == {"b1": reason}
    q = np.sum([found.schedules[name].position_wh for name in ("b0", "b2")], axis=0)
    assert (q == 2000).all() or (kind == "no papers" and (q <= 2000).all())  # then it is too late to take its room
    assert found.bound <= 0.4 + 1e-6  # four kWh at 100


def asked(whole: City, g: int) -> list[Question]:
    """What a group is asked in a clear without faults."""
    desk, heard = Desk(whole), []
    answer = desk.gateways[g].answer
    desk.gateways[g].answer = lambda question: heard.append(question) or answer(question)  # type: ignore[method-assign]
    clear_in_rounds(
        desk.master,
        Frank(desk.gateways),
        1,
        1e-3,
        max_rounds=8,
        locality=Locality.NETTING,
        tick=0.01,
        seconds_left=lambda: 60.0,
    )
    return heard
