"""Rows of a case on the horizon's own starts, and the function that writes them into a case folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from planner.cleared import ClearedBuilding, Wh
from planner.ledger.documents import settings_toml
from planner.ledger.tables import write_contract_table
from planner.tables import TABLES
from planner.timeseries import sources
from planner_models.words import IntervalGrid

STEMS = {table.name: table.stem for table in TABLES}
COLUMNS = {table.name: table.names for table in TABLES}
INSIDE = ("building", "unit")
Write = Callable[[str, pd.DataFrame], None]


class Horizon(Protocol):
    """The intervals that rows are written for: those of a grid, or of what was cleared on one."""

    @property
    def starts(self) -> tuple[datetime, ...]: ...

    @property
    def minutes(self) -> int: ...

    @property
    def settled(self) -> int: ...


def case_toml(case: Any, horizon: Horizon) -> str:
    """case.toml of a part of a case: its settings, for this day, with allocations as they were worked out."""
    day = horizon.starts[0].astimezone(ZoneInfo(case.settings.timezone)).date()
    allocation = replace(case.settings.allocation, policy="given")
    return settings_toml(replace(case.settings, delivery_date=day, allocation=allocation))


def writer(root: Path, case: Any, horizon: Horizon) -> Write:
    """Writes case.toml at once, and gives a function that writes one table with the contract's columns."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "case.toml").write_text(case_toml(case, horizon), encoding="utf-8")

    def write(name: str, frame: pd.DataFrame) -> None:
        kept = frame[[column for column in COLUMNS[name] if column in frame]]
        write_contract_table(root / f"{STEMS[name]}.csv", kept, case.settings.timezone)

    return write


def on_starts(frame: pd.DataFrame, key: Sequence[str], horizon: Horizon) -> pd.DataFrame:
    """Series by interval or start as rows by start on the horizon, one series for each value of ``key``.

    Rows by interval are repeated over the look-ahead as the clear repeats them; a row by start goes before that.
    """
    if frame.empty:
        return frame
    starts = starts_of(horizon)
    by_start = frame[frame["interval"].isna() & frame["start"].isin(starts)]
    numbered = frame[frame["interval"].notna()]
    grid = IntervalGrid(horizon.starts, horizon.minutes, horizon.settled)
    cells = pd.DataFrame({"interval": sources(grid) + 1, "start": starts})
    cells["interval"] = cells["interval"].astype(frame["interval"].dtype)
    tiled = numbered.drop(columns="start").merge(cells, on="interval", how="inner")
    joined = pd.concat([part for part in (by_start, tiled) if len(part)] or [by_start], ignore_index=True)
    return joined.drop_duplicates([*key, "start"], ignore_index=True).drop(columns="interval")


def in_order(orders: pd.DataFrame) -> pd.DataFrame:
    """Orders in the rows in which they were given, since acceptances name the row; quantities once."""
    if orders.empty:
        return orders
    frame = orders.sort_values("row", kind="stable") if "row" in orders else orders
    told_twice = "quantity_mw" in frame and frame["quantity_kwh"].notna().all()
    return frame.drop(columns="quantity_mw") if told_twice else frame


def allocation_rows(
    energy_wh: Mapping[str, Wh], horizon: Horizon, reserve_per_mwh: Sequence[Any] | None = None
) -> pd.DataFrame:
    """Allocations of nodes over the horizon; none at all where nobody is allocated anything."""
    if not any(energy.any() for energy in energy_wh.values()):
        return pd.DataFrame()
    n = len(horizon.starts)
    frame = pd.DataFrame(
        {
            "node": np.repeat(list(energy_wh), n),
            "start": starts_of(horizon)[np.tile(np.arange(n), len(energy_wh))],
            "energy_kwh": np.concatenate(list(energy_wh.values())) / 1000,
        }
    )
    if reserve_per_mwh is not None:
        frame["reserve_per_mwh"] = np.concatenate([np.broadcast_to(reserve, n) for reserve in reserve_per_mwh])
    return frame


def allocated_wh(building: ClearedBuilding) -> Wh:
    """A: what the building's units are entitled to together."""
    return np.sum([np.zeros_like(building.loss_wh), *(unit.allocation_wh for unit in building.units)], axis=0)


def starts_of(horizon: Horizon) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(horizon.starts)


def finite(values: Any, n: int) -> np.ndarray:
    """Floats with NaN where nothing limits."""
    array = np.full(n, np.nan) if values is None else np.array(values, dtype=float)
    return np.where(np.isfinite(array), array, np.nan)


def stacked(frames: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [frame for frame in frames if len(frame)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
