"""What others need of a run, as plain tables: the nomination, the setpoints, the sharing keys.

Only the delivery day is exported; starts carry the offset of the case's timezone.
"""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from planner.ledger import Run

SHARES = 1_000_000  # keys are whole millionths, so that those of a zone sum to 1 exactly
ENDINGS = (".csv", ".csv.gz", ".parquet")


def export(run: Run, out: Path | str) -> tuple[Path, ...]:
    """Write nomination.csv, setpoints.csv and sharing_keys.csv into the folder ``out`` and give their paths."""
    tables = {"nomination": nomination(run), "setpoints": setpoints(run), "sharing_keys": sharing_keys(run)}
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(write_table(table, folder / f"{name}.csv") for name, table in tables.items())


def nomination(run: Run) -> pd.DataFrame:
    """zone, start, end, net_import_mw: mean power of each zone's net exchange, positive imports."""
    minutes = _settings(run)["interval_minutes"]
    rows = run.exchange.sort_values(["zone", "interval"])
    net_kwh = (rows["import_kwh"] - rows["export_kwh"]).to_numpy()
    starts = _local(run, rows["start"])
    power_mw = np.round(net_kwh * 60 / minutes / 1000, 6) + 0.0  # never -0.0
    end = starts + pd.Timedelta(minutes=minutes)
    return pd.DataFrame({"zone": rows["zone"].array, "start": starts, "end": end, "net_import_mw": power_mw})


def setpoints(run: Run) -> pd.DataFrame:
    """asset, start, power_kw of what can be told what to do: loads that nobody agreed to cut are left out."""
    rows = run.dispatch
    if rows.empty:
        return pd.DataFrame({"asset": [], "start": [], "power_kw": []})
    rows = rows[~rows["asset"].isin(_fixed_loads(run))].sort_values(["asset", "interval"])
    starts = _local(run, pd.to_datetime(rows["start"], utc=True))
    return pd.DataFrame({"asset": rows["asset"].array, "start": starts, "power_kw": rows["power_kw"].to_numpy()})


def sharing_keys(run: Run) -> pd.DataFrame:
    """unit, start, share_ratio: a unit's share of what its zone's units are allocated in an interval.

    The shares of a zone sum to 1 where anything is allocated and are 0 where nothing is.
    """
    rows = run.units
    if rows.empty:
        return pd.DataFrame({"unit": [], "start": [], "share_ratio": []})
    rows = rows.assign(zone=rows["building"].map(_zones(run))).sort_values(["unit", "interval"])
    parts = []
    for _, zone in rows.groupby("zone", sort=True):
        energy = zone.pivot(index="unit", columns="interval", values="allocation_kwh")
        ratio = _shares(energy.to_numpy(dtype=float))
        parts.append(zone.assign(share_ratio=ratio.ravel()))  # rows and ratios are both by unit, then interval
    found = pd.concat(parts).sort_values(["unit", "interval"])
    starts = _local(run, found["start"])
    return pd.DataFrame({"unit": found["unit"].array, "start": starts, "share_ratio": found["share_ratio"].to_numpy()})


def _shares(energy_kwh: np.ndarray) -> np.ndarray:
    """Units x intervals of energy to ratios in whole millionths: the largest remainders are rounded up."""
    total = energy_kwh.sum(axis=0)
    exact = np.divide(energy_kwh * SHARES, total, out=np.zeros_like(energy_kwh), where=total > 0)
    whole = np.floor(exact)
    missing = np.where(total > 0, SHARES - whole.sum(axis=0), 0)
    rank = np.argsort(np.argsort(whole - exact, axis=0, kind="stable"), axis=0, kind="stable")
    return (whole + (rank < missing)) / SHARES


def table_text(table: pd.DataFrame) -> str:
    """The CSV text of a table; instants as ISO 8601 with their offset."""
    instants = [name for name in table.columns if isinstance(table[name].dtype, pd.DatetimeTZDtype)]
    texts = {name: table[name].map(lambda moment: moment.isoformat()) for name in instants}
    return str(table.assign(**texts).to_csv(index=False, lineterminator="\n"))


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table, whole or not at all, as the ending of its name says; ValueError for any other ending."""
    if not path.name.endswith(ENDINGS):
        raise ValueError(f"unknown ending '{path.suffix}'")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".partial-{path.name}")
    try:
        if path.suffix == ".parquet":
            table.to_parquet(fresh, index=False)
        else:
            text = table_text(table).encode()
            fresh.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def _settings(run: Run) -> dict[str, Any]:
    return tomllib.loads((run.folder / "market" / "case" / "case.toml").read_text("utf-8"))


def _local(run: Run, instants: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(instants).tz_convert(ZoneInfo(str(_settings(run)["timezone"])))


def _zones(run: Run) -> dict[str, str]:
    """The zone of every building, from its answer."""
    folder = run.folder / "buildings"
    return {b: str(json.loads((folder / b / "answer.json").read_text("utf-8"))["zone"]) for b in run.buildings}


def _fixed_loads(run: Run) -> set[str]:
    """Loads without a share that may be cut."""
    found: set[str] = set()
    for building in run.buildings:
        path = run.folder / "buildings" / building / "case" / "loads.csv"
        if path.is_file():
            loads = pd.read_csv(path, dtype={"load": str}, keep_default_na=False, na_values=[""])
            ratio = loads["curtailable_ratio"].fillna(0) if "curtailable_ratio" in loads else 0 * loads.index
            found.update(loads.loc[np.asarray(ratio) == 0, "load"])
    return found
