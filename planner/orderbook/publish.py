"""Prices as published: on the tick, inside the range; what nobody set is indicative (contract 2, rule 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner_models.orders.prices import PlacePrices
from planner_models.template import Floats

HAIR = 1e-6


@dataclass(frozen=True)
class Published:
    """Per place; ``price`` NaN where neither end is set; ``off_tick`` where no tick lies inside the range."""

    price: Floats
    low: Floats
    high: Floats
    indicative: npt.NDArray[np.bool_]
    off_tick: npt.NDArray[np.bool_]
    nano: npt.NDArray[np.int64]


def publish(found: PlacePrices, traded: npt.NDArray[np.bool_], tick: float, floor: float, cap: float) -> Published:
    """Open ends take the other end; a price is indicative where an end is open or nothing was traded.

    The point keeps to the ends that are set: where the rest of the face pulled it away from its own end
    (a line from a cheaper zone), clipping it to the replaced range would leave the face.
    """
    low_set, high_set = found.low > -np.inf, found.high < np.inf
    low = np.where(low_set, found.low, np.where(high_set, found.high, np.nan))
    high = np.where(high_set, found.high, low)
    price, off_tick = on_tick(found.point, found.low, found.high, tick, floor, cap)
    nowhere = ~low_set & ~high_set
    price = np.where(nowhere, np.nan, price)
    indicative = ~low_set | ~high_set | ~traded
    nano = np.rint(np.nan_to_num(price) * 1000).astype(np.int64)
    return Published(price, _neat(low), _neat(high), indicative, off_tick & ~nowhere, nano)


def on_tick(
    point: Floats, low: Floats, high: Floats, tick: float, floor: float, cap: float
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The tick nearest to the point inside the range; where none lies inside, the nearest outside."""
    with np.errstate(invalid="ignore"):
        nearest = np.rint(point / tick) * tick
        first, last = np.ceil((low - HAIR) / tick) * tick, np.floor((high + HAIR) / tick) * tick
        inside = first <= last + HAIR
        price = np.where(inside, np.clip(nearest, first, np.maximum(first, last)), nearest)
        return np.round(np.clip(price, floor, cap), 3), ~inside


def _neat(values: Floats) -> Floats:
    """Without the last digits that only a solver wrote."""
    rounded = np.round(values, 3)
    return np.where(np.abs(values - rounded) < HAIR, rounded, np.round(values, 6)) + 0.0
