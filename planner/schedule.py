"""What a solution means for each building: whole-Wh use of every asset and unit, and what it costs.

The cost c_b is counted again from the rounded schedule; the solver's own objective is only a proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.cleared import ClearedUnit, Wh
from planner.quantise import BY_FAMILY, DUST_KWH, Floats, Ints, Members
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
        found = [(key, rows, i) for rows in self.assets for i, key in enumerate(rows.keys)]
        if not found:
            return _no_dispatch()
        found.sort(key=lambda one: one[0])
        keys = [key for key, _, _ in found]
        energy = np.concatenate([rows.draw_wh[i] for _, rows, i in found]) / 1000
        on = np.concatenate([rows.on[i] for _, rows, i in found])
        known = ~np.isnan(on)
        return pd.DataFrame(
            {
                "unit": np.repeat([unit for unit, _ in keys], n),
                "asset": np.repeat([asset for _, asset in keys], n),
                "interval": np.tile(np.arange(1, n + 1), len(keys)),
                "start": np.tile(pd.DatetimeIndex(grid.starts), len(keys)),
                "power_kw": energy / grid.hours,
                "energy_kwh": energy,
                "state_of_charge_kwh": np.concatenate([rows.stored_kwh[i] for _, rows, i in found]),
                "on": pd.arrays.IntegerArray(np.where(known, on, 0).astype(np.int8), ~known),
            }
        )


class Parts(NamedTuple):
    """A schedule without what is known of its building: what travels between processes; arrays (units, intervals)."""

    use_wh: Ints
    withheld_wh: Ints
    loss_wh: Wh
    cost: float
    assets: tuple[AssetRows, ...]
    overlaps: bool

    @staticmethod
    def of(schedule: Schedule) -> Parts:
        use = np.array([u.use_wh for u in schedule.units])
        withheld = np.array([u.withheld_wh for u in schedule.units])
        return Parts(use, withheld, schedule.loss_wh, schedule.cost, schedule.assets, schedule.overlaps)

    def made(self, building: Building) -> Schedule:
        """The schedule of ``building`` that this is of."""
        rows = zip(building.units, self.use_wh, allocated_wh(building), self.withheld_wh, strict=True)
        units = tuple(ClearedUnit(u.id, u.occupant, *own) for u, *own in rows)
        return Schedule(building, units, self.loss_wh, self.cost, self.assets, self.overlaps)


def allocated_wh(building: Building) -> Ints:
    """What every unit is allotted, (units, intervals)."""
    return np.rint(np.array([u.allocation_kwh for u in building.units]) * 1000).astype(np.int64)


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
    return Reader(model, buildings, grid, fees).read(x)


class Reader:
    """Reads solutions of one model; what does not depend on the solution is looked up once."""

    def __init__(self, model: LinearModel, buildings: Sequence[Building], grid: IntervalGrid, fees: Fees) -> None:
        self.model, self.grid, self.fees = model, grid, fees
        places = {(b.id, u.id): (i, j) for i, b in enumerate(buildings) for j, u in enumerate(b.units)}
        things = {(b.id, u.id, a.id, getattr(a, "stay", 0)): a for b in buildings for u in b.units for a in u.assets}
        self.frames = [_Frame(b) for b in buildings]
        self.kinds: list[tuple[Group, Members]] = []
        self.withheld: list[tuple[Group, Ints, Ints]] = []
        self.directions: list[tuple[Group, Ints]] = []
        number = {b.id: i for i, b in enumerate(buildings)}
        owners: list[tuple[int, int, tuple[str, str]]] = []
        for group in model.groups:
            if group.template.family.name in BY_FAMILY:
                keys = cast("list[tuple[str, str, str, int]]", group.keys)
                self.kinds.append((group, Members([things[key] for key in keys])))
                owners += [(*places[b, unit], (unit, asset)) for b, unit, asset, _ in keys]
            elif group.template.family.name == "unit" and "withheld" in group.template.variables:
                where, which = np.array([places[key] for key in cast("list[tuple[str, str]]", group.keys)]).T
                self.withheld.append((group, where, which))
            elif "inflow" in group.template.variables:
                self.directions.append((group, np.array([number[str(key)] for key in group.keys])))
        self.where = np.array([i for i, _, _ in owners], dtype=np.int64)
        for i, frame in enumerate(self.frames):
            mine = np.flatnonzero(self.where == i)
            frame.order(mine, [owners[k][1] for k in mine], [owners[k][2] for k in mine])

    def read(self, x: Floats) -> list[Schedule]:
        """Schedules of the buildings, in their order."""
        rows = self._rows(x)
        overlaps = np.zeros(len(self.frames), dtype=bool)
        np.logical_or.at(overlaps, self.where, rows.overlaps)
        for group, where in self.directions:  # flow both ways through a lossy connection burns energy nobody uses
            both = np.minimum(x[group.columns("inflow")], x[group.columns("outflow")]).max(axis=1)
            np.logical_or.at(overlaps, where, both > DUST_KWH)
        n = len(self.grid)
        withheld = [np.zeros((len(f.building.units), n), dtype=np.int64) for f in self.frames]
        for group, where, which in self.withheld:
            values = np.rint(x[group.columns("withheld")] * 1000).astype(np.int64)
            for i, frame in enumerate(withheld):
                mine = where == i
                frame[which[mine]] = values[mine]
        return [
            frame.close(rows, own, bool(burns), self.fees)
            for frame, own, burns in zip(self.frames, withheld, overlaps, strict=True)
        ]

    def _rows(self, x: Floats) -> _Rows:
        """What every asset does, in the order of the model's members."""
        n, parts = len(self.grid), []
        for group, members in self.kinds:
            values = {name: x[group.columns(name)] for name in group.template.variables}
            whole = BY_FAMILY[group.template.family.name](members, self.grid, values)
            empty = np.full((len(members), n), np.nan)
            parts.append(
                (
                    whole.draw_wh,
                    empty if whole.stored_kwh is None else whole.stored_kwh,
                    empty if whole.on is None else whole.on.astype(float),
                    whole.cost,
                    np.zeros(len(members), dtype=bool) if whole.overlaps is None else whole.overlaps,
                )
            )
        if not parts:
            none = np.empty((0, n))
            return _Rows(none.astype(np.int64), none, none, np.empty(0), np.empty(0, dtype=bool))
        return _Rows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@dataclass(frozen=True)
