"""Outsiders' orders and the lines between zones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from planner.hierarchy import upwards
from planner.problems import Problem
from planner.validation.common import MOST, each, in_file_order, rows_where

if TYPE_CHECKING:
    from planner.case import Case


def prices_within_limits(case: Case) -> Iterator[Problem]:
    orders, market = case.orders, case.settings.market
    price = orders["price_per_mwh"]
    wrong = (price < market.price_floor) | (price > market.price_cap)
    what = f"price_per_mwh is outside floor and cap, {market.price_floor:g} to {market.price_cap:g}"
    yield from each(case, "orders", wrong, what, price)


def quantities_are_given(case: Case) -> Iterator[Problem]:
    orders = case.orders
    yield from each(case, "orders", orders["quantity_kwh"].isna(), "quantity_kwh is missing", orders["order_id"])


def one_kind_each(case: Case) -> Iterator[Problem]:
    """All rows of one order have one kind, side and zone; those of a block one price and ratio as well."""
    orders = case.orders
    many = orders[orders["order_id"].duplicated(keep=False)]
    for column, kinds in (
        ("kind", None),
        ("side", None),
        ("zone", None),
        ("participant", None),
        ("resource", None),
        ("price_per_mwh", ("block",)),
        ("min_acceptance_ratio", ("block",)),
        ("exclusive_group", ("block",)),
        ("parent_order_id", ("block",)),
    ):
        rows = many if kinds is None else many[many["kind"].isin(kinds)]
        yield from _differs(case, rows, column)


def _differs(case: Case, rows: pd.DataFrame, column: str) -> Iterator[Problem]:
    """The rows whose value differs from that of the order's first row in the file."""
    if not len(rows):
        return
    count = rows.groupby("order_id")[column].nunique(dropna=False)
    for name in count.index[count > 1][:MOST]:
        group = in_file_order(case, "orders", [int(i) for i in rows.index[rows["order_id"] == name]])
        values = rows[column]
        first = group[0]
        row = next((row for row in group if values[row] != values[first]), first)
        what = f"{column} differs within order '{name}'"
        yield case.problem("orders", row, what, f"{values[row]} after {values[first]}", "all rows of it share one")


def columns_fit_the_kind(case: Case) -> Iterator[Problem]:
    """What only one kind of order has is left empty by the others."""
    orders = case.orders
    ratio = (orders["kind"] != "block") & (orders["min_acceptance_ratio"] < 1) & (orders["kind"] != "")
    hint = "leave it empty, or write kind = block"
    yield from each(case, "orders", ratio, "min_acceptance_ratio is for blocks", orders["order_id"], hint)
    for column in ("exclusive_group", "parent_order_id"):
        wrong = orders["kind"].isin(["step", "complex"]) & (orders[column] != "")
        yield from each(case, "orders", wrong, f"{column} is for blocks", orders[column], hint)
    for column in ("min_quantity_kwh", "fixed_cost"):
        wrong = orders["kind"].isin(["step", "block"]) & (orders[column] > 0)
        yield from each(case, "orders", wrong, f"{column} is for complex orders", orders[column])
    wrong = (orders["kind"] == "complex") & (orders["side"] == "buy")
    yield from each(case, "orders", wrong, "a complex order sells", orders["order_id"])


def complex_costs_agree(case: Case) -> Iterator[Problem]:
    """fixed_cost stands on every row of a complex order alike."""
    orders = case.orders
    yield from _differs(case, orders[orders["kind"] == "complex"], "fixed_cost")


def parents_are_blocks(case: Case) -> Iterator[Problem]:
    """A parent is a block, and no family is its own ancestor."""
    orders = case.orders
    linked = orders[orders["parent_order_id"] != ""]
    if not len(linked):
        return
    blocks = set(orders.loc[orders["kind"] == "block", "order_id"])
    known = set(orders["order_id"])
    wrong = orders["parent_order_id"].isin(known - blocks)
    yield from each(case, "orders", wrong, "the parent is not a block", orders["parent_order_id"])
    parent = dict(zip(linked["order_id"], linked["parent_order_id"], strict=True))
    for name in sorted(parent):
        path = list(upwards(name, parent))
        if parent.get(path[-1]) in path and name == min(path[path.index(parent[path[-1]]) :]):
            row = int(linked.index[linked["order_id"] == name][0])
            yield case.problem("orders", row, "an order is its own ancestor", " > ".join([*path, name]))


def lines_join_two_zones(case: Case) -> Iterator[Problem]:
    lines = case.lines
    wrong = (lines["from_zone"] == lines["to_zone"]) & (lines["from_zone"] != "")
    yield from each(case, "lines", wrong, "from_zone and to_zone are the same", lines["line_id"])
    for column in ("from_zone", "to_zone", "loss_ratio"):
        first = lines.groupby("line_id")[column].transform("first")
        rows = rows_where(first != lines[column])[:MOST]
        for row in rows:
            yield case.problem("lines", row, f"{column} differs within line '{lines['line_id'].iloc[row]}'")


def lines_say_a_time_once(case: Case) -> Iterator[Problem]:
    """A line given for all day has that row alone."""
    lines = case.lines
    always = lines["interval"].isna() & lines["start"].isna()
    mixed = always & (lines.groupby("line_id")["line_id"].transform("count") > 1)
    yield from each(case, "lines", mixed, "a row without interval beside others of the line", lines["line_id"])


CHECKS = (
    prices_within_limits,
    quantities_are_given,
    one_kind_each,
    columns_fit_the_kind,
    complex_costs_agree,
    parents_are_blocks,
    lines_join_two_zones,
    lines_say_a_time_once,
)
