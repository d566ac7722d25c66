"""case.toml against itself and against what the folder holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.problems import Problem, suggest
from planner.timegrid import day_grid, zone
from planner.validation.common import setting

if TYPE_CHECKING:
    from planner.case import Case

ORDER_BOOK_ONLY = ("no_pab", "pay_as_bid")


def known_timezone(case: Case) -> Iterator[Problem]:
    name = case.settings.timezone
    try:
        zone(name)
    except ValueError:
        from zoneinfo import available_timezones

        yield setting(case, "timezone", "unknown timezone", name, suggest(name, available_timezones()))


def whole_day(case: Case) -> Iterator[Problem]:
    s = case.settings
    if s.horizon.look_ahead_hours * 60 % s.interval_minutes:
        what = "look_ahead_hours is not a whole number of intervals"
        yield setting(case, "horizon.look_ahead_hours", what, s.horizon.look_ahead_hours)
    if s.delivery_date is None or any(known_timezone(case)):
        return
    try:
        day_grid(s.delivery_date, s.timezone, s.interval_minutes)
    except (ValueError, OverflowError) as error:
        yield setting(case, "delivery_date", str(error))


def floor_below_cap(case: Case) -> Iterator[Problem]:
    market = case.settings.market
    if market.price_floor >= market.price_cap:
        what = f"price_floor is not below price_cap {market.price_cap:g}"
        yield setting(case, "market.price_floor", what, f"{market.price_floor:g}")


def lab_is_synthetic(case: Case) -> Iterator[Problem]:
    s = case.settings
    if s.privacy.preset == "lab" and not s.synthetic:
        hint = "lab shows everything: write synthetic = true if nobody real is in this case"
        yield setting(case, "privacy.preset", "preset lab needs synthetic = true", "lab", hint)


def monolith_sees_all(case: Case) -> Iterator[Problem]:
    s = case.settings
    if s.solver.mode == "monolith" and s.privacy.preset not in ("internal", "lab"):
        hint = "one model of the whole city sees every unit: choose preset internal or lab"
        yield setting(case, "solver.mode", f"mode monolith is not open to preset {s.privacy.preset}", hint=hint)


def pricing_fits(case: Case) -> Iterator[Problem]:
    pricing = case.settings.market.pricing
    if pricing in ORDER_BOOK_ONLY and len(case.nodes):
        hint = "a city clears under convex_hull or fixed_integers"
        yield setting(case, "market.pricing", "this rule is for order books alone", pricing, hint)


def something_to_clear(case: Case) -> Iterator[Problem]:
    given = len(case.nodes) or len(case.orders) or case.sources
    if not given and "nodes" not in case.broken and "orders" not in case.broken:
        yield Problem("nodes.csv", 0, "is missing", hint="a case has nodes.csv (a city) or orders.csv (an order book)")


CHECKS = (
    known_timezone,
    whole_day,
    floor_below_cap,
    lab_is_synthetic,
    monolith_sees_all,
    pricing_fits,
    something_to_clear,
)
