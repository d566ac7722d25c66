"""How far groups may move before a limited node above them is full (C15); energy in kWh per interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.quantise import Floats
from planner_models.words import Feeder


@dataclass(frozen=True)
class Rooms:
    """Room below every feeder, (feeders, n): ``down`` and ``up`` from the standing positions; negative: overstepped.

    ``above`` are the numbers of the feeders above each group, ``members`` how many groups share each.
    """

    down: Floats
    up: Floats
    above: Sequence[Sequence[int]]
    members: Floats

    @staticmethod
    def under(feeders: Sequence[Feeder], sites: Sequence[tuple[str, tuple[str, ...]]], positions: Floats) -> Rooms:
        """Rooms that ``positions`` (groups, n) leave; ``sites`` are (zone, feeders) of the groups."""
        number = {feeder.id: f for f, feeder in enumerate(feeders)}
        above = [[number[f] for f in names if f in number] for _, names in sites]
        flow = np.array([f.allocation_kwh for f in feeders]).reshape(len(feeders), positions.shape[1])
        members = np.zeros(len(feeders))
        for own, q in zip(above, positions, strict=True):
            flow[own] += q
            members[own] += 1
        limits = (np.array([getattr(f, name) for f in feeders]).reshape(flow.shape) for name in _LIMITS)
        imports, exports = limits
        return Rooms(flow + exports, imports - flow, above, members)

    def least(self, group: int) -> float:
        """The least room of the group in any interval; below 0 a feeder above it is overstepped."""
        own = list(self.above[group])
        return min(float(self.down[own].min(initial=0.0)), float(self.up[own].min(initial=0.0)))

    def overstepping(self, by: float) -> set[int]:
        """Groups below a feeder whose limit is broken by more than ``by``."""
        least = np.minimum(self.down, self.up).min(axis=1, initial=0.0)
        broken = set(np.flatnonzero(least < -by).tolist())
        return {g for g, own in enumerate(self.above) if broken.intersection(own)}

    def share(self, group: int, margin: float) -> tuple[Floats, Floats]:
        """How far one group may move down and up if all below its feeders move at once, less ``margin`` of theirs."""
        own = list(self.above[group])
        each = self.members[own][:, None]
        unlimited = np.full((1, self.down.shape[1]), np.inf)
        down = np.vstack([unlimited, (self.down[own] - margin) / each]).min(axis=0)
        up = np.vstack([unlimited, (self.up[own] - margin) / each]).min(axis=0)
        return down, up


_LIMITS = ("import_limit_kwh", "export_limit_kwh")
