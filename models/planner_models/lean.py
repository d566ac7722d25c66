"""What a building's relaxation can do without until its own answer says otherwise (formulation 3, item 2).

Most columns of a building rest at 0 at any ordinary price: loads are served, allocations offered, bands kept.  They
sleep; the solver wakes whichever its duals call for, so that the answer is that of the whole model and its value as
good a bound.  What a semi-continuous vehicle adds to C6 is implied by the charge alone once integrality is dropped:
``plugged = charge / max`` satisfies both of its rows wherever ``charge <= max``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from planner_models.linear import Group, LinearModel
from planner_models.solve import Left
from planner_models.template import Floats, Ints

ASLEEP = {
    ("load", "unserved"),
    ("load", "curtailed"),
    ("unit", "withheld"),
    ("battery", "fill"),
    ("flexible", "below"),
    ("flexible", "behind"),
    ("flexible", "ahead"),
}
ASLEEP_ROWS = {"C5_shared", "C12_one_way"}
IMPLIED_ROWS = {"C6_at_most", "C6_at_least"}


def left_out(model: LinearModel, asleep: bool = True) -> Left:
    """What ``Solver`` may leave out of the relaxation of a building's model; only what is implied if not ``asleep``."""
    columns, rows = _none(model.cost), _none(model.row_lower)
    implied_columns, implied_rows = _none(model.cost), _none(model.row_lower)
    for group in model.groups:
        for variable in group.template.variables:
            if asleep and (group.template.family.name, variable) in ASLEEP:
                columns[group.columns(variable)] = True
        rows[_rows_named(group, ASLEEP_ROWS)] = asleep
        implied_rows[_rows_named(group, IMPLIED_ROWS)] = True
    plugged, charge = plugs(model)
    implied_columns[plugged] = True
    limit, least = model.upper[charge], model.lower[plugged]
    share = np.divide(1.0, limit, out=np.zeros(len(limit)), where=limit > 0)

    def restore(x: Floats) -> None:
        x[plugged] = np.maximum(np.minimum(x[charge] * share, 1.0), least)

    return Left(columns & (model.lower == 0), rows, implied_columns, implied_rows, restore)


def plugs(model: LinearModel) -> tuple[Ints, Ints]:
    """Columns ``plugged`` and ``charge`` of every semi-continuous vehicle and interval, side by side."""
    groups = [g for g in model.members("vehicle") if "plugged" in g.template.variables]
    none = np.empty(0, dtype=np.int64)
    plugged = [g.columns("plugged").ravel() for g in groups]
    charge = [g.columns("charge").ravel() for g in groups]
    return np.concatenate([none, *plugged]), np.concatenate([none, *charge])


def _rows_named(group: Group, rules: set[str]) -> Ints:
    names = group.template.row_names
    local = np.array([i for i, name in enumerate(names) if name.split("[")[0] in rules], dtype=np.int64)
    starts = group.first_row + np.arange(len(group.keys)) * len(names)
    return (starts[:, None] + local[None, :]).ravel()


def _none(like: Floats) -> npt.NDArray[np.bool_]:
    return np.zeros(len(like), dtype=bool)
