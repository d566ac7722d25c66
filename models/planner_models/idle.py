"""The answer that always exists: nothing runs, everything unserved, every allocation withheld (formulation 2.2).

It is what a solver starts from, so that a time limit always leaves an answer.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from planner_models.assets.battery import needs_fill
from planner_models.linear import Group, LinearModel
from planner_models.template import Floats
from planner_models.words import Asset, Battery, Building, Flexible, IntervalGrid


def idle_point(model: LinearModel, building: Building, grid: IntervalGrid) -> Floats:
    """Values of all columns of a single building's model with q = 0 and no use at all."""
    x = np.zeros(len(model.cost))
    things: dict[Hashable, Asset] = {
        (building.id, u.id, a.id, getattr(a, "stay", 0)): a for u in building.units for a in u.assets
    }
    for group in model.groups:
        name = group.template.family.name
        if name in AT_UPPER:
            for variable in AT_UPPER[name]:
                if variable in group.template.variables:
                    columns = group.columns(variable)
                    x[columns] = model.upper[columns]
        if name == "plant" and "spilled" in group.template.variables:
            x[group.columns("spilled")] = model.upper[group.columns("produced")]
        if name in ("battery", "flexible"):
            _each(group, [things[k] for k in group.keys], grid, x)
    return x


AT_UPPER = {
    "load": ("unserved", "curtailed"),
    "vehicle": ("shortfall",),
    "appliance": ("skipped",),
    "unit": ("withheld",),
}


def _each(group: Group, assets: list[Asset], grid: IntervalGrid, x: Floats) -> None:
    for i, asset in enumerate(assets):
        if isinstance(asset, Battery):
            stored, fill = _at_rest(asset, grid)
            x[group.columns("stored")[i]] = stored
            if "fill" in group.template.variables:
                x[group.columns("fill")[i]] = fill
        elif isinstance(asset, Flexible):
            if "below" in group.template.variables:
                x[group.columns("below")[i]] = asset.min_kwh
            if "behind" in group.template.variables:
                x[group.columns("behind")[i]] = np.maximum(asset.min_cumulative_kwh or 0.0, 0.0)


def _at_rest(battery: Battery, grid: IntervalGrid) -> tuple[Floats, Floats]:
    """Stored energy of a battery left alone, kept above its floor by the emergency fill where it has one."""
    n = len(grid)
    retained = 1 - battery.standing_loss_per_h * grid.hours
    stored, fill = np.zeros(n), np.zeros(n)
    level = battery.initial_kwh
    for t in range(n):
        floor = max(battery.minimum_kwh, battery.final_kwh) if t == n - 1 else battery.minimum_kwh
        level = retained * level
        if needs_fill(battery):
            fill[t] = max(0.0, floor - level)
            level += fill[t]
        stored[t] = level
    return stored, fill
