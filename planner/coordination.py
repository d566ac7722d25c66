"""The rounds between gateways and the marketplace (formulation 3): no I/O, no clock of its own.

Slices of the market first, so that answers are interior; prices by a level bundle, each round a proven bound;
then commitments near the blended answers.  All that the rounds know of a group is where it is and the words its
fleet brings back (planner/questions.py): the same words lead to the same next questions, wherever gateways run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from planner.fleet import Fleet
from planner.ladders import share_of, within, zone_ladder
from planner.quantise import Floats
from planner.questions import (
    MICRO,
    Alone,
    Commit,
    Commitment,
    Fault,
    Price,
    Question,
    Refrain,
    Reply,
    Revert,
    Silence,
    Slice,
    Word,
)
from planner.rooms import Rooms
from planner.supporting import ROUNDS as SUPPORT_ROUNDS
from planner.supporting import Support, support
from planner_models.answer import Ladder
from planner_models.master import Blend, Column, Master, market_positions
from planner_models.solve import Solution, SolveError

SLICE_ROUNDS = 3
WARM_SLICE_ROUNDS = 1
"""After the prices of an earlier clear one slice is enough to make answers interior."""
COMMIT_PER_ALONE = 1.5
"""A commitment takes about as long as the answer without trade; so much of it is kept back for it."""
LEVEL = 0.5
VAGUE = 0.1
"""Share of the promised cost that may be unproven before the best prices so far are no place to stay near."""
AWAY_PER_MWH = 50.0
MARGINS_KWH = (0.05, 0.2, 1.0)
POLISHES, WORTH_POLISHING = 4, 0.02
"""Passes in which every group may improve on its commitment, all at once; what of the gap one must win."""
HAIR_KWH = 1e-9
ROUNDING_KWH = 0.05
"""What whole Wh of many assets may add to the flow of a feeder."""
DISPATCH_S = 60.0
DISPATCH_GAP = 1e-6


@dataclass(frozen=True)
class Rules:
    """When to stop: relative gap asked, rounds allowed, lot of an answer in Wh, seconds left; and the locality.

    ``start`` are multipliers to begin with, of an earlier clear.
    """

    gap: float
    max_rounds: int
    lot_wh: int
    seconds_left: Callable[[], float]
    strict: bool = False
    start: Floats | None = None
    fixed_integers: bool = False


@dataclass(frozen=True)
class Round:
    """One line of the round log."""

    number: int
    kind: str
    prices: dict[int, Floats]
    replies: dict[int, Reply]
    bound: float


@dataclass
class Agreement:
    """What the rounds ended with.  Costs in currency; ``multipliers`` belong to the market's rows.

    ``commitments`` are those of the groups that take part, by their place.
    """

    multipliers: Floats
    bound: float
    value: float
    no_trade: float
    commitments: dict[int, Commitment]
    dispatch: Solution
    rounds: list[Round]
    refrained: list[str]
    mute: dict[str, Silence]
    talk: _Talk
    supported: Support | None = None

    @property
    def cost(self) -> float:
        return sum(c.cost_micro for c in self.commitments.values()) / MICRO + self.dispatch.objective

    def without(self, lost: Mapping[int, Silence]) -> Agreement:
        """The same after groups were lost: the others' commitments stand, the market makes up for it."""
        for g, last in lost.items():
            self.talk.lose(g, last)
        return self.talk.agreement()


def coordinate(master: Master, fleet: Fleet, rules: Rules) -> Agreement:
    """Run the rounds to an agreement; ``master.sites`` are the places of ``fleet.groups``, in their order."""
    talk = _Talk(master, fleet, rules)
    talk.ask_alone()
    if rules.start is not None and talk.may_go_on():
        talk.ask_price(master.clip(rules.start))
    for _ in range(SLICE_ROUNDS if rules.start is None else WARM_SLICE_ROUNDS):
        if talk.may_go_on():
            talk.ask_slice()
    if talk.may_go_on():
        talk.ask_price(master.clip(talk.model().multipliers))
    while talk.may_price() and talk.lags((blend := talk.model()).value, rules.gap / 2):
        talk.ask_price(talk.next_multipliers(blend))
    talk.commit(master.blend())
    talk.close_in()
    if talk.lags(talk.cost(), rules.gap):
        talk.branch()
    if rules.fixed_integers:
        talk.support()
    return talk.agreement()


