"""The gate tried out: what a case or a run would let out today, and what not, and why.  Nothing leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from planner.case import Case
from planner.gateway import LocalGateway
from planner.groups import Group, GroupKind, enrolments, release_groups
from planner.history import History, copy_of
from planner.ledger import Run
from planner.preparation import prepare
from planner.privacy.recount import groups_of, houses_of
from planner.provenance import look_back
from planner.quantise import Floats
from planner.security.disclosure import Findings, Size, examine, static_size
from planner.security.enrolment import Enrolment, Wh
from planner.security.gate import Gate, Refusal, Release, ReleaseCandidate, Step
from planner.security.policy import Policy
from planner.security.slot import Slot
from planner_models.solve import Options
from planner_models.words import City

TRIAL = "trial"
_PAST = "what left this month stands in the way; it may pass with the next month's roster, or when more change at once"
HELP: Mapping[Step, str] = {
    Step.SCHEMA: "a fault of the gateway: nothing a site can do",
    Step.SIZE: (
        "put more buildings on one node of the network, or enrol the largest customer apart (a building of its own); "
        "until then it trades at the default tariff"
    ),
    Step.ACTIVE: (
        "more occupants in the group, so that somebody uses energy in every interval; units that trade only what "
        "differs from their allocation are idle wherever the allocation fits exactly"
    ),
    Step.CONCENTRATION: (
        "enrol the largest customer apart (a building of its own), or join the group with others on its node; planner "
        "privacy calibrate shows what every rule would cost"
    ),
    Step.INSIDER: "one occupant, and in a cohort one building, more than the rules need without them",
    Step.SUCCESSIVE: _PAST,
    Step.DIFFERENCING: _PAST,
    Step.ONCE: _PAST,
    Step.CHURN: _PAST,
}
LOT_WH = 100


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one group and one thing it might say; counts and shares are None where nothing was tried.

    ``what`` names the position tried; ``failing`` are the numbers of the intervals that fail steps 3 or 4.
    """

    group: str
    kind: str
    buildings: int
    what: str
    released: bool
    step: str
    reason: str
    occupants: int | None = None
    contract_share_ppm: int | None = None
    min_active: int | None = None
    interval_share_ppm: int | None = None
    day_share_ppm: int | None = None
    failing: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def try_case(case: Case, policy: Policy, ledger: Path) -> tuple[Verdict, ...]:
    """The groups of the case's day, each with its answers to two prices: what its zone's neighbour asks and pays.

    The ledger is read, not written.  Raises InvalidInput for a case that cannot be read.
    """
    city = prepare(case, look_back(case).tomorrow)
    history = History.of(city, str(case.settings.delivery_date), policy, copy_of(ledger))
    groups = release_groups(city, policy, history.standing)
    enrolled = enrolments(city, groups, history.standing)
    options = Options(gap=0.01, time_limit_s=60.0, seed=case.settings.solver.seed)
    gate = history.gate(policy, case.settings.synthetic)
    found: list[Verdict] = []
    for group in groups:
        if group.kind is GroupKind.DARK:
            alone = replace(group, kind=GroupKind.BUILDING)
            enrolment = enrolments(city, [alone], history.standing)[group.id]
            found.append(_dark(group, static_size(enrolment, policy)))
            continue
        houses = tuple(b for name in group.buildings for b in city.buildings if b.id == name)
        gateway = LocalGateway(group, houses, city.grid, city.fees, options, LOT_WH)
        for number, (what, price) in enumerate(_prices(case, city, group.zone)):
            reply = gateway.price(number, price)
            lots = tuple(reply.lots.tolist())
            fields: dict[str, int | Sequence[int]] = {"round": number, "lots": lots, "cost": reply.cost_micro}
            delta = gateway.answer_delta_wh(number)
            candidate = ReleaseCandidate(enrolled[group.id], "answer", TRIAL, number, fields, delta, history.slot)
            found.append(_verdict(group.id, str(group.kind), len(group.buildings), what, candidate, gate))
    return tuple(found)


