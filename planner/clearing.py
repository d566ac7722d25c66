"""The day-ahead clear, end to end: a table of contents.

    case -> meters, forecast -> city -> release groups -> answer (rounds, or one MILP) -> whole Wh -> settlement
         -> run folder -> audit -> report
"""

from __future__ import annotations

import datetime as dt
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planner.answered import Answered
from planner.case import Case
from planner.cleared import Cleared
from planner.closing import close, market_cost
from planner.decentralised import clear_in_rounds
from planner.gateway import Gateway, LocalGateway
from planner.groups import Group, GroupKind, enrolments, release_groups
from planner.ledger import Run, add_file, read_run, refuse_taken, write_run
from planner.monolith import clear_in_one
from planner.preparation import prepare
from planner.problems import InvalidInput, Problem
from planner.provenance import building_files, look_back, mean_error
from planner.quantise import Floats
from planner.schedule import Schedule, read_schedules
from planner.security.gate import Gate
from planner.security.policy import PRESETS, STAMP, Policy
from planner.settlement import settle
from planner.settlement.opportunity import lost_opportunity
from planner.validation import validate
from planner.voice import Exchange, SpeakingGateway
from planner_models.answer import AnsweringBuilding, Ladder
from planner_models.marketplace import build_marketplace
from planner_models.master import Master
from planner_models.solve import Options
from planner_models.words import City, Fees, Locality

LOT_WH = 100
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
    force: bool = False,
    tell: Tell = lambda words: None,
) -> Run:
    """Clear one delivery day of ``case`` and return the audited run.

    ``out`` is the run folder (a temporary one if left out).  ``date``, ``mode``, ``gap`` (relative) and
    ``time_limit`` (seconds) win over the case's settings.  ``price_of_locality`` clears a second time without walls
    and fees and reports what asking the neighbour first cost.  Raises InvalidInput with every problem at once.
    """
    began = time.perf_counter()
    case = _asked(case, date, mode, gap, time_limit)
    _refuse([*validate(case), *(_may_be_compared(case) if price_of_locality else ())])
    if out is not None:
        refuse_taken(Path(out), force)
    tell("reading meters and forecasting")
    provenance = look_back(case)
    city = prepare(case, provenance.tomorrow)
    if case.settings.allocation.locality == "joint":
        city = replace(city, fees=Fees())
    policy = PRESETS[case.settings.privacy.preset]
    groups = release_groups(city, policy)
    clock = _Clock(began, case.settings.solver.time_limit_s)
    tell(f"clearing {len(city.buildings)} buildings, {len(city.grid)} intervals")
    desk = _Desk(case, city, policy, groups, clock)
    answered = desk.answer()
    dark = desk.dark_schedules(answered.mute)
    groups = [replace(g, kind=GroupKind.DARK) if g.id in answered.mute else g for g in groups]
    tariff = case.settings.default_tariff
    default_tariff = (tariff.import_per_mwh, tariff.export_per_mwh)
    cleared = close(city, desk.market, answered, groups, dark, _contract_prices(case, city), default_tariff)
    certificate = _certificate(case, city, cleared, answered, clock)
    certificate["forecast_error"] = mean_error(provenance)
    if price_of_locality:
        tell("clearing again without walls")
        certificate["price_of_locality"] = desk.price_of_locality(cleared)
    cleared = replace(cleared, certificate=certificate, rounds=pd.DataFrame(answered.rounds))
    tell("settling, writing, auditing")
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="planner-")) / "run"
    write_run(
        folder,
        cleared,
        settle(cleared, case),
        case,
        city,
        envelopes=desk.envelopes,
        privacy=desk.privacy(answered.mute),
        groups=groups,
        force=force,
    )
    for name, content in building_files(case, city, provenance):
        add_file(folder, name, content)
    if desk.exchange is not None:
        add_file(folder, "market/roster.json", desk.exchange.roster.to_bytes())
    return _audited(folder)


def _asked(
    case: Case, date: dt.date | str | None, mode: str | None, gap: float | None, time_limit: float | None
) -> Case:
    if date is not None:
        case = case.for_date(date)
    wanted = {"mode": mode, "gap_relative": gap, "time_limit_s": time_limit}
    given = {name: value for name, value in wanted.items() if value is not None}
    return case.with_(solver=given) if given else case


def _may_be_compared(case: Case) -> list[Problem]:
    """A second clear of the same day would be a second release."""
    if PRESETS[case.settings.privacy.preset].gated:
        hint = "choose preset internal or lab: a second clear of one day would say the same numbers twice"
        return [Problem("case.toml", 0, "price_of_locality is not open to this preset", case.settings.privacy.preset, hint)]
    return []


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise InvalidInput(problems)


