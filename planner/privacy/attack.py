"""Attacks on a site's own history: what one who leaves gives away, and what sums give away together.

An empirical measure, no guarantee: it says how well two simple attackers would do, not how well the best one could.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from planner.case import Case
from planner.groups import Group, GroupKind, enrolment_of_site
from planner.hierarchy import parents, upwards
from planner.privacy.profiles import Profiles
from planner.quantise import Floats
from planner.security.differencing import Row, isolated, occupants_of
from planner.security.enrolment import Place
from planner_models.words import City

SIZES = (3, 8, 15, 30, 60, 150)
TOGETHER = (1, 3, 5)
DAYS = 10
TRIALS = 200
ANY = 10**9
MOST = 2
"""Sums of sums: more than two of what remains after elimination are not added up, for time."""


@dataclass(frozen=True)
class Leaver:
    """What comparing ``days`` working days before with as many after tells of one who left a group.

    ``skill`` is the median over trials of 1 - |estimate - profile|² / |group mean - profile|²: 1 is the profile itself,
    0 no better than the mean of the group.  ``named`` is how often the nearest of all members' profiles is that of one
    who left; ``chance`` is what guessing gives.
    """

    size: int
    together: int
    skill: float
    named: float
    chance: float
    days: int
    trials: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def leavers(profiles: Profiles, seed: int = 1, sizes: Sequence[int] = SIZES) -> tuple[Leaver, ...]:
    """The attack for every size the site can fill, on groups drawn from all its units."""
    working = profiles.use_wh[:, profiles.kinds == 0].astype(np.float64)
    days = min(DAYS, working.shape[1] // 2)
    if days < 2:
        return ()
    drawn = np.random.default_rng(seed)
    known = [(n, c) for n in sizes for c in TOGETHER if n <= len(working) and c < n]
    return tuple(_trials(working, n, c, days, drawn) for n, c in known)


def _trials(use: Floats, size: int, together: int, days: int, drawn: np.random.Generator) -> Leaver:
    skills, hits = [], 0
    for _ in range(TRIALS):
        members = drawn.choice(len(use), size, replace=False)
        first = int(drawn.integers(0, use.shape[1] - 2 * days + 1))
        before, after = use[members, first : first + days], use[members, first + days : first + 2 * days]
        skill, hit = _one(before, after[together:].sum(axis=0), together)
        skills.append(skill)
        hits += hit
    return Leaver(size, together, float(np.median(skills)), hits / TRIALS, together / size, days, TRIALS)


def _one(before: Floats, after_total: Floats, together: int) -> tuple[float, bool]:
    """Skill and whether the leaver is named, where the first ``together`` members have left."""
    own = before.mean(axis=1)
    estimate = (own.sum(axis=0) - after_total.mean(axis=0)) / together
    error = float(((estimate - own[0]) ** 2).sum())
    guess = float(((own.mean(axis=0) - own[0]) ** 2).sum())
    nearest = int(((own - estimate) ** 2).sum(axis=1).argmin())
    return (1 - error / guess if guess else 0.0), nearest < together


@dataclass(frozen=True)
class Difference:
    """The smallest set of occupants whose sum follows from ``published`` sums; None where nothing overlaps."""

    published: str
    sums: int
    occupants: int | None
    buildings: int | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def differences(
    case: Case, city: City, groups: Iterable[Group], released: Iterable[Row] = ()
) -> tuple[Difference, ...]:
    """What today's groups give away, alone, with what was released before, and with totals that others may publish."""
    site = enrolment_of_site(city).places
    by_building: dict[str, set[Place]] = {}
    for place in site:
        by_building.setdefault(place[0], set()).add(place)
    speaking = [
        frozenset().union(*(by_building.get(b, set()) for b in group.buildings))
        for group in groups
        if group.kind is not GroupKind.DARK
    ]
    above: dict[str, set[Place]] = {}
    parent = parents(case.nodes)
    for building, places in by_building.items():
        for node in upwards(parent.get(building, ""), parent):
            above.setdefault(node, set()).update(places)
    totals = [frozenset(places) for places in above.values()]
    buildings = [frozenset(places) for places in by_building.values()]
    earlier = list(released)
    found = [_difference("today's groups", speaking)]
    if earlier:
        found.append(_difference("all that the ledger remembers", earlier))
    found.append(_difference("today's groups and the totals of every feeder, district and the city", speaking + totals))
    found.append(_difference("the same and every building's own total", speaking + totals + buildings))
    return tuple(found)


def _difference(published: str, rows: Sequence[Row]) -> Difference:
    rows = [row for row in rows if row]
    smallest = isolated(rows, ANY, MOST)
    size = None if smallest is None else occupants_of(smallest)
    return Difference(published, len(set(rows)), size, None if smallest is None else len({b for b, _ in smallest}))


def in_rows(found: Sequence[Leaver]) -> list[list[str]]:
    """A table for people: one line a size and number of those who leave together."""
    rows = [["group of", "leave together", "skill", "named", "by chance"]]
    for f in found:
        skill = f"{f.skill:.2f}" if f.skill >= 0 else "below 0"
        rows.append([str(f.size), str(f.together), skill, f"{f.named:.0%}", f"{f.chance:.0%}"])
    return rows


def differences_in_rows(found: Sequence[Difference]) -> list[list[str]]:
    """A table for people: what is published, and the smallest set it gives away."""
    rows = [["published", "sums", "smallest set it gives away"]]
    for d in found:
        told = f"{d.occupants} occupants in {d.buildings} buildings" if d.occupants else "none"
        rows.append([d.published, str(d.sums), told])
    return rows
