"""The energy of the delivery day, summed over the buildings that are here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.audit.reading import read_table
from planner.audit.table import MissingFileError
from planner.report.joined import MILLION, Ints, Joined, Tables
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
OF_LOADS = 0
OTHER = "other"
STORES = "batteries"


@dataclass(frozen=True)
class Day:
    """kWh per interval of the delivery day (n).

    ``drawn`` and ``made`` by kind of asset, both positive; ``internal`` is traded inside buildings, ``needed`` is
    what units requested beyond their allocation; ``cut`` is what loads asked for and did not get, by building.
    """

    n: int
    drawn: dict[str, Floats]
    made: dict[str, Floats]
    internal: Floats
    needed: Floats
    position: dict[str, Floats]
    cut: dict[str, Floats]

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


@dataclass
class Moved:
    """A day's energy as it is added up: millionths of a kWh, (kinds and other x n) or (n,); ``Day`` says of what.

    ``position`` and ``cut`` (kWh) are by building.
    """

    drawn: Ints
    made: Ints
    internal: Ints
    needed: Ints
    position: dict[str, Floats] = field(default_factory=dict)
    cut: dict[str, Floats] = field(default_factory=dict)

    @classmethod
    def nothing(cls, n: int) -> Moved:
        by_kind = np.zeros((len(KINDS) + 1, n), dtype=np.int64)
        return cls(by_kind, by_kind.copy(), by_kind[0].copy(), by_kind[0].copy())

    def add(self, other: Moved) -> None:
        for name in ("drawn", "made", "internal", "needed"):
            getattr(self, name)[:] += getattr(other, name)
        self.position |= other.position
        self.cut |= other.cut

    def day(self) -> Day:
        """The same in kWh, of kinds that moved anything."""
        words = [*(words for _, _, words in KINDS), OTHER]
        drawn, made = (
            {name: row / MILLION for name, row in zip(words, rows, strict=True) if row.any()}
            for rows in (self.drawn, self.made)
        )
        n = len(self.internal)
        return Day(n, drawn, made, self.internal / MILLION, self.needed / MILLION, self.position, self.cut)


def moved(tables: Tables, seconds: Sequence[int], minutes: int) -> Moved:
    """What some buildings moved in the intervals that begin at ``seconds`` since 1970 UTC."""
    names, n = tables.buildings, len(seconds)
    found = Moved.nothing(n)
    served = _add_dispatch(found, tables, n)
    for i, asked in _asked(tables, seconds, minutes):
        found.cut[names[i]] = np.maximum(asked - served[i] / MILLION, 0.0)
    for table, column, total in (("trades", "energy_kwh", found.internal), ("units", "requested_kwh", found.needed)):
        for part in tables(table, "interval", column):
            total += part.by_interval(part.energy(column), len(names), n).sum(axis=0)
    position = np.zeros((len(names), n), dtype=np.int64)
    for part in tables("position", "interval", "position_kwh"):
        position += part.by_interval(part.energy("position_kwh"), len(names), n)
    found.position = dict(zip(names, position / MILLION, strict=True))
    return found


def _add_dispatch(found: Moved, tables: Tables, n: int) -> Ints:
    """Sort dispatch by kind; what the loads of each building were served, (buildings x n)."""
    kinds, served = _kinds(tables), np.zeros((len(tables.buildings), n), dtype=np.int64)
    for part in tables("dispatch", "asset", "interval", "energy_kwh"):
        kind = _kind(part, kinds)
        t, energy = part.intervals(n), part.energy("energy_kwh")
        draw = np.maximum(energy, 0)
        for total, rows in ((found.drawn, draw), (found.made, draw - energy)):
            np.add.at(total, (kind[t >= 0], t[t >= 0]), rows[t >= 0])
        served += part.by_interval(np.where(kind == OF_LOADS, draw, 0), len(served), n)
    return served


def _kinds(tables: Tables) -> dict[tuple[int, str], int]:
    """Place in ``KINDS`` of (building, asset), from the buildings' cases."""
    found: dict[tuple[int, str], int] = {}
    for kind, (table, key, _) in enumerate(KINDS):
        for part in tables(f"case/{table}", key):
            found.update(dict.fromkeys(zip(part.owner.tolist(), part.table.text(key), strict=True), kind))
    return found


def _kind(part: Joined, kinds: dict[tuple[int, str], int]) -> Ints:
    """The kind of each row."""
    codes, assets = part.table.codes("asset")
    pairs, place = np.unique(part.owner * len(assets) + codes, return_inverse=True)
    named = [(pair // len(assets), assets[pair % len(assets)]) for pair in pairs.tolist()]
    return np.array([kinds.get(name, len(KINDS)) for name in named], dtype=np.int64)[place]


def _asked(tables: Tables, seconds: Sequence[int], minutes: int) -> Iterator[tuple[int, Floats]]:
    """(building, kWh that its loads ask for) from the profiles of its case, where these are here."""
    profiles: dict[int, list[str]] = {}
    for part in tables("case/loads", "profile"):
        for i, name in zip(part.owner.tolist(), part.table.text("profile"), strict=True):
            profiles.setdefault(i, []).append(name)
    for i, names in sorted(profiles.items()):
        file = f"buildings/{tables.buildings[i]}/case/profiles"
        try:
            table = read_table(tables.root / file, file)
        except MissingFileError:
            continue
        if table.columns >= {"start", *names} and len(set(table.instants.tolist())) == len(table):
            power = np.nan_to_num([table.numbers(name) for name in names]).sum(axis=0)
            by_start = dict(zip(table.instants.tolist(), power.tolist(), strict=True))
            yield i, np.array([by_start.get(at, np.nan) for at in seconds], dtype=float) * minutes / 60


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
