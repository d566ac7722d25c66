"""What every reader takes and gives: options in, rows with a report and problems out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from planner.meters.report import FileReport
from planner.meters.source import Source
from planner.problems import Problem

MOST_PROBLEMS = 20
MOST_KWH = 1e8  # of one reading; a large city's day


@dataclass(frozen=True, slots=True)
class Options:
    """What the user said about a file; ``None`` means the file must say it itself."""

    timezone: str | None = None
    timezone_from: str = "option"
    channel: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a source (canonical columns and ``line``), its report so far, and what had to be rejected.

    ``rules`` says for a local date (ISO) by which rule repeated clock times were placed.
    """

    frame: pd.DataFrame
    report: FileReport
    problems: tuple[Problem, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """Reads one source; user input never raises, it becomes a problem."""

    def __call__(self, source: Source, options: Options) -> Rows: ...


def several(file: str, lines: Iterable[int], what: str, values: Iterable[object], hint: str) -> list[Problem]:
    """One problem a line, at most ``MOST_PROBLEMS``; the rest is counted in the last one."""
    pairs = sorted(zip((int(line) for line in lines), (str(v) for v in values), strict=True))
    problems = [Problem(file, line, what, value, hint) for line, value in pairs[:MOST_PROBLEMS]]
    if len(pairs) > MOST_PROBLEMS:
        last = pairs[-1][0]
        problems.append(Problem(file, last, what, f"and {len(pairs) - MOST_PROBLEMS} more such lines up to here", hint))
    return problems


def implausible(file: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Rows that no meter can have counted are taken out: negative outside ``net``, infinite, huge, no length.

    A row without a number becomes ``missing``; that is a quality, not an error.
    """
    energy = frame["energy_kwh"].to_numpy()
    negative = energy < 0
    if negative.any():
        negative &= (frame["channel"] != "net").to_numpy()
    endless = np.isinf(energy)
    huge = (np.abs(energy) > MOST_KWH) & ~endless
    lengthless = frame["minutes"].to_numpy() <= 0
    line = frame["line"].to_numpy()
    hint = "only net may be negative; what flows out is a positive export"
    problems = several(file, line[negative], "energy_kwh is negative", energy[negative], hint)
    problems += several(file, line[endless], "energy_kwh is not a finite number", energy[endless], "")
    what = f"energy_kwh is not plausible: beyond {MOST_KWH:,.0f}"
    told = huge & ~negative
    problems += several(file, line[told], what, [f"{kwh:g}" for kwh in energy[told]], "is it in Wh?")
    problems += several(file, line[lengthless], "minutes is not positive", frame["minutes"][lengthless], "")
    keep = ~(negative | endless | huge | lengthless)
    frame = frame[keep].reset_index(drop=True) if not keep.all() else frame
    absent = np.isnan(frame["energy_kwh"].to_numpy())
    if absent.any():
        frame = frame.assign(quality=frame["quality"].where(~absent, "missing"))
    void = (frame["quality"] == "missing").to_numpy() & ~absent
    if void.any():
        frame = frame.assign(energy_kwh=frame["energy_kwh"].mask(void))
    return frame, problems
