"""An order book as frozen columns: what one market clear is about, without a building.

A *place* is a zone in an interval, numbered ``zone * intervals + interval``.  Quantities are in *lots* of ``lot_kwh``,
a power of ten near the size of the orders, so that a book of watt-hours and one of gigawatt-hours solve alike; prices
are currency per MWh, so welfare counts in lots times prices and ``money`` turns it into currency.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from planner_models.template import Floats, Ints

Names = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Steps:
    """Step orders, one entry a row of the file; ``sign`` is 1 for a sale and -1 for a purchase."""

    place: Ints
    sign: Floats
    price: Floats
    quantity: Floats
    row: Ints


@dataclass(frozen=True)
class Blocks:
    """Block orders by id; ``parent`` and ``group`` are numbers, -1 where there is none.

    Their rows are ``of`` (the block), ``place``, ``quantity`` and ``row`` of the file.
    """

    id: tuple[str, ...]
    sign: Floats
    price: Floats
    minimum: Floats
    parent: Ints
    group: Ints
    submitted: Ints
    of: Ints
    place: Ints
    quantity: Floats
    row: Ints

    def __len__(self) -> int:
        return len(self.id)

    @cached_property
    def total(self) -> Floats:
        """Lots of each block over its rows."""
        return np.bincount(self.of, self.quantity, minlength=len(self)).astype(float)

    @cached_property
    def depth(self) -> Ints:
        """How many ancestors each block has."""
        out = np.zeros(len(self), dtype=np.int64)
        above = self.parent.copy()
        while (above >= 0).any():
            out += above >= 0
            above = np.where(above >= 0, self.parent[above], -1)
        return out


@dataclass(frozen=True)
class Complexes:
    """Scalable complex orders by id: rows of steps, and per place the minimum they deliver when active."""

    id: tuple[str, ...]
    fixed_cost: Floats
    submitted: Ints
    of: Ints
    place: Ints
    price: Floats
    quantity: Floats
    row: Ints
    minimum_of: Ints
    minimum_place: Ints
    minimum: Floats

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True)
class Wires:
    """Transport lines; capacities (lines, intervals)."""

    id: tuple[str, ...]
    source: Ints
    target: Ints
    loss_ratio: Floats
    forward: Floats
    reverse: Floats


@dataclass(frozen=True)
class Neighbours:
    """Price-taking neighbours; prices and limits (neighbours, intervals)."""

    zone: Ints
    import_price: Floats
    export_price: Floats
    import_limit: Floats
    export_limit: Floats


@dataclass(frozen=True)
class Levels:
    """Steps of one place, side and price as one; ``of`` is the level of every step."""

    place: Ints
    sign: Floats
    price: Floats
    quantity: Floats
    of: Ints


@dataclass(frozen=True)
class Book:
    """Everything one market clear is about."""

    zones: tuple[str, ...]
    intervals: int
    lot_kwh: float
    price_floor: float
    price_cap: float
    steps: Steps
    blocks: Blocks
    complexes: Complexes
    wires: Wires
    neighbours: Neighbours
    seed: int = field(default=1)

    @property
    def places(self) -> int:
        return len(self.zones) * self.intervals

    def money(self, value: float) -> float:
        """Lots times prices as currency."""
        return value * self.lot_kwh / 1000

    @cached_property
    def levels(self) -> Levels:
        """Equal steps merged: exact, since what a level trades is shared pro rata among its steps (rule 3)."""
        s = self.steps
        order = np.lexsort((s.price, s.sign, s.place))
        place, sign, price = s.place[order], s.sign[order], s.price[order]
        fresh = np.ones(len(order), dtype=bool)
        fresh[1:] = (place[1:] != place[:-1]) | (sign[1:] != sign[:-1]) | (price[1:] != price[:-1])
        number = np.cumsum(fresh) - 1
        of = np.empty(len(order), dtype=np.int64)
        of[order] = number
        quantity = np.bincount(of, s.quantity, minlength=int(fresh.sum())).astype(float)
        return Levels(place[fresh], sign[fresh], price[fresh], quantity, of)


def lot_of(quantities_kwh: Floats) -> float:
    """The power of ten nearest to the middle quantity, kWh."""
    if not len(quantities_kwh):
        return 1.0
    return float(10.0 ** np.rint(np.log10(np.median(quantities_kwh))))
