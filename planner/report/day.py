"""The energy of the delivery day, summed over the buildings that are here, one building in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.report.papers import Papers

Floats = npt.NDArray[np.float64]

LOADS = "loads"
# Table of a building's case, column of the id, words for people; in this order on the page.
KINDS = (
    ("loads", "load", LOADS),
    ("flexible", "load", "heat pumps and other flexible loads"),
    ("vehicles", "vehicle", "vehicles"),
    ("appliances", "appliance", "appliances"),
    ("batteries", "battery", "batteries"),
    ("solar", "plant", "sun"),
    ("wind", "plant", "wind"),
    ("generators", "generator", "generators"),
)
OTHER = "other"
STORES = "batteries"


@dataclass
class Day:
    """kWh per interval of the delivery day (n).

    ``drawn`` and ``made`` by kind of asset, both positive; ``internal`` is traded inside buildings, ``needed`` is
    what units requested beyond their allocation; ``cut`` is what loads asked for and did not get, by building.
    """

    n: int
    drawn: dict[str, Floats] = field(default_factory=dict)
    made: dict[str, Floats] = field(default_factory=dict)
    internal: Floats = field(default_factory=lambda: np.zeros(0))
    needed: Floats = field(default_factory=lambda: np.zeros(0))
    position: dict[str, Floats] = field(default_factory=dict)
    cut: dict[str, Floats] = field(default_factory=dict)

    def consumption(self) -> Floats:
        """What all assets but stores draw."""
        return self._total(self.drawn)

    def production(self) -> Floats:
        return self._total(self.made)

    def storing(self) -> Floats:
        """What stores draw, negative where they give."""
        nothing = np.zeros(self.n)
        return self.drawn.get(STORES, nothing) - self.made.get(STORES, nothing)

    def _total(self, parts: dict[str, Floats]) -> Floats:
        return np.sum([np.zeros(self.n), *(part for kind, part in parts.items() if kind != STORES)], axis=0)


def read_day(papers: Papers) -> Day:
    """All buildings of the folder, summed."""
    n = len(papers.starts)
    day = Day(n, internal=np.zeros(n), needed=np.zeros(n))
    for building in papers.buildings:
        root = f"buildings/{building}"
        served = _add_dispatch(day, papers, root)
        asked = _asked(papers, root)
        if asked is not None:
            day.cut[building] = np.maximum(asked - served, 0.0)
        day.internal += _by_interval(papers.table(f"{root}/trades.csv"), "energy_kwh", n)
        day.needed += _by_interval(papers.table(f"{root}/units.csv"), "requested_kwh", n)
        day.position[building] = _by_interval(papers.table(f"{root}/position.csv"), "position_kwh", n)
    return day


def _add_dispatch(day: Day, papers: Papers, root: str) -> Floats:
    """Sort a building's dispatch by kind; what its loads were served."""
    frame = papers.table(f"{root}/dispatch.parquet")
    if frame.empty:
        return np.zeros(day.n)
    kind = frame["asset"].map(dict(_kinds(papers, root))).fillna(OTHER)
    summed = frame.assign(kind=kind, draw=frame["energy_kwh"].clip(lower=0), make=-frame["energy_kwh"].clip(upper=0))
    for name, rows in summed.groupby("kind", sort=True):
        for parts, column in ((day.drawn, "draw"), (day.made, "make")):
            if rows[column].any():
                parts[str(name)] = parts.get(str(name), np.zeros(day.n)) + _by_interval(rows, column, day.n)
    return _by_interval(summed[summed["kind"] == LOADS], "draw", day.n)


def _asked(papers: Papers, root: str) -> Floats | None:
    """What a building's loads ask for, from the profiles of its case; None where these are not here."""
    loads, profiles = papers.table(f"{root}/case/loads.csv"), papers.table(f"{root}/case/profiles.csv")
    if loads.empty or "start" not in profiles or not set(loads["profile"]) <= set(profiles.columns):
        return None
    by_start = profiles.set_index("start")[list(loads["profile"])].sum(axis=1) * papers.minutes / 60
    starts = pd.to_datetime(list(papers.starts), utc=True)
    return by_start.reindex(starts).to_numpy(dtype=float) if by_start.index.is_unique else None


def _kinds(papers: Papers, root: str) -> Iterator[tuple[str, str]]:
    """(asset, kind in words) of a building's case."""
    for table, key, words in KINDS:
        frame = papers.table(f"{root}/case/{table}.csv")
        if len(frame):
            yield from ((str(asset), words) for asset in frame[key].unique())


def _by_interval(frame: pd.DataFrame, column: str, n: int) -> Floats:
    """Sum of a column per interval, zero where there is no row."""
    if frame.empty:
        return np.zeros(n)
    at = frame["interval"].to_numpy(dtype=np.int64) - 1
    inside = (at >= 0) & (at < n)
    return np.bincount(at[inside], frame[column].to_numpy(dtype=float)[inside], minlength=n).astype(float)


def group_positions(papers: Papers) -> dict[str, Floats]:
    """Signed position of every group that trades (kWh per interval); buildings' own where there is no market."""
    frame, n = papers.market("positions"), len(papers.starts)
    signed = frame.assign(kwh=frame["requested_kwh"] - frame["offered_kwh"]) if len(frame) else frame
    return {str(g): _by_interval(rows, "kwh", n) for g, rows in signed.groupby("group")} if len(frame) else {}
