"""How a building answers: to a price, to a slice of the market, to a target, or alone (formulation 3).

One model per building stays in HiGHS; between questions only costs and bounds of its *ladder* change, the
columns through which it trades.  ``q = base + sum of steps``, each step with a price and a range.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from planner_models.apart import STEPS, Home, stamp_homes
from planner_models.building import Stamped
from planner_models.closed import effective_cost, whole_surplus
from planner_models.explain import Infeasible, InfeasibleError, conflicting_rules
from planner_models.idle import idle_point
from planner_models.lean import left_out, plugs
from planner_models.linear import LinearModel
from planner_models.locality import freeze
from planner_models.rounding import READINESS, Fixed, Runs, as_run, is_torn, mended, rounded
from planner_models.solve import Options, Solution, SolveError, Solver, Standing, Status
from planner_models.template import Floats
from planner_models.words import Building, Fees, IntervalGrid

UNLIMITED = np.inf
WORTH_ROUNDING = 1e-4
"""From which share of an answer's value on whole runs are worth solving for."""
MENDS, WORTH_MENDING = 8, 2e-4
"""How many single moves may mend a rounded answer, and the relative distance from the proof that is left alone."""
ALONE_GAP = 5e-3
"""Relative gap of an answer without trade that had to be branched."""
ASTRAY, FEW_UNITS = 0.02, 10
"""Relative distance from the proof at which a rounded answer without trade is given up, in a building of so few."""


@dataclass(frozen=True)
class Ladder:
    """What a building trades on: steps in rising price order around a base position.

    ``base`` (n,) in kWh; ``price`` (steps, n) in currency per MWh; step k serves what lies between
    ``begins[k]`` and ``ends[k]`` (kWh above the base, negative below it, infinite where unlimited).
    """

    base: Floats
    price: Floats
    begins: Floats
    ends: Floats

    @staticmethod
    def flat(price: Floats) -> Ladder:
        """One price for any quantity."""
        everywhere = np.full((1, len(price)), UNLIMITED)
        return Ladder(np.zeros(len(price)), price[None, :], -everywhere, everywhere)

    @staticmethod
    def closed(n: int) -> Ladder:
        """No trade: q = 0."""
        nothing = np.zeros((1, n))
        return Ladder(np.zeros(n), nothing, nothing, nothing)

    @staticmethod
    def tariff(import_per_mwh: Floats, export_per_mwh: Floats) -> Ladder:
        """Buy at one price, sell at another (import >= export)."""
        zero, free = np.zeros_like(import_per_mwh), np.full_like(import_per_mwh, UNLIMITED)
        price = np.stack([export_per_mwh, import_per_mwh])
        return Ladder(zero, price, np.stack([-free, zero]), np.stack([zero, free]))

    @staticmethod
    def target(position_kwh: Floats, price: Floats, penalty_per_mwh: Floats) -> Ladder:
        """Stay near a position: every kWh away from it costs the penalty beside the price."""
        return replace(Ladder.tariff(price + penalty_per_mwh, price - penalty_per_mwh), base=position_kwh)

    def scaled(self, share: float) -> Ladder:
        """The same prices for a share of the quantities, base included."""
        return Ladder(self.base * share, self.price, self.begins * share, self.ends * share)

    def around(self, base: Floats, moved: Floats) -> Ladder:
        """The steps left for one who stands at ``base`` when others have already moved ``moved`` kWh along."""
        return Ladder(base, self.price, self.begins - moved, self.ends - moved)

    def climb(self, position_kwh: Floats) -> Floats:
        """Values of the steps, shape (steps, n), at which ``base + steps`` is a position."""
        moved = position_kwh - self.base
        with np.errstate(invalid="ignore"):
            up = np.clip(moved, np.maximum(self.begins, 0), np.maximum(self.ends, 0)) - np.maximum(self.begins, 0)
            down = np.clip(moved, np.minimum(self.begins, 0), np.minimum(self.ends, 0)) - np.minimum(self.ends, 0)
        return np.where(np.isfinite(up), up, 0.0) + np.where(np.isfinite(down), down, 0.0)

    def charge(self, position_kwh: Floats) -> float:
        """What moving from the base to a position costs, in currency."""
        return float((self.climb(position_kwh) * self.price).sum()) / 1000

    def ranges(self) -> tuple[Floats, Floats]:
        """Bounds of each step's variable: steps above the base are climbed, those below are stepped down."""
        with np.errstate(invalid="ignore"):
            width = self.ends - self.begins
        lower = np.where(self.ends <= 0, -width, np.minimum(self.begins, 0))
        upper = np.where(self.begins >= 0, width, np.maximum(self.ends, 0))
        lower, upper = np.where(self.begins >= 0, 0.0, lower), np.where(self.ends <= 0, 0.0, upper)
        out_of_sight = np.isinf(self.begins) & (self.begins == self.ends)
        return np.where(out_of_sight, 0.0, lower), np.where(out_of_sight, 0.0, upper)


