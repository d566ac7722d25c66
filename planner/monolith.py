"""Mode monolith: the whole city in one MILP, the reference (presets internal and lab)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from planner.answered import Answered, Prices
from planner.coordination import DISPATCH_GAP, DISPATCH_S
from planner.fleet import Spent
from planner.gateway import LocalGateway
from planner.publication import block_claims, from_model, multipliers_of
from planner.schedule import Schedule, read_schedules
from planner_models.city import CityModel, Piece, build_city, solve_pieces
from planner_models.explain import Infeasible, InfeasibleError, conflicting_rules
from planner_models.linear import LinearModel
from planner_models.locality import freeze
from planner_models.master import Master
from planner_models.pricing import Claim
from planner_models.solve import Options, Solution, SolveError, Solver, Status
from planner_models.words import City, Locality


def clear_in_one(
    city: City,
    master: Master,
    gateways: Sequence[LocalGateway],
    options: Options,
    locality: Locality,
    pricing: str,
    tick: float,
) -> Answered:
    """Solve the city's MILP, price it, and prove what the buildings could have won at those prices."""
    for gateway in gateways:
        gateway.alone(0)
    alone = {s.building.id: s for g in gateways for s in g.without_trade}
    idle = master.dispatch([np.zeros(master.market.n) for _ in gateways], DISPATCH_S, DISPATCH_GAP)
    found = _solve(city, options, locality, gateways, exclusive=False)
    schedules = found.schedules(city) or alone
    if any(s.overlaps for s in schedules.values()):
        found = _solve(city, options, locality, gateways, exclusive=True)
        schedules = found.schedules(city) or alone
    dispatched = _dispatch(city, master, gateways, schedules)
    began = time.perf_counter()
    prices = _prices(found, master, gateways, schedules, alone, pricing, tick, options)
    priced_s = time.perf_counter() - began
    y = multipliers_of(master.market, prices)
    proven = {g.buildings[0].id: g.bounds_at(master.node_price(y, i))[0] for i, g in enumerate(gateways)}
    spent = Spent.sum(g.spent for g in gateways)
    dual = sum(proven.values()) + master.market_value(y) if locality is not Locality.STRICT else -np.inf
    return Answered(
        schedules=schedules,
        without_trade={name: s.cost for name, s in alone.items()},
        market_x=dispatched.x,
        prices=prices,
        bound=max(found.solution.bound, dual),
        no_trade=sum(s.cost for s in alone.values()) + idle.objective,
        proven=proven,
        status=found.solution.status.name.lower(),
        answer_from="monolith" if found.solution.has_answer else "no_trade",
        information="central",
        pieces=tuple(asdict(p) for p in found.pieces),
        solver_s=found.solution.seconds + spent.solver_s + priced_s,
        closed_form_s=spent.closed_form_s,
        build_s=found.build_s,
    )


@dataclass(frozen=True)
class _Found:
    """The city's model and its solution."""

    whole: CityModel
    model: LinearModel
    solution: Solution
    pieces: tuple[Piece, ...]
    build_s: float

    def schedules(self, city: City) -> dict[str, Schedule]:
        """By building; empty without an answer."""
        if not self.solution.has_answer:
            return {}
        x = self.whole.buildings_part(self.solution.x)
        return {s.building.id: s for s in read_schedules(self.whole.model, x, city.buildings, city.grid, city.fees)}


def _solve(
    city: City, options: Options, locality: Locality, gateways: Sequence[LocalGateway], exclusive: bool
) -> _Found:
    began = time.perf_counter()
    whole = build_city(city, exclusive)
    model = whole.model
    if locality is Locality.STRICT:
        model = freeze(model, whole.market_columns, [(m.model, x) for g in gateways for m, x in g.alone_answers()])
    build_s = time.perf_counter() - began
    solution, pieces = solve_pieces(model, options)
    if solution.status is Status.INFEASIBLE:
        raise InfeasibleError(Infeasible("the city", conflicting_rules(model, options, whole.market)))
    return _Found(whole, model, solution, pieces, build_s)


def _dispatch(city: City, master: Master, gateways: Sequence[LocalGateway], schedules: dict[str, Schedule]) -> Solution:
    """The market's side for the rounded positions; rounding may have added a Wh an asset to a feeder."""
    positions = [schedules[g.buildings[0].id].position_wh / 1000 for g in gateways]
    rounding = 0.001 * sum(len(u.assets) for b in city.buildings for u in b.units)
    found = master.dispatch(positions, DISPATCH_S, DISPATCH_GAP, feeder_slack_kwh=rounding)
    if not found.has_answer:
        raise SolveError(f"re-dispatch: {found.status.value}")
    return found


def _prices(
    found: _Found,
    master: Master,
    gateways: Sequence[LocalGateway],
    schedules: dict[str, Schedule],
    alone: dict[str, Schedule],
    pricing: str,
    tick: float,
    options: Options,
) -> Prices:
    """fixed_integers: the duals of the answer; convex_hull: those of the relaxation, which the rounds find too."""
    market = found.whole.market
    if pricing == "fixed_integers" and found.solution.has_answer:
        x = found.solution.x
        claims = block_claims(market, x) + _building_claims(master, gateways, schedules, alone)
        return from_model(market, found.model, x, True, tick, options, claims)
    relaxed = Solver(found.model, options).lp()
    if not relaxed.has_answer:
        raise SolveError(f"relaxation: {relaxed.status.value}")
    return from_model(market, found.model, relaxed.x, False, tick, options)


def _building_claims(
    master: Master, gateways: Sequence[LocalGateway], schedules: dict[str, Schedule], alone: dict[str, Schedule]
) -> list[Claim]:
    """What each building loses against no trade, c_b + p.q - c_b(no trade), in the market's multipliers."""
    claims = []
    for g, gateway in enumerate(gateways):
        name = gateway.buildings[0].id
        slope = -(master.gathers[g] @ (schedules[name].position_wh / 1000))
        claims.append(Claim(slope, schedules[name].cost - alone[name].cost))
    return claims
