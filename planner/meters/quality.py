"""Gaps, duplicates, overlaps, estimates and clock-change days: counted, reported, never filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from planner.meters import clock, table
from planner.meters.reader import Rows, several
from planner.meters.report import ClockChange, FileReport, Finding, examples, mask
from planner.problems import Problem

DAY = 86400


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows in order and without duplicates, the completed report, and the readings that contradict each other."""

    keyed: table.Keyed
    report: FileReport
    problems: tuple[Problem, ...]


def check(rows: Rows, zone_name: str | None = None) -> Checked:
    """Complete a reader's report; ``zone_name`` is the local clock for clock-change days."""
    keyed, duplicates, problems = unique(rows.frame, rows.report.file)
    frame = keyed.frame
    rejected = {problem.line for problem in (*rows.problems, *problems) if problem.line}
    report = replace(
        rows.report,
        rows_used=len(frame),
        rows_rejected=rows.report.rows_rejected + _conflicts(duplicates),
        rejected_lines=tuple(sorted(rejected)),
        minutes=tuple(sorted(int(m) for m in frame["minutes"].unique())),
        meters=tuple(sorted(table.used(frame["meter"]))),
        channels=tuple(str(c) for c, n in frame["channel"].value_counts(sort=False).items() if n),
        quality=tuple((str(q), int(n)) for q, n in frame["quality"].value_counts(sort=False).items() if n),
        findings=(*rows.report.findings, *duplicates, *_series_findings(keyed)),
        clock_changes=tuple(_clock_changes(keyed, zone_name or rows.report.timezone, rows.rules)),
    )
    return Checked(keyed, report, tuple(problems))


def unique(frame: pd.DataFrame, file: str) -> tuple[table.Keyed, tuple[Finding, ...], list[Problem]]:
    """One row an instant and series, in order.

    Equal readings are kept once, a missing one gives way to a number; readings that contradict each
    other are all taken out and become problems.
    """
    keyed = table.ordered(frame)
    same = (np.diff(keyed.series) == 0) & (np.diff(keyed.start_s) == 0)
    if not same.any():
        return keyed, (), []
    twice = np.zeros(len(frame), dtype=bool)
    twice[1:] |= same
    twice[:-1] |= same
    group = np.cumsum(~np.concatenate([[False], same]))[twice]
    keep, kinds = _survivors(keyed.frame[twice], group)
    alike = keyed.frame[twice].assign(kind=kinds)
    findings = tuple(_counted(alike[~keep]))
    clash = alike[kinds == "conflicting_duplicate"]
    firsts = clash[~pd.Series(group[kinds == "conflicting_duplicate"], index=clash.index).duplicated()]
    told = [
        f"{mask(str(m))} {c} {s:%Y-%m-%dT%H:%MZ}"
        for m, c, s in zip(firsts["meter"], firsts["channel"], firsts["start"], strict=True)
    ]
    hint = "keep one of the readings"
    problems = several(file, firsts["line"], "readings of one interval contradict each other", told, hint)
    stays = ~twice
    stays[np.flatnonzero(twice)[keep]] = True
    left = keyed.frame[stays].reset_index(drop=True)
    return table.Keyed(left, keyed.series[stays], keyed.start_s[stays], keyed.end_s[stays]), findings, problems


