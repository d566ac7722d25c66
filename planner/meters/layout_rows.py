"""Rows out of a table that a layout describes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planner.meters import layout_flat, registers, table
from planner.meters.layout_cells import grid
from planner.meters.reader import Options, Rows, implausible, several
from planner.meters.report import FileReport, Finding, examples
from planner.meters.source import Source, decoded
from planner.problems import Problem

if TYPE_CHECKING:
    from planner.meters.layout import Layout


def read(layout: Layout, source: Source, options: Options) -> Rows:
    """Rows of every meter and channel, registers of a channel summed."""
    text = decoded(source)
    cells = grid(text.text, layout.header)
    report = FileReport(source.name, layout.name, encoding=text.encoding, notes=text.notes)
    if cells is None or not cells.rows:
        problem = Problem(source.name, 0, "holds no readings", hint="only a header was found")
        return Rows(table.empty(), report, (problem,))
    problems = several(
        source.name,
        [at for at, _ in cells.ragged],
        f"does not have {len(cells.names)} cells",
        [n for _, n in cells.ragged],
        "",
    )
    options = layout_flat.zoned(layout, options)
    flat = layout_flat.readings(layout, cells)
    rows_read = len(flat)
    flat, ignored = _electric(layout, flat)
    stamps = layout_flat.instants(layout, flat, options, source.name)
    value, wrong, more = _values(layout, flat, source.name)
    unused = wrong | stamps.bad
    rows, findings = _frame(layout, flat.assign(start=stamps.seconds, energy=value)[~unused])
    frame, negative = implausible(source.name, rows)
    if frame.empty and not (problems or stamps.problems or more or negative):
        hint = "nothing in it is electric energy of a known direction"
        more.append(Problem(source.name, 0, "holds no readings", "", hint))
    report = replace(
        report,
        variant=layout.title,
        delimiter=cells.delimiter,
        decimal=layout.decimal,
        rows_read=rows_read + len(cells.ragged),
        convention=layout.stamp,
        convention_from="format",
        timezone=options.timezone or "",
        timezone_from=options.timezone_from,
        unit=_conversions(layout, flat),
        findings=(*ignored, *findings),
        rows_rejected=len(cells.ragged) + int(unused.sum()) + len(rows) - len(frame),
    )
    return Rows(frame, report, (*problems, *stamps.problems, *more, *negative), stamps.rules)


def _electric(layout: Layout, flat: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Readings of electric energy with their ``channel``; the others (gas, reactive, power) are counted."""
    channel = flat["kind"].map(lambda text: _prefixed(layout.channels, text))
    ours = channel.isin(table.CHANNELS) & flat["unit"].isin(list(layout.units))
    findings = []
    for kind, rows in flat[~ours].groupby(["kind", "unit"]):
        note = f"{' '.join(str(word) for word in kind if word)[:60]} is not electric energy of a known direction"
        findings.append(Finding("ignored", "", "", len(rows), examples(rows["line"]), note))
    return flat.assign(channel=channel)[ours].reset_index(drop=True), findings


def _conversions(layout: Layout, flat: pd.DataFrame) -> str:
    """What was done to the values, by the text of their unit."""
    used = sorted(set(flat["unit"]) & set(layout.units))
    words = [("mean kW to kWh" if unit in layout.power else f"x {layout.units[unit]:g} to kWh", unit) for unit in used]
    return ", ".join(f"{unit}: {done}".removeprefix(": ") for done, unit in words)


def _frame(layout: Layout, flat: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Numbers in kWh and qualities; then the registers of each channel summed."""
    factor = flat["unit"].map(lambda text: layout.units[text]).to_numpy(dtype="float64")
    factor = np.where(flat["unit"].isin(layout.power), factor * flat["minutes"].to_numpy(dtype="float64") / 60, factor)
    otherwise = "estimated" if layout.qualities else "actual"
    view = flat.assign(
        energy=flat["energy"] * factor,
        word=flat["quality"].map(lambda text: layout.qualities.get(text, otherwise)),
    )
    parts = []
    for (meter, name, register), rows in view.groupby(["meter", "channel", "kind"], sort=True):
        columns = (rows["start"], rows["minutes"], rows["energy"], rows["word"], rows["line"])
        frame = table.build(str(meter), str(name), *columns)
        parts.append(registers.Part(str(meter), str(name), str(register), frame))
    frame, found = registers.summed(parts, alternating=layout.alternating)
    return frame, [*_strange_qualities(layout, flat), *found]


def _strange_qualities(layout: Layout, flat: pd.DataFrame) -> list[Finding]:
    """Quality words that the layout does not know; their readings count as estimated."""
    strange = sorted(set(flat["quality"]) - set(layout.qualities)) if layout.qualities else []
    counts = [int((flat["quality"] == word).sum()) for word in strange]
    notes = [f"{word[:30]!r} taken as estimated" for word in strange]
    return [Finding("quality_unknown", "", "", n, (), note) for n, note in zip(counts, notes, strict=True)]


def _values(layout: Layout, flat: pd.DataFrame, file: str) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    """Numbers, a mask of the cells that are neither number nor empty, and their problems."""
    line = flat["line"].to_numpy(dtype="int64")
    text = flat["value"].str.replace(",", ".", regex=False) if layout.decimal == "," else flat["value"]
    value = pd.to_numeric(text, errors="coerce").to_numpy(dtype="float64")
    empty = text.str.lower().isin(layout_flat.NONE).to_numpy()
    value = np.where(empty & flat["quality"].isin(layout.zero_when).to_numpy(), 0.0, value)
    wrong = np.isnan(value) & ~empty
    return value, wrong, several(file, line[wrong], "value is not a number", flat["value"][wrong], "")


def _prefixed(channels: object, text: str) -> str | None:
    """The channel whose key is the longest beginning of the text."""
    fitting = [key for key in channels if text.startswith(key)]  # type: ignore[attr-defined]
    return channels[max(fitting, key=len)] if fitting else None  # type: ignore[index]
