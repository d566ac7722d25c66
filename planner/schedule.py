"""What a solution means for each building: whole-Wh use of every asset and unit, and what it costs.

The cost c_b is counted again from the rounded schedule; the solver's own objective is only a proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from planner.cleared import ClearedUnit, Wh
from planner.quantise import BY_FAMILY, DUST_KWH, Floats, Ints
from planner_models.linear import Group, LinearModel
from planner_models.words import Building, Fees, IntervalGrid


@dataclass(frozen=True)
class AssetRows:
    """Schedules of some assets: ``keys`` are (unit, asset); arrays (assets, intervals)."""

    keys: tuple[tuple[str, str], ...]
    draw_wh: Ints
    stored_kwh: Floats
    on: Floats


class Row(NamedTuple):
    """One asset's draw, Wh, and whether it is on (1, 0, NaN for what has no such state), per interval."""

    draw_wh: Ints
    on: Floats


@dataclass(frozen=True)
class Schedule:
    """A building's schedule over the horizon.  ``cost`` is c_b without the market: fees are in it, q is not."""

    building: Building
    units: tuple[ClearedUnit, ...]
    loss_wh: Wh
    cost: float
    assets: tuple[AssetRows, ...]
    overlaps: bool

    @property
    def position_wh(self) -> Wh:
        return self.loss_wh + np.sum([u.position_wh for u in self.units], axis=0)

    @property
    def rows(self) -> list[tuple[tuple[str, str], Row]]:
        """Every asset's draw (Wh) and on or off per interval, by (unit, asset)."""
        return [(key, Row(rows.draw_wh[i], rows.on[i])) for rows in self.assets for i, key in enumerate(rows.keys)]

    def dispatch(self, grid: IntervalGrid) -> pd.DataFrame:
        """The rows of dispatch.parquet for the whole horizon, in unit, asset, interval order."""
        n = len(grid)
        keys = [key for rows in self.assets for key in rows.keys]
        if not keys:
            return _no_dispatch()
        energy = np.concatenate([rows.draw_wh for rows in self.assets]).ravel() / 1000
        frame = pd.DataFrame(
            {
                "unit": np.repeat([unit for unit, _ in keys], n),
                "asset": np.repeat([asset for _, asset in keys], n),
                "interval": np.tile(np.arange(1, n + 1), len(keys)),
                "start": np.tile(pd.DatetimeIndex(grid.starts), len(keys)),
                "power_kw": energy / grid.hours,
                "energy_kwh": energy,
                "state_of_charge_kwh": np.concatenate([rows.stored_kwh for rows in self.assets]).ravel(),
                "on": pd.array(np.concatenate([rows.on for rows in self.assets]).ravel(), dtype="Float64").astype(
                    "Int8"
                ),
            }
        )
        return frame.sort_values(["unit", "asset", "interval"], kind="stable", ignore_index=True)


def _no_dispatch() -> pd.DataFrame:
    """A building without any asset: the columns alone."""
    kinds = {"unit": "str", "asset": "str", "interval": "int64", "start": "datetime64[us, UTC]", "on": "Int8"}
    numbers = dict.fromkeys(("power_kw", "energy_kwh", "state_of_charge_kwh"), "float64")
    order = ["unit", "asset", "interval", "start", "power_kw", "energy_kwh", "state_of_charge_kwh", "on"]
    return pd.DataFrame({name: pd.Series(dtype=(kinds | numbers)[name]) for name in order})


def read_schedules(
    model: LinearModel, x: Floats, buildings: Sequence[Building], grid: IntervalGrid, fees: Fees
) -> list[Schedule]:
    """Schedules of ``buildings`` from a solution of a model that holds them."""
    places = {(b.id, u.id): (i, j) for i, b in enumerate(buildings) for j, u in enumerate(b.units)}
    things = {(b.id, u.id, a.id, getattr(a, "stay", 0)): a for b in buildings for u in b.units for a in u.assets}
    drafts = [_Draft(b, len(grid)) for b in buildings]
    for group in model.groups:
        if group.template.family.name in BY_FAMILY:
            _read_assets(group, x, grid, things, places, drafts)
        elif group.template.family.name == "unit":
            _read_withheld(group, x, places, drafts)
        elif "inflow" in group.template.variables:
            _read_directions(group, x, buildings, drafts)
    return [draft.close(fees) for draft in drafts]


