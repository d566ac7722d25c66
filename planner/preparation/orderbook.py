"""From a case to the columns of an order book, without one value per order on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planner.hierarchy import zones
from planner.preparation.desk import Desk, Floats
from planner.preparation.market import exchanges, lines
from planner.problems import InvalidInput
from planner.timegrid import day_grid
from planner.timeseries import CROOKED, positions
from planner_models.orders.book import Blocks, Book, Complexes, Neighbours, Steps, Wires, lot_of
from planner_models.template import Ints
from planner_models.words import IntervalGrid

if TYPE_CHECKING:
    from planner.case import Case

NEVER = np.iinfo(np.int64).max


def book_grid(case: Case) -> IntervalGrid:
    """The delivery day alone: an order book is not planned beyond it.  InvalidInput without a day."""
    settings = case.settings
    if settings.delivery_date is None:
        return case.grid
    return day_grid(settings.delivery_date, settings.timezone, settings.interval_minutes)


def read_book(case: Case) -> Book:
    """The Book of the case's delivery day; rows by start on another day are another day's.  Raises InvalidInput."""
    desk = Desk(case, book_grid(case), None)
    names = zones(case.tables)
    rows = _placed(desk, names)
    lot = lot_of(rows["kwh"].to_numpy())
    book = Book(
        zones=names,
        intervals=len(desk.grid),
        lot_kwh=lot,
        price_floor=case.settings.market.price_floor,
        price_cap=case.settings.market.price_cap,
        steps=_steps(rows[rows["kind"] == "step"], lot),
        blocks=_blocks(rows[rows["kind"] == "block"], lot),
        complexes=_complexes(rows[rows["kind"] == "complex"], lot),
        wires=_wires(desk, names, lot),
        neighbours=_neighbours(desk, names, lot),
        seed=case.settings.solver.seed,
    )
    if desk.problems:
        raise InvalidInput(sorted(set(desk.problems), key=str))
    return book


def _placed(desk: Desk, names: tuple[str, ...]) -> pd.DataFrame:
    """Rows of the delivery day with ``place``, ``sign``, ``kwh`` in whole Wh and ``submitted`` in nanoseconds."""
    orders, grid = desk.case.orders, desk.grid
    at = positions(orders, grid)
    for stamp in orders["start"][at == CROOKED][:10]:
        desk.problem("orders", "start is not the start of an interval", stamp, "move it to the grid")
    rows = orders[at >= 0]
    zone = pd.Index(names).get_indexer(pd.Index(rows["zone"].astype(object)))
    kwh = np.rint(rows["quantity_kwh"].to_numpy(dtype=float) * 1000) / 1000
    moment = rows["submitted_at"]
    stamps = moment.dt.tz_localize(None).to_numpy().astype("M8[ns]").astype(np.int64)
    return rows.assign(
        place=zone * len(grid) + at[at >= 0],
        sign=np.where(rows["side"] == "sell", 1.0, -1.0),
        kwh=kwh,
        submitted=np.where(moment.isna(), NEVER, stamps),
    )


def _steps(rows: pd.DataFrame, lot: float) -> Steps:
    return Steps(
        place=_whole(rows["place"]),
        sign=_real(rows["sign"]),
        price=_real(rows["price_per_mwh"]),
        quantity=_real(rows["kwh"]) / lot,
        row=_whole(rows["row"]),
    )


def _blocks(rows: pd.DataFrame, lot: float) -> Blocks:
    rows = rows.sort_values(["order_id", "place", "kwh", "row"], kind="stable")
    of, ids = pd.factorize(rows["order_id"].astype(object))
    first = rows.drop_duplicates("order_id")
    return Blocks(
        id=tuple(map(str, ids)),
        sign=_real(first["sign"]),
        price=_real(first["price_per_mwh"]),
        minimum=_real(first["min_acceptance_ratio"].fillna(1.0)),
        parent=pd.Index(ids).get_indexer(pd.Index(first["parent_order_id"].astype(object))).astype(np.int64),
        group=_groups(first["exclusive_group"]),
        submitted=_whole(rows.groupby("order_id", sort=True)["submitted"].min()),
        of=of.astype(np.int64),
        place=_whole(rows["place"]),
        quantity=_real(rows["kwh"]) / lot,
        row=_whole(rows["row"]),
    )


def _groups(names: pd.Series) -> Ints:
    """A number for every exclusive group, -1 for none."""
    names = names.astype(object).fillna("")
    known = sorted(set(names) - {""})
    return pd.Index(known, dtype=object).get_indexer(pd.Index(names)).astype(np.int64)


def _complexes(rows: pd.DataFrame, lot: float) -> Complexes:
    if rows.empty:
        none, nothing = np.empty(0, dtype=np.int64), np.empty(0)
        return Complexes((), nothing, none, none, none, nothing, nothing, none, none, none, nothing)
    rows = rows.sort_values(["order_id", "place", "price_per_mwh", "kwh", "row"], kind="stable")
    of, ids = pd.factorize(rows["order_id"].astype(object))
    rows = rows.assign(of=of)
    per_cell = rows.groupby(["of", "place"], sort=True)["min_quantity_kwh"].max().fillna(0.0)
    least = per_cell[per_cell > 0].reset_index()
    by_order = rows.groupby("order_id", sort=True)
    return Complexes(
        id=tuple(map(str, ids)),
        fixed_cost=_real(by_order["fixed_cost"].max().fillna(0.0)) * 1000 / lot,
        submitted=_whole(by_order["submitted"].min()),
        of=of.astype(np.int64),
        place=_whole(rows["place"]),
        price=_real(rows["price_per_mwh"]),
        quantity=_real(rows["kwh"]) / lot,
        row=_whole(rows["row"]),
        minimum_of=_whole(least["of"]),
        minimum_place=_whole(least["place"]),
        minimum=np.rint(_real(least["min_quantity_kwh"]) * 1000) / 1000 / lot,
    )


def _wires(desk: Desk, names: tuple[str, ...], lot: float) -> Wires:
    found, n = lines(desk), len(desk.grid)
    place = {name: i for i, name in enumerate(names)}
    return Wires(
        id=tuple(line.id for line in found),
        source=np.array([place[line.from_zone] for line in found], dtype=np.int64),
        target=np.array([place[line.to_zone] for line in found], dtype=np.int64),
        loss_ratio=np.array([line.loss_ratio for line in found], dtype=float),
        forward=np.array([line.forward_kwh for line in found], dtype=float).reshape(-1, n) / lot,
        reverse=np.array([line.reverse_kwh for line in found], dtype=float).reshape(-1, n) / lot,
    )


def _neighbours(desk: Desk, names: tuple[str, ...], lot: float) -> Neighbours:
    found, n = exchanges(desk, {}), len(desk.grid)
    place = {name: i for i, name in enumerate(names)}

    def table(column: str) -> Floats:
        return np.array([getattr(e, column) for e in found], dtype=float).reshape(-1, n)

    return Neighbours(
        zone=np.array([place[e.zone] for e in found], dtype=np.int64),
        import_price=table("import_price_per_mwh"),
        export_price=table("export_price_per_mwh"),
        import_limit=table("import_limit_kwh") / lot,
        export_limit=table("export_limit_kwh") / lot,
    )


def _real(values: pd.Series) -> Floats:
    return values.to_numpy(dtype=float)


def _whole(values: pd.Series) -> Ints:
    return values.to_numpy(dtype=np.int64)
