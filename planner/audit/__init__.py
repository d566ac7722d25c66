"""The audit: an independent witness that re-checks every rule of a run from its files alone.

It knows neither the models nor the solver.  What it cannot find it lists as not checkable; what it finds and cannot
read is a violation of the rule that needs it first; it never fails by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planner.audit import intervals, release
from planner.audit.book import BookMarket
from planner.audit.checks import OF_BOOK, OF_MARKET, OF_RUN
from planner.audit.evidence import Evidence
from planner.audit.findings import Audit, Findings, Violation, Where
from planner.audit.jobs import Done, Job, do, job_of_rows, jobs_of, of_buildings
from planner.audit.rules import RULES
from planner.audit.table import DamagedFileError, MissingFileError
from planner.security.keys import Identity

__all__ = ["RULES", "Audit", "Violation", "Where", "audit"]


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
            _tell(do(job), found)
        return found.close()
    done = of_buildings(evidence)
    for job in _jobs(evidence, reader):
        _tell(done.get(job.key) or do(job), found)
    return found.close()


def _jobs(evidence: Evidence, reader: Identity | None) -> Iterator[Job]:
    """All checks in the order in which their findings are told."""
    yield Job(("C1",), intervals.check_run, evidence)
    for building in evidence.buildings:
        yield job_of_rows(building)
    for rules, check in OF_RUN:
        yield Job(rules, check, evidence)
    yield Job(("R2",), lambda run, found: release.check_bodies(run, found, reader), evidence)
    yield Job(("R6",), lambda run, found: release.check_silence(run, found, reader), evidence)
    for rules, check in OF_MARKET:
        yield Job(rules, check, evidence.market)
    for building in evidence.buildings:
        yield from jobs_of(building)


def _tell(done: Done, found: Findings) -> None:
    """Note what a check found and how it ended."""
    job, failure = done.job, done.failure
    found.absorb(done.found, *(job.rules if failure is None else ()))
    if failure is None:
        return
    if isinstance(failure, MissingFileError):
        for rule in job.rules:
            found.unchecked(rule, str(failure))
    elif isinstance(failure, DamagedFileError):
        found.damaged(failure.file, failure.why, job.rules)
    else:
        where = f"buildings/{job.holder}" if job.holder and "/" not in job.holder else job.holder or "market"
        for rule in job.rules:
            found.add(rule, where, f"the files contradict each other: {failure}")


def _book_jobs(evidence: Evidence) -> Iterator[Job]:
    """The checks of every rule's clear."""
    rules = evidence.certificate.get("rules")
    folders = [f"market/{rule}" for rule in sorted(rules)] if isinstance(rules, dict) else ["market"]
    for book in [BookMarket(evidence, folder) for folder in folders]:
        for names, check in OF_BOOK:
            yield Job(names, check, book, book.folder)


def _is_market(evidence: Evidence) -> bool:
    """Whether the folder is that of an order book: orders alone."""
    try:
        told = evidence.certificate
    except (MissingFileError, DamagedFileError):
        return False
    return told.get("mode") == "market" or "rules" in told
