"""Whole Wh and what they cost: one Wh that is missing is paid for, whatever its last bits say; less is rounding."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from planner.quantise import flexibles, vehicles
from planner_models.words import Flexible, IntervalGrid, Vehicle


def hours(n: int) -> IntervalGrid:
    first = dt.datetime(2026, 10, 25, tzinfo=dt.UTC)
    return IntervalGrid(tuple(first + dt.timedelta(hours=t) for t in range(n)), 60, n)


@pytest.mark.parametrize(("used_wh", "missing_wh"), [(932, 0), (931, 1), (900, 32)])
@pytest.mark.parametrize("need_wh", [932, 5994, 5999])
def test_a_load_behind_its_floor(used_wh: int, missing_wh: int, need_wh: int) -> None:
    """The floor is ``need_wh``; sums of such decimals miss a whole Wh by a last bit either way."""
    used = (used_wh + need_wh - 932) / 1000
    band = Flexible("l", (0.0, 0.0), (9.0, 9.0), (need_wh / 1000, 0.0), None, 1000.0)
    found = flexibles([band], hours(2), {"used": np.array([[used, 0.0]])})
    assert found.cost[0] == pytest.approx(missing_wh * 1e-3, abs=1e-9)


@pytest.mark.parametrize(("got_wh", "missing_wh"), [(5997, 0), (5996, 1), (5900, 97)])
def test_a_vehicle_that_leaves_early(got_wh: int, missing_wh: int) -> None:
    car = Vehicle("v", 0, 2, 5.997, 11.0, charge_efficiency=1.0, shortfall_cost_per_mwh=1000.0)
    found = vehicles([car], hours(2), {"charge": np.array([[got_wh / 1000, 0.0]])})
    assert found.cost[0] == pytest.approx(missing_wh * 1e-3, abs=1e-9)
