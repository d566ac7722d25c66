"""Who is in a release group, from enrolment data alone, and what each of them contributes.

The unit of privacy is one occupant: all units of one occupant, whatever their number and building, count once.
Common and vacant units belong to nobody who could be counted on; they are neither counted nor summed, so they
can hide no one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

Wh = npt.NDArray[np.int64]


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


@dataclass(frozen=True)
class Enrolment:
    """The units of one group; rows of every array handed to it follow the order of ``units``."""

    group: str
    level: Level
    units: tuple[EnrolledUnit, ...]

    @cached_property
    def occupants(self) -> tuple[str, ...]:
        """The counted occupants, sorted: the rows of ``contributions``."""
        return tuple(sorted({unit.occupant for unit in self.units if unit.counted}))

    @cached_property
    def occupant_weights(self) -> tuple[int, ...]:
        """Contracted energy per occupant in Wh, or units per occupant where nothing at all is contracted."""
        weights = self._weights([unit.occupant for unit in self.units if unit.counted])
        return tuple(weights[occupant] for occupant in self.occupants)

    @cached_property
    def building_weights(self) -> tuple[int, ...]:
        """The same per building with a counted unit, in sorted order of the buildings."""
        weights = self._weights([unit.building for unit in self.units if unit.counted])
        return tuple(weights[building] for building in sorted(weights))

    def contributions(self, delta_wh: Wh) -> Wh:
        """|delta| per occupant and interval (int64 Wh) of ``delta_wh`` (units x intervals, signed Wh).

        The magnitudes of an occupant's units are added: an offer of one unit does not hide a request of another.
        """
        return self._by_occupant(np.abs(delta_wh))

    def changed(self, before_wh: Wh, after_wh: Wh) -> int:
        """How many occupants have a unit whose position differs between two answers (both units x intervals)."""
        return int(np.any(self._by_occupant((before_wh != after_wh).astype(np.int64)) > 0, axis=1).sum())

    def _by_occupant(self, values: Wh) -> Wh:
        rows, occupant_of_row = self._rows
        total = np.zeros((len(self.occupants), values.shape[1]), dtype=np.int64)
        np.add.at(total, occupant_of_row, values[rows])
        return total

    @cached_property
    def _rows(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Row numbers of the counted units, and the occupant's row of each."""
        number = {occupant: row for row, occupant in enumerate(self.occupants)}
        counted = [(row, number[unit.occupant]) for row, unit in enumerate(self.units) if unit.counted]
        pairs = np.array(counted, dtype=np.intp).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def _weights(self, keys: list[str]) -> Counter[str]:
        counted = [unit.contracted_wh for unit in self.units if unit.counted]
        weights: Counter[str] = Counter(dict.fromkeys(keys, 0))
        for key, contracted_wh in zip(keys, counted, strict=True):
            weights[key] += contracted_wh if any(counted) else 1
        return weights
