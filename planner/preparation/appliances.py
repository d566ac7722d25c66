"""Runs of appliances: one on each delivery day on which the window opens.

The power profile may have its own step (``profile_minutes``); it is resampled by energy, so the run keeps its
energy to the Wh.  A window is clipped to the horizon; a run that then no longer fits is a problem to be solved by a
longer look-ahead, not a run left out in silence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.preparation.desk import Desk, number, records, text
from planner_models.words import Appliance, Vector


def appliances(desk: Desk) -> list[tuple[str, Appliance]]:
    """(node, Appliance) of every run of the delivery day."""
    found = []
    for row in records(desk.case.appliances, "appliance"):
        run = _run(desk, row)
        if run is not None:
            found.append((text(row["node"]), run))
    return found


def _run(desk: Desk, row: dict[str, Any]) -> Appliance | None:
    name = row["appliance"]
    windows = desk.windows("appliances", name, row["earliest"], row["latest_end"])
    today = [window for window in windows if desk.grid.starts[0] <= window.start < desk.delivery_end]
    if not today:
        return None
    try:
        powers = [float(part) for part in str(row["profile_kw"]).split(";")]
    except ValueError:
        desk.problem("appliances", "profile_kw is not a list of numbers", row["profile_kw"], "write 1.2;0.8;0.8")
        return None
    step = number(row["profile_minutes"], desk.grid.minutes)
    profile = resampled(powers, step, desk.grid.minutes)
    window = today[0]
    if window.last - window.first < len(profile):
        desk.problem(
            "appliances", "the window is shorter than the run", name, "widen it, or raise horizon.look_ahead_hours"
        )
        return None
    return Appliance(
        id=name,
        first_start=window.first,
        last_start=window.last - len(profile),
        profile_kwh=profile,
        skip_cost=number(row["skip_value"], sum(powers) * step / 60 / 1000 * desk.price_cap),
    )


def resampled(powers_kw: list[float], profile_minutes: float, interval_minutes: int) -> Vector:
    """kWh per interval of a run of steps of ``profile_minutes``; the last interval may be partly used.

    Cumulative energy is rounded to Wh and then differenced, so the sum is the run's energy to the Wh.
    """
    edges = np.arange(len(powers_kw) + 1) * profile_minutes
    energy = np.concatenate([[0.0], np.cumsum(powers_kw)]) * profile_minutes / 60
    count = int(np.ceil(edges[-1] / interval_minutes - 1e-9))
    at = np.interp(np.arange(count + 1) * interval_minutes, edges, energy)
    return tuple((np.diff(np.round(at * 1000)) / 1000).tolist())
