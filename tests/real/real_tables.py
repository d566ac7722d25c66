"""What the builders of real cities share: tables as CSV, and allocations from what was used before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write ``name.csv`` for every table; a name may lead into a sub-folder."""
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)


def stamped(starts: pd.DatetimeIndex) -> list[str]:
    """ISO 8601 with the offset of the market's zone."""
    return [start.isoformat() for start in starts]


def usual_day(used_kwh: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """The mean day of a history times ``ratio``: a column per unit, a row per interval of the day, whole Wh in kWh.

    ``used_kwh`` has whole days, indexed by the civil start of each interval.
    """
    clock = used_kwh.index.hour * 60 + used_kwh.index.minute
    return np.floor(used_kwh.groupby(np.asarray(clock)).mean() * ratio * 1000) / 1000


def allocations(day_kwh: pd.DataFrame) -> pd.DataFrame:
    """allocations.csv by interval of the delivery day."""
    rows = day_kwh.set_axis(np.arange(1, len(day_kwh) + 1), axis=0).melt(ignore_index=False, var_name="node")
    return rows.reset_index(names="interval").rename(columns={"value": "energy_kwh"})[
        ["node", "interval", "energy_kwh"]
    ]


def supply(day_kwh: pd.DataFrame, zone: str, price_per_mwh: float) -> pd.DataFrame:
    """supply.csv that backs the allocations and a fiftieth more, in whole Wh."""
    energy = np.ceil(day_kwh.sum(axis=1).to_numpy() * 1.02 * 1000) / 1000
    columns = {"contract": "ahead", "zone": zone, "interval": np.arange(1, len(energy) + 1)}
    return pd.DataFrame({**columns, "energy_kwh": energy, "price_per_mwh": price_per_mwh})
