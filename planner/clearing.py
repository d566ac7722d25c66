"""The day-ahead clear, end to end: a table of contents.

case -> meters, forecast -> city -> release groups -> answer (rounds, or one MILP) -> whole Wh -> settlement
     -> run folder -> audit -> report
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from planner.answered import Answered
from planner.attendance import Attendance, attend
from planner.beside import kept
from planner.case import Case
from planner.certifying import certify
from planner.closing import close
from planner.contracts import contract_prices
from planner.desk import Clock, Desk
from planner.fleets import Where, fleet_of
from planner.history import History, clear_id_of, ledger_beside
from planner.ledger import RoundLog, Run, add_file, begin, read_run, refuse_taken, write_run
from planner.preparation import prepare
from planner.privacy.document import OUTSIDE_FILE, inside, published
from planner.privacy.price import price_of_privacy
from planner.problems import InvalidInput, Problem
from planner.provenance import building_files, look_back, mean_error
from planner.schedule import Schedule
from planner.security.policy import PRESETS
from planner.security.releases import ReleaseLedger
from planner.settlement import settle
from planner.validation import validate
from planner.warm import earlier_prices
from planner.wishes import Wishes, limit_s

Tell = Callable[[str], None]


def clear(
    case: Case,
    out: Path | str | None = None,
    *,
    date: dt.date | str | None = None,
    mode: str | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    price_of_locality: bool = False,
    fleet: str = "auto",
    memory: float | None = None,
    deadline: str | None = None,
    warm: Path | str | None = None,
    without: Sequence[str] = (),
    disclosure: str = "group",
    ledger: Path | str | None = None,
    force: bool = False,
    tell: Tell = lambda words: None,
) -> Run:
    """Clear one delivery day of ``case`` and return the audited run.

    ``out`` is the run folder (a temporary one if left out).  ``date``, ``mode``, ``gap`` (relative) and ``time_limit``
    (seconds) win over the case's settings.  ``price_of_locality`` clears a second time without walls and fees and
    reports what asking the neighbour first cost.  ``fleet`` says where gateways run: auto (one process a core for a
    large city, else here), local, processes:N, ray or ray:ADDRESS.  ``memory`` (GiB) is what the
    buildings' models may take in those processes (half of what is free, if left out): where they need more they come
    and go, and the answer is the same.  By ``deadline`` (HH:MM in the case's timezone) there is an answer, with its
    gap.  ``warm`` is an earlier run whose prices are the first ones; buildings at or below the nodes ``without`` stay
    dark; ``disclosure`` "sum" puts the groups of one place together.  A clear into ``out`` that was cut off goes on
    where it was.  ``ledger`` is the file in which the site remembers what left it (one for all runs of the case beside
    ``out``, if left out).  Raises InvalidInput with every problem at once.
    """
    began = time.perf_counter()
    wishes = Wishes(
        deadline, Path(warm) if warm else None, tuple(without), _is_sum(disclosure), fleet_of(fleet, memory)
    )
    case = _asked(case, date, mode, gap, time_limit)
    _refuse([*validate(case), *_rule_is_there(case), *(_may_be_compared(case) if price_of_locality else ())])
    if out is not None:
        refuse_taken(Path(out), force)
    where = _begun(case, wishes)
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="planner-")) / "run"

    tell("reading meters and forecasting")
    provenance = look_back(case)
    city = prepare(case, provenance.tomorrow)

    policy = PRESETS[case.settings.privacy.preset]
    remembered = ReleaseLedger(Path(ledger) if ledger is not None else ledger_beside(folder, case.settings.name))
    history = History.of(city, str(case.settings.delivery_date), policy, remembered)
    present = attend(case, city, policy, history.standing, wishes)

    tell(f"clearing {len(city.buildings)} buildings, {len(city.grid)} intervals")
    clock = Clock(began, limit_s(case, wishes, dt.datetime.now(dt.UTC)))
    start = earlier_prices(wishes.warm, city, case.settings.timezone) if wishes.warm else None
    log = _log(case, wishes, folder, force, tell) if out is not None else None
    desk = Desk(case, city, policy, present.groups, clock, history, where, log, start, tell)
    with closing(desk):
        answered = desk.answer()
    privacy = inside(desk, clear_id_of(case), answered.mute)
    history.close(present.groups, answered.mute, answered.faults)

    unheard = desk.dark_schedules(answered.mute)
    groups = present.without(answered.mute)
    cleared = close(
        city, desk.market, answered, groups, unheard, contract_prices(case, city), case.settings.default_tariff.pair
    )
    certificate = certify(case, city, cleared, answered, clock) | {
        "forecast_error": mean_error(provenance),
        "without": list(wishes.without),
        "questions_recalled": log.found if log else 0,
    }
    if policy.gated and len(unheard) < len(city.buildings):
        certificate["price_of_privacy"] = _price_of_privacy(desk, present, answered, unheard)
    if price_of_locality:
        tell("clearing again without walls")
        certificate["price_of_locality"] = desk.price_of_locality(cleared)
    cleared = replace(cleared, certificate=certificate, rounds=answered.rounds)

    tell("settling, writing, auditing")
    told = published(privacy)
    with kept():
        write_run(
            folder,
            cleared,
            settle(cleared, case),
            case,
            city,
            envelopes=desk.envelopes,
            privacy=privacy,
            groups=groups,
            extra={
                **dict(building_files(case, city, provenance)),
                **history.rosters(city),
                **desk.signed_papers(told.get(OUTSIDE_FILE)),
                **told,
            },
            force=force,
        )
        return _audited(folder)


def _begun(case: Case, wishes: Wishes) -> Where:
    """Where gateways run, with its processes begun if there will be rounds: they import while the city is prepared."""
    if case.settings.solver.mode != "decentralised":
        return wishes.where
    return wishes.where.begun(int((case.nodes["kind"] == "unit").sum()) * len(case.grid))


def _price_of_privacy(desk: Desk, present: Attendance, answered: Answered, unheard: Mapping[str, Schedule]) -> float:
    """Of those whom the gate kept quiet; whoever stays out as asked, or failed, was not kept from trading by it."""
    failed = {b for g in desk.bright if g.id in answered.faults for b in g.buildings}
    hushed = {name: alone for name, alone in unheard.items() if name not in present.away | failed}
    tariff = desk.case.settings.default_tariff.pair
    return price_of_privacy(desk.city, hushed, answered.prices, tariff, desk.options)


def _is_sum(disclosure: str) -> bool:
    """Whether groups are summed; raises InvalidInput."""
    if disclosure not in ("group", "sum"):
        raise InvalidInput([Problem("command line", 0, "is no disclosure", disclosure, "group or sum")])
    return disclosure == "sum"


def _log(case: Case, wishes: Wishes, folder: Path, force: bool, tell: Tell) -> RoundLog | None:
    """The log of this clear in RUN.partial, with what an earlier attempt at the same left there."""
    if case.settings.solver.mode != "decentralised" or not len(case.nodes):
        return None
    identity = hashlib.sha256(f"{case.sha256} {wishes.sha256} {version('allotment')}".encode()).hexdigest()
    log = RoundLog(begin(folder, force=force), identity)
    if log.found:
        tell(f"going on where an earlier clear of the same input was cut off: {log.found} questions were answered")
    return log


def _asked(
    case: Case, date: dt.date | str | None, mode: str | None, gap: float | None, time_limit: float | None
) -> Case:
    if date is not None:
        case = case.for_date(date)
    wanted = {"mode": mode, "gap_relative": gap, "time_limit_s": time_limit}
    given = {name: value for name, value in wanted.items() if value is not None}
    return case.with_(solver=given) if given else case


def _rule_is_there(case: Case) -> list[Problem]:
    """A rule that cannot be kept is refused, not quietly replaced by another."""
    pricing = case.settings.market.pricing
    if pricing in ("convex_hull", "fixed_integers") or len(case.nodes):
        return []
    hint = "planner market clears an order book; planner clear prices by convex_hull or fixed_integers"
    return [Problem("case.toml", 0, "this pricing rule is for order books alone", pricing, hint)]


def _may_be_compared(case: Case) -> list[Problem]:
    """A second clear of the same day would be a second release."""
    preset = case.settings.privacy.preset
    if PRESETS[preset].gated:
        hint = "choose preset internal or lab: a second clear of one day would say the same numbers twice"
        return [
            Problem("case.toml", 0, "price_of_locality is not open to this preset", case.settings.privacy.preset, hint)
        ]
    return []


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise InvalidInput(problems)


def _audited(folder: Path) -> Run:
    from planner.audit import audit

    add_file(folder, "audit.json", audit(folder).to_json())
    return read_run(folder)
