"""Five million meter readings: read, validated, gap-checked and put on a grid, beside raw reads of the same file.

    python tests/benchmarks/meters.py [--rows 5000000] [--repeat 3] [--minutes 15]

Writes a canonical long CSV (meter, channel, start, minutes, energy_kwh, quality: years of quarter hours with a few
gaps, repeated rows and estimates) and reads it in turns, pandas' C engine first.  Processor time counts, since wall
time depends on what else runs; the least of the repeats is shown, and the ratio to pandas.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as pacsv

from planner.meters import align, ingest

YEAR = 96 * 365
GAPS, REPEATED, ESTIMATED = 1000, 500, 2000


def write_readings(path: Path, rows: int) -> None:
    """A file of ``rows`` rows, whole meters of a year each; the damage is spread by a seed."""
    chance = np.random.default_rng(1)
    at = np.arange(rows)
    starts = pd.date_range("2025-01-01", periods=YEAR, freq="15min", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ").to_numpy()
    quality = np.full(rows, "actual", dtype=object)
    quality[chance.choice(rows, ESTIMATED, replace=False)] = "estimated"
    frame = pd.DataFrame(
        {
            "meter": pd.Categorical.from_codes(at // YEAR, [f"m{i:04d}" for i in range(rows // YEAR + 1)]),
            "channel": "import",
            "start": starts[at % YEAR],
            "minutes": 15,
            "energy_kwh": chance.gamma(2.0, 0.1, rows).round(3),
            "quality": quality,
        }
    )
    lost = chance.choice(rows, GAPS, replace=False)
    again = chance.choice(rows, REPEATED, replace=False)
    kept = np.sort(np.concatenate([np.setdiff1d(at, lost), again]))
    frame.iloc[kept].to_csv(path, index=False)


def with_planner(path: Path, minutes: int) -> str:
    """Everything that a file goes through before a forecast may use it."""
    metered = ingest([path], keep_going=True)
    cells = len(align(metered.table, minutes).table)
    found: dict[str, int] = {}
    for finding in metered.reports[0].findings:
        found[finding.what] = found.get(finding.what, 0) + finding.count
    damage = ", ".join(f"{count} x {what}" for what, count in found.items())
    return f"{len(metered.table):,} readings, {cells:,} of {minutes} minutes; {damage}"


def with_pandas(path: Path) -> str:
    return f"{len(pd.read_csv(path)):,} rows, nothing checked"


def with_pyarrow(path: Path) -> str:
    return f"{pacsv.read_csv(path).num_rows:,} rows, nothing checked"


def ways(minutes: int) -> dict[str, Callable[[Path], str]]:
    return {
        "pandas, C engine": with_pandas,
        "pyarrow": with_pyarrow,
        "planner: read, checked, aligned": lambda path: with_planner(path, minutes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=15, help="of the market's interval")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "readings.csv"
        write_readings(path, asked.rows)
        print(f"{asked.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
        best = {name: (float("inf"), float("inf"), "") for name in ways(asked.minutes)}
        for _ in range(asked.repeat):
            for name, way in ways(asked.minutes).items():
                wall, used = time.perf_counter(), time.process_time()
                said = way(path)
                spent = time.process_time() - used, time.perf_counter() - wall
                best[name] = min(best[name], (*spent, said))
    print(f"{'':34}{'CPU s':>8}{'wall s':>8}{'x pandas':>10}")
    for name, (used, wall, said) in best.items():
        print(f"{name:34}{used:8.2f}{wall:8.2f}{used / best['pandas, C engine'][0]:10.2f}  {said}")


if __name__ == "__main__":
    main()
