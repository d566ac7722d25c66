"""Tariffs and listings: times that can be read, no row twice, windows that are open, one limit each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.problems import Problem
from planner.timegrid import Clock, days_of, moment, months_of, nominal_hours
from planner.validation.common import each, in_file_order, rows_where

if TYPE_CHECKING:
    from planner.case import Case


def tariff_times(case: Case) -> Iterator[Problem]:
    """from_time, to_time are clock times, days and months lists."""
    tariffs = case.tariffs
    for column, read in (("from_time", moment), ("to_time", moment), ("days", days_of), ("months", months_of)):
        for row, text in enumerate(tariffs[column]):
            try:
                value = read(text) if text else Clock(0)
                wrong = "time" in column and not isinstance(value, Clock)
            except ValueError:
                wrong = True
            if wrong:
                hint = {"days": "write mon-fri", "months": "write 11-3,6"}.get(column, "write 06:00")
                yield case.problem("tariffs", row, f"{column} is not understood", text, hint)


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


def listings_have_one_limit(case: Case) -> Iterator[Problem]:
    listings = case.listings
    hourly, total = listings["limit_price_per_unit_hour"].notna(), listings["limit_price_total"].notna()
    hint = "give one of limit_price_per_unit_hour and limit_price_total"
    yield from each(case, "listings", hourly & total, "two limit prices", listings["listing"], hint)
    yield from each(case, "listings", ~hourly & ~total, "no limit price", listings["listing"], hint)


CHECKS = (tariff_times, tariff_rows_differ, listings_have_a_window, listings_have_one_limit)
