"""R3 to R5: who stands behind a group that speaks, from who lives where; integers throughout."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.positions import asset_nodes
from planner.audit.table import DamagedFileError, MissingFileError, Wh
from planner.security.policy import PRESETS, Policy

NOTHING_SENT = "nothing is released under this preset"


@dataclass
class Members:
    """A release group: contracted Wh and |position| (intervals) per occupant, contracted Wh per building."""

    contracted: dict[str, int] = field(default_factory=dict)
    moved: dict[str, Wh] = field(default_factory=dict)
    buildings: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    units_of_building: dict[str, int] = field(default_factory=dict)


def policy_of(run: Evidence) -> Policy:
    """The policy in force; raises MissingFileError where it has no gate, so nothing is subject to the rules."""
    policy = PRESETS.get(run.terms.preset)
    if policy is None:
        raise DamagedFileError("market/case/case.toml", f"unknown privacy preset {run.terms.preset}")
    if not policy.gated:
        raise MissingFileError(f"preset {policy.name}: {NOTHING_SENT}")
    return policy


def speaking_groups(run: Evidence) -> dict[str, Members]:
    """Groups that are not dark, with all their occupants."""
    groups: dict[str, Members] = {}
    for b in run.complete():
        if not b.dark:
            _enrol(b, groups.setdefault(b.group, Members()))
    return groups


def _enrol(b: Building, group: Members) -> None:
    """Add a building's units; common units, and vacant ones with nothing in them, hide nobody and do not count."""
    nodes = zip(b.nodes.text("node"), b.nodes.text("use"), b.nodes.text("occupant"), strict=True)
    known = {node: (use, occupant) for node, use, occupant in nodes}
    furnished = set(asset_nodes(b).values())
    day = slice(0, b.grid.settled)
    for i, unit in enumerate(b.units):
        use, occupant = known.get(unit, ("common", ""))
        contracted = int(b.allocation[i, day].sum())
        if use == "common" or (contracted == 0 and unit not in furnished):
            continue
        who = occupant or unit
        group.contracted[who] = group.contracted.get(who, 0) + contracted
        group.units[who] = group.units.get(who, 0) + 1
        group.moved[who] = group.moved.get(who, 0) + np.abs(b.delta[i])
        group.buildings[b.id] = group.buildings.get(b.id, 0) + contracted
        group.units_of_building[b.id] = group.units_of_building.get(b.id, 0) + 1


def check_size(run: Evidence, found: Findings) -> None:
    """R3: occupants of every group that speaks; buildings of a cohort."""
    policy = policy_of(run)
    for name, group in sorted(speaking_groups(run).items()):
        if len(group.contracted) < policy.min_occupants:
            what = "too few occupants"
            found.add("R3", "market/groups.csv", what, len(group.contracted), policy.min_occupants, name=name)
        if _is_cohort(run, name) and len(group.buildings) < policy.min_buildings:
            what = "too few buildings in a cohort"
            found.add("R3", "market/groups.csv", what, len(group.buildings), policy.min_buildings, name=name)


def _is_cohort(run: Evidence, name: str) -> bool:
    groups = run.table("market/groups")
    return dict(zip(groups.text("group"), groups.text("kind"), strict=True)).get(name) == "cohort"


def check_concentration(run: Evidence, found: Findings) -> None:
    """R4: by contract, in every interval (p% rule), and over the day."""
    policy = policy_of(run)
    for name, group in sorted(speaking_groups(run).items()):
        _check_share(
            found, name, "an occupant by contract", group.contracted, group.units, policy.max_contracted_share_percent
        )
        if _is_cohort(run, name):
            limit = policy.max_building_share_percent
            _check_share(found, name, "a building by contract", group.buildings, group.units_of_building, limit)
        moved = np.sort(np.array(list(group.moved.values())).reshape(len(group.moved), -1), axis=0)
        if len(moved) < 2:
            continue
        largest, rest = moved[-1], moved[:-2].sum(axis=0)
        unsafe = 100 * rest < policy.p_percent * largest
        what = "the largest occupant could be estimated too well"
        found.flag("R4", "buildings/", (name,), unsafe[None], what, rest, policy.p_percent / 100 * largest)
        of_day = {who: int(row.sum()) for who, row in group.moved.items()}
        _check_share(
            found, name, "an occupant over the day", of_day, group.units, policy.max_day_share_percent, empty=True
        )


def _check_share(
    found: Findings,
    group: str,
    what: str,
    amount: dict[str, int],
    units: dict[str, int],
    limit: int,
    empty: bool = False,
) -> None:
    """The largest share in percent; where nothing is contracted at all, units weigh alike."""
    weights = amount if any(amount.values()) or empty else units
    largest, total = max(weights.values(), default=0), sum(weights.values())
    if 100 * largest > limit * total:
        found.add(
            "R4", "market/groups.csv", f"{what} has too large a share (%)", 100 * largest / total, limit, name=group
        )


def check_active(run: Evidence, found: Findings) -> None:
    """R5."""
    policy = policy_of(run)
    for name, group in sorted(speaking_groups(run).items()):
        active = np.array([row != 0 for row in group.moved.values()]).sum(axis=0)
        few = ((active > 0) & (active < policy.k_active)) if len(group.moved) else np.zeros(len(run.grid), dtype=bool)
        found.flag("R5", "buildings/", (name,), few[None], "too few active occupants", active, policy.k_active)
