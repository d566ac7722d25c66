"""Fixtures over the small world of security_world.py."""

from __future__ import annotations

from typing import Any

import pytest
from security_world import World, answer, make_world


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture
def honest_answer() -> dict[str, Any]:
    return answer()
