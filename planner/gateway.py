"""A gateway: the only part that knows a group's units, and the little it says about them.

It answers the marketplace's questions with the group's position and cost, in lots, and commits to a schedule at
the end.  A cohort's gateway sums its buildings' answers before anything is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Protocol

import numpy as np

from planner.fitting import EVER
from planner.fleet import Kept, Spent
from planner.groups import Group
from planner.quantise import Floats, Ints
from planner.questions import (
    MICRO,
    Alone,
    Bound,
    BoundAt,
    Commit,
    Commitment,
    Price,
    Question,
    Refrain,
    Reply,
    Revert,
    Slice,
    Word,
)
from planner.schedule import Reader, Schedule
from planner_models.answer import Answer, AnsweringBuilding, Ladder
from planner_models.apart import Home, stamp_homes
from planner_models.solve import Options
from planner_models.words import Building, Fees, IntervalGrid

NOWHERE: Floats = np.empty(0)


@dataclass
class LocalGateway:
    """A gateway in this process, over the buildings of one group.

    ``lot_wh``: positions in answers are whole lots.  ``share`` of each building in the group cuts a slice.
    ``homes`` are the buildings' models if they were stamped before.
    """

    group: Group
    buildings: tuple[Building, ...]
    grid: IntervalGrid
    fees: Fees
    options: Options
    lot_wh: int
    commit_gap: float = 1e-4
    commit_time_s: float = 60.0
    answered: dict[int, list[Answer]] = field(default_factory=dict)
    homes: Sequence[Home | None] = ()

    def __post_init__(self) -> None:
        homes = self.homes or [None] * len(self.buildings)
        # Of equal answers those after presolve give less to one occupant in the sample: answers that leave need it.
        options = replace(self.options, presolved=self.lot_wh != 1)
        self.models = [
            AnsweringBuilding(b, self.grid, self.fees, options, home)
            for b, home in zip(self.buildings, homes, strict=True)
        ]
        weight = np.array([max(sum(b.allocation_kwh), 1e-9) for b in self.buildings])
        self.shares = weight / weight.sum()
        self.schedules: list[Schedule] = []
        self.without_trade: list[Schedule] = []
        self.proven = [-np.inf] * len(self.buildings)
        self._before: list[Schedule] = []
        self.alone_x: list[Floats] = []
        self._readers: dict[str, Reader] = {}

    def rest(self) -> None:
        """Let the models go until the next question, and the values of their columns."""
        self._readers.clear()
        self._forget_values()
        self.alone_x.clear()
        for model in self.models:
            model.rest()

    def wake(self, homes: Sequence[Home | None]) -> None:
        """Take models up again, from ``homes`` where they were stamped before."""
        for model, home in zip(self.models, homes, strict=True):
            model.wake(home)

    def answer(self, question: Question) -> Word:
        """The word to one question."""
        match question:
            case Alone(round, binds):
                return self.alone(round, binds)
            case Slice(round, ladder):
                return self.slice(round, ladder)
            case Price(round, price, committed):
                return self.price_as_committed(round, price) if committed else self.price(round, price)
            case Commit(ladder, tolerance, weights):
                return self.commit(weights, ladder, tolerance)
            case Revert():
                return self.revert()
            case Refrain():
                return self.refrain()
            case BoundAt(_, price, tolerance):
                return self.bound_at(price, tolerance)

    def alone(self, round: int, binds: bool = False) -> Reply:
        """No trade: always possible, computed first; under strict locality what it serves and trades stands."""
        self.without_trade = [self._soundly(m, AnsweringBuilding.alone) for m in self.models]
        self.alone_x = [m.last_x for m in self.models]
        self.schedules = self.without_trade
        cost = sum(s.cost for s in self.without_trade)
        zero = np.zeros(len(self.grid))
        self._note(round, [Answer(zero, s.cost, s.cost, -np.inf, zero, x) for s, x in self._alone()])
        if binds:
            for model, x in zip(self.models, self.alone_x, strict=True):
                model.hold(x)
        return Reply(round, np.zeros(len(self.grid), dtype=np.int64), micro(cost), None)

    def _alone(self) -> Iterable[tuple[Schedule, Floats]]:
        return zip(self.without_trade, self.alone_x, strict=True)

    def _note(self, round: int, answers: list[Answer]) -> None:
        """Remember the answers of a round; of those before it, positions and costs alone."""
        self._forget_values()
        self.answered[round] = answers

    def _forget_values(self) -> None:
        for earlier, old in self.answered.items():
            self.answered[earlier] = [replace(a, x=NOWHERE) if len(a.x) else a for a in old]

    def alone_answers(self) -> list[tuple[AnsweringBuilding, Floats]]:
        """Every building's model and its values without trade."""
        return list(zip(self.models, self.alone_x, strict=True))

    def slice(self, round: int, ladder: Ladder) -> Reply:
        """Answer a share of the market's own steps; in whole runs as ``price`` does, or prices could never prove more
        than the relaxation promised here."""
        pairs = zip(self.models, self.shares, strict=True)
        answers = [m.at(ladder.scaled(share), rounding=self.lot_wh == 1) for m, share in pairs]
        return self._reply(round, answers, None)

    def price(self, round: int, price: Floats) -> Reply:
        """Answer a flat price per interval; the bound is proven for whole runs.

        Where answers leave in lots, a bound may have to be read off them: then they are the relaxation's own.
        """
        answers = [m.at_price(price, rounding=self.lot_wh == 1) for m in self.models]
        return self._reply(round, answers, sum(a.bound for a in answers))

    def price_as_committed(self, round: int, price: Floats) -> Reply:
        """The same with every on and off as it stands: then the relaxation is exact."""
        pairs = zip(self.models, self.schedules, strict=True)
        answers = [m.at_price_as(price, dict(s.rows)) for m, s in pairs]
        return self._reply(round, answers, sum(a.bound for a in answers))

    def commit(self, weights: Mapping[int, float], ladder: Ladder, tolerance: float) -> Commitment:
        """Schedules in whole runs, from the blend of own answers that the marketplace weighed.

        ``ladder`` starts at the group's blended position, or without weights where the group stands; building after
        building climbs what is left of it.
        ``tolerance`` (currency) is how far from its best the group may stop.
        """
        standing = self._before = self.schedules
        self.schedules = []
        moved = np.zeros(len(self.grid))
        for i, model in enumerate(self.models):
            target = standing[i].position_wh / 1000
            if weights:
                target = np.sum([w * self.answered[k][i].position_kwh for k, w in weights.items()], axis=0)
            own = ladder.around(target, moved)
            schedule = self._whole(model, own, self.commit_gap, tolerance / len(self.models))
            if not weights and _paid(schedule, own) >= _paid(standing[i], own):
                schedule = standing[i]
            moved += schedule.position_wh / 1000 - target
            self.schedules.append(schedule)
        return self.stand()

    def face(self, ladder: Ladder) -> Schedule:
        """The schedule of a single building on a ladder of its own, such as the default tariff."""
        (model,) = self.models
        return self._whole(model, ladder, self.commit_gap)

    def refrain(self) -> Commitment:
        """Fall back on no trade."""
        self._before, self.schedules = self.schedules, self.without_trade
        return self.stand()

    def revert(self) -> Commitment:
        """Go back to the schedules before the last commitment."""
        self.schedules = self._before
        return self.stand()

    def stand(self) -> Commitment:
        """The commitment of the current schedules."""
        position = np.sum([s.position_wh for s in self.schedules], axis=0)
        return Commitment(position, micro(sum(s.cost for s in self.schedules)))

    def repeat(self, round: int, earlier: int) -> None:
        """What was answered in ``earlier`` stands for ``round`` as well."""
        self.answered[round] = self.answered[earlier]

    def delta_wh(self) -> Ints:
        """Positions of the units under the current schedules, signed Wh, (units, intervals)."""
        return np.stack([u.position_wh for s in self.schedules for u in s.units])

    def answer_delta_wh(self, round: int) -> Ints:
        """The same for the last answer, given in ``round``: the relaxation's positions, rounded."""
        deltas = [m.unit_positions(a.x) for m, a in zip(self.models, self.answered[round], strict=True)]
        return np.rint(np.concatenate(deltas) * 1000).astype(np.int64)

    def bound_at(self, price: Floats, tolerance: float | None = None) -> Bound:
        """The sum of ``bounds_at``, or of what whole runs prove beyond it; each building's own stays with it."""
        self.proven = self.bounds_at(price) if tolerance is None else self._whole_bounds(price, tolerance)
        return Bound(micro_below(sum(self.proven)))

    def bounds_at(self, price: Floats) -> list[float]:
        """v_b of every building at ``price``: known inside the building only."""
        return [m.at_price(price).bound for m in self.models]

    def _whole_bounds(self, price: Floats, tolerance: float) -> list[float]:
        """The better of these and the MILP's: tighter where whole runs cost more than their relaxation."""
        each = tolerance / len(self.models)
        flat = Ladder.flat(price)
        whole = [m.mip(flat, self.commit_gap, self.commit_time_s, each).bound for m in self.models]
        return [max(pair) for pair in zip(self.bounds_at(price), whole, strict=True)]

    def kept(self) -> Mapping[str, Kept]:
        """What every building keeps to itself; nothing before the first question."""
        if not self.schedules:
            return {}
        rows = zip(self.buildings, self.schedules, self.without_trade, self.proven, strict=True)
        return {b.id: Kept(schedule, alone.cost, proven) for b, schedule, alone, proven in rows}

    @property
    def spent(self) -> Spent:
        return Spent.sum(Spent(m.seconds, m.closed_seconds) for m in self.models)

    def _whole(self, model: AnsweringBuilding, ladder: Ladder, gap: float, tolerance: float = 0.0) -> Schedule:
        return self._soundly(model, lambda m: m.whole(ladder, gap, self.commit_time_s, tolerance))

    def _soundly(self, model: AnsweringBuilding, ask: Callable[[AnsweringBuilding], Answer]) -> Schedule:
        """The schedule of an answer; where it burns energy both ways at once, of one that may not."""
        schedule = self._read(model, ask(model))
        if schedule.overlaps and not model.exclusive:
            model.make_exclusive()
            schedule = self._read(model, ask(model))
        return schedule

    def _read(self, model: AnsweringBuilding, answer: Answer) -> Schedule:
        reader = self._readers.get(model.building.id)
        if reader is None or reader.model is not model.model:
            reader = self._readers[model.building.id] = Reader(model.model, [model.building], self.grid, self.fees)
        return reader.read(answer.x)[0]

    def _reply(self, round: int, answers: list[Answer], bound: float | None) -> Reply:
        self._note(round, answers)
        return summed_reply(round, answers, bound, self.lot_wh)