class _Draft:
    def __init__(self, building: Building, n: int) -> None:
        self.building = building
        self.use = np.zeros((len(building.units), n), dtype=np.int64)
        self.withheld = np.zeros((len(building.units), n), dtype=np.int64)
        self.cost = 0.0
        self.rows: dict[tuple[str, str], tuple[Ints, Floats, Floats]] = {}
        self.overlaps = False

    def add(self, unit: int, key: tuple[str, str], draw: Ints, stored: Floats, on: Floats, cost: float) -> None:
        self.use[unit] += draw
        self.cost += cost
        if key in self.rows:
            before, _, was_on = self.rows[key]
            draw, on = before + draw, np.fmax(was_on, on)
        self.rows[key] = (draw, stored, on)

    def close(self, fees: Fees) -> Schedule:
        b = self.building
        allocation = np.rint(np.array([u.allocation_kwh for u in b.units]) * 1000).astype(np.int64)
        withheld = np.clip(self.withheld, 0, allocation)
        reserve = np.array([u.reserve_per_mwh for u in b.units])
        units = tuple(
            ClearedUnit(u.id, u.occupant, self.use[j], allocation[j], withheld[j]) for j, u in enumerate(b.units)
        )
        loss = np.rint(b.loss_ratio * np.abs(self.use.sum(axis=0))).astype(np.int64)
        keys = sorted(self.rows)
        rows = tuple(_stack([k], [self.rows[k]]) for k in keys)
        schedule = Schedule(b, units, loss, 0.0, rows, self.overlaps)
        q = schedule.position_wh
        fee = fees.market_buy_per_mwh * np.maximum(q, 0).sum() + fees.market_sell_per_mwh * np.maximum(-q, 0).sum()
        cost = self.cost + (fee - float((withheld * reserve).sum())) / 1e6
        return replace(schedule, cost=float(cost))


def _stack(keys: list[tuple[str, str]], rows: list[tuple[Ints, Floats, Floats]]) -> AssetRows:
    draw, stored, on = zip(*rows, strict=True)
    return AssetRows(tuple(keys), np.stack(draw), np.stack(stored), np.stack(on))


def _read_assets(group: Group, x: Floats, grid: IntervalGrid, things: dict, places: dict, drafts: list[_Draft]) -> None:
    assets = [things[key] for key in group.keys]
    values = {name: x[group.columns(name)] for name in group.template.variables}
    whole = BY_FAMILY[group.template.family.name](assets, grid, values)
    empty = np.full(len(grid), np.nan)
    keys = cast("list[tuple[str, str, str, int]]", group.keys)
    for i, (building, unit, asset, _) in enumerate(keys):
        where, which = places[building, unit]
        drafts[where].add(
            which,
            (unit, asset),
            whole.draw_wh[i],
            empty if whole.stored_kwh is None else whole.stored_kwh[i],
            empty if whole.on is None else whole.on[i].astype(float),
            float(whole.cost[i]),
        )
        drafts[where].overlaps |= bool(whole.overlaps is not None and whole.overlaps[i])


def _read_directions(group: Group, x: Floats, buildings: Sequence[Building], drafts: list[_Draft]) -> None:
    """Flow both ways through a lossy connection at once burns energy that nobody uses."""
    where = {b.id: i for i, b in enumerate(buildings)}
    both = np.minimum(x[group.columns("inflow")], x[group.columns("outflow")]).max(axis=1)
    for key, burnt in zip(group.keys, both, strict=True):
        drafts[where[str(key)]].overlaps |= bool(burnt > DUST_KWH)


def _read_withheld(group: Group, x: Floats, places: dict, drafts: list[_Draft]) -> None:
    if "withheld" not in group.template.variables:
        return
    withheld = np.rint(x[group.columns("withheld")] * 1000).astype(np.int64)
    for i, key in enumerate(group.keys):
        where, which = places[key]
        drafts[where].withheld[which] = withheld[i]
