"""A warm start: prices of an earlier run as the first prices of this one, whatever its grid and zones were."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from planner.ledger import read_run
from planner.quantise import Floats
from planner_models.words import City


def earlier_prices(run: Path, city: City, timezone: str) -> Floats:
    """Zone prices (zones, n) in currency per MWh of ``run`` at the same times of day; a first guess and no more.

    An interval has the mean price of the earlier intervals that begin in it, else that of the last one before it by
    the clock.  A zone that was not there has the mean of those that were.  Raises InvalidInput if there is no run.
    """
    table = read_run(run).prices
    table = table[table["resource"] == "electricity"].dropna(subset="price_per_mwh")
    local = table["start"].dt.tz_convert(ZoneInfo(timezone))
    minute = local.dt.hour * 60 + local.dt.minute
    by_zone = table.assign(minute=minute).pivot_table(index="minute", columns="zone", values="price_per_mwh")
    starts = pd.DatetimeIndex(city.grid.starts).tz_convert(ZoneInfo(timezone))
    at = (starts.hour * 60 + starts.minute).to_numpy()
    return np.stack([_along(_of_zone(by_zone, zone), at, city.grid.minutes) for zone in city.zones])


def _of_zone(by_zone: pd.DataFrame, zone: str) -> pd.Series:
    found = by_zone[zone] if zone in by_zone else by_zone.mean(axis=1)
    return found.dropna()


def _along(prices: pd.Series, at: np.ndarray, minutes: int) -> Floats:
    """Prices by minute of the day, at the minutes ``at``."""
    if prices.empty:
        return np.zeros(len(at))
    known, value = prices.index.to_numpy(), prices.to_numpy(dtype=float)
    found = np.empty(len(at))
    for i, begin in enumerate(at):
        inside = (known >= begin) & (known < begin + minutes)
        before = np.searchsorted(known, begin, side="right") - 1  # -1: the last one of the day before
        found[i] = value[inside].mean() if inside.any() else value[before]
    return found
