"""The canonical table from CSV or parquet: long form, or wide with a column per ``meter:channel``.

Long: meter, channel, start (or end), minutes, energy_kwh, quality [actual].  With both start and end,
minutes may be left out.  Wide: start (or end), minutes [the smallest step] and the columns of the
meters.  Stamps are ISO 8601 with an offset; without one, the zone of the options is used and the rows
of the repeated hour are placed by ``clock``.
"""

from __future__ import annotations

import difflib
from dataclasses import replace

import numpy as np

from planner.meters import table, wide
from planner.meters.cells import Cells, from_csv, from_parquet, header
from planner.meters.columns import number, placed, word
from planner.meters.reader import Options, Rows, implausible, several
from planner.meters.source import Source
from planner.meters.stamps import to_instants
from planner.problems import Problem

LONG = ("meter", "channel", "start", "end", "minutes", "energy_kwh", "quality")


def recognise(source: Source, head: str) -> bool:
    """A parquet file, or a header with the canonical names."""
    if source.data.startswith(b"PAR1"):
        return True
    names = header(head)[0]
    return ("energy_kwh" in names and "meter" in names) or wide.recognise(names)


def read(source: Source, options: Options) -> Rows:
    """Rows of a canonical file."""
    cells = from_parquet(source) if source.data.startswith(b"PAR1") else from_csv(source)
    if not cells.columns:
        return Rows(table.empty(), cells.report, cells.problems)
    if wide.recognise(list(cells.columns)):
        return wide.read(cells, options)
    problems = _unknown_columns(cells) or _absent_columns(cells, options)
    if problems:
        return Rows(table.empty(), cells.report, (*cells.problems, *problems))
    return _long(cells, options)


def _long(cells: Cells, options: Options) -> Rows:
    energy, bad_energy, problems = number(cells, "energy_kwh", "energy_kwh is not a number")
    minutes, bad_minutes, more = _minutes(cells, options)
    meter, no_meter, none = word(cells, "meter", None, "")
    channel, bad_channel, wrong = word(cells, "channel", table.CHANNELS, options.channel or "")
    quality, bad_quality, odd = word(cells, "quality", table.QUALITIES, "actual")
    series = meter.codes.astype("int64") * len(table.CHANNELS) + channel.codes
    stamps = placed(cells, series, np.where(bad_minutes, 0, minutes).astype("int64"), options)
    bad = bad_energy | bad_minutes | no_meter | bad_channel | bad_quality | stamps.bad
    frame = table.build(meter, channel, stamps.seconds, minutes.astype("int32"), energy, quality, cells.line)
    frame = frame[~bad].reset_index(drop=True) if bad.any() else frame
    frame, implausibles = implausible(cells.report.file, frame)
    found = (*cells.problems, *none, *wrong, *more, *stamps.problems, *problems, *odd, *implausibles)
    name = "start" if "start" in cells.columns else "end"
    report = replace(cells.report, variant="long", convention=name, convention_from="header")
    read = len(cells.line) + cells.ragged
    report = replace(report, rows_read=read, rows_rejected=read - len(frame))
    report = replace(report, timezone=stamps.zone, timezone_from=stamps.zone_from, unit="kWh as written")
    return Rows(frame, report, found, stamps.rules)


def _minutes(cells: Cells, options: Options) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    if "minutes" not in cells.columns:
        return _minutes_between(cells, options)
    values, bad, problems = number(cells, "minutes", "minutes is not a number")
    if cells.columns["minutes"].dtype.kind in "iu":
        return values, bad, problems
    odd = ~bad & ~(np.mod(values, 1) == 0)
    problems += several(cells.report.file, cells.line[odd], "minutes is not whole", values[odd], "")
    return np.where(bad | odd, 0, values), bad | odd, problems


def _minutes_between(cells: Cells, options: Options) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    """Minutes from start to end; of a repeated end, the one next after its start."""
    one = np.zeros(len(cells.line), dtype="int64")
    start = to_instants(cells.columns["start"], cells.line, one, options, cells.report.file)
    end = to_instants(cells.columns["end"], cells.line, one, options, cells.report.file, ends=True)
    bad = start.bad | end.bad
    minutes = np.where(bad, 0, (end.seconds - start.seconds) / 60)
    odd = ~bad & ~((np.mod(minutes, 1) == 0) & (minutes > 0))
    problems = several(cells.report.file, cells.line[odd], "end is not whole minutes after start", minutes[odd], "")
    return np.where(odd, 0, minutes), bad | odd, [*problems, *end.problems]


def _unknown_columns(cells: Cells) -> list[Problem]:
    strange = [n for n in cells.columns if n not in LONG and n != "note" and not n.startswith("x_")]
    return [Problem(cells.report.file, 1, "unknown column", name, _closest(name)) for name in strange]


def _closest(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), LONG, n=1, cutoff=0.0)
    return f"did you mean {near[0]}?"


def _absent_columns(cells: Cells, options: Options) -> list[Problem]:
    has = set(cells.columns)
    absent = [name for name in ("meter", "energy_kwh") if name not in has]
    absent += [] if "channel" in has or options.channel else ["channel"]
    absent += [] if has & {"start", "end"} else ["start"]
    absent += [] if "minutes" in has or {"start", "end"} <= has else ["minutes"]
    return [
        Problem(cells.report.file, 1, "column is missing", name, "see the canonical meter table") for name in absent
    ]
