"""Clear a case and its changed siblings one after the other, and compare what their run folders say."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from planner.case import Case, as_date
from planner.ledger import Run, refuse_taken
from planner.problems import InvalidInput, Problem
from planner.scenario.assumed import Assumed, unanswered
from planner.scenario.comparison import Comparison, compare_runs
from planner.validation import validate

Change = Callable[[Case], Case]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Scenario:
    """A name and what it changes; calling it gives the changed case."""

    name: str
    change: Change

    def __call__(self, case: Case) -> Case:
        return self.change(case)


@dataclass(frozen=True)
class _Job:
    """One clear: which scenario, which day, where to."""

    scenario: str
    case: Case
    folder: Path


def compare(
    cases: Mapping[str, Case | Change],
    *,
    gap: float | None = None,
    out: Path | str | None = None,
    dates: Sequence[dt.date | str] | None = None,
    tell: Tell = lambda words: None,
) -> Comparison:
    """Clear every scenario for every date and compare with the first.

    The first of ``cases`` is a Case; the others are Cases, or changes (a Scenario or any function) of the first.
    ``gap`` (relative) wins over the cases' own; ``dates`` over their delivery dates; run folders go to
    ``out/<scenario>`` or ``out/<date>/<scenario>`` (a temporary folder if left out).  Everything is checked before
    the first clear: InvalidInput names every problem of every scenario.
    """
    from planner.clearing import clear

    root = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="planner-"))
    jobs = _jobs(_resolved(cases), dates, root)
    runs: dict[tuple[str, str], Run] = {}
    for number, job in enumerate(jobs, start=1):
        tell(f"{number} of {len(jobs)}: {job.scenario}, {job.case.settings.delivery_date}")
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="planner-") as scratch:  # what is only imagined is not remembered
            run = clear(job.case, job.folder, gap=gap, ledger=Path(scratch) / "releases.sqlite")
        runs[job.scenario, str(job.case.settings.delivery_date)] = run
    return compare_runs(runs, root)


def dates_between(text: str) -> tuple[dt.date, ...]:
    """The days of ``2026-10-25..2026-10-27``, both ends included; of one date, that day."""
    first, _, last = text.partition("..")
    begin, end = as_date(first.strip()), as_date((last or first).strip())
    if end < begin:
        raise InvalidInput([Problem("dates", 0, "the last date is before the first", text, "write A..B")])
    return tuple(begin + dt.timedelta(days=day) for day in range((end - begin).days + 1))


def _resolved(cases: Mapping[str, Case | Change]) -> dict[str, Case]:
    """Every scenario as a case."""
    if not cases:
        raise InvalidInput([Problem("scenarios", 0, "nothing to compare", hint="give at least one case")])
    first = next(iter(cases.values()))
    if not isinstance(first, Case):
        raise InvalidInput([Problem("scenarios", 0, "the first scenario must be a case, to which changes apply")])
    problems: list[Problem] = []
    found: dict[str, Case] = {}
    for name, made in cases.items():
        try:
            found[name] = made if isinstance(made, Case) else made(first)
        except InvalidInput as error:
            problems += [_of(name, problem) for problem in error.errors]
    if problems:
        raise InvalidInput(problems)
    return found


def _jobs(cases: Mapping[str, Case], dates: Sequence[dt.date | str] | None, root: Path) -> list[_Job]:
    """All clears in order, each ready to run."""
    problems = _name_problems(cases)
    jobs: list[_Job] = []
    days: Sequence[dt.date | str | None] = dates or [None]
    for date in days:
        dated = {name: case if date is None else case.for_date(date) for name, case in cases.items()}
        base = next(iter(dated.values()))
        assumed = Assumed(base)
        place = root if date is None else root / str(as_date(date))
        for name, case in dated.items():
            try:
                problems += [_no_peak(name, plant) for plant in unanswered(case, base)]
                ready = assumed.carry_over(case)
                problems += [_of(name, problem) for problem in validate(ready)]
                refuse_taken(place / _slug(name))
                jobs.append(_Job(name, ready, place / _slug(name)))
            except InvalidInput as error:
                problems += [_of(name, problem) for problem in error.errors]
    if problems:
        raise InvalidInput(dict.fromkeys(problems))
    return jobs


def _name_problems(cases: Mapping[str, Case]) -> list[Problem]:
    """Two names may not share a folder."""
    seen: dict[str, str] = {}
    problems = []
    for name in cases:
        other = seen.setdefault(_slug(name), name)
        if other != name:
            problems.append(Problem("scenarios", 0, f"'{name}' and '{other}' would share a folder", hint="rename one"))
    return problems


def _slug(name: str) -> str:
    """A scenario's name as a folder's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64] or "scenario"


def _of(name: str, problem: Problem) -> Problem:
    return replace(problem, file=f"{name}: {problem.file}")


def _no_peak(name: str, plant: str) -> Problem:
    what = "its peak_kw was changed, but the first case knows no peak_kw of this metered plant to compare with"
    return Problem(name, 0, what, plant, "give the plant its peak_kw there")
