"""Buildings stamped together and taken apart are the buildings stamped one by one, to the last bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from random_cities import grid, random_building

from planner_models.apart import Home, stamp_homes
from planner_models.linear import Flow
from planner_models.words import Fees

N = 6


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_model_does_not_depend_on_its_neighbours(seed: int, exclusive: bool) -> None:
    rng = np.random.default_rng(seed)
    houses = [random_building(rng, f"b{i}", N) for i in range(5)]
    fees = Fees(8.0, 1.0)
    together = stamp_homes(houses, grid(N), fees, exclusive)
    assert len({home.model.matrix.shape for home in together}) > 1, "buildings differ"
    for house, home in zip(houses, together, strict=True):
        (alone,) = stamp_homes([house], grid(N), fees, exclusive)
        same(home, alone)


def same(one: Home, other: Home) -> None:
    a, b = one.model, other.model
    for part in ("row_lower", "row_upper", "cost", "lower", "upper", "integer", "column_interval"):
        assert np.array_equal(getattr(a, part), getattr(b, part)), part
    assert a.matrix.shape == b.matrix.shape
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(a.matrix, part), getattr(b.matrix, part)), part
    for mine, its in zip(a.groups, b.groups, strict=True):
        assert np.array_equal(mine.numbers, its.numbers)
        named = [f.name for f in fields(mine) if f.name not in ("numbers", "template")]
        assert all(getattr(mine, name) == getattr(its, name) for name in named)
        assert mine.template is its.template
    x = np.random.default_rng(0).uniform(0, 1, len(a.cost))
    for name in ("position", "unit_draw", "unit_kept"):
        flow: Flow = getattr(one.stamped, name)
        assert np.array_equal(flow.of(x), getattr(other.stamped, name).of(x)), name
    assert one.stamped.units == other.stamped.units
