"""The audit: an independent witness that re-checks every rule of a run from its files alone.

It knows neither the models nor the solver.  What it cannot find it lists as not checkable; what it finds and cannot
read is a violation of the rule that needs it first; it never fails by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.audit import (
    appliances,
    assets,
    balance,
    battery,
    bookmoney,
    bookrules,
    certificate,
    claims,
    disclosure,
    dues,
    families,
    internal_trade,
    intervals,
    marketdues,
    memory,
    money,
    objective,
    opportunity,
    orders,
    positions,
    prices,
    release,
    savings,
    shifting,
)
from planner.audit.book import BookMarket
from planner.audit.evidence import Evidence
from planner.audit.findings import Audit, Findings, Violation, Where
from planner.audit.rules import RULES
from planner.audit.table import DamagedFileError, MissingFileError
from planner.security.keys import Identity

__all__ = ["RULES", "Audit", "Violation", "Where", "audit"]

Check = tuple[tuple[str, ...], Callable[[Any, Findings], None]]

OF_BUILDINGS: tuple[Check, ...] = (
    (("C2",), assets.check_loads),
    (("C3",), assets.check_plants),
    (("C4", "C5"), battery.check_batteries),
    (("C6",), shifting.check_vehicles),
    (("C7",), appliances.check_appliances),
    (("C8",), shifting.check_bands),
    (("C9",), assets.check_generators),
    (("C10",), positions.check_net_use),
    (("C10",), positions.check_power),
    (("C11",), positions.check_positions),
    (("C12",), positions.check_building),
    (("C13",), positions.check_connection),
    (("C19",), positions.check_allocated),
    (("C20",), objective.check_cost),
    (("C23",), prices.check_node_prices),
    (("S1",), internal_trade.check_internal_trade),
    (("S2",), prices.check_internal),
    (("S3",), money.check_own_make_whole),
    (("S3",), money.check_no_trade),
    (("S4", "S5"), money.check_building_ledger),
    (("S5",), money.check_statements),
    (("S5", "S6"), dues.check_ledger),
)
OF_MARKET: tuple[Check, ...] = (
    (("C14",), balance.check_balance),
    (("C14",), balance.check_group_positions),
    (("C15",), balance.check_feeders),
    (("C16",), balance.check_exchange),
    (("C17",), balance.check_lines),
    (("C18",), orders.check_orders),
    (("C25", "C26"), families.check_families),
    (("C27",), families.check_complex),
    (("C28",), families.check_losses),
    (("C19",), balance.check_contracts),
    (("C19",), balance.check_shares),
    (("C23",), prices.check_prices),
    (("C23",), orders.check_money),
)
OF_RUN: tuple[Check, ...] = (
    (("C1",), intervals.check_run),
    (("C20",), objective.check_objective),
    (("C21",), certificate.check_gap),
    (("C21",), claims.check_bound),
    (("C24",), certificate.check_counts),
    (("C24",), certificate.check_digest),
    (("C24",), claims.check_words),
    (("C24",), claims.check_totals),
    (("C29",), savings.check_savings),
    (("C22",), opportunity.check_opportunity),
    (("S4", "S5"), money.check_market_ledger),
    (("S5",), money.check_least_fees),
    (("S5",), marketdues.check_accounts),
    (("S5", "S6"), marketdues.check_sources),
    (("S5", "S6"), marketdues.check_groups),
    (("S3",), marketdues.check_funding),
    (("S3",), money.check_make_whole),
    (("S3",), money.check_alone),
    (("R1",), release.check_envelopes),
    (("R3",), disclosure.check_size),
    (("R4",), disclosure.check_concentration),
    (("R5",), disclosure.check_active),
    (("R7",), disclosure.check_insiders),
    (("R8",), memory.check_overlap),
    (("R9",), memory.check_memory),
    (("R10",), memory.check_report),
)


OF_BOOK: tuple[Check, ...] = (
    (("C1",), bookrules.check_day),
    (("C14",), bookrules.check_balance),
    (("C16",), bookrules.check_neighbours),
    (("C17",), balance.check_lines),
    (("C17",), bookrules.check_spreads),
    (("C18",), orders.check_orders),
    (("C25", "C26"), families.check_families),
    (("C27",), families.check_complex),
    (("C28",), families.check_losses),
    (("C20",), bookrules.check_objective),
    (("C21",), bookrules.check_gap),
    (("C22",), bookrules.check_opportunity),
    (("C23",), prices.check_prices),
    (("C23",), orders.check_money),
    (("C24",), bookrules.check_certificate),
    (("S3",), bookmoney.check_make_whole),
    (("S4", "S5"), bookmoney.check_ledger),
    (("S6",), bookmoney.check_energy),
)


@dataclass(frozen=True)
class _Job:
    """One check of one thing; ``holder`` is named where it cannot be done."""

    rules: tuple[str, ...]
    check: Callable[[Any, Findings], None]
    subject: Any
    holder: str = ""


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
            _do(job, found)
        return found.close()
    for job in _jobs(evidence, reader):
        _do(job, found)
    return found.close()


def _jobs(evidence: Evidence, reader: Identity | None) -> Iterator[_Job]:
    for rules, check in OF_RUN:
        yield _Job(rules, check, evidence)
    yield _Job(("R2",), lambda run, found: release.check_bodies(run, found, reader), evidence)
    yield _Job(("R6",), lambda run, found: release.check_silence(run, found, reader), evidence)
    for rules, check in OF_MARKET:
        yield _Job(rules, check, evidence.market)
    for building in evidence.buildings:
        for rules, check in OF_BUILDINGS:
            yield _Job(rules, check, building, building.id)


def _do(job: _Job, found: Findings) -> None:
    """Run one check.  Files are written by others: whatever is wrong with them is a finding, never a traceback."""
    try:
        job.check(job.subject, found)
        found.checked(*job.rules)
    except MissingFileError as missing:
        for rule in job.rules:
            found.unchecked(rule, str(missing))
    except DamagedFileError as damaged:
        found.damaged(damaged.file, damaged.why, job.rules)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, OSError) as error:
        where = f"buildings/{job.holder}" if job.holder and "/" not in job.holder else job.holder or "market"
        for rule in job.rules:
            found.add(rule, where, f"the files contradict each other: {type(error).__name__}: {str(error)[:120]}")


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
