"""From the solver's floats to whole Wh, once, at the border.

Energy of every asset is rounded cumulatively over time, so that a day's total never drifts by more than half a
Wh; what it costs is then counted again from the rounded schedule.  One function a kind of asset; each takes the
assets of one kind, the grid and the solver's values (members, intervals) in kWh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from planner_models.assets.battery import needs_fill
from planner_models.words import Appliance, Battery, Flexible, Generator, IntervalGrid, Load, Plant, Vehicle

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DUST_KWH = 1e-6
SLACK_KWH = 2e-3


@dataclass(frozen=True)
class Quantised:
    """Draw in Wh (positive draws), cost in currency per member; stored energy and on/off where they exist.

    ``overlaps`` marks batteries whose charging and discharging cannot be netted within their capacity.
    """

    draw_wh: Ints
    cost: Floats
    stored_kwh: Floats | None = None
    on: Ints | None = None
    overlaps: npt.NDArray[np.bool_] | None = None


def cumulative(values_kwh: Floats) -> Ints:
    """Whole Wh per interval whose running sum is the rounded running sum of ``values_kwh``."""
    clean = np.where(np.abs(values_kwh) < DUST_KWH, 0.0, values_kwh)
    total = np.rint(np.cumsum(clean, axis=1) * 1000).astype(np.int64)
    return np.diff(total, axis=1, prepend=0)


class Members(list[Any]):
    """Assets of one kind whose numbers are asked for again and again: each is gathered once."""

    def numbers(self, name: str) -> Floats:
        known: dict[str, Floats] = self.__dict__
        if name not in known:
            known[name] = _gathered(self, name)
            known[name].flags.writeable = False
        return known[name]


def _gathered(assets: Sequence[Any], name: str) -> Floats:
    return np.array([getattr(a, name) for a in assets], dtype=float)


def _numbers(assets: Sequence[Any], name: str) -> Floats:
    return assets.numbers(name) if isinstance(assets, Members) else _gathered(assets, name)


def _whole(values_kwh: Floats) -> Ints:
    return np.rint(values_kwh * 1000).astype(np.int64)


def _from_one_wh(missing_kwh: Floats) -> Floats:
    """What is missing, kWh, from one Wh on: less is rounding.  A whole Wh is one whatever its last bits say."""
    missing = np.round(missing_kwh, 9)
    return np.where(missing < 1e-3, 0.0, missing)


def loads(assets: Sequence[Load], grid: IntervalGrid, v: Mapping[str, Floats]) -> Quantised:
    energy = _whole(_numbers(assets, "energy_kwh"))
    missing = v["unserved"] + v.get("curtailed", 0.0)
    cut = np.clip(cumulative(missing), 0, energy)
    value, agreed_cost = _numbers(assets, "value_per_mwh"), _numbers(assets, "curtailment_cost_per_mwh")
    agreed = np.where(agreed_cost < value, _numbers(assets, "curtailable_ratio"), 0.0)[:, None] * energy
    by_agreement = np.minimum(cut, agreed)
    cost = (by_agreement * agreed_cost[:, None] + (cut - by_agreement) * value[:, None]).sum(axis=1) / 1e6
    return Quantised(energy - cut, cost)


def plants(assets: Sequence[Plant], grid: IntervalGrid, v: Mapping[str, Floats]) -> Quantised:
    available = _whole(_numbers(assets, "available_kwh"))
    produced = np.clip(cumulative(v["produced"]), 0, available)
    firm = np.array([not a.curtailable for a in assets])
    spilled = np.where(firm[:, None], available - produced, 0).sum(axis=1)
    cost = spilled * _numbers(assets, "spill_cost_per_mwh") - produced.sum(axis=1) * _numbers(assets, "support_per_mwh")
    return Quantised(-produced, cost / 1e6)


def batteries(assets: Sequence[Battery], grid: IntervalGrid, v: Mapping[str, Floats]) -> Quantised:
    both = np.minimum(v["charge"], v["discharge"])
    charge, discharge = cumulative(v["charge"] - both), cumulative(v["discharge"] - both)
    into, out_of = _numbers(assets, "charge_efficiency"), _numbers(assets, "discharge_efficiency")
    retained = 1 - _numbers(assets, "standing_loss_per_h") * grid.hours
    low, high = _numbers(assets, "minimum_kwh"), _numbers(assets, "energy_kwh")
    fill = np.asarray(v.get("fill", np.zeros_like(both)))
    may_fill = np.array([needs_fill(a) for a in assets])
    stored = np.zeros_like(both)
    level = _numbers(assets, "initial_kwh")
    overlaps = np.zeros(len(assets), dtype=bool)
    filled = np.zeros(len(assets))
    for t in range(both.shape[1]):
        moved = retained * level + into * charge[:, t] / 1000 - discharge[:, t] / 1000 / out_of
        wanted = np.maximum(moved + np.where(fill[:, t] > DUST_KWH, fill[:, t], 0.0), low)
        filled += np.where(may_fill, np.maximum(wanted - moved, 0.0), 0.0)
        overlaps |= wanted > high + SLACK_KWH
        level = np.minimum(wanted, high)
        stored[:, t] = level
    cost = discharge.sum(axis=1) * _numbers(assets, "wear_per_mwh") / 1e6
    cost += filled * _numbers(assets, "shortfall_cost_per_mwh") / 1e3
    return Quantised(charge - discharge, cost, stored_kwh=stored, overlaps=overlaps & (both.max(axis=1) > DUST_KWH))


def vehicles(assets: Sequence[Vehicle], grid: IntervalGrid, v: Mapping[str, Floats]) -> Quantised:
    charge = cumulative(v["charge"])
    got = charge.sum(axis=1) / 1000 * _numbers(assets, "charge_efficiency")
    short = _from_one_wh(_numbers(assets, "energy_kwh") - got)
    on = np.zeros_like(charge)
    for i, a in enumerate(assets):
        on[i, a.first : a.last] = charge[i, a.first : a.last] > 0
    return Quantised(charge, short * _numbers(assets, "shortfall_cost_per_mwh") / 1000, on=on)


def appliances(assets: Sequence[Appliance], grid: IntervalGrid, v: Mapping[str, Floats]) -> Quantised:
    n = len(grid)
    draw, on = np.zeros((len(assets), n), dtype=np.int64), np.zeros((len(assets), n), dtype=np.int64)
    cost = np.zeros(len(assets))
    for i, a in enumerate(assets):
        starts = v["start"][i]
        if starts.sum() < 0.5:
            cost[i] = a.skip_cost
            continue
        first = int(np.argmax(starts))
        run = cumulative(np.array([a.profile_kwh]))[0]
        stop = min(first + len(run), n)
        draw[i, first:stop] = run[: stop - first]
        on[i, first:stop] = 1
    return Quantised(draw, cost, on=on)


def flexibles(assets: Sequence[Flexible], grid: IntervalGrid, v: Mapping[str, Floats]) -> Quantised:
    used = cumulative(v["used"])
    total = np.cumsum(used, axis=1) / 1000
    deviation = np.maximum(_numbers(assets, "min_kwh") - used / 1000, 0.0)
    for i, a in enumerate(assets):
        if a.min_cumulative_kwh is not None:
            deviation[i] += np.maximum(np.array(a.min_cumulative_kwh) - total[i], 0.0)
        if a.max_cumulative_kwh is not None:
            deviation[i] += np.maximum(total[i] - np.array(a.max_cumulative_kwh), 0.0)
    deviation = _from_one_wh(deviation)
    return Quantised(used, deviation.sum(axis=1) * _numbers(assets, "deviation_cost_per_mwh") / 1000)


def generators(assets: Sequence[Generator], grid: IntervalGrid, v: Mapping[str, Floats]) -> Quantised:
    output = cumulative(v["output"])
    cost = output.sum(axis=1) * _numbers(assets, "cost_per_mwh") / 1e6
    on = (v["on"] > 0.5).astype(np.int64) if "on" in v else (output > 0).astype(np.int64)
    before = np.array([int(a.initially_on) for a in assets])
    starts = (np.diff(np.column_stack([before, on]), axis=1) > 0).sum(axis=1)
    return Quantised(-output, cost + starts * _numbers(assets, "start_cost"), on=on)


BY_FAMILY: dict[str, Callable[[Sequence[Any], IntervalGrid, Mapping[str, Floats]], Quantised]] = {
    "load": loads,
    "plant": plants,
    "battery": batteries,
    "vehicle": vehicles,
    "appliance": appliances,
    "flexible": flexibles,
    "generator": generators,
}
