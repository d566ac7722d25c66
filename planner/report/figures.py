"""The charts of the page, each from the tables it is drawn from; None where these are absent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.report import charts
from planner.report.charts import Chart, Floats, Line
from planner.report.day import STORES, Day
from planner.report.papers import Papers
from planner.report.words import energy, with_unit

COLORS = tuple(charts.SERIES)
MOST_ZONES = 4
MOST_GROUPS = 8
HAIR = 0.005


def prices(papers: Papers) -> Chart | None:
    """Published prices, with the range that supports them; beyond a few zones the span over all of them."""
    frame = papers.market("prices")
    if frame.empty or not frame["price_per_mwh"].notna().any():
        return None
    zones = {str(zone): rows.sort_values("interval") for zone, rows in frame.groupby("zone")}
    if len(zones) <= MOST_ZONES:
        lines = [_priced(rows, color) for rows, color in zip(zones.values(), COLORS, strict=False)]
        legend = tuple(zip(COLORS, zones, strict=False))
    else:
        every = np.stack([rows["price_per_mwh"].to_numpy(dtype=float) for rows in zones.values()])
        low, high = np.nanmin(every, axis=0), np.nanmax(every, axis=0)
        lines = [Line(np.nanmedian(every, axis=0), "a", low=low, high=high)]
        legend = (("a", f"median of {len(zones)} zones; shaded: lowest to highest"),)
    if len(zones) == 1:
        outside, names = _outside(papers)
        lines, legend = [*outside, *lines], (*legend, *names)
    caption = _range_in_words(int(frame["indicative"].fillna(False).astype(bool).sum()), len(frame))
    unit = f"{papers.currency} per MWh"
    return Chart("Clearing price", caption, charts.day_chart("prices", papers.starts, lines, unit), legend)


def _range_in_words(open_ended: int, prices: int) -> str:
    if open_ended == prices:
        return "No order sets an end of the range that supports these prices: all are indicative, no range is drawn."
    told = "Shaded: the range in which every price would support the same trades."
    if open_ended:
        told += f" {open_ended} of {prices} prices have a range with an open end: these are indicative, none is drawn."
    return told


def _priced(rows: pd.DataFrame, color: str) -> Line:
    known = ~rows["indicative"].fillna(False).to_numpy(dtype=bool)
    price, low, high = (rows[c].to_numpy(dtype=float) for c in ("price_per_mwh", "price_low", "price_high"))
    return Line(price, color, low=np.where(known, low, np.nan), high=np.where(known, high, np.nan))


def _outside(papers: Papers) -> tuple[list[Line], tuple[tuple[str, str], ...]]:
    """Import and export price of the neighbour, where there is one."""
    frame = papers.market("exchange")
    if frame.empty or not frame["import_price_per_mwh"].notna().any():
        return [], ()
    rows = frame.sort_values("interval")
    found = [Line(rows[f"{way}_price_per_mwh"].to_numpy(dtype=float), "faint") for way in ("import", "export")]
    return found, (("faint", "what importing costs and exporting earns at the neighbour"),)


def balance(papers: Papers, day: Day) -> Chart | None:
    """Production against consumption, in kW."""
    if not day.drawn and not day.made:
        return None
    per_kw = 60 / papers.minutes
    lines = [Line(day.production() * per_kw, "c", filled=True), Line(day.consumption() * per_kw, "a")]
    legend = [("c", "production"), ("a", "consumption")]
    if STORES in day.drawn or STORES in day.made:
        lines.append(Line(day.storing() * per_kw, "d", dashed=True))
        legend.append(("d", "batteries: charging above zero, discharging below"))
    made, drawn = float(day.production().sum()), float(day.consumption().sum())
    caption = f"The buildings use {energy(drawn)} and produce {energy(made)} on the delivery day."
    svg = charts.day_chart("balance", papers.starts, lines, "kW, mean of each interval")
    return Chart("Production against consumption", caption, svg, tuple(legend))


def trade(papers: Papers, day: Day, positions: dict[str, Floats]) -> Chart | None:
    """Trade inside buildings against trade with the marketplace."""
    positions = positions or day.position
    if not positions:
        return None
    signed = list(positions.values())
    bought = np.sum([np.maximum(q, 0) for q in signed], axis=0)
    sold = np.sum([np.minimum(q, 0) for q in signed], axis=0)
    lines, legend = [Line(bought, "a"), Line(sold, "b")], [("a", "from the marketplace"), ("b", "to the marketplace")]
    caption = f"From the marketplace {energy(float(bought.sum()))}, to it {energy(-float(sold.sum()))}."
    if papers.buildings:
        lines, legend = (
            [Line(day.internal, "c", filled=True), *lines],
            [("c", "between units of one building"), *legend],
        )
        inside, needed = float(day.internal.sum()), float(day.needed.sum())
        share = f", {100 * inside / needed:.0f}\u00a0% of what units needed beyond their allocation" if needed else ""
        caption = f"Between units of one building {energy(inside)}{share}. {caption}"
    svg = charts.day_chart("trade", papers.starts, lines, "kWh per interval")
    return Chart("Internal trade and marketplace trade", caption, svg, tuple(legend))


def positions(papers: Papers, signed: dict[str, Floats], what: str) -> Chart | None:
    """A strip per group, the largest first."""
    if not signed:
        return None
    by_size = sorted(signed.items(), key=lambda item: (-float(np.abs(item[1]).sum()), item[0]))
    shown = by_size[:MOST_GROUPS]
    left = len(by_size) - len(shown)
    caption = f"The largest {len(shown)} of {len(by_size)}." if left else ""
    svg = charts.strips("positions", papers.starts, shown, "kWh per interval")
    legend = (("a", "requested from the marketplace"), ("b", "offered to it"))
    return Chart(f"Position per {what}", caption, svg, legend)


def convergence(papers: Papers) -> Chart | None:
    """How the proven bound came up to the cost of the answer."""
    frame, objective = papers.market("rounds"), papers.certificate.get("objective")
    if frame.empty or objective is None or "bound" not in frame or not frame["bound"].notna().any():
        return None
    proven = frame.dropna(subset=["bound"]).groupby("round")["bound"].first().cummax()
    if len(proven) < 2:
        return None  # a single bound is a number, not a course
    if proven.iloc[-1] > float(objective) + HAIR:
        return None  # groups fell silent since: these bounds speak of another city
    unit = papers.currency
    best = float(proven.iloc[-1])
    caption = f"Each round proves a bound; the best so far rises to {with_unit(best, unit)}. "
    caption += "What is left to the dashed line is the gap."
    final = papers.certificate.get("bound")
    if final is not None and final > best + HAIR:
        caption += f" The last step, with the buildings' own proofs, lifts it to {with_unit(final, unit)}."
    svg = charts.convergence(
        "rounds", [int(r) for r in proven.index], proven.to_numpy(dtype=float), float(objective), unit
    )
    return Chart("Bound and cost, round by round", caption, svg, (("a", "proven bound"), ("b", "cost of the answer")))
