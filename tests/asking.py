"""Asking one building or one city for its best answer, the way the tests of the models do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from random_cities import grid

from planner_models.answer import Answer, AnsweringBuilding, Ladder
from planner_models.city import CityModel, build_city, solve_pieces
from planner_models.linear import LinearModel
from planner_models.solve import Options, Solution
from planner_models.words import Building, City, Fees

EXACT = Options(gap=0.0, time_limit_s=60.0)
FREE = Fees()


def ladder_of(price: Sequence[float] | None, n: int) -> Ladder:
    """A flat price, or no trade."""
    return Ladder.closed(n) if price is None else Ladder.flat(np.array(price, dtype=float))


def model_of(
    building: Building, n: int, fees: Fees = FREE, minutes: int = 60, exclusive: bool = True
) -> AnsweringBuilding:
    model = AnsweringBuilding(building, grid(n, minutes), fees, EXACT)
    if exclusive:
        model.make_exclusive()
    return model


def ask(
    building: Building,
    price: Sequence[float] | None,
    n: int = 0,
    *,
    fees: Fees = FREE,
    minutes: int = 60,
    exclusive: bool = True,
) -> Answer:
    """The exact answer to a price per interval (currency per MWh), or to no trade over ``n`` intervals."""
    n = n or len(price or ())
    return model_of(building, n, fees, minutes, exclusive).mip(ladder_of(price, n), 0.0, 60.0)


def relaxed(building: Building, price: Sequence[float] | None, n: int = 0, *, fees: Fees = FREE) -> Answer:
    n = n or len(price or ())
    return model_of(building, n, fees, exclusive=False).lp(ladder_of(price, n))


def shown(model: LinearModel, x: np.ndarray, family: str, variable: str) -> np.ndarray:
    """Values of a variable of all members of a family, (members, length)."""
    groups = [g for g in model.members(family) if variable in g.template.variables]
    return np.concatenate([x[g.columns(variable)] for g in groups])


def clear(whole: City, exclusive: bool = True) -> tuple[CityModel, Solution]:
    """The monolith's exact optimum."""
    model = build_city(whole, exclusive)
    solution, _ = solve_pieces(model.model, EXACT)
    assert solution.has_answer, solution.status
    return model, solution


def optimum(whole: City, exclusive: bool = True) -> float:
    return clear(whole, exclusive)[1].objective