@dataclass(frozen=True)
class Answer:
    """A building's best response: position q (kWh per interval), its own cost c (currency, fees included).

    ``objective`` is c plus what the ladder charged above its base; ``bound`` is proven for that objective.
    ``price`` holds the local marginal value of energy (currency per MWh), for LP answers.
    """

    position_kwh: Floats
    cost: float
    objective: float
    bound: float
    price: Floats
    x: Floats


R = TypeVar("R")


class AnsweringBuilding:
    """One building's model, kept warm; ``home`` is the model if it was stamped before.

    Between two questions it may ``rest`` without its model; ``wake`` it before the next.
    """

    def __init__(
        self, building: Building, grid: IntervalGrid, fees: Fees, options: Options, home: Home | None = None
    ) -> None:
        self.building, self.grid, self.fees, self.options = building, grid, fees, options
        self.spent = self.closed_seconds = 0.0
        self.last_x: Floats
        self._held: tuple[LinearModel, Floats] | None = None
        self._resting: Standing | None = None
        self._build(home, exclusive=False)

    def _build(self, home: Home | None, exclusive: bool) -> None:
        self.exclusive = exclusive
        self.last_x = np.empty(0)
        self._furnish(home, None)

    def _furnish(self, home: Home | None, standing: Standing | None) -> None:
        """Move into a model, where another copy of it was ``standing`` if there was one."""
        n = len(self.grid)
        home = home or stamp_homes([self.building], self.grid, self.fees, self.exclusive)[0]
        self.stamped: Stamped = home.stamped
        self.model: LinearModel = home.model
        if self._held is not None:
            self.model = freeze(self.model, 0, [self._held])
        ladder = self.model.members("ladder")[0]
        self.base = ladder.columns("base")[0]
        self.steps = ladder.columns("step")[0].reshape(STEPS, n)
        self.ladder_rows = np.arange(ladder.first_row, ladder.first_row + n)
        self.relaxed = Solver(self.model, self.options, left_out(self.model), resumable=True, standing=standing)
        self._whole: Solver | None = None

    def rest(self) -> None:
        """Let the model go; kept are the basis and the last answer."""
        if self._resting is None:
            self._resting, self.spent = self.relaxed.standing, self.seconds
            del self.stamped, self.model, self.base, self.steps, self.ladder_rows, self.relaxed, self._whole

    def wake(self, home: Home | None) -> None:
        """Take the model up again, anew or from ``home``, and go on as if it had never been away."""
        if self._resting is not None:
            standing, self._resting = self._resting, None
            self._furnish(None if self.exclusive else home, standing)

    def lp(self, ladder: Ladder) -> Answer:
        """Answer of the relaxation: fast, and a proven lower bound of the building's best."""
        self._face(self.relaxed, ladder)
        return self._answer(self._must(self.relaxed.lp()))

    def mip(self, ladder: Ladder, gap: float, time_limit_s: float, tolerance: float = 0.0) -> Answer:
        """Answer in whole runs and starts, from the last one or from idleness: there is one at any time limit."""
        self._face(self.solver, ladder)
        start = self.last_x.copy() if len(self.last_x) else self.idle
        start[self.base] = ladder.base
        start[self.steps] = 0.0
        start[self.steps[: len(ladder.price)]] = ladder.climb(self.stamped.position.of(start))
        found = self._answer(self._must(self.solver.mip(gap, time_limit_s, start, tolerance)))
        self.last_x = found.x
        return found

    def alone(self) -> Answer:
        """Answer to no trade in whole runs: a yardstick and a refuge, rounded and not branched where that is enough.

        Loads go unserved here that are served at any ordinary price, so the relaxation has a solver of its own.
        """
        closed = Ladder.closed(len(self.grid))
        found = self.dive(closed, Solver(self.model, self.options, left_out(self.model, asleep=False)))
        if found is None or self._is_worth_branching(found):
            return self.mip(closed, ALONE_GAP, self.options.time_limit_s)
        return found

    def _is_worth_branching(self, rounded: Answer) -> bool:
        """Whether rounding went astray in a building so small that branching takes no time."""
        astray = rounded.objective - rounded.bound > ASTRAY * max(1.0, abs(rounded.objective))
        return astray and len(self.building.units) <= FEW_UNITS

    def dive(self, ladder: Ladder, solver: Solver | None = None) -> Answer | None:
        """Answer in whole runs near the relaxation's: rounded, fixed, solved again; None where that has no answer.

        ``bound`` is the relaxation's value: it is how far the rounding may be from the best.
        """
        relaxed = self.relaxed if solver is None else solver
        self._face(relaxed, ladder)
        loose = self._must(relaxed.lp())
        found = self._rounded(relaxed, loose)
        if relaxed is not self.relaxed:
            self.spent += relaxed.seconds
        return found

    def _rounded(self, relaxed: Solver, loose: Solution, cost: Floats | None = None) -> Answer | None:
        """The answer of a relaxation, made whole; ``cost`` is the effective one at its duals, if it is known."""
        ways = (None, *READINESS) if is_torn(self.model, loose.x) else (None,)
        cost = self._effective(loose.row_dual) if cost is None else cost
        fixes = [self._closed(rounded, self.model, loose.x, cost, way) for way in ways]
        tried = [(self._fixed(relaxed, fixed), fixed) for fixed in fixes]
        found, fixed = min(tried, key=lambda pair: pair[0].objective)
        if not found.has_answer:
            return None
        proven = loose.objective + self._closed(whole_surplus, self.model, cost)
        for _ in range(MENDS):
            if found.objective - proven <= WORTH_MENDING * max(1.0, abs(proven)):
                break
            another, gain = self._closed(mended, self.model, fixed, found.x, self._effective(found.row_dual))
            if gain <= WORTH_MENDING / 2:
                break
            better = self._fixed(relaxed, another)
            if better.objective >= found.objective:
                break
            found, fixed = better, another
        plugged, charge = plugs(self.model)
        found.x[plugged] = found.x[charge] > 0
        self.last_x = found.x
        return replace(self._answer(found), bound=proven)

    def _fixed(self, relaxed: Solver, fixed: Fixed) -> Solution:
        """The relaxation's answer within bounds that make it whole."""
        columns = fixed.columns
        relaxed.set_bounds(columns, fixed.lower, fixed.upper)
        found = relaxed.lp()
        relaxed.set_bounds(columns, self.model.lower[columns], self.model.upper[columns])
        return found

    def at_price(self, price: Floats, rounding: bool = True) -> Answer:
        """Answer to a price, whatever the quantity."""
        return self.at(Ladder.flat(price), rounding)

    def at(self, ladder: Ladder, rounding: bool = True) -> Answer:
        """Answer to a ladder; the bound counts what whole runs cost beyond their relaxation.

        Where they cost anything, the answer is one in whole runs, unless ``rounding`` is off: the relaxation's would
        promise too much.
        """
        self._face(self.relaxed, ladder)
        loose = self._must(self.relaxed.lp())
        cost = self._effective(loose.row_dual)
        surplus = self._closed(whole_surplus, self.model, cost)
        if rounding and surplus > WORTH_ROUNDING * max(1.0, abs(loose.objective)):
            found = self._rounded(self.relaxed, loose, cost)
            if found is not None:
                return replace(found, bound=loose.bound + surplus)
        return replace(self._answer(loose), bound=loose.bound + surplus)

    def at_price_as(self, price: Floats, runs: Runs) -> Answer:
        """Answer to a price with every on and off as in ``runs``: an LP, and its value the best there is."""
        self._face(self.relaxed, Ladder.flat(price))
        found = self._must(self._fixed(self.relaxed, as_run(self.model, runs)))
        return self._answer(found)

    def whole(self, ladder: Ladder, gap: float, time_limit_s: float, tolerance: float = 0.0) -> Answer:
        """Answer in whole runs: rounded, and branched where rounding is not provably within gap or tolerance."""
        found = self.dive(ladder)
        if found is not None and found.objective - found.bound <= max(tolerance, gap * abs(found.objective)):
            return found
        return self.mip(ladder, gap, time_limit_s, tolerance)

    @property
    def solver(self) -> Solver:
        """The whole model in HiGHS, for answers that branching must find."""
        if self._whole is None:
            self._whole = Solver(self.model, self.options, resumable=True)
        return self._whole

    @property
    def idle(self) -> Floats:
        """Values of the columns where nothing runs that need not."""
        return idle_point(self.model, self.building, self.grid)

    @property
    def seconds(self) -> float:
        """Time spent inside HiGHS."""
        if self._resting is not None:
            return self.spent
        return self.spent + self.relaxed.seconds + (0.0 if self._whole is None else self._whole.seconds)

    def make_exclusive(self) -> None:
        """Write the direction binaries from now on (C5, C12): energy was worth less than nothing."""
        if not self.exclusive:
            self.spent = self.seconds
            self._build(None, exclusive=True)

    def unit_positions(self, x: Floats) -> Floats:
        """delta = x - a + w of every unit at an answer, kWh, (units, n)."""
        n = len(self.grid)
        draw, kept = self.stamped.unit_draw.of(x).reshape(-1, n), self.stamped.unit_kept.of(x).reshape(-1, n)
        return draw - np.array([u.allocation_kwh for u in self.building.units]) + kept

    def hold(self, x: Floats) -> None:
        """Strict locality: the answer ``x`` without trade may only be added to from now on."""
        self._held, self.spent = (self.model, x), self.seconds
        self._build(None, self.exclusive)

    def _effective(self, dual: Floats) -> Floats:
        return self._closed(effective_cost, self.model, dual)

    def _closed(self, form: Callable[..., R], *given: Any) -> R:
        """The value of a closed form, its time counted."""
        began = time.perf_counter()
        found = form(*given)
        self.closed_seconds += time.perf_counter() - began
        return found

    def _must(self, found: Solution) -> Solution:
        if found.status is Status.INFEASIBLE:
            raise InfeasibleError(Infeasible(f"building {self.building.id}", conflicting_rules(self._as_faced())))
        if not found.has_answer:
            raise SolveError(f"building {self.building.id}: {found.status.value}")
        return found

    def _as_faced(self) -> LinearModel:
        """The model with the ladder that stands before it."""
        lower, upper = self.model.lower.copy(), self.model.upper.copy()
        lower[self.steps], upper[self.steps] = self._shape[:STEPS], self._shape[STEPS : 2 * STEPS]
        lower[self.base] = upper[self.base] = self._shape[-1]
        return replace(self.model, lower=lower, upper=upper)

    def _face(self, solver: Solver, ladder: Ladder) -> None:
        """Put the ladder before the building; where only prices changed, only prices are sent."""
        n, used = len(self.grid), len(ladder.price)
        cost, lower, upper = np.zeros((STEPS, n)), np.zeros((STEPS, n)), np.zeros((STEPS, n))
        cost[:used] = ladder.price / 1000
        lower[:used], upper[:used] = ladder.ranges()
        solver.set_cost(self.steps.ravel(), cost.ravel())
        self._shape = np.vstack([lower, upper, ladder.base])
        if not np.array_equal(self._shape, solver.faced):
            solver.set_bounds(self.base, ladder.base, ladder.base)
            solver.set_bounds(self.steps.ravel(), lower.ravel(), upper.ravel())
            solver.faced = self._shape

    def _answer(self, found: Solution) -> Answer:
        position = self.stamped.position.of(found.x)
        cost = float((self.model.cost * found.x).sum())
        price = found.row_dual[self.ladder_rows] * -1000 if len(found.row_dual) else np.empty(0)
        return Answer(position, cost, found.objective, found.bound, price, found.x)
