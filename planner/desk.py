"""Models, gateways and voices of one clear, and the mode that answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from planner.answered import Answered
from planner.case import Case
from planner.cleared import Cleared
from planner.closing import close, market_cost
from planner.decentralised import clear_in_rounds
from planner.fleet import Carrier, Fleet, Frank, InProcess
from planner.fleets import LOCAL, Where
from planner.gateway import LocalGateway, Plan, Workshop
from planner.groups import Group, GroupKind, enrolments
from planner.hearing import Exchange, Hearing, Uttered
from planner.history import History, clear_id_of
from planner.ledger import RoundLog
from planner.monolith import clear_in_one
from planner.quantise import Floats
from planner.roundlog import Remembering
from planner.schedule import Schedule
from planner.security.clearlog import clear_log
from planner.security.policy import Policy
from planner.spread import Elsewhere, Fetched, Recipe, Spread
from planner.voice import Mouth, SpeakingGateway
from planner.wary import Wary
from planner_models.answer import Ladder
from planner_models.marketplace import build_marketplace
from planner_models.master import Master
from planner_models.solve import Options
from planner_models.words import City, Fees, Locality

LOT_WH = 100
LEAST_S = 0.05
"""The least time for a schedule in whole runs; there is one at any time."""


@dataclass(frozen=True)
class Clock:
    """Seconds of one clear: ``began`` on the performance counter, ``limit_s`` allowed in all."""

    began: float
    limit_s: float

    def left(self) -> float:
        return self.limit_s - (time.perf_counter() - self.began)

    def spent(self) -> float:
        return time.perf_counter() - self.began


class Desk:
    """Models and gateways of one clear."""

    def __init__(
        self,
        case: Case,
        city: City,
        policy: Policy,
        groups: Sequence[Group],
        clock: Clock,
        history: History,
        where: Where = LOCAL,
        log: RoundLog | None = None,
        start: Floats | None = None,
        tell: Callable[[str], None] = lambda words: None,
    ) -> None:
        self.log, self.start, self.tell = log, start, tell
        self.case, self.city, self.policy, self.clock, self.history = case, city, policy, clock, history
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
        self.lot_wh = LOT_WH if policy.gated else 1
        self.recipes: list[Recipe] = [
            Plan(
                g,
                tuple(houses[b] for b in g.buildings),
                city.grid,
                city.fees,
                fast,
                self.lot_wh,
                commit_gap=fast.gap,
                commit_time_s=max(LEAST_S, clock.left() / (4 * max(1, len(lit)))),
            )
            for g in self.bright
        ]
        self.exchange: Exchange | None = None
        self.voices: list[SpeakingGateway] = []
        self.hearing: Hearing | None = None
        self.spread: Spread | None = None
        where = where.for_city(sum(len(b.units) for b in city.buildings) * len(city.grid), len(self.bright))
        if where.places and case.settings.solver.mode == "decentralised":
            self.spread = Spread(self.bright, self.recipes, where.maker(policy.gated), where.places)
        if policy.gated:
            self.hearing = self._heard()

    @cached_property
    def gateways(self) -> list[LocalGateway]:
        """One a group, in this process."""
        workshop = Workshop(dict(enumerate(self.recipes)))
        return [workshop.ready(g) for g in range(len(self.recipes))]

    @property
    def fleet(self) -> Fleet:
        """What the rounds ask: opened envelopes where there is a gate, plain words where there is none."""
        said: Fleet = self.hearing or self.spread or Frank(self.gateways)
        believed = Wary(said, len(self.city.grid), self.lot_wh)
        return believed if self.log is None else Remembering(believed, self.log, alive=False, tell=self.tell)

    def seconds_left(self) -> float:
        """Time does not run while the rounds take up what was said before they were cut off."""
        return math.inf if self.log is not None and self.log.replaying else self.clock.left()

    def close(self) -> None:
        """Let go of gateways that run elsewhere."""
        if self.spread is not None:
            self.spread.close()

    def _heard(self) -> Hearing:
        """What leaves its building passes the gate, is signed and sealed, and is opened by the marketplace."""
        clear_id = clear_id_of(self.case)
        self.exchange = exchange = Exchange(self.policy, clear_id, len(self.city.grid), [g.id for g in self.bright])
        history = self.history
        enrolled = enrolments(self.city, self.bright, history.standing)
        gate = history.gate(self.policy, self.case.settings.synthetic)
        elsewhere = [] if self.spread is None else [Elsewhere(self.spread, g) for g in range(len(self.bright))]
        for gateway in elsewhere or self.gateways:
            name = gateway.group.id
            keys = exchange.gateways[name]
            mouth = Mouth(keys, exchange.roster, clear_id, history.slot, history.ledger, exchange.now)
            self.voices.append(SpeakingGateway(gateway, enrolled[name], gate, mouth))
        voices: Carrier[Uttered] = InProcess[Uttered](self.voices)
        if self.spread is not None:
            voices = Fetched[Uttered](self.voices, elsewhere, self.spread)
        return Hearing(voices, exchange.reader, exchange.now)

    @property
    def envelopes(self) -> dict[str, list[bytes]]:
        return {} if self.hearing is None else self.hearing.sent

    def signed_papers(self, report: bytes | None) -> dict[str, bytes]:
        """Who could have spoken, with their public keys, and the log: what an auditor verifies the outbox against.

        The log bears the hash of the ``report`` on what was released.
        """
        if self.exchange is None:
            return {}
        at, roster = self.exchange.now(), self.exchange.roster
        log = clear_log(self.exchange.market, roster, clear_id_of(self.case), self.envelopes, at, report)
        return {"market/roster.json": roster.to_bytes(), "market/log.jsonl": log}

    def price_of_locality(self, cleared: Cleared) -> list[float]:
        """[low, high] of cost without fees less the cost of a clear without walls and fees (formulation 2.2)."""
        fees = self.city.fees
        q = np.array([b.position_wh for b in cleared.buildings if not b.dark])
        paid = fees.market_buy_per_mwh * np.maximum(q, 0).sum() + fees.market_sell_per_mwh * np.maximum(-q, 0).sum()
        cost = sum(b.cost for b in cleared.buildings if not b.dark) + market_cost(cleared, self.city) - paid / 1e6
        joint = self.case.with_(allocation={"locality": "joint"})
        clock = Clock(time.perf_counter(), self.clock.limit_s)
        city = replace(self.city, fees=Fees())
        desk = Desk(joint, city, self.policy, [*self.bright, *self.dark], clock, self.history)
        answered = desk.answer()
        tariff = self.case.settings.default_tariff
        free = close(city, desk.market, answered, desk.bright, {}, {}, tariff.pair)
        best = sum(b.cost for b in free.buildings) + market_cost(free, city)
        return [cost - best, cost - min(answered.bound, best)]

    def answer(self) -> Answered:
        settings = self.case.settings
        locality = Locality(settings.allocation.locality)
        tick = settings.market.price_tick_per_mwh
        if settings.solver.mode == "monolith" or not self.bright:
            alone = clear_in_one(
                self.market_city, self.master, self.gateways, self.options, locality, settings.market.pricing, tick
            )
            if settings.solver.mode == "monolith" or not self.city.buildings:
                return alone
            return replace(alone, answer_from="no_trade", information="aggregates")  # nobody spoke: it is the market's
        return clear_in_rounds(
            self.master,
            self.fleet,
            self.lot_wh,
            settings.solver.gap_relative,
            settings.privacy.max_rounds,
            locality,
            tick,
            self.seconds_left,
            self.start,
            settings.market.pricing,
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
            bound = limited & set(house.feeders)
            ladder = (
                Ladder.closed(n)
                if bound
                else Ladder.tariff(np.full(n, tariff.import_per_mwh), np.full(n, tariff.export_per_mwh))
            )
            itself = Group(house.id, GroupKind.DARK, (house.id,), house.zone, house.feeders)
            gateway = LocalGateway(itself, (house,), city.grid, Fees(), self.options, lot_wh=1)
            out[house.id] = gateway.face(ladder)
        return out
