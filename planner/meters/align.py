"""Any interval length onto the market's: summed where finer, spread evenly and reported where coarser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planner.meters import table
from planner.meters.report import Finding


@dataclass(frozen=True, slots=True)
class Spread:
    """Energy of equal cells; NaN where a cell is not covered exactly once.

    ``split`` counts the readings that reach over more than one cell, ``doubled`` the cells covered twice.
    """

    energy_kwh: np.ndarray
    split: int
    doubled: int


@dataclass(frozen=True, slots=True)
class Aligned:
    """A canonical table with one interval length and what had to be split, left out or not counted twice."""

    table: pd.DataFrame
    findings: tuple[Finding, ...]


def spread(
    start_s: np.ndarray, minutes: np.ndarray, energy_kwh: np.ndarray, first_s: int, cells: int, cell_minutes: int
) -> Spread:
    """Energy of one series in ``cells`` cells from ``first_s`` on; readings outside are left out."""
    known = ~np.isnan(energy_kwh)
    start, length, energy = start_s[known] - first_s, minutes[known].astype("int64") * 60, energy_kwh[known]
    cell, share, row = _pieces(start, length, cell_minutes * 60)
    inside = (cell >= 0) & (cell < cells)
    cell, share, row = cell[inside], share[inside], row[inside]
    kwh = np.bincount(cell, energy[row] * (share / length[row]), cells)
    covered = np.bincount(cell, share, cells)
    full = np.abs(covered - cell_minutes * 60) < 0.5
    split = int((np.bincount(row, minlength=len(energy)) > 1).sum())
    return Spread(np.where(full, kwh, np.nan), split, int((covered > cell_minutes * 60 + 0.5).sum()))


def align(frame: pd.DataFrame, minutes: int) -> Aligned:
    """The whole table with intervals of ``minutes`` that begin on the multiples of that length (UTC).

    A cell that is not covered exactly once is left out and counted; the poorest quality of its parts
    stands for the cell, and ``estimated`` for a reading that was split.
    """
    keyed = table.ordered(frame)
    energy, width = keyed.frame["energy_kwh"].to_numpy(), minutes * 60
    if _fits(keyed, energy, width):
        return Aligned(table.published(keyed), ())
    known = np.flatnonzero(~np.isnan(energy))
    length = keyed.end_s[known] - keyed.start_s[known]
    cell, share, row = _pieces(keyed.start_s[known], length, width)
    source = known[row]
    key = keyed.series[source] * (1 << 40) + cell
    if not len(key):
        return Aligned(table.finished(keyed.frame.iloc[:0]), ())
    if (np.diff(key) < 0).any():
        order = np.argsort(key, kind="stable")
        key, cell, share, row, source = key[order], cell[order], share[order], row[order], source[order]
    edges = np.flatnonzero(np.concatenate([[True], np.diff(key) != 0]))
    covered = np.add.reduceat(share, edges)
    kwh = np.add.reduceat(energy[source] * (share / length[row]), edges)
    parted = share < length[row]
    rank = np.where(parted, 1, 0) if parted.any() else np.zeros(len(source), dtype="int64")
    rank = np.maximum(rank, keyed.frame["quality"].cat.codes.to_numpy()[source])
    full = covered == width
    head = source[edges][full]
    result = table.build(
        keyed.frame["meter"].array[head],
        keyed.frame["channel"].array[head],
        cell[edges][full] * width,
        minutes,
        kwh[full],
        table.coded(np.maximum.reduceat(rank, edges)[full], table.QUALITIES),
        0,
    )
    findings = (
        *_count(keyed, source[parted], "split", "readings longer than the market's interval, spread evenly"),
        *_count(keyed, source[edges][covered < width], "incomplete", "intervals not covered in full, left out"),
        *_count(keyed, source[edges][covered > width], "overlap", "intervals covered more than once, left out"),
    )
    return Aligned(table.finished(result), findings)


def _fits(keyed: table.Keyed, energy_kwh: np.ndarray, width_s: int) -> bool:
    """Whether every reading is one cell already, and no two are the same one."""
    start, again = keyed.start_s, (np.diff(keyed.start_s) == 0) & (np.diff(keyed.series) == 0)
    lengths = keyed.end_s - start
    return bool((lengths == width_s).all() and not (start % width_s).any() and not again.any()) and not bool(
        np.isnan(energy_kwh).any()
    )


def _pieces(start: np.ndarray, length: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell, seconds in it and row of every part of every reading."""
    first = start // width
    count = (start + length - 1) // width - first + 1
    if (count == 1).all():
        return first, length, np.arange(len(start))
    row = np.repeat(np.arange(len(start)), count)
    cell = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    begin, end = np.maximum(start[row], cell * width), np.minimum((start + length)[row], (cell + 1) * width)
    return cell, end - begin, row


def _count(keyed: table.Keyed, rows: np.ndarray, what: str, note: str) -> list[Finding]:
    """One finding a series for the rows given (a row counts once)."""
    if not len(rows):
        return []
    rows = np.unique(rows)
    findings = []
    for code in np.unique(keyed.series[rows]):
        mine = rows[keyed.series[rows] == code]
        findings.append(Finding(what, *keyed.owner(mine[0]), len(mine), (), note))
    return findings
