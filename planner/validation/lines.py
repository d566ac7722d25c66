"""The lines between zones, and the zones that they do not reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from planner.problems import Problem, suggest
from planner.validation.common import MOST, coded, distinct, each, of, rows_where

if TYPE_CHECKING:
    from planner.case import Case


@of("lines")
def lines_join_two_zones(case: Case) -> Iterator[Problem]:
    lines = case.lines
    wrong = (lines["from_zone"] == lines["to_zone"]) & (lines["from_zone"] != "")
    yield from each(case, "lines", wrong, "from_zone and to_zone are the same", lines["line_id"])
    for column in ("from_zone", "to_zone", "loss_ratio"):
        first = lines.groupby("line_id")[column].transform("first")
        rows = rows_where(first != lines[column])[:MOST]
        for row in rows:
            yield case.problem("lines", row, f"{column} differs within line '{lines['line_id'].iloc[row]}'")


@of("lines")
def lines_say_a_time_once(case: Case) -> Iterator[Problem]:
    """A line given for all day has that row alone."""
    lines = case.lines
    always = lines["interval"].isna() & lines["start"].isna()
    mixed = always & (lines.groupby("line_id")["line_id"].transform("count") > 1)
    yield from each(case, "lines", mixed, "a row without interval beside others of the line", lines["line_id"])


def zones_meet_somebody(case: Case) -> Iterator[Problem]:
    """In an order book with lines, a zone that no line joins and where one side stands alone is a misspelt one."""
    if len(case.nodes) or not len(case.lines) or "lines" in case.broken or "orders" in case.broken:
        return
    orders, grid = case.orders, case.grid_prices
    joined = {*distinct(case.lines["from_zone"]), *distinct(case.lines["to_zone"])}
    (zone, traded), (side, words) = coded(orders["zone"]), coded(orders["side"])
    sides = np.bincount(np.unique(zone * (len(words) + 1) + side) // (len(words) + 1), minlength=len(traded))
    lonely = {name for name, count in zip(traded, sides, strict=True) if count < 2} - {*distinct(grid["zone"])}
    hint = "name it in lines.csv, with a limit of 0 if it stands alone"
    spelt = {name.casefold() for name in joined} | {""}  # a zone spelt two ways has its own problem
    for table, names in (("orders", lonely), ("grid_prices", {*distinct(grid["zone"])} - {*traded})):
        for name in sorted(name for name in names if name.casefold() not in spelt)[:MOST]:
            row = rows_where(case.tables[table]["zone"] == name)[0]
            yield case.problem(table, row, "unknown zone", name, f"{suggest(name, joined)} or {hint}")


CHECKS = (lines_join_two_zones, lines_say_a_time_once, zones_meet_somebody)
