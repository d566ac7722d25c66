"""The audit: an independent witness that re-checks every rule of a run from its files alone.

It knows neither the models nor the solver.  What it cannot find it lists as not checkable; what it finds and cannot
read is a violation of the rule that needs it first; it never fails by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from planner.audit import intervals, network, objective, opportunity, positions, release
from planner.audit.book import BookMarket
from planner.audit.checks import OF_BOOK, OF_BUILDINGS, OF_MARKET, OF_RUN
from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Audit, Findings, Violation, Where
from planner.audit.rules import RULES
from planner.audit.table import DamagedFileError, MissingFileError
from planner.security.keys import Identity

__all__ = ["RULES", "Audit", "Violation", "Where", "audit"]

AT_ONCE = 64
"""Buildings whose tables are in memory at a time."""
CONTRADICTIONS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, OSError)


@dataclass(frozen=True)
class _Job:
    """One check of one thing; ``holder`` is named where it cannot be done."""

    rules: tuple[str, ...]
    check: Callable[[Any, Findings], None]
    subject: Any
    holder: str = ""

    @property
    def key(self) -> _Key:
        return self.check, self.holder


_Key = tuple[Callable[[Any, Findings], None], str]


class _Done(NamedTuple):
    """What a check found, and what it ended with if it could not be done."""

    job: _Job
    found: Findings
    failure: Exception | None


def audit(run: Path | str | Any, reader: Identity | None = None) -> Audit:
    """Audit a run folder, any part of one, or one holder's own folder; ``run`` is a path or has one as ``folder``.

    ``reader`` are the marketplace's keys, if the bodies of the envelopes are to be read as well.
    """
    root = Path(getattr(run, "folder", run))
    found = Findings()
    evidence = Evidence(root)
    if not root.is_dir():
        found.add("C1", str(root), "there is no such run folder")
        return found.close()
    if _is_market(evidence):
        for job in _book_jobs(evidence):
            _tell(_do(job), found)
        return found.close()
    done = _of_buildings(evidence)
    for job in _jobs(evidence, reader):
        _tell(done.get(job.key) or _do(job), found)
    return found.close()


def _of_buildings(evidence: Evidence) -> dict[_Key, _Done]:
    """Every building's checks, some buildings at a time, so that no more than their tables are in memory."""
    done = {}
    for block in _blocks(evidence.buildings):
        with suppress(MissingFileError, DamagedFileError):  # named by the checks that need it
            evidence.read_ahead(block)
        for building in block:
            for job in (_job_of_rows(building), *_jobs_of(building)):
                done[job.key] = _do(job)
            _do(_Job((), _remember, building))
        evidence.forget(block)
    return done


def _remember(b: Building, found: Findings) -> None:
    """Work out what checks of the whole run ask about a building while its tables are at hand."""
    objective.building_cost(b)
    network.path(b)
    positions.asset_nodes(b)
    opportunity.of_building(b)


def _blocks(buildings: Sequence[Building]) -> Iterator[Sequence[Building]]:
    for first in range(0, len(buildings), AT_ONCE):
        yield buildings[first : first + AT_ONCE]


def _jobs(evidence: Evidence, reader: Identity | None) -> Iterator[_Job]:
    """All checks in the order in which their findings are told."""
    yield _Job(("C1",), intervals.check_run, evidence)
    for building in evidence.buildings:
        yield _job_of_rows(building)
    for rules, check in OF_RUN:
        yield _Job(rules, check, evidence)
    yield _Job(("R2",), lambda run, found: release.check_bodies(run, found, reader), evidence)
    yield _Job(("R6",), lambda run, found: release.check_silence(run, found, reader), evidence)
    for rules, check in OF_MARKET:
        yield _Job(rules, check, evidence.market)
    for building in evidence.buildings:
        yield from _jobs_of(building)


def _job_of_rows(building: Building) -> _Job:
    return _Job(("C1",), intervals.check_building, building, building.id)


def _jobs_of(building: Building) -> Iterator[_Job]:
    for rules, check in OF_BUILDINGS:
        yield _Job(rules, check, building, building.id)


def _do(job: _Job) -> _Done:
    """Run one check.  Files are written by others: whatever is wrong with them is a finding, never a traceback."""
    found = Findings()
    try:
        job.check(job.subject, found)
    except (MissingFileError, DamagedFileError, *CONTRADICTIONS) as failure:
        return _Done(job, found, failure)
    return _Done(job, found, None)


def _tell(done: _Done, found: Findings) -> None:
    """Note what a check found and how it ended."""
    job, failure = done.job, done.failure
    found.absorb(done.found)
    if failure is None:
        found.checked(*job.rules)
    elif isinstance(failure, MissingFileError):
        for rule in job.rules:
            found.unchecked(rule, str(failure))
    elif isinstance(failure, DamagedFileError):
        found.damaged(failure.file, failure.why, job.rules)
    else:
        where = f"buildings/{job.holder}" if job.holder and "/" not in job.holder else job.holder or "market"
        for rule in job.rules:
            what = f"the files contradict each other: {type(failure).__name__}: {str(failure)[:120]}"
            found.add(rule, where, what)


def _book_jobs(evidence: Evidence) -> Iterator[_Job]:
    """The checks of every rule's clear."""
    rules = evidence.certificate.get("rules")
    folders = [f"market/{rule}" for rule in sorted(rules)] if isinstance(rules, dict) else ["market"]
    for book in [BookMarket(evidence, folder) for folder in folders]:
        for names, check in OF_BOOK:
            yield _Job(names, check, book, book.folder)


def _is_market(evidence: Evidence) -> bool:
    """Whether the folder is that of an order book: orders alone."""
    try:
        told = evidence.certificate
    except (MissingFileError, DamagedFileError):
        return False
    return told.get("mode") == "market" or "rules" in told
