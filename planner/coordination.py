"""The rounds between gateways and the marketplace (formulation 3): no I/O, no clock of its own.

Slices of the market first, so that answers are interior; prices by a level bundle, each round a proven bound;
then commitments near the blended answers.  All that the rounds know of a group is where it is and the words its
fleet brings back (planner/questions.py): the same words lead to the same next questions, wherever gateways run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from planner.fleet import Fleet
from planner.ladders import slice_ladder, within
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
from planner_models.answer import Ladder
from planner_models.master import Blend, Column, Master, market_positions
from planner_models.solve import Solution, SolveError

SLICE_ROUNDS = 3
LEVEL = 0.5
AWAY_PER_MWH = 50.0
MARGINS_KWH = (0.05, 0.2, 1.0)
POLISHES = 2
"""Passes in which every group may improve on its commitment, the others standing: cost can only fall."""
HAIR_KWH = 1e-9
ROUNDING_KWH = 0.05
"""What whole Wh of many assets may add to the flow of a feeder."""
DISPATCH_S = 60.0
DISPATCH_GAP = 1e-6


@dataclass(frozen=True)
class Rules:
    """When to stop: relative gap asked, rounds allowed, lot of an answer in Wh, seconds left; and the locality."""

    gap: float
    max_rounds: int
    lot_wh: int
    seconds_left: Callable[[], float]
    strict: bool = False


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
    for _ in range(SLICE_ROUNDS):
        if talk.may_go_on():
            talk.ask_slice()
    blend = master.blend()
    talk.ask_price(master.clip(blend.multipliers))
    while talk.may_go_on() and talk.best_bound < (blend := master.blend()).value - rules.gap / 4 * abs(blend.value):
        talk.ask_price(talk.next_multipliers(blend))
    talk.commit(master.blend())
    return talk.agreement()


class _Talk:
    """The state of the rounds."""

    def __init__(self, master: Master, fleet: Fleet, rules: Rules) -> None:
        self.master, self.fleet, self.rules = master, fleet, rules
        self.names = [group.id for group in fleet.groups]
        self.rounds: list[Round] = []
        self.best_bound, self.best = -np.inf, np.zeros(len(master.market.row_lower))
        self.positions: list[Floats] = [np.zeros(master.market.n) for _ in self.names]
        self.mute: dict[str, Silence] = {}
        self.made: dict[int, Commitment] = {}
        self.refrained: list[str] = []

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
        return Agreement(self.best, bound, value, no_trade, made, found, self.rounds, refrained, mute, self)

    def lose(self, g: int, last: Silence) -> None:
        """The group takes no further part: nothing requested, nothing offered, at nobody's cost."""
        self.mute[self.names[g]] = last
        self.made.pop(g, None)
        self.positions[g] = np.zeros(self.master.market.n)
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

    @property
    def number(self) -> int:
        return len(self.rounds)

    def may_go_on(self) -> bool:
        return self.number < self.rules.max_rounds and self.rules.seconds_left() > 0

    def ask_alone(self) -> None:
        """No trade, everybody's first word; under strict locality what every building does alone stands."""
        question = Alone(self.number, binds=self.rules.strict)
        self._take("alone", {}, self._hear(dict.fromkeys(self.speaking, question)), -np.inf)

    def ask_slice(self) -> None:
        """Every group answers its share of the market's own steps."""
        slices = {g: Slice(self.number, self._slice(g)) for g in self.speaking}
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
            self.positions[g] = position
            self.master.columns.append(Column(g, position, reply.cost_micro / MICRO, reply.round))
        self.rounds.append(Round(self.number, kind, prices, replies, bound))

    def next_multipliers(self, blend: Blend) -> Floats:
        """Level step; the master's own multipliers where the level is out of reach of the solver."""
        level = self.best_bound + LEVEL * (blend.value - self.best_bound)
        found = self.master.level_step(self.best, level)
        return self.master.clip(blend.multipliers) if found is None else found

    def _slice(self, g: int) -> Ladder:
        """The group's share of its zone's steps, laid around its own position."""
        zone = self.master.sites[g][0]
        inside = [i for i, (z, _) in enumerate(self.master.sites) if z == zone]
        share = 1 / len(inside)
        current = market_positions(self.master, self.positions, zone)
        return slice_ladder(self.master, zone, current, self.positions[g], share)

    def commit(self, blend: Blend) -> None:
        """One group after another commits against the market's own steps, all others standing where they are.

        Whole runs and whole Wh may overstep a feeder by a little: the groups below it commit again with a margin.
        Who still oversteps falls back on no trade.  While the proof asks for more, everybody commits once again.
        """
        weights = self._weights(blend)
        tolerance = self.rules.gap / 4 * max(abs(blend.value), 1e-9) / max(1, len(self.speaking))
        for margin_kwh in MARGINS_KWH:
            for g in self.speaking:
                if g not in self.made or g in self._overstepping():
                    self._make(g, Commit(self._standing(g, margin_kwh), tolerance, weights[g]))
            if not self._overstepping():
                break
            tolerance = 0.0
        self._fall_back()
        for _ in range(POLISHES):
            cost = sum(self.made[g].cost_micro for g in self.speaking) / MICRO + self._dispatched().objective
            if cost - self.best_bound <= self.rules.gap * abs(cost) or self.rules.seconds_left() <= 0:
                break
            for g in self.speaking:
                self._improve(g, tolerance)

    def _improve(self, g: int, tolerance: float) -> None:
        """One group commits anew from where it stands; what would overstep a feeder is taken back."""
        before = self.made[g]
        self._make(g, Commit(self._standing(g, MARGINS_KWH[0]), tolerance))
        if g in self._overstepping() and self.made.get(g, before) is not before:
            self._make(g, Revert())

    def _dispatched(self) -> Solution:
        """The market's side for the positions as they stand."""
        found = self.master.dispatch(self.positions, DISPATCH_S, DISPATCH_GAP, feeder_slack_kwh=ROUNDING_KWH)
        if not found.has_answer:
            raise SolveError(f"re-dispatch: {found.status.value}")
        return found

    def _make(self, g: int, question: Question) -> None:
        """Take a commitment.  What a gate refuses leaves the one before; a group without any is lost."""
        word = self.fleet.ask({g: question})[g]
        if isinstance(word, Commitment):
            self.made[g] = word
            self.positions[g] = word.position_wh / 1000
        elif g not in self.made or not isinstance(word, Silence) or isinstance(word, Fault):
            self.lose(g, _last(word))

    def _fall_back(self) -> None:
        """The largest of those who still overstep trade nothing, one after another, until the network holds."""
        while broken := self._overstepping():
            loud = [g for g in sorted(broken) if g in self.speaking and self.names[g] not in self.refrained]
            if not loud and all(-self._room(g) < ROUNDING_KWH for g in broken):
                break  # no trade, in whole Wh
            if not loud:
                raise SolveError("without any trade a feeder limit is broken: allocations exceed it")
            g = max(loud, key=lambda g: (float(np.abs(self.positions[g]).max()), -g))
            self.refrained.append(self.names[g])
            self.made.pop(g, None)
            self._make(g, Refrain())

    def _weights(self, blend: Blend) -> list[dict[int, float]]:
        """Each group's blend of its own answers by round; positions move to the blended ones."""
        weights: list[dict[int, float]] = [{} for _ in self.names]
        for column, weight in zip(self.master.columns, blend.weights, strict=True):
            if weight > 1e-9:
                weights[column.group][column.round] = weight
        for g, own in enumerate(weights):
            known = {c.round: c.position_kwh for c in self.master.columns if c.group == g}
            self.positions[g] = np.asarray(np.sum([w * known[k] for k, w in own.items()], axis=0))
        return weights

    def _overstepping(self) -> set[int]:
        """Groups below a feeder whose limit the standing positions break."""
        return {g for g in range(len(self.names)) if self._room(g) < -HAIR_KWH}

    def _room(self, g: int) -> float:
        """The least room that the feeders above leave the group in any interval, kWh; below 0 one is overstepped."""
        down, up = self.master.room(self.positions, g)
        return min(float(down.min(initial=0.0)), float(up.min(initial=0.0)))

    def _standing(self, g: int, margin_kwh: float) -> Ladder:
        """What the group's next kWh costs the city: its zone's steps, in the room that its feeders leave.

        The others stand, so a feeder is a limit here and no price; a zone without a neighbour of its own has no
        steps to climb, and moving away from the blend costs a penalty instead.
        """
        zone = self.master.sites[g][0]
        current = market_positions(self.master, self.positions, zone)
        ladder = slice_ladder(self.master, zone, current, self.positions[g], 1.0)
        city = self.master.market.city
        reached = any(zone in (line.from_zone, line.to_zone) for line in city.lines)
        if reached and not any(e.zone == zone for e in city.exchanges):
            price = self.master.zone_price(self.best, zone)
            ladder = Ladder.target(self.positions[g], price, np.full(len(price), AWAY_PER_MWH))
        down, up = self.master.room(self.positions, g)
        return within(ladder, down - margin_kwh, up - margin_kwh)


def _last(word: Word) -> Silence:
    """What a group ends with when its word is no answer."""
    return word if isinstance(word, Silence) else Fault("answered another question")
