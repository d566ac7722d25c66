"""R3 to R5 and R7: who stands behind a group that speaks, from who lives where; integers throughout."""

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
    """A release group: contracted Wh and |position| (intervals) per occupant, contracted Wh per building.

    Contracts and units are those of the month's roster where the run has it; ``places`` are (building, occupant).
    """

    contracted: dict[str, int] = field(default_factory=dict)
    moved: dict[str, Wh] = field(default_factory=dict)
    moved_in: dict[tuple[str, str], Wh] = field(default_factory=dict)
    places: set[tuple[str, str]] = field(default_factory=set)
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
    roster = _roster(b)
    for i, unit in enumerate(b.units):
        use, occupant = known.get(unit, ("common", ""))
        contracted = int(b.allocation[i, day].sum())
        if use == "common" or (contracted == 0 and unit not in furnished):
            continue
        who = occupant or unit
        group.moved[who] = group.moved.get(who, 0) + np.abs(b.delta[i])
        group.moved_in[b.id, who] = group.moved_in.get((b.id, who), 0) + np.abs(b.delta[i])
        if roster is None:
            _count(group, b.id, who, contracted, 1)
    for who, contracted, units in roster or ():
        _count(group, b.id, who, contracted, units)


def _roster(b: Building) -> list[tuple[str, int, int]] | None:
    """The month's roster of a building: (occupant, contracted Wh, units); None where the run has none."""
    try:
        table = b.run.table(f"{b.folder}/roster")
    except MissingFileError:
        return None
    units = table.numbers("units").astype(np.int64).tolist()
    return list(zip(table.text("occupant"), table.wh("contracted_kwh").tolist(), units, strict=True))


def _count(group: Members, building: str, who: str, contracted: int, units: int) -> None:
    group.contracted[who] = group.contracted.get(who, 0) + contracted
    group.units[who] = group.units.get(who, 0) + units
    group.buildings[building] = group.buildings.get(building, 0) + contracted
    group.units_of_building[building] = group.units_of_building.get(building, 0) + units
    group.places.add((building, who))


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


def check_insiders(run: Evidence, found: Findings) -> None:
    """R7: R4 and R5 once more for what is left when the largest take their own part out."""
    policy = policy_of(run)
    for name, group in sorted(speaking_groups(run).items()):
        rows = np.array(list(group.moved.values())).reshape(len(group.moved), -1)
        if not len(rows):
            continue
        _what_is_left(
            found, policy, name, "the largest occupant of the interval", np.sort(rows, axis=0)[:-1], day=False
        )
        largest = int(rows.sum(axis=1).argmax())
        _what_is_left(found, policy, name, "the largest occupant of the day", np.delete(rows, largest, axis=0))
        if _is_cohort(run, name):
            for building in _largest_buildings(group):
                _what_is_left(found, policy, name, f"building {building}", _without(group, building))


def _largest_buildings(group: Members) -> set[str]:
    """The largest by contract, and the one that moved most on the day."""
    weights = group.buildings if any(group.buildings.values()) else group.units_of_building
    of_day: dict[str, int] = {}
    for (building, _), row in group.moved_in.items():
        of_day[building] = of_day.get(building, 0) + int(row.sum())
    return {max(sorted(amounts), key=lambda name: amounts[name]) for amounts in (weights, of_day) if amounts}


def _without(group: Members, building: str) -> Wh:
    """Each occupant's |position| elsewhere."""
    left = {who: row.copy() for who, row in group.moved.items()}
    for (place, who), row in group.moved_in.items():
        if place == building:
            left[who] = left[who] - row
    return np.array(list(left.values()))


def _what_is_left(found: Findings, policy: Policy, group: str, without: str, rows: Wh, day: bool = True) -> None:
    """Activity, p% rule and, where ``day``, the cap on the day, of what is left without somebody."""
    ordered = np.sort(rows, axis=0)
    active, busy = (rows > 0).sum(axis=0), rows.sum(axis=0) > 0
    few = busy & (active < policy.k_active)
    found.flag("R7", "buildings/", (group,), few[None], f"too few active without {without}", active, policy.k_active)
    if len(ordered):
        rest = ordered[:-2].sum(axis=0)
        unsafe = busy & (100 * rest < policy.p_percent * ordered[-1])
        what = f"the largest could be estimated too well without {without}"
        found.flag("R7", "buildings/", (group,), unsafe[None], what, rest, policy.p_percent / 100 * ordered[-1])
    totals = rows.sum(axis=1)
    if day and 100 * int(totals.max(initial=0)) > policy.max_day_share_percent * int(totals.sum()):
        share = 100 * int(totals.max()) / int(totals.sum())
        what = f"an occupant has too large a share of the day without {without} (%)"
        found.add("R7", "market/groups.csv", what, share, policy.max_day_share_percent, name=group)
