"""The groups of a finished run, counted again from the buildings' own files: who they are and what they did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.audit.evidence import Building, Evidence
from planner.audit.positions import asset_nodes
from planner.audit.table import DamagedFileError, MissingFileError
from planner.problems import InvalidInput, Problem
from planner.security.enrolment import EnrolledUnit, Enrolment, Level, Wh


@dataclass(frozen=True)
class House:
    """A building of a run: its units as enrolled, their positions (Wh, units x intervals of the horizon), its place.

    ``surplus`` is what trading at the run's prices saved it against no trade, in currency.
    """

    id: str
    group: str
    dark: bool
    zone: str
    units: tuple[EnrolledUnit, ...]
    delta_wh: Wh
    surplus: float


@dataclass(frozen=True)
class Recounted:
    """A group with the positions of all its units, in the order of the enrolment."""

    enrolment: Enrolment
    delta_wh: Wh
    dark: bool
    buildings: tuple[str, ...]


def houses_of(run: Path) -> tuple[House, ...]:
    """Every building of a run; raises InvalidInput where the folder does not hold all of them."""
    evidence = Evidence(run)
    try:
        return tuple(_house(building) for building in evidence.complete())
    except (MissingFileError, DamagedFileError) as missing:
        hint = "the whole run folder is needed, with all its buildings"
        raise InvalidInput([Problem(run.name, 0, f"cannot be recounted: {missing}", hint=hint)]) from None


def _house(b: Building) -> House:
    nodes = zip(b.nodes.text("node"), b.nodes.text("use"), b.nodes.text("occupant"), strict=True)
    known = {node: (use, occupant) for node, use, occupant in nodes}
    furnished = set(asset_nodes(b).values())
    settled = slice(0, b.grid.settled)
    units = []
    for i, unit in enumerate(b.units):
        use, occupant = known.get(unit, ("common", ""))
        contracted = int(b.allocation[i, settled].sum())
        counted = use != "common" and (contracted != 0 or unit in furnished)
        units.append(EnrolledUnit(unit, occupant or unit, b.id, contracted, counted))
    return House(b.id, b.group, b.dark, str(b.answer.get("zone", "")), tuple(units), b.delta, _surplus(b))


def _surplus(b: Building) -> float:
    """No-trade cost less the cost with trade, the position at the node price included; 0 for a dark building."""
    if b.dark:
        return 0.0
    paid = int((b.node_price * b.position).sum()) / 1e9
    return float(b.answer["no_trade_cost"]) - float(b.answer["cost"]) - paid


def groups_of(houses: tuple[House, ...]) -> dict[str, Recounted]:
    """The run's groups by id."""
    members: dict[str, list[House]] = {}
    for house in houses:
        members.setdefault(house.group, []).append(house)
    return {name: together(name, found) for name, found in sorted(members.items())}


def together(name: str, houses: list[House]) -> Recounted:
    """Some buildings as one group."""
    level = Level.COHORT if len(houses) > 1 else Level.BUILDING
    units = tuple(unit for house in houses for unit in house.units)
    delta = np.concatenate([house.delta_wh for house in houses])
    return Recounted(Enrolment(name, level, units), delta, houses[0].dark, tuple(house.id for house in houses))
