"""Who lives where: districts, buildings and units, their use, occupants and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.generate.mix import Mix

CITY = "city"
BUILDINGS_PER_DISTRICT = 10
KINDS = ("homes", "mixed", "offices")
KIND_RATIOS = (0.5, 0.35, 0.15)
# Share of uses among a building's units other than the common one.
USE_RATIOS = {
    "homes": {"apartment": 0.94, "shop": 0.04, "parking": 0.02},
    "mixed": {"apartment": 0.55, "office": 0.30, "shop": 0.10, "parking": 0.05},
    "offices": {"office": 0.88, "shop": 0.08, "parking": 0.04},
}
PEAK_KW = {"apartment": 2.2, "office": 3.6, "shop": 3.4, "parking": 1.6, "common": 3.0}
AREA_M2 = {"apartment": 72.0, "office": 140.0, "shop": 110.0, "parking": 300.0, "common": 250.0}
LARGE_BUILDING = 30  # units; below, nobody is so large that the building could not be released
SPREAD, SPREAD_IN_SMALL = 0.4, 0.25  # standard deviation of the logarithm of sizes
VACANT_RATIO = 0.015


@dataclass(frozen=True)
class Plan:
    """The city in columns: a row per district, building or unit; ``*_of`` index the row above.

    The first unit of a building is its common unit.  ``size`` is a unit's size relative to its use's median.
    """

    districts: np.ndarray
    buildings: np.ndarray
    units: np.ndarray
    district_of: np.ndarray
    building_of: np.ndarray
    kind: np.ndarray
    use: np.ndarray
    occupant: np.ndarray
    size: np.ndarray

    @property
    def common(self) -> np.ndarray:
        """The row of each building's common unit."""
        return np.flatnonzero(self.use == "common")

    @property
    def peak_kw(self) -> np.ndarray:
        """Greatest use of each unit's plain load, kW; a common unit's grows with its building."""
        peak = np.array([PEAK_KW[use] for use in self.use]) * self.size
        many = np.bincount(self.building_of)[self.building_of] / 50
        return np.round(np.where(self.use == "common", peak * np.maximum(many, 0.1), peak), 5)

    def per_building(self, rows: np.ndarray) -> np.ndarray:
        """Sum of the units' rows by building."""
        first = np.flatnonzero(np.diff(self.building_of, prepend=-1))
        return np.add.reduceat(rows, first, axis=0)


def even_sizes(units: int, units_per_building: int) -> np.ndarray:
    """Buildings' unit counts, as even as whole units allow, none above ``units_per_building``; at least two each."""
    buildings = min(-(-units // units_per_building), max(units // 2, 1))
    return np.array([units // buildings + (b < units % buildings) for b in range(buildings)])


def plan_city(
    sizes: np.ndarray,
    seed: int,
    mix: Mix,
    kinds: Sequence[str] | None = None,
    district_of: Sequence[int] | None = None,
) -> Plan:
    """Lay out buildings of the given unit counts; kinds and districts are drawn where they are not given."""
    rng = np.random.default_rng([seed, 1])
    number = len(sizes)
    building_of = np.repeat(np.arange(number), sizes)
    inside = np.arange(len(building_of)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kind = _kinds(number, rng) if kinds is None else np.array(kinds)
    district = np.arange(number) // BUILDINGS_PER_DISTRICT if district_of is None else np.array(district_of)
    buildings = _names("b", number)
    width = len(str(int(max(sizes))))
    units = np.array([f"{buildings[b]}-u{k:0{width}d}" for b, k in zip(building_of, inside, strict=True)])
    use = _uses(kind[building_of], building_of, inside == 0, rng)
    return Plan(
        districts=_names("d", int(district.max()) + 1),
        buildings=buildings,
        units=units,
        district_of=district,
        building_of=building_of,
        kind=kind,
        use=use,
        occupant=_occupants(building_of, use, rng, mix.several_units_ratio),
        size=_sizes(sizes[building_of] >= LARGE_BUILDING, rng),
    )


def _sizes(in_large: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lognormal sizes around 1; what would lie beyond two deviations is drawn again within them."""
    z = rng.normal(size=len(in_large))
    z = np.where(np.abs(z) > 2, rng.uniform(-2, 2, len(z)), z)
    return np.exp(np.where(in_large, SPREAD, SPREAD_IN_SMALL) * z)


def _names(letter: str, number: int) -> np.ndarray:
    width = max(2, len(str(number)))
    return np.array([f"{letter}{k:0{width}d}" for k in range(1, number + 1)])


def _kinds(number: int, rng: np.random.Generator) -> np.ndarray:
    """Kinds in the stated ratio (not only in expectation), in random order; the first building is mixed."""
    edges = np.cumsum(KIND_RATIOS)
    kinds = np.array(KINDS)[np.searchsorted(edges, (np.arange(number) + 0.5) / number)]
    rng.shuffle(kinds)
    kinds[0] = "mixed"
    return kinds


def _uses(kind: np.ndarray, building_of: np.ndarray, is_common: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    draw = rng.random(len(kind))
    use = np.full(len(kind), "apartment", dtype="<U9")
    for name, ratios in USE_RATIOS.items():
        edges = np.cumsum(list(ratios.values()))
        chosen = np.array(list(ratios))[np.minimum(np.searchsorted(edges, draw), len(ratios) - 1)]
        use = np.where(kind == name, chosen, use)
    use[is_common] = "common"
    return use


def _occupants(building_of: np.ndarray, use: np.ndarray, rng: np.random.Generator, ratio: float) -> np.ndarray:
    """A pseudonym per unit; some in large buildings hold the unit beside too; common and vacant units have none."""
    order = rng.permutation(len(use))  # a pseudonym's number says nothing about its place
    width = max(4, len(str(len(use))))
    occupant = np.array([f"p{k:0{width}d}" for k in order], dtype=object)
    occupant[(use == "common") | (rng.random(len(use)) < VACANT_RATIO)] = ""
    takes = (rng.random(len(use)) < ratio) & (np.bincount(building_of)[building_of] >= LARGE_BUILDING)
    neighbour = np.roll(occupant, 1)
    allowed = takes & (np.diff(building_of, prepend=0) == 0) & (occupant != "") & (neighbour != "") & ~np.roll(takes, 1)
    return np.where(allowed, neighbour, occupant)
