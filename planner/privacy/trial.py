"""The gate tried out: what a case or a run would let out today, and what not, and why.  Nothing leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
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
from planner.security.disclosure import Findings, examine, static_size
from planner.security.enrolment import Enrolment, Wh
from planner.security.gate import Gate, Refusal, Release, ReleaseCandidate, Step
from planner.security.policy import Policy
from planner.security.slot import Slot
from planner_models.solve import Options
from planner_models.words import City

TRIAL = "trial"
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
            found.append(_dark(group, policy))
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
        min_active=seen.min_active,
        interval_share_ppm=seen.worst_interval_share_ppm,
        day_share_ppm=seen.largest_day_share_ppm,
        failing=tuple(interval.number for interval in seen.failing),
    )


def _seen(enrolment: Enrolment, delta_wh: Wh, policy: Policy) -> Findings:
    size = static_size(enrolment, policy)
    return examine(enrolment.contributions(delta_wh), enrolment.on_roster, size, policy)


def _dark(group: Group, policy: Policy) -> Verdict:
    return Verdict(group.id, str(group.kind), len(group.buildings), "", False, Step.SIZE.value, group.why)


def in_rows(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """A table for people: one line a verdict."""
    head = ["group", "kind", "tried", "verdict", "occupants", "least active", "largest share", "of the day", "fails"]
    rows = [head]
    for v in verdicts:
        outcome = "may leave" if v.released else f"stays: {v.step or 'dark'}"
        numbers = [_number(v.occupants), _number(v.min_active), _share(v.interval_share_ppm), _share(v.day_share_ppm)]
        rows.append([v.group, v.kind, v.what, outcome, *numbers, _number(len(v.failing)) if v.occupants else ""])
    return rows


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _share(ppm: int | None) -> str:
    return "" if ppm is None else f"{ppm / 10_000:.1f} %"
