"""What one clear is asked for beyond its case: a deadline, a warm start, who stays out, how much is summed, where."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from planner import hierarchy
from planner.case import Case
from planner.fleets import LOCAL, Where
from planner.groups import Group, GroupKind
from planner.problems import InvalidInput, Problem
from planner_models.words import Building, City

STAYS_OUT = "it stays out of this clear, as asked"
WRITING_S = 5.0
WRITING_S_PER_UNIT = 0.05
"""What settling, writing and auditing may take of the time before a deadline."""


@dataclass(frozen=True)
class Wishes:
    """``deadline`` is HH:MM in the case's timezone; ``without`` names nodes; ``summed`` hides groups in sums."""

    deadline: str | None = None
    warm: Path | None = None
    without: tuple[str, ...] = ()
    summed: bool = False
    where: Where = LOCAL

    @property
    def sha256(self) -> str:
        """Of what changes the answer; where it is computed does not."""
        warm = (self.warm / "certificate.json").read_bytes() if self.warm else b""
        return hashlib.sha256(repr((self.without, self.summed)).encode() + warm).hexdigest()


def limit_s(case: Case, wishes: Wishes, now: datetime) -> float:
    """Seconds this clear may take: the case's limit, or less where the deadline comes first; 0 if it has passed."""
    limit = case.settings.solver.time_limit_s
    if wishes.deadline is None:
        return limit
    units = int((case.nodes["kind"] == "unit").sum()) if len(case.nodes) else 0
    left = until(wishes.deadline, case.settings.timezone, now) - WRITING_S - WRITING_S_PER_UNIT * units
    return max(0.0, min(limit, left))


def until(clock_time: str, timezone: str, now: datetime) -> float:
    """Seconds from ``now`` to the nearest HH:MM in ``timezone``; negative where it has just passed."""
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", clock_time):
        raise _refused("is no time of day", clock_time, "write it as --deadline 11:45")
    here = now.astimezone(ZoneInfo(timezone))
    hour, minute = map(int, clock_time.split(":"))
    days = (here.date() + timedelta(days=d) for d in (-1, 0, 1))
    found = [datetime(d.year, d.month, d.day, hour, minute, tzinfo=here.tzinfo) for d in days]
    return min(((at.timestamp() - now.timestamp()) for at in found), key=abs)


def staying_out(case: Case, nodes: Sequence[str]) -> set[str]:
    """Buildings at or below ``nodes``; raises InvalidInput for a node that is none or lies inside a building."""
    known = {str(n): str(k) for n, k in zip(case.nodes["node"], case.nodes["kind"], strict=True)}
    problems = [_problem("is no node of this case", n, "nodes.csv names them") for n in nodes if n not in known]
    problems += [
        _problem("is a unit, and a building speaks for all of its units", n, "name a building or what lies above it")
        for n in nodes
        if known.get(n) == "unit"
    ]
    if problems:
        raise InvalidInput(problems)
    graph = case.graph
    return {b for b in hierarchy.buildings(graph) if {b, *hierarchy.ancestors(graph, b)} & set(nodes)}


def dark(city: City, out: Container[str]) -> list[Group]:
    """A dark group of every building that stays out."""
    return [_dark(b) for b in city.buildings if b.id in out]


def _dark(building: Building) -> Group:
    feeders = tuple(sorted(building.feeders))
    return Group(building.id, GroupKind.DARK, (building.id,), building.zone, feeders, STAYS_OUT)


def _refused(what: str, value: str, hint: str) -> InvalidInput:
    return InvalidInput([_problem(what, value, hint)])


def _problem(what: str, value: str, hint: str) -> Problem:
    return Problem("command line", 0, what, value, hint)