class _Talk:
    """The state of the rounds."""

    def __init__(self, master: Master, fleet: Fleet, rules: Rules) -> None:
        self.master, self.fleet, self.rules = master, fleet, rules
        self.names = [group.id for group in fleet.groups]
        self.rounds: list[Round] = []
        self.best_bound, self.best = -np.inf, np.zeros(len(master.market.row_lower))
        self.positions = np.zeros((len(self.names), master.market.n))
        self.mute: dict[str, Silence] = {}
        self.made: dict[int, Commitment] = {}
        self.refrained: list[str] = []
        self.reserve_s = 0.0
        self.supported: Support | None = None

    @property
    def speaking(self) -> list[int]:
        """Groups that may still say something, in order."""
        return [g for g, name in enumerate(self.names) if name not in self.mute]

    def agreement(self) -> Agreement:
        """What stands: commitments within the network's limits, and the market's side for them."""
        self._fall_back()
        found, value = self._dispatched(), self.master.blend().value
        bound, no_trade = self.best_bound, self.no_trade()
        mute, refrained = dict(self.mute), [name for name in self.refrained if name not in self.mute]
        made = {g: self.made[g] for g in self.speaking}
        return Agreement(
            self.best, bound, value, no_trade, made, found, self.rounds, refrained, mute, self, self.supported
        )

    def lose(self, g: int, last: Silence) -> None:
        """The group takes no further part: nothing requested, nothing offered, at nobody's cost."""
        self.mute[self.names[g]] = last
        self.made.pop(g, None)
        self.positions[g] = 0.0
        nothing: Floats = np.zeros(self.master.market.n)
        kept = [c for c in self.master.columns if c.group != g]
        self.master.columns[:] = [*kept, Column(g, nothing, 0.0, 0)]
        self.best_bound = -np.inf

    def _hear(self, questions: Mapping[int, Question]) -> dict[int, Reply]:
        """Ask everybody in question; who does not answer falls silent."""
        words = self.fleet.ask(questions)
        replies = {g: word for g in questions if isinstance(word := words[g], Reply)}
        for g in questions:
            if g not in replies:
                self.lose(g, _last(words[g]))
        return replies

    def no_trade(self) -> float:
        """Cost of the groups that speak, and of the market, if nobody traded."""
        market = self.master.dispatch([np.zeros(self.master.market.n) for _ in self.names], DISPATCH_S, DISPATCH_GAP)
        return sum(self.rounds[0].replies[g].cost_micro for g in self.speaking) / MICRO + market.objective

    def lags(self, cost: float, gap: float) -> bool:
        """Whether the proof is further than a relative gap below a cost."""
        return self.best_bound < cost - gap * abs(cost)

    def cost(self) -> float:
        """What the commitments and the market's side for them cost, within the network's limits: who was lost may have
        held up what others use."""
        self._fall_back()
        return sum(self.made[g].cost_micro for g in self.speaking) / MICRO + self._dispatched().objective

    @property
    def number(self) -> int:
        return len(self.rounds)

    def may_go_on(self) -> bool:
        """Whether there is a round left, and time to commit after it."""
        return self.number < self.rules.max_rounds and self.rules.seconds_left() > self.reserve_s

    def may_price(self) -> bool:
        """The same, rounds left that prices with integers fixed will need."""
        left = self.rules.max_rounds - self.number
        kept = min(SUPPORT_ROUNDS, self.rules.max_rounds // 3) if self.rules.fixed_integers else 0
        return left > kept and self.may_go_on()

    def ask_alone(self) -> None:
        """No trade, everybody's first word; under strict locality what every building does alone stands."""
        question = Alone(self.number, binds=self.rules.strict)
        before = self.rules.seconds_left()
        self._take("alone", {}, self._hear(dict.fromkeys(self.speaking, question)), -np.inf)
        if np.isfinite(before):
            self.reserve_s = COMMIT_PER_ALONE * (before - self.rules.seconds_left())

    def ask_slice(self) -> None:
        """Every group answers its share of the market's own steps."""
        slices = {g: Slice(self.number, ladder) for g, ladder in self._shares(0.0, self.speaking).items()}
        self._take("slice", {}, self._hear(slices), -np.inf)

    def ask_price(self, multipliers: Floats) -> None:
        """Every group answers its node price; the answers prove a bound."""
        prices = {g: self.master.node_price(multipliers, g) for g in self.speaking}
        replies = self._hear({g: Price(self.number, price) for g, price in prices.items()})
        bound = self._proven(multipliers, prices, replies)
        if bound > self.best_bound:
            self.best_bound, self.best = bound, multipliers
        self._take("price", prices, replies, bound)

    def _proven(self, multipliers: Floats, prices: dict[int, Floats], replies: dict[int, Reply]) -> float:
        """L(y), from the groups' bounds or their sum.

        Where not even the sum may be said, each bound is read off the answer, less what rounding to lots hides; a
        repeated answer was not given at this price and proves nothing.
        """
        lot = self.rules.lot_wh / 1000
        total = self.master.market_value(multipliers)
        summed = self.fleet.summed_bound(self.number)
        if summed is not None:
            return total + summed / MICRO
        for g, reply in replies.items():
            if reply.bound_micro is not None:
                total += reply.bound_micro / MICRO
            elif reply.repeated:
                return -np.inf
            else:
                priced = float(prices[g] @ reply.lots) * lot / 1000
                total += reply.cost_micro / MICRO + priced - float(np.abs(prices[g]).sum()) * lot / 2000 - 1 / MICRO
        return total

    def _take(self, kind: str, prices: dict[int, Floats], replies: dict[int, Reply], bound: float) -> None:
        lot = self.rules.lot_wh / 1000
        for g, reply in replies.items():
            position = np.asarray(reply.lots * lot, dtype=float)
            if not self.made:
                self.positions[g] = position
            self.master.columns.append(Column(g, position, reply.cost_micro / MICRO, reply.round))
        self.rounds.append(Round(self.number, kind, prices, replies, bound))

    def model(self) -> Blend:
        """What the answers promise, for the next prices: where all of it is proven and it still pays for flow beyond
        a limit, that was too cheap."""
        while (blend := self.master.blend(soft=True)).overdrawn and not self.lags(blend.value, self.rules.gap / 2):
            self.master.stiffen()
        return blend

    def next_multipliers(self, blend: Blend) -> Floats:
        """Level step; the master's own multipliers where the level is out of reach of the solver.

        While little is proven, answers say next to nothing about most intervals, and batteries, vehicles and what can
        wait make neighbouring hours worth the same: smooth prices are the better guess.
        """
        level = self.best_bound + LEVEL * (blend.value - self.best_bound)
        found = self.master.level_step(self.best, level, smooth=self.lags(blend.value, VAGUE))
        return self.master.clip(blend.multipliers) if found is None else found

    def _shares(self, margin_kwh: float, among: Collection[int]) -> dict[int, Ladder]:
        """Each group's share of its zone's steps around its own position, in its share of the room of its feeders.

        The market's cost is convex, so what their shares charge all groups for moving at once is never less than
        what it costs the city.  A zone without a neighbour of its own has no steps to climb, and moving away from
        the blend costs a penalty instead.
        """
        city, sites = self.master.market.city, self.master.sites
        rooms = self._rooms()
        steps = {zone: self._steps(zone) for zone in {sites[g][0] for g in among}}
        number = {zone: sum(1 for z, _ in sites if z == zone) for zone in steps}
        priced = {e.zone for e in city.exchanges}
        joined = {zone for line in city.lines for zone in (line.from_zone, line.to_zone)} - priced
        ladders = {}
        for g in among:
            zone, own = sites[g][0], self.positions[g]
            ladder = share_of(steps[zone], own, 1 / number[zone])
            if zone in joined and self.made:
                price = self.master.zone_price(self.best, zone)
                ladder = Ladder.target(own, price, np.full(len(price), AWAY_PER_MWH))
            ladders[g] = within(ladder, *rooms.share(g, margin_kwh))
        return ladders

    def _steps(self, zone: str) -> Ladder:
        return zone_ladder(self.master, zone, market_positions(self.master, self.positions, zone))

    def _rooms(self) -> Rooms:
        return Rooms.under(self.master.market.city.feeders, self.master.sites, self.positions)

    def commit(self, blend: Blend) -> None:
        """All groups commit at once, each on its share of the market around the blend; then they polish.

        Whole runs and whole Wh may overstep a feeder by a little: the groups below it commit again with a margin.
        Who still oversteps falls back on no trade.  Where no time is left nobody trades.
        """
        if self.rules.seconds_left() <= 0:
            self._make(dict.fromkeys(self.speaking, Refrain()))
            return
        weights = self._weights(blend)
        again: Collection[int] = self.speaking
        for margin_kwh in MARGINS_KWH:
            ladders = self._shares(margin_kwh, again)
            self._make({g: Commit(ladder, np.inf, weights[g]) for g, ladder in ladders.items()})
            again = self._overstepping() & set(self.speaking)
            if not again:
                break
        self._fall_back()

    def close_in(self) -> None:
        """Lift the proof, or lower the cost from where everybody stands, until they meet or neither moves.

        Prices come first where what they may still prove is all that is missing: a price is answered in half the time
        of a polish, and a polish wins little of what a commitment lost.
        """
        polishes = POLISHES
        while self.lags(cost := self.cost(), self.rules.gap) and self.rules.seconds_left() > 0:
            blend = self.model()
            missing = cost - self.rules.gap * abs(cost) - self.best_bound
            may_price = self.may_price() and self.lags(blend.value, 1e-5)
            if may_price and (blend.value - self.best_bound >= missing or not polishes):
                self.ask_price(self.next_multipliers(blend))
            elif polishes:
                self._polish(np.inf)
                won = cost - self.cost() > WORTH_POLISHING * self.rules.gap * abs(cost)
                polishes = polishes - 1 if won else 0
            else:
                break

    def branch(self) -> None:
        """The last polish: everybody may branch, to its share of a quarter of the gap."""
        if self.rules.seconds_left() > 0:
            self._polish(self.rules.gap / 4 * abs(self.cost()) / max(1, len(self.speaking)))

    def support(self) -> None:
        """Prices for the commitments as they stand, on and off fixed (``fixed_integers``)."""
        alone = {g: self.rounds[0].replies[g].cost_micro / MICRO for g in self.speaking}
        made = {g: self.made[g] for g in self.speaking}
        may_go_on = self.may_go_on
        self.supported = support(
            self.master, made, alone, self._dispatched(), self.best, self.rules.gap, self._ask_committed, may_go_on
        )

    def _ask_committed(self, multipliers: Floats) -> tuple[float, list[Column]]:
        """Every group's answer to its node price with on and off as committed, and what they prove together."""
        number = self.number
        prices = {g: self.master.node_price(multipliers, g) for g in self.speaking}
        replies = self._hear({g: Price(number, price, committed=True) for g, price in prices.items()})
        bound = self._proven(multipliers, prices, replies)
        lot = self.rules.lot_wh / 1000
        self.rounds.append(Round(number, "support", prices, replies, -np.inf))
        return bound, [
            Column(g, np.asarray(r.lots * lot, dtype=float), r.cost_micro / MICRO, number) for g, r in replies.items()
        ]

    def _polish(self, tolerance: float) -> None:
        """Everybody commits anew from where it stands; where a feeder is overstepped, all below it take it back."""
        earlier = dict(self.made)
        ladders = self._shares(MARGINS_KWH[0], [g for g in self.speaking if self.names[g] not in self.refrained])
        self._make({g: Commit(ladder, tolerance) for g, ladder in ladders.items()})
        moved = {g for g in ladders if g in self.made and self.made[g] is not earlier[g]}
        self._make({g: Revert() for g in self._overstepping() & moved})

    def _dispatched(self) -> Solution:
        """The market's side for the positions as they stand."""
        found = self.master.dispatch(self.positions, DISPATCH_S, DISPATCH_GAP, feeder_slack_kwh=ROUNDING_KWH)
        if not found.has_answer:
            raise SolveError(f"re-dispatch: {found.status.value}")
        return found

    def _make(self, questions: Mapping[int, Question]) -> None:
        """Take commitments.  What a gate refuses leaves the one before; a group without any is lost."""
        words = self.fleet.ask(questions)
        for g in questions:
            word = words[g]
            if isinstance(word, Commitment):
                self.made[g] = word
                self.positions[g] = word.position_wh / 1000
            elif g not in self.made or not isinstance(word, Silence) or isinstance(word, Fault):
                self.lose(g, _last(word))

    def _fall_back(self) -> None:
        """The largest of those who still overstep trade nothing, one after another, until the network holds."""
        while broken := self._overstepping():
            rooms = self._rooms()
            loud = [g for g in sorted(broken) if g in self.speaking and self.names[g] not in self.refrained]
            if not loud and all(-rooms.least(g) < ROUNDING_KWH for g in broken):
                break  # no trade, in whole Wh
            if not loud:
                raise SolveError("without any trade a feeder limit is broken: allocations exceed it")
            g = max(loud, key=lambda g: (float(np.abs(self.positions[g]).max()), -g))
            self.refrained.append(self.names[g])
            self.made.pop(g, None)
            self._make({g: Refrain()})

    def _weights(self, blend: Blend) -> list[dict[int, float]]:
        """Each group's blend of its own answers by round; positions move to the blended ones."""
        weights: list[dict[int, float]] = [{} for _ in self.names]
        for column, weight in zip(self.master.columns, blend.weights, strict=True):
            if weight > 1e-9:
                weights[column.group][column.round] = weight
        known = {(c.group, c.round): c.position_kwh for c in self.master.columns}
        for g, own in enumerate(weights):
            self.positions[g] = np.sum([w * known[g, k] for k, w in own.items()], axis=0)
        return weights

    def _overstepping(self) -> set[int]:
        """Groups below a feeder whose limit the standing positions break."""
        return self._rooms().overstepping(HAIR_KWH)


def _last(word: Word) -> Silence:
    """What a group ends with when its word is no answer."""
    return word if isinstance(word, Silence) else Fault("answered another question")
