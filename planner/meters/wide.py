"""The wide canonical form: one row an instant, one column a ``meter:channel``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from planner.meters import table
from planner.meters.cells import Cells
from planner.meters.columns import number, placed
from planner.meters.reader import Options, Rows, implausible
from planner.meters.stamps import to_instants
from planner.problems import Problem

_KEYS = ("start", "end", "minutes", "note")


def recognise(names: Sequence[str]) -> bool:
    """Whether a header is of the wide form: a stamp and only ``meter:channel`` beside it."""
    rest = [name for name in names if name not in _KEYS and not name.startswith("x_")]
    return bool(rest) and ("start" in names or "end" in names) and all(":" in name for name in rest)


def read(cells: Cells, options: Options) -> Rows:
    """Rows of a wide table; an empty cell is a missing reading."""
    names = [name for name in cells.columns if ":" in name]
    problems = [problem for name in names if (problem := _bad_name(cells, name))]
    if problems:
        return Rows(table.empty(), cells.report, (*cells.problems, *problems))
    minutes, bad, note, found = _minutes(cells, options)
    stamps = placed(cells, np.zeros(len(cells.line), dtype="int64"), minutes, options)
    frame, wrong = _stacked(cells, names, stamps.seconds, minutes, bad | stamps.bad)
    frame, implausibles = implausible(cells.report.file, frame)
    found += [*wrong, *implausibles]
    convention = "start" if "start" in cells.columns else "end"
    report = replace(cells.report, variant="wide", convention=convention)
    read = (len(cells.line) + cells.ragged) * len(names)
    report = replace(report, rows_read=read, rows_rejected=read - len(frame))
    report = replace(report, convention_from="header", timezone=stamps.zone, timezone_from=stamps.zone_from)
    report = replace(report, unit="kWh as written", notes=(*report.notes, *note))
    return Rows(frame, report, (*cells.problems, *stamps.problems, *found), stamps.rules)


def _stacked(
    cells: Cells, names: Sequence[str], start_s: np.ndarray, minutes: np.ndarray, bad: np.ndarray
) -> tuple[pd.DataFrame, list[Problem]]:
    """The columns one below the other without their bad rows, and the cells that hold no number."""
    columns, problems = [], []
    for name in names:
        energy, odd, wrong = number(cells, name, f"{name} is not a number")
        columns.append((energy, ~(odd | bad)))
        problems += wrong
    keep = np.concatenate([kept for _, kept in columns])
    of, row = np.divmod(np.flatnonzero(keep), len(cells.line))
    ids = [name.rpartition(":")[::2] for name in names]
    meters = sorted({meter for meter, _ in ids})
    meter_of = np.array([meters.index(meter) for meter, _ in ids])
    channel_of = np.array([table.CHANNELS.index(channel) for _, channel in ids])
    frame = table.build(
        table.coded(meter_of[of], meters),
        table.coded(channel_of[of], table.CHANNELS),
        start_s[row],
        minutes[row],
        np.concatenate([energy for energy, _ in columns])[keep],
        "actual",
        cells.line[row],
    )
    return frame, problems


def _bad_name(cells: Cells, name: str) -> Problem | None:
    meter, _, channel = name.rpartition(":")
    if meter and channel in table.CHANNELS:
        return None
    return Problem(cells.report.file, 1, "column is not meter:channel", name, f"one of {', '.join(table.CHANNELS)}")


def _minutes(cells: Cells, options: Options) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], list[Problem]]:
    size = len(cells.line)
    if "minutes" in cells.columns:
        values, bad, problems = number(cells, "minutes", "minutes is not a number")
        bad = bad | ~(np.mod(values, 1) == 0)
        return np.where(bad, 0, values).astype("int64"), bad, (), problems
    name = "start" if "start" in cells.columns else "end"
    stamps = to_instants(cells.columns[name], cells.line, np.zeros(size, "int64"), options, cells.report.file)
    steps = np.diff(np.unique(stamps.seconds[~stamps.bad]))
    if not len(steps):
        hint = "add a column minutes"
        return (
            np.zeros(size, "int64"),
            np.ones(size, bool),
            (),
            [Problem(cells.report.file, 1, "the length of the intervals cannot be told from one row", "", hint)],
        )
    length = int(steps.min() // 60)
    return np.full(size, length), np.zeros(size, bool), (f"minutes taken from the smallest step: {length}",), []
