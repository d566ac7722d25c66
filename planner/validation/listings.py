"""Tariffs and listings: times that can be read, no row twice, windows that are open, one limit each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from planner.problems import Problem
from planner.timegrid import days_of, moment, months_of, nominal_hours, time_of_day
from planner.validation.common import each, in_file_order, of, rows_where

if TYPE_CHECKING:
    from planner.case import Case


TARIFF_TIMES: tuple[tuple[str, Callable[[str], object], str], ...] = (
    ("from_time", time_of_day, "write 06:00"),
    ("to_time", time_of_day, "write 22:00"),
    ("days", days_of, "write mon-fri"),
    ("months", months_of, "write 11-3,6"),
)


@of("tariffs")
def tariff_times(case: Case) -> Iterator[Problem]:
    """from_time, to_time are clock times, days and months lists."""
    tariffs = case.tariffs
    for column, read, hint in TARIFF_TIMES:
        for row, text in enumerate(tariffs[column]):
            try:
                if text:
                    read(text)
            except ValueError:
                yield case.problem("tariffs", row, f"{column} is not understood", text, hint)


@of("tariffs")
def tariff_rows_differ(case: Case) -> Iterator[Problem]:
    """A row that repeats another one in every column would be charged twice."""
    tariffs = case.tariffs
    seen: dict[tuple[object, ...], int] = {}
    cells = [tuple(row) for row in tariffs.itertuples(index=False)]
    for row in in_file_order(case, "tariffs", rows_where(tariffs.duplicated(keep=False))):
        first = seen.setdefault(cells[row], row)
        if first != row:
            what = f"a duplicate row of component '{tariffs['component'].iloc[row]}'"
            hint = f"it is already in line {case.problem('tariffs', first, '').line}"
            yield case.problem("tariffs", row, what, tariffs["tariff"].iloc[row], hint)


@of("listings")
def listings_have_a_window(case: Case) -> Iterator[Problem]:
    listings = case.listings
    for row, (start, end) in enumerate(zip(listings["start"], listings["end"], strict=True)):
        if not start or not end:
            continue
        try:
            hours = nominal_hours(moment(start), moment(end))
        except ValueError as error:
            yield case.problem("listings", row, f"start or end: {error}", f"{start} to {end}")
            continue
        if hours <= 0:
            yield case.problem("listings", row, "end is not after start", f"{start} to {end}")


@of("listings")
def listings_of_wholes(case: Case) -> Iterator[Problem]:
    """What cannot be divided is listed in whole numbers."""
    whole = set(case.resources.loc[~case.resources["divisible"], "resource"])
    listings = case.listings
    wrong = listings["resource"].isin(whole) & (listings["quantity"] % 1 != 0)
    what = "a part of what is not divisible"
    yield from each(case, "listings", wrong, what, listings["quantity"], "list a whole number, or set divisible")


@of("listings")
def listings_have_one_limit(case: Case) -> Iterator[Problem]:
    listings = case.listings
    hourly, total = listings["limit_price_per_unit_hour"].notna(), listings["limit_price_total"].notna()
    hint = "give one of limit_price_per_unit_hour and limit_price_total"
    yield from each(case, "listings", hourly & total, "two limit prices", listings["listing"], hint)
    yield from each(case, "listings", ~hourly & ~total, "no limit price", listings["listing"], hint)


CHECKS = (tariff_times, tariff_rows_differ, listings_have_a_window, listings_of_wholes, listings_have_one_limit)
