"""Rows of several buildings one after another in one table, so that work is done once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.cleared import ClearedBuilding

Ints = npt.NDArray[np.int64]

CELLS = 100_000
"""Participants times intervals that are held at a time."""


class Rows(NamedTuple):
    """The next ``lengths[i]`` rows are building i's."""

    frame: pd.DataFrame
    lengths: Ints

    def of(self, i: int) -> pd.DataFrame:
        """Building i's rows alone."""
        first = int(self.lengths[:i].sum())
        return self.frame.iloc[first : first + int(self.lengths[i])].reset_index(drop=True)


def stretches(first: Ints, n: Ints) -> Ints:
    """The numbers first[i] .. first[i] + n[i] - 1 of every i, one after another."""
    return np.repeat(first - np.cumsum(n) + n, n) + np.arange(n.sum())


def blocks(buildings: Iterable[ClearedBuilding], cells: int = CELLS) -> Iterator[list[ClearedBuilding]]:
    """Buildings by id, as many at a time as keep a table of participants by interval small."""
    block: list[ClearedBuilding] = []
    most = 0
    for building in sorted(buildings, key=lambda b: b.building):
        most = max(most, len(building.units) + 1)
        if block and most * (len(block) + 1) * len(building.loss_wh) > cells:
            yield block
            block, most = [], len(building.units) + 1
        block.append(building)
    if block:
        yield block
