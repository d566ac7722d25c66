"""A case folder on disk: case.toml and its tables, the long ones as Parquet where a city is large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from planner.security.policy import PRESETS

LONG_TABLES = ("allocations", "flexible")  # a row per node and interval
SUFFIXES = (".csv", ".csv.gz", ".parquet")

CASE_TOML = """\
# A synthetic city: nothing in it was measured.
name = "{name}"
delivery_date = {delivery_date}
timezone = "{timezone}"
interval_minutes = {interval_minutes}
currency = "EUR"
synthetic = true

[place]
latitude = {latitude}
longitude = {longitude}
country = "{country}"

[market]
pricing = "convex_hull"
price_floor = -500.0
price_cap = 4000.0
price_tick_per_mwh = 0.01
gate_closure = "D-1 12:00"
meter_delay_hours = 36

[horizon]
look_ahead_hours = 12

[fees]
market_buy_per_mwh = 8.0
market_sell_per_mwh = 0.0

[default_tariff]
import_per_mwh = 320.0
export_per_mwh = 20.0

[allocation]
policy = "given"
locality = "netting"

[privacy]
preset = "{preset}"
max_rounds = {max_rounds}

[settlement]
uplift = "operator"

[solver]
mode = "{mode}"
gap_relative = {gap_relative:g}
time_limit_s = 600
seed = {seed}
"""


@dataclass(frozen=True)
class Settings:
    """What differs between the case.toml of one synthetic city and another."""

    name: str
    delivery_date: date
    timezone: str
    interval_minutes: int
    seed: int
    mode: str = "decentralised"
    preset: str = "exchange"
    gap_relative: float = 1e-3
    latitude: float = 52.5
    longitude: float = 13.4
    country: str = "DE"

    @property
    def max_rounds(self) -> int:
        """A budget of what is said; where nothing is released, only how long a hard city is given to converge."""
        return 25 if PRESETS[self.preset].gated else 100


def write_case(
    folder: Path, settings: Settings, tables: Mapping[str, pd.DataFrame], parquet_from_units: int | None = None
) -> Path:
    """Write the folder; long tables go to Parquet from the given number of units on.  Other files there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.toml").write_text(
        CASE_TOML.format(**vars(settings), max_rounds=settings.max_rounds), encoding="utf-8", newline="\n"
    )
    units = int((tables["nodes"]["kind"] == "unit").sum())
    large = parquet_from_units is not None and units >= parquet_from_units
    for name, frame in tables.items():
        write_table(folder, name, frame, ".parquet" if large and name in LONG_TABLES else ".csv")
    return folder


def write_table(folder: Path, name: str, frame: pd.DataFrame, suffix: str = ".csv") -> None:
    """Write one table, and remove the same table in another form: a case holds each table once."""
    for other in SUFFIXES:
        (folder / f"{name}{other}").unlink(missing_ok=True)
    path = folder / f"{name}{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path, index=False, compression="zstd")
    else:
        write_csv(path, frame)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV, packed if its name ends in .gz; without a time stamp, so the same table gives the same bytes."""
    packed = {"method": "gzip", "mtime": 0} if path.name.endswith(".gz") else None
    frame.to_csv(path, index=False, lineterminator="\n", compression=packed)
