"""Resolutions: summed, split and reported, never invented."""

from __future__ import annotations

import numpy as np
import pytest

from planner.meters import align, table
from planner.meters.align import spread

START = 1_767_225_600  # 2026-01-01T00:00Z


def frame(minutes: int, energy: list[float], gap: int | None = None) -> object:
    starts = START + 60 * minutes * np.arange(len(energy))
    rows = table.build("m", "import", starts, minutes, energy, "actual", np.arange(len(energy)))
    return rows if gap is None else rows.drop(index=gap)


@pytest.mark.parametrize(("source", "market"), [(5, 15), (5, 60), (15, 30), (15, 60), (30, 60), (15, 15)])
def test_finer_readings_are_summed(source: int, market: int) -> None:
    values = np.arange(240, dtype=float)
    found = align(frame(source, values.tolist()), market)
    expected = values.reshape(-1, market // source).sum(axis=1)
    assert np.array_equal(found.table["energy_kwh"].to_numpy(), expected)
    assert set(found.table["minutes"]) == {market}
    assert found.findings == ()


def test_longer_readings_are_split_evenly_and_reported() -> None:
    found = align(frame(60, [4.0, 8.0]), 15)
    assert found.table["energy_kwh"].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert set(found.table["quality"]) == {"estimated"}
    assert [(f.what, f.count) for f in found.findings] == [("split", 2)]


def test_an_interval_that_is_not_covered_is_left_out_and_counted() -> None:
    found = align(frame(15, [1.0] * 8, gap=5), 60)
    assert found.table["energy_kwh"].tolist() == [4.0]
    assert [(f.what, f.count) for f in found.findings] == [("incomplete", 1)]


def test_spread_marks_what_it_cannot_know() -> None:
    starts = START + np.array([0, 900, 900, 2700])
    found = spread(starts, np.array([15, 15, 15, 15]), np.array([1.0, 2.0, 3.0, 4.0]), START, 4, 15)
    assert found.doubled == 1
    assert np.array_equal(np.isnan(found.energy_kwh), [False, True, True, False])


def test_energy_is_conserved_off_the_grid() -> None:
    starts = START + 420 + 900 * np.arange(12)  # seven minutes past
    found = spread(starts, np.full(12, 15), np.ones(12), START, 13, 15)
    assert found.split == 12
    assert np.isnan(found.energy_kwh[[0, 12]]).all()
    assert np.allclose(found.energy_kwh[1:12], 1.0)
