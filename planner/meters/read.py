"""Meter files to one table: of a case (``read_meters``) or of any paths (``ingest``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from planner.meters import assign, detect, quality, table
from planner.meters.reader import Options, Rows
from planner.meters.report import FileReport, Finding
from planner.meters.source import Source, sources
from planner.problems import InvalidInput, Problem

if TYPE_CHECKING:
    from planner.case import Case


@dataclass(frozen=True, slots=True)
class Metered:
    """The canonical table of all meters and one report a file; ``problems`` only where told to keep going."""

    table: pd.DataFrame
    reports: tuple[FileReport, ...]
    problems: tuple[Problem, ...] = ()


def read_meters(case: Case) -> Metered:
    """The files of meters.csv under ``<case>/meters/``, every row under the id that meters.csv gives it.

    Raises InvalidInput with everything that is wrong in any file.
    """
    if case.meters.empty:
        return Metered(table.finished(table.empty()), ())
    folder = Path(case.folder or ".") / "meters"
    checked: list[quality.Checked] = []
    problems: list[Problem] = []
    for file, entries in case.meters.sort_values("meter").groupby("file", sort=True):
        for wanted in assign.requests(entries, case.settings.timezone):
            for rows in _read_path(folder / str(file), f"meters/{file}", wanted.options, wanted.format):
                chosen, refused = assign.pick(rows, wanted)
                checked.append(quality.check(chosen, wanted.options.timezone))
                problems += [*refused, *checked[-1].problems, *chosen.problems]
    return _together(checked, problems, keep_going=False)


def ingest(
    paths: Iterable[str | Path],
    out: str | Path | None = None,
    format: str | None = None,
    timezone: str | None = None,
    keep_going: bool = False,
) -> Metered:
    """Meter exports, or folders of them, to the canonical table, written to ``out`` (parquet or CSV) if given.

    ``format`` is a name, or ``name:option=value`` (``green_button:epoch=local``).  Raises InvalidInput
    with all problems; with ``keep_going`` rejected rows and files are left out and reported instead.
    """
    options = Options(timezone=timezone)
    checked: list[quality.Checked] = []
    problems: list[Problem] = []
    for path, shown in files_in(paths):
        for rows in _read_path(path, shown, options, format):
            checked.append(quality.check(rows, timezone))
            problems += [*rows.problems, *checked[-1].problems]
    metered = _together(checked, problems, keep_going)
    if out is not None:
        table.write(metered.table, Path(out))
    return metered


def files_in(paths: Iterable[str | Path]) -> list[tuple[Path, str]]:
    """(file, name in messages) of every path, and of all that a folder holds, hidden files apart; sorted."""
    found: dict[Path, str] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            found[path] = path.name
            continue
        inside = [(file, file.relative_to(path).as_posix()) for file in path.rglob("*") if file.is_file()]
        found |= {file: shown for file, shown in inside if not any(part[0] == "." for part in shown.split("/"))}
    return sorted(found.items())


def _read_path(path: Path, shown: str, options: Options, format: str | None) -> Iterable[Rows]:
    """Rows of every source at a path; a refusal is rows without any and a problem."""
    found, problems = sources(path, shown)
    for problem in problems:
        yield Rows(table.empty(), FileReport(shown), (problem,))
    for source in found:
        yield _read_source(source, options, format)


def _read_source(source: Source, options: Options, format: str | None) -> Rows:
    name, extra = assign.format_options(format)
    kind = detect.named(name, source.name) if name else detect.detect(source)
    if isinstance(kind, Problem):
        return Rows(table.empty(), FileReport(source.name), (kind,))
    return kind.read(source, replace(options, extra=extra))


def _together(checked: list[quality.Checked], problems: list[Problem], keep_going: bool) -> Metered:
    """All files in one table; readings of two files that contradict each other are problems too."""
    reports = tuple(part.report for part in checked)
    union, findings, clashes = _union(checked)
    found = sorted({*problems, *(replace(clash, line=0) for clash in clashes)}, key=_place)
    if findings:
        reports = (*reports, FileReport("files together", rows_used=len(union.frame), findings=findings))
    if found and not keep_going:
        raise InvalidInput(found)
    return Metered(table.published(union), reports, tuple(found))


def _union(checked: list[quality.Checked]) -> tuple[table.Keyed, tuple[Finding, ...], list[Problem]]:
    """All rows in order, each interval once; the rows of a single file are so already."""
    if len(checked) == 1:
        return checked[0].keyed, (), []
    return quality.unique(table.concat(part.keyed.frame for part in checked), "files together")


def _place(problem: Problem) -> tuple[str, int, str, str]:
    return problem.file, problem.line, problem.what, problem.value
