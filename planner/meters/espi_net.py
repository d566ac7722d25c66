"""Import, export and their net of one usage point: nothing is counted twice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.meters import table
from planner.meters.report import Finding

TOLERANCE_KWH = 1e-6


def reconciled(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Finding, ...], tuple[str, ...]]:
    """The rows without a net channel that import and export already make up.

    A net that differs from import minus export is left out as well, since the two are what was metered;
    the difference is a finding.
    """
    findings: list[Finding] = []
    notes: list[str] = []
    drop = np.zeros(len(frame), dtype=bool)
    for meter in frame["meter"].cat.categories if len(frame) else ():
        mine = (frame["meter"] == meter).to_numpy()
        found = {c: frame[mine & (frame["channel"] == c).to_numpy()] for c in ("import", "export", "net")}
        if any(rows.empty for rows in found.values()):
            continue
        sums = {name: _by_interval(rows) for name, rows in found.items()}
        together = sums["import"].sub(sums["export"], fill_value=0.0)
        known = _interval(found["net"]).isin(together.index)
        drop[np.flatnonzero(mine & (frame["channel"] == "net").to_numpy())[known]] = True
        notes.append("net left out where import and export are there: no sum may count them twice")
        apart = (together - sums["net"]).dropna().abs() > TOLERANCE_KWH
        if apart.any():
            lines = tuple(int(line) for line in found["net"]["line"][:3])
            findings.append(
                Finding("net_differs", str(meter), "net", int(apart.sum()), lines, "is not import minus export")
            )
    return frame[~drop].reset_index(drop=True) if drop.any() else frame, tuple(findings), tuple(notes)


def _interval(rows: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([table.seconds(rows["start"]), rows["minutes"].to_numpy()])


def _by_interval(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(rows["energy_kwh"].to_numpy(), index=_interval(rows)).groupby(level=[0, 1]).sum()