def _survivors(alike: pd.DataFrame, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of the groups stay, and what the others are."""
    number = ~np.isnan(alike["energy_kwh"].to_numpy())
    view = pd.DataFrame({"group": group, "number": number, "energy": alike["energy_kwh"].to_numpy()})
    view["minutes"] = alike["minutes"].to_numpy()
    view["rank"] = alike["quality"].cat.codes.to_numpy()
    has = view.groupby("group")["number"].transform("any").to_numpy()
    placeholder = has & ~number
    real = view[~placeholder].groupby("group")
    spread = (real["energy"].nunique() > 1) | (real["minutes"].nunique() > 1)
    clash = spread.reindex(group, fill_value=False).to_numpy() & ~placeholder
    best = view[~placeholder & ~clash].sort_values(["group", "rank"], kind="stable").drop_duplicates("group").index
    keep = np.zeros(len(view), dtype=bool)
    keep[best] = True
    kinds = np.where(placeholder, "superseded", np.where(clash, "conflicting_duplicate", "exact_duplicate"))
    return keep, kinds


def _counted(gone: pd.DataFrame) -> Iterator[Finding]:
    for (kind, meter, channel), rows in gone.groupby(["kind", "meter", "channel"], observed=True):
        yield Finding(str(kind), str(meter), str(channel), len(rows), examples(rows["line"]))


def _conflicts(findings: tuple[Finding, ...]) -> int:
    return sum(finding.count for finding in findings if finding.what == "conflicting_duplicate")


def _series_findings(keyed: table.Keyed) -> Iterator[Finding]:
    """Gaps, overlaps and qualities of every series."""
    if not len(keyed.frame):
        return
    inside = np.diff(keyed.series) == 0
    distance = keyed.start_s[1:] - keyed.end_s[:-1]
    gap = np.flatnonzero(inside & (distance > 0))
    absent = np.ceil(distance[gap] / (60 * keyed.frame["minutes"].to_numpy()[gap].astype("int64")))
    yield from _per_series(keyed, "gap", gap + 1, absent, "intervals without a row")
    over = np.flatnonzero(inside & (distance < 0))
    yield from _per_series(keyed, "overlap", over + 1, np.ones(len(over)), "begins before the last ends")
    quality = keyed.frame["quality"].cat.codes.to_numpy()
    for code, word in enumerate(table.QUALITIES[1:], start=1):
        rows = np.flatnonzero(quality == code)
        yield from _per_series(keyed, word, rows, np.ones(len(rows)), "")


def _per_series(keyed: table.Keyed, what: str, hits: np.ndarray, counts: np.ndarray, note: str) -> Iterator[Finding]:
    """One finding a series: the rows that were hit and how much each of them counts."""
    series, line = keyed.series[hits], keyed.frame["line"].to_numpy()
    for code in np.unique(series):
        mine = series == code
        rows = hits[mine]
        lines = examples(line[rows[:50]])
        yield Finding(what, *keyed.owner(rows[0]), int(counts[mine].sum()), lines, note)


def _clock_changes(keyed: table.Keyed, zone_name: str, rules: Mapping[str, str]) -> Iterator[ClockChange]:
    """Row counts of every series on local days that do not have 24 hours."""
    if not zone_name or clock.zone(zone_name) is None or not len(keyed.frame):
        return
    minutes = keyed.frame["minutes"].to_numpy()
    for date, first, last in uneven_days(int(keyed.start_s.min()), int(keyed.end_s.max()), zone_name):
        inside = np.flatnonzero((keyed.start_s >= first) & (keyed.start_s < last))
        for code in np.unique(keyed.series[inside]):
            rows = inside[keyed.series[inside] == code]
            expected = (last - first) // (60 * int(minutes[rows[0]]))
            rule = rules.get(date, "stamps leave no doubt")
            yield ClockChange(*keyed.owner(rows[0]), date, len(rows), int(expected), rule)


def uneven_days(first_s: int, last_s: int, zone_name: str) -> list[tuple[str, int, int]]:
    """Local days of other than 24 hours between two instants: date, first and last second."""
    begin = pd.Timestamp(first_s, unit="s", tz="UTC").tz_convert(zone_name).tz_localize(None).normalize()
    end = pd.Timestamp(last_s, unit="s", tz="UTC").tz_convert(zone_name).tz_localize(None)
    days = pd.date_range(begin, end.normalize() + pd.Timedelta(days=1), freq="D")
    midnights = days.tz_localize(zone_name, ambiguous=np.ones(len(days), dtype=bool), nonexistent="shift_forward")
    edge = midnights.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]").astype("int64")
    odd = np.flatnonzero(np.diff(edge) != DAY)
    return [(f"{days[i]:%Y-%m-%d}", int(edge[i]), int(edge[i + 1])) for i in odd.tolist()]