def _paid(schedule: Schedule, ladder: Ladder) -> float:
    """What a schedule costs on a ladder, in currency."""
    return schedule.cost + ladder.charge(schedule.position_wh / 1000)


class Answered(Protocol):
    """A building's position (kWh) and cost (currency)."""

    @property
    def position_kwh(self) -> Floats: ...

    @property
    def cost(self) -> float: ...


def summed_reply(round: int, answers: Sequence[Answered], bound: float | None, lot_wh: int) -> Reply:
    """What a group says of its buildings' answers: their sum in whole lots and micro-currency."""
    position = np.sum([a.position_kwh for a in answers], axis=0)
    lots = np.rint(position * 1000 / lot_wh).astype(np.int64)
    cost = micro(sum(a.cost for a in answers))
    return Reply(round, lots, cost, None if bound is None else micro_below(bound))


def micro(cost: float) -> int:
    return int(np.rint(cost * MICRO))


def micro_below(bound: float) -> int:
    return int(np.floor(bound * MICRO))


@dataclass(frozen=True)
class Plan:
    """What a gateway is made of: it can be sent to another process and called there."""

    group: Group
    buildings: tuple[Building, ...]
    grid: IntervalGrid
    fees: Fees
    options: Options
    lot_wh: int
    commit_gap: float
    commit_time_s: float

    def __call__(self, homes: Sequence[Home] = ()) -> LocalGateway:
        return LocalGateway(**{f.name: getattr(self, f.name) for f in fields(self)}, homes=homes)


