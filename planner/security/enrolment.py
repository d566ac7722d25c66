"""Who is in a release group, from enrolment data alone, and what each of them contributes.

The unit of privacy is one occupant: all units of one occupant, whatever their number and building, count once.
Common and vacant units belong to nobody who could be counted on; they are neither counted nor summed, so they
can hide no one.  Who is on a group's roster may be fixed earlier than today (for the month): whoever moved out since
stays on it and contributes nothing; whoever moved in is protected like everybody, but helps no count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

Wh = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Place = tuple[str, str]
"""An occupant in a building: (building, occupant)."""


class Level(StrEnum):
    """How large the group is that speaks with one voice."""

    BUILDING = "building"
    COHORT = "cohort"


@dataclass(frozen=True)
class EnrolledUnit:
    """One unit: its occupant (a pseudonym), building, contracted energy in Wh, and whether it counts."""

    id: str
    occupant: str
    building: str
    contracted_wh: int
    counted: bool = True


@dataclass(frozen=True, order=True)
class Member:
    """An occupant on the roster of a building: contracted Wh and number of units when the roster was fixed."""

    building: str
    occupant: str
    contracted_wh: int
    units: int = 1


def members_of(units: Iterable[EnrolledUnit]) -> tuple[Member, ...]:
    """The roster that ``units`` make today, sorted."""
    contracted: Counter[Place] = Counter()
    number: Counter[Place] = Counter()
    for unit in units:
        if unit.counted:
            contracted[unit.building, unit.occupant] += unit.contracted_wh
            number[unit.building, unit.occupant] += 1
    return tuple(Member(*place, contracted[place], number[place]) for place in sorted(number))


@dataclass(frozen=True)
class Enrolment:
    """The units of one group; rows of every array handed to it follow the order of ``units``.

    ``fixed`` is the roster where it was fixed earlier; None takes that of today.
    """

    group: str
    level: Level
    units: tuple[EnrolledUnit, ...]
    fixed: tuple[Member, ...] | None = None

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The roster."""
        return members_of(self.units) if self.fixed is None else self.fixed

    @cached_property
    def places(self) -> frozenset[Place]:
        """The roster as a set of (building, occupant): what a release is about."""
        return frozenset((member.building, member.occupant) for member in self.members)

    @cached_property
    def occupants(self) -> tuple[str, ...]:
        """Everybody on the roster or behind a unit that counts, sorted: the rows of ``contributions``."""
        present = {unit.occupant for unit in self.units if unit.counted}
        return tuple(sorted(present | {member.occupant for member in self.members}))

    @cached_property
    def on_roster(self) -> Flags:
        """Which of ``occupants`` count towards a minimum; those who joined since the roster was fixed do not."""
        known = {member.occupant for member in self.members}
        return np.array([occupant in known for occupant in self.occupants], dtype=np.bool_)

    @cached_property
    def occupant_weights(self) -> tuple[int, ...]:
        """Contracted energy in Wh per occupant on the roster, or their units where nothing at all is contracted."""
        weights = self._weights(lambda member: member.occupant)
        return tuple(weights[occupant] for occupant in sorted(weights))

    @cached_property
    def building_weights(self) -> tuple[int, ...]:
        """The same per building with anybody on the roster, in sorted order of the buildings."""
        weights = self._weights(lambda member: member.building)
        return tuple(weights[building] for building in sorted(weights))

    def contributions(self, delta_wh: Wh) -> Wh:
        """|delta| per occupant and interval (int64 Wh) of ``delta_wh`` (units x intervals, signed Wh).

        The magnitudes of an occupant's units are added: an offer of one unit does not hide a request of another.
        """
        rows, occupant_of_row = self._rows
        total = np.zeros((len(self.occupants), delta_wh.shape[1]), dtype=np.int64)
        np.add.at(total, occupant_of_row, np.abs(delta_wh[rows]))
        return total

    def without(self, building: str, delta_wh: Wh) -> Wh:
        """``contributions`` when the units of one building keep out of it."""
        elsewhere = np.array([unit.building != building for unit in self.units], dtype=np.int64)
        return self.contributions(delta_wh * elsewhere[:, None])

    def by_building(self, delta_wh: Wh) -> dict[str, int]:
        """The day's sum of |delta| in Wh of the counted units of each building."""
        rows, _ = self._rows
        moved = np.abs(delta_wh[rows]).sum(axis=1).tolist()
        total: Counter[str] = Counter()
        for row, energy_wh in zip(rows.tolist(), moved, strict=True):
            total[self.units[row].building] += energy_wh
        return dict(total)

    @cached_property
    def _rows(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Row numbers of the counted units, and the occupant's row of each."""
        number = {occupant: row for row, occupant in enumerate(self.occupants)}
        counted = [(row, number[unit.occupant]) for row, unit in enumerate(self.units) if unit.counted]
        pairs = np.array(counted, dtype=np.intp).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def rows_of_places(self) -> dict[Place, list[int]]:
        """Row numbers of the counted units of each occupant in each building."""
        rows: dict[Place, list[int]] = {}
        for row, unit in enumerate(self.units):
            if unit.counted:
                rows.setdefault((unit.building, unit.occupant), []).append(row)
        return rows

    def _weights(self, key: Callable[[Member], str]) -> Counter[str]:
        contracted = any(member.contracted_wh for member in self.members)
        weights: Counter[str] = Counter()
        for member in self.members:
            weights[key(member)] += member.contracted_wh if contracted else member.units
        return weights
