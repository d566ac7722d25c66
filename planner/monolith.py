"""Mode monolith: the whole city in one MILP, the reference (presets internal and lab)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from planner.answered import Answered
from planner.gateway import LocalGateway, solver_seconds
from planner.publication import block_claims, from_model, multipliers_of
from planner.schedule import Schedule, read_schedules
from planner_models.city import CityModel, build_city, solve_pieces
from planner_models.linear import LinearModel
from planner_models.locality import freeze
from planner_models.master import Master
from planner_models.pricing import Claim
from planner_models.solve import Options, SolveError, Solver
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
    no_trade = sum(gateway.alone(0).cost_micro for gateway in gateways) / 1e6
    alone = {s.building.id: s for g in gateways for s in g.without_trade}
    idle = master.dispatch([np.zeros(master.market.n) for _ in gateways], 60.0, 1e-6)
    began = time.perf_counter()
    whole, model, solution, pieces = _solve(city, options, locality, gateways, exclusive=False)
    build_s = time.perf_counter() - began - solution.seconds
    if not solution.has_answer:
        schedules = alone
        x = solution.x
    else:
        x = solution.x
        schedules = _schedules(whole, x, city)
        if any(s.overlaps for s in schedules.values()):
            whole, model, solution, pieces = _solve(city, options, locality, gateways, exclusive=True)
            x = solution.x
            schedules = _schedules(whole, x, city) if solution.has_answer else alone
    positions = [schedules[g.buildings[0].id].position_wh / 1000 for g in gateways]
    rounding = 0.001 * sum(len(u.assets) for b in city.buildings for u in b.units)
    dispatched = master.dispatch(positions, 60.0, 1e-6, feeder_slack_kwh=rounding)
    if not dispatched.has_answer:
        raise SolveError(f"re-dispatch: {dispatched.status.value}")
    priced_s = time.perf_counter()
    if pricing == "fixed_integers" and solution.has_answer:
        claims = block_claims(whole.market, x) + _building_claims(master, gateways, schedules, alone)
        prices = from_model(whole.market, model, x, True, tick, options, claims)
    else:
        relaxed = Solver(model, options).lp()
        prices = from_model(whole.market, model, relaxed.x, False, tick, options)
    priced_s = time.perf_counter() - priced_s
    y = multipliers_of(master.market, prices)
    proven = {g.buildings[0].id: g.bounds_at(master.node_price(y, i))[0] for i, g in enumerate(gateways)}
    dual = sum(proven.values()) + master.market_value(y)
    bound = max(solution.bound, dual if locality is not Locality.STRICT else -np.inf)
    return Answered(
        schedules=schedules,
        without_trade=alone,
        market_x=dispatched.x,
        prices=prices,
        bound=bound,
        no_trade=no_trade + idle.objective,
        proven=proven,
        status=solution.status.name.lower(),
        answer_from="monolith" if solution.has_answer else "no_trade",
        information="central",
        pieces=tuple(asdict(p) for p in pieces),
        solver_s=solution.seconds + solver_seconds(gateways) + priced_s,
        build_s=build_s,
    )


def _solve(
    city: City, options: Options, locality: Locality, gateways: Sequence[LocalGateway], exclusive: bool
) -> tuple[CityModel, LinearModel, object, object]:
    whole = build_city(city, exclusive)
    model = whole.model
    if locality is Locality.STRICT:
        model = freeze(model, whole.market_columns, [(m.model, x) for g in gateways for m, x in g.alone_answers()])
    solution, pieces = solve_pieces(model, options)
    return whole, model, solution, pieces


def _schedules(whole: CityModel, x: np.ndarray, city: City) -> dict[str, Schedule]:
    found = read_schedules(whole.model, whole.buildings_part(x), city.buildings, city.grid, city.fees)
    return {s.building.id: s for s in found}


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
