"""Gateways as actors of a Ray cluster of two machines, one of which is lost in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from test_spread import CITY, cleared, recipes

import planner
import planner.fleets
from planner.cluster import RayPlace, join
from planner.fleet import Frank
from planner.generate import generate
from planner.spread import Order, Recipe, Spread

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two machines of one processor each, on this one."""
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        found.second = found.add_node(num_cpus=1)
        found.wait_for_nodes()
        yield found
    finally:
        ray.shutdown()
        found.shutdown()


def test_a_lost_machine_loses_nobody(cluster: Any) -> None:
    """Its gateways are made anew on the other one; the proof is the same, ties may fall otherwise."""
    assert join(cluster.address) == 2
    made: list[RayPlace] = []

    class Watched(RayPlace):
        told = 0

        def __init__(self, homes: Mapping[int, Recipe]) -> None:
            super().__init__(homes, gated=True)
            made.append(self)

        def tell(self, orders: list[tuple[int, Order]]) -> None:
            super().tell(orders)
            self.told += 1
            if self.told == 5 and len(made) == 2 and self is made[1]:
                cluster.remove_node(cluster.second, allow_graceful=False)

    here, (desk, how) = cleared(recipes(CITY)[0], Frank([make() for make in recipes(CITY)[1]])), recipes(CITY)
    spread = Spread(desk.groups, how, Watched, 2)
    try:
        found = cleared(desk, spread)
    finally:
        spread.close()
    assert len(made) > 2
    assert not spread.lost
    assert found.bound == pytest.approx(here.bound, rel=1e-9)
    assert dict(found.proven) == pytest.approx(dict(here.proven), rel=1e-9)
    assert set(found.schedules) == set(here.schedules)


def test_a_clear_on_a_cluster_that_loses_a_machine_is_certified(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = generate(tmp_path / "lab", 24, 8, seed=3, preset="lab")
    plain = planner.clear(planner.read_case(folder), tmp_path / "plain", gap=0.01)
    heard, hear = [0], RayPlace.hear

    def counting(place: RayPlace, timeout_s: float) -> Any:
        heard[0] += 1
        if heard[0] == 8:
            cluster.remove_node(cluster.second, allow_graceful=False)
        return hear(place, timeout_s)

    monkeypatch.setattr(RayPlace, "hear", counting)
    run = planner.clear(planner.read_case(folder), tmp_path / "run", gap=0.01, fleet=f"ray:{cluster.address}")
    assert run.audit["violations"] == []
    assert run.certificate["bound"] <= run.certificate["objective"]
    assert heard[0] > 8
    if not run.certificate["faults"]:
        assert run.certificate["objective"] == pytest.approx(plain.certificate["objective"], rel=0.02)
