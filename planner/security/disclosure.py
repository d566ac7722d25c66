"""The disclosure rules as exact integer arithmetic: what a group's numbers would give away.

Sources: ESSNet Handbook on Statistical Disclosure Control, chapter 4 (minimum frequency, p% rule); the 15/15 rule
of utility data.  The p% rule asks whether the second largest contributor, who knows its own part, could estimate
the largest to within p percent: unsafe if X - x1 - x2 < p/100 x1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.security.enrolment import Enrolment, Flags, Level, Wh
from planner.security.policy import Policy

_PPM = 1_000_000
# Every sum below, times 100, must stay inside int64.
_MAX_TOTAL_WH = 2**55


@dataclass(frozen=True)
class Size:
    """Static facts of a group; a share is that of the largest in contracted energy, parts per million."""

    occupants: int
    buildings: int
    largest_occupant_ppm: int
    largest_building_ppm: int
    passes: bool


@dataclass(frozen=True)
class Interval:
    """An interval (counted from 1) that fails, with its active occupants and the rules it fails."""

    number: int
    active: int
    fails_active: bool
    fails_concentration: bool


@dataclass(frozen=True)
class Findings:
    """What the gate saw: exact figures for the building's own report; they never leave it.

    ``min_active`` is over the non-zero intervals (None if there is none); shares are in parts per million, of an
    interval's and of the day's total of magnitudes.
    """

    size: Size
    intervals: int
    nonzero_intervals: int = 0
    min_active: int | None = None
    worst_interval_share_ppm: int = 0
    largest_day_share_ppm: int = 0
    day_share_passes: bool = True
    failing: tuple[Interval, ...] = ()


def share_ppm(part: int, total: int) -> int:
    """``part`` of ``total`` in parts per million, rounded down; 0 of nothing is 0."""
    return part * _PPM // total if total else 0


def exceeds(part: int, total: int, percent: int) -> bool:
    """True if ``part`` is more than ``percent`` of ``total``; equality does not exceed."""
    return 100 * part > percent * total


def p_percent_unsafe(total: int, largest: int, second: int, percent: int) -> bool:
    """The p% rule in integers; equality is safe."""
    return 100 * (total - largest - second) < percent * largest


def static_size(enrolment: Enrolment, policy: Policy) -> Size:
    """Step 1: enough occupants, none too large; a cohort also enough buildings, none too large."""
    occupants, buildings = enrolment.occupant_weights, enrolment.building_weights
    largest, total = max(occupants, default=0), sum(occupants)
    largest_building = max(buildings, default=0)
    passes = len(occupants) >= policy.min_occupants
    passes = passes and not exceeds(largest, total, policy.max_contracted_share_percent)
    if enrolment.level is Level.COHORT:
        passes = passes and len(buildings) >= policy.min_buildings
        passes = passes and not exceeds(largest_building, total, policy.max_building_share_percent)
    return Size(len(occupants), len(buildings), share_ppm(largest, total), share_ppm(largest_building, total), passes)


def is_measurable(delta_wh: object, units: int, intervals: int) -> bool:
    """True for an int64 array (units, intervals), small enough for exact sums of magnitudes."""
    if not isinstance(delta_wh, np.ndarray) or delta_wh.dtype != np.int64 or delta_wh.shape != (units, intervals):
        return False
    if delta_wh.size == 0:
        return True
    largest = max(int(delta_wh.max()), -int(delta_wh.min()))
    return largest * delta_wh.size <= _MAX_TOTAL_WH


def examine(contributions_wh: Wh, on_roster: Flags, size: Size, policy: Policy) -> Findings:
    """Steps 3 and 4 for every interval and for the day; ``contributions_wh`` is occupants x intervals, >= 0.

    Everybody is protected; only who is ``on_roster`` counts as active.
    """
    occupants, intervals = contributions_wh.shape
    if occupants == 0:
        return Findings(size, intervals)
    totals = contributions_wh.sum(axis=0).tolist()
    active = np.count_nonzero(contributions_wh[on_roster], axis=0).tolist()
    top = np.sort(contributions_wh, axis=0)[::-1]
    largest = top[0].tolist()
    second = top[1].tolist() if occupants > 1 else [0] * intervals
    nonzero = [t for t in range(intervals) if totals[t]]
    failing = []
    for t in nonzero:
        few = active[t] < policy.k_active
        unsafe = p_percent_unsafe(totals[t], largest[t], second[t], policy.p_percent)
        if few or unsafe:
            failing.append(Interval(t + 1, active[t], few, unsafe))
    day, largest_day = sum(totals), int(contributions_wh.sum(axis=1).max())
    return Findings(
        size=size,
        intervals=intervals,
        nonzero_intervals=len(nonzero),
        min_active=min((active[t] for t in nonzero), default=None),
        worst_interval_share_ppm=max((share_ppm(largest[t], totals[t]) for t in nonzero), default=0),
        largest_day_share_ppm=share_ppm(largest_day, day),
        day_share_passes=not exceeds(largest_day, day, policy.max_day_share_percent),
        failing=tuple(failing),
    )


def insiders_learn_too_much(enrolment: Enrolment, delta_wh: Wh, size: Size, policy: Policy) -> bool:
    """Step 7: steps 3 and 4 for what is left when the largest take their own part out.

    Out go, one after the other, the ``coalition`` largest occupants of the day, the largest of every interval, and
    from a cohort the building largest by contract and the one largest on the day.
    """
    contributions, on_roster = enrolment.contributions(delta_wh), enrolment.on_roster
    out = min(policy.coalition, len(contributions))
    by_day = np.argsort(-contributions.sum(axis=1), kind="stable")[out:]
    if not _passes(examine(contributions[by_day], on_roster[by_day], size, policy)):
        return True
    if _interval_insiders(contributions, on_roster, out, policy):
        return True
    return any(
        not _passes(examine(enrolment.without(building, delta_wh), on_roster, size, policy))
        for building in _largest_buildings(enrolment, delta_wh)
    )


def _passes(found: Findings) -> bool:
    return not found.failing and found.day_share_passes


def _interval_insiders(contributions: Wh, on_roster: Flags, out: int, policy: Policy) -> bool:
    """Steps 3 and 4 in every interval without its ``out`` largest."""
    rest = np.sort(contributions, axis=0)[::-1][out:]
    active = np.count_nonzero(contributions[on_roster], axis=0) - out
    totals = rest.sum(axis=0).tolist()
    for t, total in enumerate(totals):
        if not total:
            continue
        second = int(rest[1, t]) if len(rest) > 1 else 0
        if int(active[t]) < policy.k_active or p_percent_unsafe(total, int(rest[0, t]), second, policy.p_percent):
            return True
    return False


def _largest_buildings(enrolment: Enrolment, delta_wh: Wh) -> set[str]:
    """Of a cohort, the building largest by contract and the one largest on the day."""
    if enrolment.level is not Level.COHORT:
        return set()
    names = sorted({member.building for member in enrolment.members})
    by_contract = dict(zip(names, enrolment.building_weights, strict=True))
    by_day = enrolment.by_building(delta_wh)
    return {max(sorted(weights), key=lambda b: weights[b]) for weights in (by_contract, by_day) if weights}
