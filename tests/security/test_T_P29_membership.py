"""T-P29: how well a reader of releases can tell whether one occupant was in a group.

A thousand worlds of some offices; in half of them a target is one of them, in the others somebody else is.  The
attacker knows the mean and spread of offices at every quarter-hour, and of the target either the very readings of that
day or only its habit (the day without its noise); he scores the released day by the likelihood ratio of "with" against
"without" under a normal model.  The threshold is learned on one half of the worlds and applied to the other; advantage
= true minus false positives.  What leaves is the whole gate's word: a world that is refused says nothing, and the
attacker guesses.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from planner.security.enrolment import EnrolledUnit, Enrolment, Level
from planner.security.gate import Gate, Release, ReleaseCandidate
from planner.security.policy import PRESETS, Policy
from planner.security.slot import Slot

Floats, Ints = npt.NDArray[np.float64], npt.NDArray[np.int64]
WORLDS, INTERVALS = 1000, 96
BOUNDS = {
    ("exchange", 15, "day"): 0.90,
    ("exchange", 30, "day"): 0.80,
    ("exchange", 60, "day"): 0.55,
    ("exchange", 15, "habit"): 0.55,
    ("exchange", 30, "habit"): 0.40,
    ("exchange", 60, "habit"): 0.30,
    ("strict", 15, "day"): 0.0,
    ("strict", 30, "day"): 0.80,
    ("strict", 30, "habit"): 0.40,
}
"""What is documented: group size alone hides little of one whose readings are known, and no claim rests on it."""


def habits(drawn: np.random.Generator, count: int) -> Floats:
    """Days of offices without noise (count, intervals), Wh: a base, and a working day of its own hours and height."""
    t = np.arange(INTERVALS)
    opens, closes = drawn.normal(32, 4, (count, 1)), drawn.normal(70, 5, (count, 1))
    height, base = drawn.lognormal(5.6, 0.35, (count, 1)), drawn.lognormal(3.6, 0.4, (count, 1))
    return base + height * (1 / (1 + np.exp(opens - t)) - 1 / (1 + np.exp(closes - t)))


def noisy(drawn: np.random.Generator, habit: Floats) -> Ints:
    return np.rint(np.maximum(habit * drawn.normal(1, 0.15, habit.shape), 1)).astype(np.int64)


def advantage(policy: Policy, size: int, knows: str) -> tuple[float, float]:
    """(advantage on the second half, half the width of its 95 % interval)."""
    drawn = np.random.default_rng(29)
    crowd = noisy(drawn, habits(drawn, 4000)).astype(float)
    mean, covariance = crowd.mean(axis=0), np.cov(crowd.T) + np.eye(INTERVALS)
    units = tuple(EnrolledUnit(f"u{n:02}", f"o{n:02}", "b", 100) for n in range(size))
    enrolment, gate, slot = Enrolment("b", Level.BUILDING, units), Gate(policy), Slot("2026-10-01", 0, 96, 96)
    habit = habits(drawn, 1)
    readings = noisy(drawn, habit)[0]
    inside = drawn.random(WORLDS) < 0.5
    whitened = np.linalg.solve(covariance, (readings if knows == "day" else habit[0]) - mean)
    scores = np.zeros(WORLDS)
    for world in range(WORLDS):
        days = noisy(drawn, habits(drawn, size))
        if inside[world]:
            days[0] = readings
        fields = {"position_wh": tuple(days.sum(axis=0).tolist()), "cost": 0}
        said = gate.decide(ReleaseCandidate(enrolment, "commit", "c", 0, fields, days, slot))
        if isinstance(said, Release):
            scores[world] = whitened @ (days.sum(axis=0) - size * mean)
    half = WORLDS // 2
    cuts = np.quantile(scores[:half], np.linspace(0, 1, 200))
    learned = max(cuts, key=lambda cut: _gain(scores[:half] > cut, inside[:half]))
    return _gain(scores[half:] > learned, inside[half:]), 1.96 * float(np.sqrt(2 * 0.25 / (half / 2)))


def _gain(said: np.ndarray, true: np.ndarray) -> float:
    return float(said[true].mean() - said[~true].mean())


@pytest.mark.parametrize(("preset", "size", "knows"), BOUNDS)
def test_T_P29_membership_game(preset: str, size: int, knows: str) -> None:
    gained, width = advantage(PRESETS[preset], size, knows)
    assert gained <= BOUNDS[preset, size, knows], f"{gained:.2f} ± {width:.2f}"
