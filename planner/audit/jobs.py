"""Checks as jobs; those of buildings some buildings at a time, and for a large run on every core."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from planner.audit import certificate, intervals, network, objective, opportunity, positions
from planner.audit.checks import BESIDE_OTHERS, OF_BUILDINGS
from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.table import DamagedFileError, MissingFileError
from planner.beside import cores, in_order, part_size

AT_ONCE = 64
"""Buildings whose tables are in memory at a time."""
MANY = 32
"""Buildings from which a process beside this one earns back what its start costs."""
CONTRADICTIONS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, OSError)


class ContradictionError(Exception):
    """A check could not be done on files that can be read."""


@dataclass(frozen=True)
class Job:
    """One check of one thing; ``holder`` is named where it cannot be done."""

    rules: tuple[str, ...]
    check: Callable[[Any, Findings], None]
    subject: Any
    holder: str = ""

    @property
    def key(self) -> Key:
        return self.check, self.holder


Key = tuple[Callable[[Any, Findings], None], str]


class Done(NamedTuple):
    """What a check found, and what it ended with if it could not be done."""

    job: Job
    found: Findings
    failure: Exception | None


class Looked(NamedTuple):
    """What the checks of one building found, in their order, and what is remembered of it."""

    ends: Sequence[tuple[Findings, Exception | None]]
    remembered: Mapping[str, Any]


def do(job: Job) -> Done:
    """Run one check.  Files are written by others: whatever is wrong with them is a finding, never a traceback."""
    found = Findings()
    try:
        job.check(job.subject, found)
    except (MissingFileError, DamagedFileError) as failure:
        return Done(job, found, failure)
    except CONTRADICTIONS as failure:
        return Done(job, found, ContradictionError(f"{type(failure).__name__}: {str(failure)[:120]}"))
    return Done(job, found, None)


def job_of_rows(building: Building) -> Job:
    return Job(("C1",), intervals.check_building, building, building.id)


def jobs_of(building: Building) -> Iterator[Job]:
    for rules, check in OF_BUILDINGS:
        yield Job(rules, check, building, building.id)


def of_buildings(evidence: Evidence) -> dict[Key, Done]:
    """Every building's checks but those that look at others; what others ask about a building is remembered with it.

    Where each was done changes nothing of what is found.
    """
    buildings = evidence.buildings
    processes = cores() if len(buildings) >= MANY else 1
    size = part_size(len(buildings), processes, AT_ONCE)
    blocks = [buildings[first : first + size] for first in range(0, len(buildings), size)]
    if processes < 2:
        looked = (look(evidence, block) for block in blocks)
    else:
        names = [[b.id for b in block] for block in blocks]
        looked = in_order(partial(look_beside, evidence.root), names, processes)
    done = {}
    for block, seen in zip(blocks, looked, strict=True):
        for building, (ends, remembered) in zip(block, seen, strict=True):
            building.remember(remembered)
            jobs = list(_own(building))
            done.update({job.key: Done(job, *end) for job, end in zip(jobs, ends, strict=True)})
    return done


def look_beside(root: Path, names: Sequence[str]) -> list[Looked]:
    """The same in any process, from the files alone."""
    evidence = Evidence(root)
    return look(evidence, [Building(evidence, name) for name in names])


def look(evidence: Evidence, block: Sequence[Building]) -> list[Looked]:
    """Check some buildings while their tables, and no others, are in memory."""
    with suppress(MissingFileError, DamagedFileError):  # named by the checks that need it
        evidence.read_ahead(block)
    ends = []
    for building in block:
        ends.append([do(job)[1:] for job in _own(building)])
        do(Job((), _remember, building))
        do(Job((), _fingerprint, building))
    evidence.forget(block)
    return [Looked(found, building.remembered()) for found, building in zip(ends, block, strict=True)]


def _own(building: Building) -> Iterator[Job]:
    """The checks that look at nothing but a building and the market."""
    yield job_of_rows(building)
    yield from (job for job in jobs_of(building) if job.check not in BESIDE_OTHERS)


def _remember(b: Building, found: Findings) -> None:
    """Work out what checks of the whole run ask about a building while its tables are at hand."""
    objective.building_cost(b)
    network.path(b)
    positions.asset_nodes(b)
    opportunity.of_building(b)


def _fingerprint(b: Building, found: Findings) -> None:
    certificate.fingerprints(b)