TOGETHER = 50
"""How many groups' models are stamped at once: more would be no cheaper and stand about in memory."""


class Workshop:
    """The gateways of some recipes, made when they are first asked for; models are stamped together.

    At most ``most`` of them have their models at once: who was asked longest ago rests, and no answer depends on it.
    """

    def __init__(self, recipes: Mapping[int, Callable[[], LocalGateway]], most: int = EVER) -> None:
        self.recipes, self.most = recipes, max(1, most)
        self.gateways: dict[int, LocalGateway] = {}
        self._awake: dict[int, None] = {}
        self._homes: dict[int, list[Home]] = {}
        self._coming: list[int] = sorted(recipes)

    def expect(self, groups: Iterable[int]) -> None:
        """Who will be asked next, in this order."""
        self._coming = [g for g in dict.fromkeys(groups) if g not in self._awake]

    def ready(self, g: int) -> LocalGateway:
        """The gateway of a group, with its models."""
        if g not in self._awake:
            self._rouse(g)
        self._awake[g] = self._awake.pop(g, None)  # the last one asked
        while len(self._awake) > self.most:
            oldest = next(iter(self._awake))
            del self._awake[oldest]
            self.gateways[oldest].rest()
        return self.gateways[g]

    def _rouse(self, g: int) -> None:
        recipe = self.recipes[g]
        if isinstance(recipe, Plan) and g not in self._homes:
            self._stamp(g)
        homes = self._homes.pop(g, [])
        if g in self.gateways:
            self.gateways[g].wake(homes or [None] * len(self.gateways[g].models))
        else:
            self.gateways[g] = recipe(homes) if isinstance(recipe, Plan) else recipe()

    def _stamp(self, g: int) -> None:
        """The models of this group and of those that come after it."""
        at = self._coming.index(g) if g in self._coming else 0
        after = [other for other in self._coming[at:] if isinstance(self.recipes[other], Plan)]
        chosen = [g, *(other for other in after if other != g)][: min(TOGETHER, self.most)]
        self._coming = [other for other in self._coming if other not in chosen]
        plans = [plan for other in chosen if isinstance(plan := self.recipes[other], Plan)]
        homes = stamp_homes([b for plan in plans for b in plan.buildings], plans[0].grid, plans[0].fees)
        for other, plan in zip(chosen, plans, strict=True):
            self._homes[other], homes = homes[: len(plan.buildings)], homes[len(plan.buildings) :]
