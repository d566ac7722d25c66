"""One cohort of five houses, and what a clear in one process makes of it."""

from __future__ import annotations

import pytest
from services_world import Reference, world_of

from planner.clearing import clear


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    root = tmp_path_factory.mktemp("houses")
    world = world_of(root, units=30, units_per_building=6, rounds=5, seed=1)
    return Reference(world, clear(world.case, root / "run").folder)
