"""Which rule fits a site: failure rates on its plan and its metered days, and the surplus each would cost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planner.case import Case
from planner.groups import GroupKind, release_groups
from planner.preparation import prepare
from planner.privacy.profiles import Profiles, metered_days
from planner.privacy.recount import House, Recounted, houses_of, together
from planner.privacy.rules import RULES, WHOLE_GATE, Rule
from planner.problems import InvalidInput
from planner.provenance import look_back
from planner.quantise import Ints
from planner.security.gate import Gate, Release, ReleaseCandidate
from planner.security.policy import Policy
from planner.security.slot import Slot
from planner_models.words import City

Tell = Callable[[str], None]
HISTORY_DAYS = 28


@dataclass(frozen=True)
class Outcome:
    """What a rule would do to a site; cells are intervals of a group in which anything happens.

    ``groups`` pass by enrolment, ``dark`` buildings do not.  ``cells_failing``, ``days_failing`` (groups with any
    failing cell: the whole day stays) and ``totals_failing`` (the rule on the sum over the day) are ratios over the
    groups of the plan; ``metered_cells_failing`` and ``metered_days_failing`` the same over metered days.
    ``surplus_lost`` is the share of the surplus of trading that groups kept dark or in would have had.
    """

    rule: str
    groups: int
    dark: int
    cells_failing: float | None
    days_failing: float
    totals_failing: float | None
    surplus_lost: float
    metered_cells_failing: float | None = None
    metered_days_failing: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def calibrate(case: Case, gap: float | None = None, tell: Tell = lambda words: None) -> tuple[Outcome, ...]:
    """Clear the case once inside, without any gate, and hold every rule against what comes out."""
    city, houses, profiles = cleared_inside(case, gap, tell)
    tell("trying the rules")
    return outcomes(city, houses, profiles)


def cleared_inside(case: Case, gap: float | None, tell: Tell) -> tuple[City, tuple[House, ...], Profiles | None]:
    """The city, what its buildings do without any gate, and its metered days, if it has any."""
    case = case.with_(privacy={"preset": "internal"}, solver={"mode": "decentralised"})
    with tempfile.TemporaryDirectory(prefix="planner-") as scratch:
        from planner.clearing import clear

        run = clear(case, Path(scratch) / "run", gap=gap, tell=tell)
        houses = houses_of(run.folder)
    city = prepare(case, look_back(case).tomorrow)
    try:
        return city, houses, metered_days(case)
    except InvalidInput:
        return city, houses, None


def outcomes(city: City, houses: Sequence[House], profiles: Profiles | None) -> tuple[Outcome, ...]:
    """Every rule alone, then the gate's presets as a whole (insiders and the cap on the day included)."""
    found = [_of_rule(rule, _grouped(city, houses, rule.policy), houses, profiles) for rule in RULES]
    return tuple(found + [of_gate(city, houses, policy) for policy in WHOLE_GATE])


def _grouped(city: City, houses: Sequence[House], policy: Policy) -> list[Recounted]:
    """The groups that may speak by enrolment under a policy."""
    by_id = {house.id: house for house in houses}
    groups = release_groups(city, policy)
    return [together(g.id, [by_id[b] for b in g.buildings]) for g in groups if g.kind is not GroupKind.DARK]


def _of_rule(rule: Rule, groups: Sequence[Recounted], houses: Sequence[House], profiles: Profiles | None) -> Outcome:
    tables = [group.enrolment.contributions(group.delta_wh) for group in groups]
    cells = [rule.failing(table) for table in tables]
    kept = [group for group, (failing, _) in zip(groups, cells, strict=True) if not failing]
    metered = _metered(rule, groups, profiles)
    return Outcome(
        rule=rule.name,
        groups=len(groups),
        dark=len(houses) - sum(len(group.buildings) for group in groups),
        cells_failing=_ratio(sum(f for f, _ in cells), sum(n for _, n in cells)),
        days_failing=_ratio(len(groups) - len(kept), len(groups)) or 0.0,
        totals_failing=_ratio(sum(map(rule.fails_on_the_day, tables)), len(tables)),
        surplus_lost=_lost(houses, kept),
        metered_cells_failing=metered[0],
        metered_days_failing=metered[1],
    )


def of_gate(city: City, houses: Sequence[House], policy: Policy) -> Outcome:
    """What the whole gate would do under a policy."""
    groups = _grouped(city, houses, policy)
    kept = [group for group in groups if may_leave(group, policy)]
    return Outcome(
        rule=f"preset {policy.name}",
        groups=len(groups),
        dark=len(houses) - sum(len(group.buildings) for group in groups),
        cells_failing=None,
        days_failing=_ratio(len(groups) - len(kept), len(groups)) or 0.0,
        totals_failing=None,
        surplus_lost=_lost(houses, kept),
    )


def may_leave(group: Recounted, policy: Policy) -> bool:
    """The whole gate on a committed position, earlier releases left aside."""
    position = group.delta_wh.sum(axis=0).tolist()
    slot = Slot("2000-01-01", 0, 1, 1)
    fields: dict[str, int | Sequence[int]] = {"position_wh": tuple(position), "cost": 0}
    candidate = ReleaseCandidate(group.enrolment, "commit", "trial", 0, fields, group.delta_wh, slot)
    return isinstance(Gate(policy).decide(candidate), Release)


def _lost(houses: Sequence[House], kept: Iterable[Recounted]) -> float:
    """Share of the surplus that falls to buildings of no kept group."""
    speaking = {building for group in kept for building in group.buildings}
    total = sum(max(house.surplus, 0.0) for house in houses)
    lost = sum(max(house.surplus, 0.0) for house in houses if house.id not in speaking)
    return lost / total if total else 0.0


def _metered(rule: Rule, groups: Sequence[Recounted], profiles: Profiles | None) -> tuple[float | None, float | None]:
    """(cells, group-days) that fail on the last metered days, by the magnitude of each unit's net use."""
    if profiles is None:
        return None, None
    failing = cells = lost = days = 0
    for group in groups:
        for table in _days(group, profiles):
            bad, busy = rule.failing(table)
            failing, cells, lost, days = failing + bad, cells + busy, lost + (bad > 0), days + (busy > 0)
    return _ratio(failing, cells), _ratio(lost, days)


def _days(group: Recounted, profiles: Profiles) -> Iterable[Ints]:
    """|net use| by occupant and interval of each metered day."""
    row = {unit: i for i, unit in enumerate(profiles.units)}
    nothing = np.zeros(profiles.use_wh.shape[2], dtype=np.int64)
    for day in range(max(0, len(profiles.dates) - HISTORY_DAYS), len(profiles.dates)):
        use = [profiles.use_wh[row[u.id], day] if u.id in row else nothing for u in group.enrolment.units]
        yield group.enrolment.contributions(np.stack(use))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def in_rows(found: Sequence[Outcome]) -> list[list[str]]:
    """A table for people: one line a rule."""
    rows = [
        [
            "rule",
            "groups",
            "dark",
            "cells fail",
            "days kept in",
            "day totals fail",
            "surplus lost",
            "metered cells fail",
            "metered days fail",
        ]
    ]
    for o in found:
        ratios = (
            o.cells_failing,
            o.days_failing,
            o.totals_failing,
            o.surplus_lost,
            o.metered_cells_failing,
            o.metered_days_failing,
        )
        rows.append([o.rule, str(o.groups), str(o.dark), *("-" if r is None else f"{r:.1%}" for r in ratios)])
    return rows