@dataclass(frozen=True)
class _Clock:
    began: float
    limit_s: float

    def left(self) -> float:
        return self.limit_s - (time.perf_counter() - self.began)

    def spent(self) -> float:
        return time.perf_counter() - self.began


class _Desk:
    """Models and gateways of one clear."""

    def __init__(
        self, case: Case, city: City, policy: Policy, groups: Sequence[Group], clock: _Clock
    ) -> None:
        self.case, self.city, self.policy, self.clock = case, city, policy, clock
        self.options = Options(
            gap=case.settings.solver.gap_relative,
            time_limit_s=max(clock.left(), 1.0),
            seed=case.settings.solver.seed,
            lp_solver=case.settings.solver.lp_solver,
        )
        self.bright = [g for g in groups if g.kind is not GroupKind.DARK]
        self.dark = [g for g in groups if g.kind is GroupKind.DARK]
        lit = {b for g in self.bright for b in g.buildings}
        self.market_city = replace(city, buildings=tuple(b for b in city.buildings if b.id in lit))
        self.market = build_marketplace(self.market_city)
        self.master = Master(self.market, [(g.zone, g.feeders) for g in self.bright], self.options)
        houses = {b.id: b for b in city.buildings}
        fast = replace(self.options, gap=self.options.gap / 4)
        self.gateways = [
            LocalGateway(
                g,
                tuple(houses[b] for b in g.buildings),
                city.grid,
                city.fees,
                fast,
                LOT_WH if policy.gated else 1,
                commit_gap=fast.gap,
                commit_time_s=max(1.0, clock.left() / (4 * max(1, len(lit)))),
            )
            for g in self.bright
        ]
        self.exchange: Exchange | None = None
        self.voices: list[Gateway] = list(self.gateways)
        if policy.gated:
            self._give_voices()

    def _give_voices(self) -> None:
        """Whoever leaves its building passes the gate, is signed and sealed."""
        clear_id = f"{self.case.settings.delivery_date}.{self.case.sha256[:16]}"
        self.exchange = Exchange(self.policy, clear_id, len(self.city.grid), [g.id for g in self.bright])
        enrolled = enrolments(self.city, self.bright)
        gate = Gate(self.policy, self.case.settings.synthetic)
        self.voices = [SpeakingGateway(g, enrolled[g.group.id], gate, self.exchange) for g in self.gateways]

    @property
    def envelopes(self) -> dict[str, list[bytes]]:
        return {} if self.exchange is None else self.exchange.sent

    def privacy(self, mute: Mapping[str, str]) -> dict[str, Any]:
        """What left the buildings, and under which rules: privacy.json."""
        groups = []
        for gateway, voice in zip(self.gateways, self.voices, strict=True):
            row: dict[str, Any] = {
                "group": gateway.group.id,
                "kind": str(gateway.group.kind),
                "buildings": len(gateway.group.buildings),
                "envelopes": len(self.envelopes.get(gateway.group.id, ())),
            }
            if isinstance(voice, SpeakingGateway):
                row |= {"occupants": len(voice.enrolment.occupants), "held_back": voice.held_back, **voice.worst}
            if gateway.group.id in mute:
                row["silent_because"] = mute[gateway.group.id]
            groups.append(row)
        groups += [{"group": g.id, "kind": "dark", "buildings": len(g.buildings), "envelopes": 0} for g in self.dark]
        stamp = None if self.policy.gated else STAMP
        return {"policy": self.policy.name, "policy_sha256": self.policy.sha256, "stamp": stamp, "groups": groups}

    def price_of_locality(self, cleared: Cleared) -> list[float]:
        """[low, high] of cost without fees less the cost of a clear without walls and fees (formulation 2.2)."""
        fees = self.city.fees
        q = np.array([b.position_wh for b in cleared.buildings if not b.dark])
        paid = fees.market_buy_per_mwh * np.maximum(q, 0).sum() + fees.market_sell_per_mwh * np.maximum(-q, 0).sum()
        cost = sum(b.cost for b in cleared.buildings if not b.dark) + market_cost(cleared, self.city) - paid / 1e6
        joint = self.case.with_(allocation={"locality": "joint"})
        clock = _Clock(time.perf_counter(), self.clock.limit_s)
        city = replace(self.city, fees=Fees())
        desk = _Desk(joint, city, self.policy, [*self.bright, *self.dark], clock)
        answered = desk.answer()
        tariff = self.case.settings.default_tariff
        free = close(
            city, desk.market, answered, desk.bright, {}, {}, (tariff.import_per_mwh, tariff.export_per_mwh)
        )
        best = sum(b.cost for b in free.buildings) + market_cost(free, city)
        return [cost - best, cost - min(answered.bound, best)]

    def answer(self) -> Answered:
        settings = self.case.settings
        locality = Locality(settings.allocation.locality)
        tick = settings.market.price_tick_per_mwh
        if settings.solver.mode == "monolith" or not self.gateways:
            return clear_in_one(
                self.market_city, self.master, self.gateways, self.options, locality, settings.market.pricing, tick
            )
        return clear_in_rounds(
            self.master,
            self.gateways,
            self.voices,
            settings.solver.gap_relative,
            settings.privacy.max_rounds,
            locality,
            tick,
            self.clock.left,
            self.policy.gated,
        )

    def dark_schedules(self, mute: Mapping[str, str]) -> dict[str, Schedule]:
        """Buildings that may not speak: default tariff, or no trade where a feeder above them is limited."""
        city, tariff = self.city, self.case.settings.default_tariff
        n = len(city.grid)
        limited = {f.id for f in city.feeders}
        out = {}
        silent = {b for g in self.bright if g.id in mute for b in g.buildings}
        silent |= {b for g in self.dark for b in g.buildings}
        for house in city.buildings:
            if house.id not in silent:
                continue
            model = AnsweringBuilding(house, city.grid, Fees(), self.options)
            bound = limited & set(house.feeders)
            ladder = (
                Ladder.closed(n)
                if bound
                else Ladder.tariff(np.full(n, tariff.import_per_mwh), np.full(n, tariff.export_per_mwh))
            )
            x = model.mip(ladder, self.options.gap, 60.0).x
            out[house.id] = read_schedules(model.model, x, [house], city.grid, Fees())[0]
        return out


