"""Strict locality (formulation 2.2): what was served and traded inside a building stands before the market opens.

Stage 1 clears each building with q = 0.  Stage 2 may only add: serve what was unserved, sell what was spilled or
withheld.  Written as bounds, so both modes and every model use the same mathematics.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

import numpy as np

from planner_models.linear import LinearModel
from planner_models.template import Floats

# family -> variable -> how stage 2 may move it
MAY_FALL = {
    ("load", "unserved"),
    ("load", "curtailed"),
    ("unit", "withheld"),
    ("vehicle", "shortfall"),
    ("flexible", "below"),
    ("appliance", "skipped"),
}
MAY_RISE = {
    ("plant", "produced"),
    ("vehicle", "charge"),
    ("vehicle", "plugged"),
    ("appliance", "start"),
    ("generator", "output"),
    ("flexible", "used"),
}
STANDS = {("battery", "charge"), ("battery", "discharge"), ("battery", "stored"), ("battery", "fill")}


def freeze(model: LinearModel, offset: int, first_stage: Iterable[tuple[LinearModel, Floats]]) -> LinearModel:
    """``model`` with stage-1 answers as bounds; its building columns start at ``offset``."""
    values: dict[Hashable, Floats] = {}
    for alone, x in first_stage:
        for group in alone.groups:
            name = group.template.family.name
            for variable in group.template.variables:
                columns = group.columns(variable)
                for key, row in zip(group.keys, columns, strict=True):
                    values[name, variable, key] = x[row]
    lower, upper = model.lower.copy(), model.upper.copy()
    for group in model.groups:
        name = group.template.family.name
        for variable in group.template.variables:
            moves = (name, variable)
            if moves not in MAY_FALL | MAY_RISE | STANDS:
                continue
            for key, row in zip(group.keys, group.columns(variable) + offset, strict=True):
                stage = np.clip(values[name, variable, key], lower[row], upper[row])
                if moves in MAY_FALL | STANDS:
                    upper[row] = stage
                if moves in MAY_RISE | STANDS:
                    lower[row] = stage
    return replace(model, lower=lower, upper=upper)
