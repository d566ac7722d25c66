"""report.html of a cleared order book: what a trader reads in a minute, for each pricing rule of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planner.report.charts import Chart, Line, day_chart
from planner.report.headline import BAD, FAIR, GOOD, PLAIN, Tile, audit_tile
from planner.report.orderbook import QUIET, answered_orders, table_of
from planner.report.papers import Papers
from planner.report.words import counted, percent, with_unit

MOST_LEFT_OUT = 30
MOST_LINES = 6
COLORS = ("a", "b", "c", "d", "e", "f")


@dataclass(frozen=True)
class LeftOut:
    """One order whose reason needs saying: when, how much, at what limit against which mean price."""

    order: str
    kind: str
    side: str
    zone: str
    when: str
    kwh: float
    limit: float
    price: float
    reason: str
    missed: float


@dataclass(frozen=True)
class Ruled:
    """What one pricing rule made of the book."""

    rule: str
    tiles: tuple[Tile, ...]
    zones: tuple[dict[str, Any], ...]
    prices: Chart
    left_out: tuple[LeftOut, ...]
    more: int


def book_content(papers: Papers) -> dict[str, Any]:
    """Everything that the template of an order book's page names."""
    from planner.orderbook.market import runs_of

    rules = [_ruled(papers, run) for run in runs_of(papers.folder)]
    return {
        "title": str(papers.settings.get("name", "order book")),
        "day": str(papers.certificate.get("delivery_date", "")),
        "synthetic": bool(papers.settings.get("synthetic")),
        "currency": papers.currency,
        "rules": rules,
        "audit": audit_tile(papers),
    }


def _ruled(papers: Papers, run: Any) -> Ruled:
    table = table_of(run)
    zones = [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]
    left = _left_out(run)
    kept = tuple(left[:MOST_LEFT_OUT])
    return Ruled(run.rule, _tiles(papers, run), tuple(zones), _prices(papers, run), kept, len(left) - len(kept))


def _tiles(papers: Papers, run: Any) -> tuple[Tile, ...]:
    told, unit = run.certificate, papers.currency
    missed = told["paradoxically_rejected"]
    gap, worth = told["gap_relative"], with_unit(told["welfare"], unit, 0 if abs(told["welfare"]) >= 1e6 else 2)
    note = "proven" if told["proven"] else f"at most {with_unit(told['gap_absolute'], unit)} from the best"
    return (
        Tile("Welfare", worth, f"of {counted(told['orders'], 'order')}"),
        Tile("Gap", percent(gap), note, GOOD if told["proven"] else FAIR),
        Tile("Traded", with_unit(told["volume_kwh"] / 1000, "MWh", 1), "bought in all zones"),
        Tile("Left out in the money", counted(len(missed), "order"), f"missed {with_unit(_sum(missed), unit)}"),
        Tile("Make-whole", with_unit(told["make_whole"], unit), "paid to accepted orders that would lose",
             BAD if told["make_whole"] > 0 and run.rule == "no_pab" else PLAIN),
    )  # fmt: skip


def _sum(missed: list[dict[str, Any]]) -> float:
    return sum(float(order["missed"]) for order in missed)


def _prices(papers: Papers, run: Any) -> Chart:
    """Prices over the day: a line a zone while they can be told apart, else the span over all."""
    frame = run.prices.sort_values(["zone", "interval"])
    day = frame.drop_duplicates("interval").sort_values("interval")["start"]
    starts = [start.to_pydatetime().astimezone(papers.timezone) for start in day]
    zones = {str(zone): rows["price_per_mwh"].to_numpy(dtype=float) for zone, rows in frame.groupby("zone")}
    unit = f"{papers.currency} per MWh"
    legend: tuple[tuple[str, str], ...]
    if len(zones) <= MOST_LINES:
        lines = [Line(values, color) for values, color in zip(zones.values(), COLORS, strict=False)]
        legend = tuple(zip(COLORS, zones, strict=False))
    else:
        every = np.stack(list(zones.values()))
        lines = [Line(np.nanmedian(every, axis=0), "a", low=np.nanmin(every, axis=0), high=np.nanmax(every, axis=0))]
        legend = (("a", f"median of {len(zones)} zones; shaded: lowest to highest"),)
    caption = "Zones with one price share a line." if 1 < len(zones) <= MOST_LINES else ""
    return Chart("Clearing price", caption, day_chart(f"prices-{run.rule}", starts, lines, unit), legend)


def _left_out(run: Any) -> list[LeftOut]:
    """Orders left out in the money, or accepted at a loss; those that missed or lose the most first."""
    orders = answered_orders(run)
    told = orders[~orders["reason"].isin(QUIET)]
    told = told.merge(
        run.prices[["zone", "interval", "price_per_mwh"]], on=["zone", "interval"], suffixes=("", "_paid")
    )
    known = run.opportunity
    amount = {
        str(name): float(missed or min(surplus, 0.0))
        for name, missed, surplus in zip(known["order_id"], known["missed"], known["surplus"], strict=True)
    }
    found = [_line(str(name), rows, amount.get(str(name), 0.0)) for name, rows in told.groupby("order_id")]
    return sorted(found, key=lambda one: (-abs(one.missed), one.order))


def _line(name: str, rows: pd.DataFrame, money: float) -> LeftOut:
    first, kwh = rows.iloc[0], rows["quantity_kwh"]
    begins, ends = int(rows["interval"].min()), int(rows["interval"].max())
    when = f"{begins}" if begins == ends else f"{begins} to {ends}"
    mean = {column: float(np.average(rows[column], weights=kwh)) for column in ("price_per_mwh", "price_per_mwh_paid")}
    reason = str(first["reason"]).replace("_", " ")
    return LeftOut(
        name, str(first["kind"]), str(first["side"]), str(first["zone"]), when, float(kwh.sum()),
        mean["price_per_mwh"], mean["price_per_mwh_paid"], reason, money,
    )  # fmt: skip