def _contract_prices(case: Case, city: City) -> dict[str, Floats]:
    """Price of allocated energy per zone and interval: the contracts' mean, weighted by energy."""
    from planner.timeseries import on_grid

    supply = case.supply
    if supply.empty:
        return {}
    out: dict[str, Floats] = {}
    for zone, rows in supply.groupby("zone"):
        energy = on_grid(rows, "contract", "energy_kwh", city.grid, fill=0.0)
        price = on_grid(rows, "contract", "price_per_mwh", city.grid, fill=0.0)
        total = np.sum([energy[k] for k in energy], axis=0)
        paid = np.sum([energy[k] * price[k] for k in energy], axis=0)
        out[str(zone)] = np.divide(paid, total, out=np.zeros_like(total), where=total > 0)
    return out


def _certificate(
    case: Case, city: City, cleared: Cleared, answered: Answered, clock: _Clock
) -> dict[str, Any]:
    """What was decided and how good it provably is (contract 4)."""
    trading = [b for b in cleared.buildings if not b.dark]
    objective = sum(b.cost for b in trading) + market_cost(cleared, city)
    bound = min(answered.bound, objective)
    savings = answered.no_trade - objective
    absolute = objective - bound
    return {
        "status": answered.status,
        "mode": case.settings.solver.mode,
        "information": answered.information,
        "answer_from": answered.answer_from,
        "objective": objective,
        "bound": bound,
        "gap_absolute": absolute,
        "gap_relative": absolute / max(abs(objective), 1e-9),
        "savings": savings,
        "gap_of_savings": absolute / savings if savings > 0 else None,
        "dark_cost": sum(b.cost for b in cleared.buildings if b.dark),
        "pricing": case.settings.market.pricing,
        "converged": answered.prices.converged,
        "rounds": len({r["round"] for r in answered.rounds}),
        "pieces": list(answered.pieces) or [_one_piece(cleared, answered, absolute, objective)],
        "lost_opportunity_cost": lost_opportunity(
            cleared, city, case.orders, {f.id: answered.prices.feeder[i] for i, f in enumerate(city.feeders)}
        ),
        "silent": list(answered.refrained),
        "wall_s": round(clock.spent(), 3),
        "build_s": round(answered.build_s, 3),
        "solver_s": round(answered.solver_s, 3),
        "closed_form_s": 0.0,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "seed": case.settings.solver.seed,
        "versions": _versions(),
    }


def _one_piece(cleared: Cleared, answered: Answered, absolute: float, objective: float) -> Mapping[str, Any]:
    gap = absolute / max(abs(objective), 1e-9)
    return {"first_interval": 1, "last_interval": len(cleared.starts), "status": answered.status, "gap": gap}


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("allotment", "pyomo", "highspy", "pandas", "numpy", "clarabel", "cryptography")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _audited(folder: Path) -> Run:
    from planner.audit import audit

    add_file(folder, "audit.json", audit(folder).to_json())
    return read_run(folder)