def _prices(case: Case, city: City, zone: str) -> Iterator[tuple[str, Floats]]:
    """What the neighbour asks and pays, else the default tariff."""
    exchange = next((e for e in city.exchanges if e.zone == zone), None)
    n, tariff = len(city.grid), case.settings.default_tariff
    if exchange is None:
        yield "at the default tariff", np.full(n, tariff.import_per_mwh)
        yield "at the default feed-in tariff", np.full(n, tariff.export_per_mwh)
    else:
        yield "at the import price", np.array(exchange.import_price_per_mwh)
        yield "at the export price", np.array(exchange.export_price_per_mwh)


def try_run(run: Run, policy: Policy) -> tuple[Verdict, ...]:
    """The positions to which the groups of a run are committed, without regard to earlier releases."""
    recounted = groups_of(houses_of(run.folder))
    gate = Gate(policy, synthetic=True)
    found = []
    for name, group in recounted.items():
        intervals = group.delta_wh.shape[1]
        position = tuple(group.delta_wh.sum(axis=0).tolist())
        fields: dict[str, int | Sequence[int]] = {"position_wh": position, "cost": 0}
        slot = Slot(str(run.certificate["delivery_date"]), 0, intervals, intervals)
        candidate = ReleaseCandidate(group.enrolment, "commit", TRIAL, 0, fields, group.delta_wh, slot)
        kind = "dark" if group.dark else group.enrolment.level.value
        found.append(_verdict(name, kind, len(group.buildings), "as committed", candidate, gate))
    return tuple(found)


def _verdict(group: str, kind: str, buildings: int, what: str, candidate: ReleaseCandidate, gate: Gate) -> Verdict:
    decision = gate.decide(candidate)
    step, reason = (decision.step.value, decision.reason) if isinstance(decision, Refusal) else ("", "")
    seen = _seen(candidate.enrolment, candidate.delta_wh, gate.policy)
    return Verdict(
        group=group,
        kind=kind,
        buildings=buildings,
        what=what,
        released=isinstance(decision, Release),
        step=step,
        reason=reason,
        occupants=seen.size.occupants,
        contract_share_ppm=seen.size.largest_occupant_ppm,
        min_active=seen.min_active,
        interval_share_ppm=seen.worst_interval_share_ppm,
        day_share_ppm=seen.largest_day_share_ppm,
        failing=tuple(interval.number for interval in seen.failing),
    )


def _seen(enrolment: Enrolment, delta_wh: Wh, policy: Policy) -> Findings:
    size = static_size(enrolment, policy)
    return examine(enrolment.contributions(delta_wh), enrolment.on_roster, size, policy)


def _dark(group: Group, size: Size) -> Verdict:
    step, told = Step.SIZE.value, (size.occupants, size.largest_occupant_ppm)
    return Verdict(group.id, str(group.kind), len(group.buildings), "", False, step, group.why, *told)


def in_rows(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """A table for people: one line a verdict."""
    shares = ["largest by contract", "of an interval", "of the day"]
    rows = [["group", "kind", "tried", "verdict", "occupants", *shares, "least active", "intervals failing"]]
    for v in verdicts:
        outcome = "may leave" if v.released else f"stays: {v.step or 'dark'}"
        shares = [_share(ppm) for ppm in (v.contract_share_ppm, v.interval_share_ppm, v.day_share_ppm)]
        failing = _number(len(v.failing)) if v.what else ""
        rows.append([v.group, v.kind, v.what, outcome, _number(v.occupants), *shares, _number(v.min_active), failing])
    return rows


def in_words(verdicts: Sequence[Verdict]) -> list[str]:
    """Every reason that was given once, and what a site can do about it."""
    reasons = sorted({(v.step, v.reason) for v in verdicts if not v.released})
    return [f"{step}: {reason}\n    {HELP[Step(step)]}" for step, reason in reasons]


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _share(ppm: int | None) -> str:
    return "" if ppm is None else f"{ppm / 10_000:.1f} %"
