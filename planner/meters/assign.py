"""Whose rows a file's rows are: what meters.csv says about a file, applied to what was read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from planner.meters import table
from planner.meters.reader import Options, Rows
from planner.meters.report import FileReport, mask
from planner.problems import Problem

OWN_IDS = "canonical"  # the format whose files name their meters as the case does; exports of others have their own


@dataclass(frozen=True, slots=True)
class Request:
    """Rows of meters.csv that read one file in one way; ``meters`` are pairs of id and channel (or nothing)."""

    file: str
    format: str | None
    options: Options
    meters: tuple[tuple[str, str | None], ...]


def requests(entries: pd.DataFrame, case_timezone: str) -> Iterator[Request]:
    """One request per way in which meters.csv wants a file read."""
    ways: dict[tuple[str | None, str | None], list[tuple[str, str | None]]] = {}
    for row in entries.to_dict("records"):
        key = (_said(row.get("format")), _said(row.get("timezone")))
        ways.setdefault(key, []).append((str(row["meter"]), _said(row.get("channel"))))
    file = str(entries["file"].iloc[0])
    for (kind, zone), meters in sorted(ways.items(), key=str):
        origin = "meters.csv" if zone and zone != case_timezone else "case"
        only = {channel for _, channel in meters}
        channel = next(iter(only)) if len(only) == 1 else None
        options = Options(zone or case_timezone, "option" if origin == "meters.csv" else "case", channel)
        yield Request(file, kind, options, tuple(meters))


def format_options(text: str | None) -> tuple[str | None, dict[str, str]]:
    """``name:option=value:option=value`` taken apart; ``detected`` and nothing mean detection."""
    if not text or text == "detected":
        return None, {}
    name, *pairs = text.split(":")
    return name or None, {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def pick(rows: Rows, wanted: Request) -> tuple[Rows, list[Problem]]:
    """The rows of the wanted meters under their ids in the case, and what could not be told apart."""
    if rows.frame.empty:
        hint = "a header alone is no history"
        return rows, [] if rows.problems else [Problem(rows.report.file, 0, "holds no readings", hint=hint)]
    inside = sorted(table.used(rows.frame["meter"]))
    ids = sorted({meter for meter, _ in wanted.meters})
    named = [meter for meter in ids if meter in inside]
    parts: list[pd.DataFrame] = []
    problems: list[Problem] = []
    for meter, channel in wanted.meters:
        source = _source(meter, inside, named, rows.report)
        if isinstance(source, Problem):
            problems.append(source)
            continue
        part, problem = _channel(rows.frame[rows.frame["meter"] == source], meter, channel, rows.report.file)
        parts.append(part)
        problems += [problem] if problem else []
    notes = (*rows.report.notes, *_notes(inside, named, ids))
    return replace(rows, frame=table.concat(parts), report=replace(rows.report, notes=notes)), problems


def _source(meter: str, inside: list[str], named: list[str], report: FileReport) -> str | Problem:
    """The id under which a file holds a meter: its own, or in an export of others that of its only meter."""
    if meter in inside:
        return meter
    if len(inside) == 1 and not named:
        foreign = Problem(report.file, 0, f"no meter {mask(meter)}", hint=f"the file names {mask(inside[0])}")
        return foreign if report.format == OWN_IDS else inside[0]
    shown = ", ".join(mask(other) for other in inside[:5]) + (", ..." if len(inside) > 5 else "")
    hint = f"{mask(meter)} is not among its {len(inside)} meters; name the meter as the file does"
    return Problem(report.file, 0, "holds other meters", shown, hint)


def _notes(inside: list[str], named: list[str], ids: list[str]) -> Iterator[str]:
    """What was done without being asked for: meters left out, or the only meter read under another id."""
    if named and len(inside) > len(named):
        yield f"{len(inside) - len(named)} other meters left out"
    if not named and len(inside) == 1:
        yield f"its only meter {mask(inside[0])} is read as {', '.join(map(mask, ids))}"


def _channel(frame: pd.DataFrame, meter: str, channel: str | None, file: str) -> tuple[pd.DataFrame, Problem | None]:
    """Rows of one meter under its id; a channel picks one, or gives its name to the only one there is."""
    found = sorted(table.used(frame["channel"]))
    if channel and channel in found:
        frame = frame[frame["channel"] == channel]
    elif channel and len(found) == 1 and found[0] != "net":
        frame = frame.assign(channel=table.category(channel, len(frame), table.CHANNELS))
    elif channel:
        hint = f"the file has {', '.join(found)} of it"
        return frame.iloc[:0], Problem(file, 0, f"has no channel {channel} of meter {mask(meter)}", "", hint)
    return frame.assign(meter=table.category(meter, len(frame))), None


def _said(value: object) -> str | None:
    return None if value is None or pd.isna(value) or not str(value).strip() else str(value).strip()  # type: ignore[call-overload]
