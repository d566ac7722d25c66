"""One cohort of five houses, and what a clear in one process makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from services_world import World, world_of

from planner.clearing import clear


@dataclass
class Reference:
    """A parted city and its run in one process."""

    world: World
    run: Path


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    root = tmp_path_factory.mktemp("houses")
    world = world_of(root, units=20, units_per_building=4, rounds=5)
    return Reference(world, clear(world.case, root / "run").folder)
