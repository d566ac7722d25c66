"""Prices against the floor and the cap of the market: what lies outside them could not be the price of a clear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.problems import Problem
from planner.validation.common import each, of

if TYPE_CHECKING:
    from planner.case import Case


@of("loads")
def values_of_loads(case: Case) -> Iterator[Problem]:
    """The value of a load does not exceed the price cap: nobody can be asked for more."""
    cap, value = case.settings.market.price_cap, case.loads["value_per_mwh"]
    yield from each(case, "loads", value > cap, f"value_per_mwh is above the price cap {cap:g}", value)


@of("grid_prices")
def prices_of_the_grid(case: Case) -> Iterator[Problem]:
    """Whoever imports or exports at the margin sets the price of a zone, and prices keep to floor and cap."""
    market = case.settings.market
    if market.price_floor >= market.price_cap:
        return  # said of case.toml
    for column in ("import_price_per_mwh", "export_price_per_mwh"):
        price = case.grid_prices[column]
        words, hint = f"{column} is above price_cap {market.price_cap:g}", "correct the price, or raise price_cap"
        yield from each(case, "grid_prices", price > market.price_cap, words, price, hint)
        words, hint = f"{column} is below price_floor {market.price_floor:g}", "correct the price, or lower price_floor"
        yield from each(case, "grid_prices", price < market.price_floor, words, price, hint)


CHECKS = (values_of_loads, prices_of_the_grid)
