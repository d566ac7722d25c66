"""Outsiders' orders: every row means something, and all rows of an order mean the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.hierarchy import upwards
from planner.problems import Problem
from planner.tables import BY_NAME, Type
from planner.timeseries import positions
from planner.validation.common import MOST, coded, each, in_file_order, of

if TYPE_CHECKING:
    from planner.case import Case


@of("orders")
def prices_within_limits(case: Case) -> Iterator[Problem]:
    orders, market = case.orders, case.settings.market
    price = orders["price_per_mwh"]
    wrong = (price < market.price_floor) | (price > market.price_cap)
    what = f"price_per_mwh is outside floor and cap, {market.price_floor:g} to {market.price_cap:g}"
    yield from each(case, "orders", wrong, what, price)


@of("orders")
def quantities_are_given(case: Case) -> Iterator[Problem]:
    orders = case.orders
    yield from each(case, "orders", orders["quantity_kwh"].isna(), "quantity_kwh is missing", orders["order_id"])


@of("orders")
def one_kind_each(case: Case) -> Iterator[Problem]:
    """All rows of one order have one kind, side, zone and moment; those of a block one price and ratio as well."""
    orders = case.orders
    many = orders[_in_several_rows(orders["order_id"])]
    for column, kinds in (
        ("kind", None),
        ("side", None),
        ("zone", None),
        ("participant", None),
        ("resource", None),
        ("submitted_at", None),
        ("price_per_mwh", ("block",)),
        ("min_acceptance_ratio", ("block",)),
        ("exclusive_group", ("block",)),
        ("parent_order_id", ("block",)),
    ):
        rows = many if kinds is None else many[many["kind"].isin(kinds)]
        yield from _differs(case, rows, column)


def _in_several_rows(ids: pd.Series) -> npt.NDArray[np.bool_]:
    """Which rows share their id with others."""
    codes, names = coded(ids)
    several: npt.NDArray[np.bool_] = np.bincount(codes, minlength=len(names))[codes] > 1
    return several


def _differs(case: Case, rows: pd.DataFrame, column: str) -> Iterator[Problem]:
    """The rows whose value differs from that of the order's first row in the file."""
    rows = rows.loc[_readable(rows, column), ["order_id", column]]
    if not len(rows):
        return
    order, value = pd.factorize(rows["order_id"])[0], pd.factorize(rows[column])[0]
    first_of = value[np.unique(order, return_index=True)[1]]
    for name in sorted(set(rows["order_id"][value != first_of[order]]))[:MOST]:
        group = in_file_order(case, "orders", [int(i) for i in rows.index[rows["order_id"] == name]])
        values = rows[column]
        first = group[0]
        row = next((row for row in group if values[row] != values[first]), first)
        what = f"{column} differs within order '{name}'"
        yield case.problem("orders", row, what, f"{values[row]} after {values[first]}", "all rows of it share one")


def _readable(rows: pd.DataFrame, column: str) -> pd.Series:
    """Whether a cell says anything known; what is missing or unknown has its own problem already."""
    described = BY_NAME["orders"].column(column)
    if described.type is Type.CHOICE:
        return rows[column].isin(described.choices)
    if described.required:
        return rows[column].notna() & (rows[column] != "")
    return pd.Series(True, index=rows.index)


@of("orders")
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


@of("orders")
def complex_costs_agree(case: Case) -> Iterator[Problem]:
    """fixed_cost stands on every row of a complex order alike."""
    orders = case.orders
    yield from _differs(case, orders[orders["kind"] == "complex"], "fixed_cost")


@of("orders")
def said_once(case: Case) -> Iterator[Problem]:
    """A step of an order has one row per interval and price, a block one row per interval."""
    orders = case.orders
    many = orders[_in_several_rows(orders["order_id"]) & orders["kind"].isin(["step", "block", "complex"])]
    if not len(many):
        return
    price = many["price_per_mwh"].where(many["kind"] != "block", 0.0)
    said = pd.DataFrame({"order": many["order_id"], **_times(case, many), "price": price})
    first: dict[tuple[object, ...], int] = {}
    rows = [int(row) for row in many.index[said.duplicated(keep=False)]]
    for row in in_file_order(case, "orders", rows)[: 2 * MOST]:
        key = tuple(said.loc[row].fillna(-1))
        if key in first:
            block = orders["kind"].iloc[row] == "block"
            what = f"a second row of the order for the same interval{'' if block else ' and price'}"
            hint = f"it is already in line {case.problem('orders', first[key], '').line}; give one row their sum"
            yield case.problem("orders", row, what, orders["order_id"].iloc[row], hint)
        first.setdefault(key, row)


def _times(case: Case, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """When each row is: its place in the day whichever way it was written, else the time as it stands."""
    grid = case.grid_or_none
    at = pd.Series(positions(rows, grid) if grid is not None else -1, index=rows.index)
    return {
        "at": at,
        "interval": rows["interval"].astype("float64").where(at < 0),
        "start": rows["start"].where(at < 0),
    }


@of("orders")
def minima_can_be_met(case: Case) -> Iterator[Problem]:
    """min_quantity_kwh stands once per interval of a complex order, and its steps there add up to as much."""
    orders = case.orders
    rows = orders[(orders["kind"] == "complex") & orders["quantity_kwh"].notna()]
    if not len(rows):
        return
    keys = [rows["order_id"], *(_times(case, rows).values())]
    steps = rows.groupby(keys, dropna=False)
    least = steps["min_quantity_kwh"].transform("max")
    wrong = (rows["min_quantity_kwh"] > 0) & (rows["min_quantity_kwh"] < least)
    words, hint = "min_quantity_kwh differs within an interval of the order", "it stands for all rows of the interval"
    yield from _in_rows(case, wrong, words, rows["min_quantity_kwh"], hint)
    total = steps["quantity_kwh"].transform("sum")
    wrong = (rows["min_quantity_kwh"] == least) & (least > total * (1 + 1e-9))
    words = "min_quantity_kwh is above what the order's steps of the interval add up to"
    yield from _in_rows(case, wrong, words, rows["min_quantity_kwh"], "")


def _in_rows(case: Case, wrong: pd.Series, what: str, value: pd.Series, hint: str) -> Iterator[Problem]:
    """One problem for every row where a condition on some of the orders' rows holds."""
    orders = case.orders
    full = wrong.reindex(orders.index, fill_value=False)
    yield from each(case, "orders", full, what, value.reindex(orders.index), hint)


def orders_stay_in_one_day(case: Case) -> Iterator[Problem]:
    """Rows by start may be another day's; those of a block or a complex order are all of one day."""
    grid, orders = case.grid_or_none, case.orders
    whole = orders["kind"].isin(["block", "complex"])
    if grid is None or not len(orders) or not (whole & orders["start"].notna()).any():
        return
    at = positions(orders, grid)
    inside = (at >= 0) & (at < grid.settled)
    part = pd.Series(inside, index=orders.index).groupby(orders["order_id"]).transform("any")
    outside = whole & part & ~inside & orders["interval"].isna() & orders["start"].notna()
    crooked = at == -2
    words, hint = "the order reaches outside the delivery day", "an order has one day; give each day's its own order_id"
    yield from each(case, "orders", outside & ~crooked, words, orders["start"], hint)


@of("orders")
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


CHECKS = (
    prices_within_limits,
    quantities_are_given,
    one_kind_each,
    columns_fit_the_kind,
    complex_costs_agree,
    said_once,
    minima_can_be_met,
    orders_stay_in_one_day,
    parents_are_blocks,
)