class _Rows:
    """Every member's draw, stored energy and state (members, n), cost and whether it burns energy (members,)."""

    draw_wh: Ints
    stored_kwh: Floats
    on: Floats
    cost: Floats
    overlaps: npt.NDArray[np.bool_]


class _Frame:
    """A building, and which rows are those of its assets."""

    def __init__(self, building: Building) -> None:
        self.building = building
        self.allocation = allocated_wh(building)
        self.reserve = np.array([u.reserve_per_mwh for u in building.units])

    def order(self, mine: Ints, units: list[int], keys: list[tuple[str, str]]) -> None:
        """Rows ``mine`` belong to these units and (unit, asset); stays of one vehicle are one asset."""
        self.mine, self.units = mine, np.array(units, dtype=np.int64)
        self.keys = tuple(sorted(set(keys)))
        place = {key: k for k, key in enumerate(self.keys)}
        self.asset = np.array([place[key] for key in keys], dtype=np.int64)
        self.last = np.zeros(len(self.keys), dtype=np.int64)
        self.last[self.asset] = np.arange(len(keys))

    def close(self, rows: _Rows, withheld: Ints, overlaps: bool, fees: Fees) -> Schedule:
        """The building's schedule."""
        b, n = self.building, rows.draw_wh.shape[1]
        draw = rows.draw_wh[self.mine]
        use = np.zeros((len(b.units), n), dtype=np.int64)
        np.add.at(use, self.units, draw)
        withheld = np.clip(withheld, 0, self.allocation)
        units = tuple(
            ClearedUnit(u.id, u.occupant, use[j], self.allocation[j], withheld[j]) for j, u in enumerate(b.units)
        )
        loss = np.rint(b.loss_ratio * np.abs(use.sum(axis=0))).astype(np.int64)
        position = loss + (use - self.allocation + withheld).sum(axis=0)
        fee = fees.market_buy_per_mwh * np.maximum(position, 0).sum()
        fee += fees.market_sell_per_mwh * np.maximum(-position, 0).sum()
        cost = float(rows.cost[self.mine].sum()) + (fee - float((withheld * self.reserve).sum())) / 1e6
        return Schedule(b, units, loss, float(cost), self._assets(rows, draw), overlaps)

    def _assets(self, rows: _Rows, draw: Ints) -> tuple[AssetRows, ...]:
        if not self.keys:
            return ()
        shape = (len(self.keys), draw.shape[1])
        total, on = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan)
        np.add.at(total, self.asset, draw)
        np.fmax.at(on, self.asset, rows.on[self.mine])
        return (AssetRows(self.keys, total, rows.stored_kwh[self.mine[self.last]], on),)
