"""An order book's clear as pictures and as one table: from the files of its run alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from planner.orderbook import MarketRun

SUPPLY, DEMAND, PRICE, LEFT_OUT = "#2f6f4f", "#3a5a9b", "#222222", "#b3402a"
IN_A_ROW, ROWS = 4, 6
QUIET = ("accepted", "partly_accepted", "out_of_the_money")


def answered_orders(run: MarketRun) -> Any:
    """Every order row beside its acceptance: zone, side, kind, quantity_kwh, price, accepted_kwh, reason."""
    given: Any = pd.read_csv(run.run / "market" / "case" / "orders.csv", low_memory=False)
    given["row"] = np.arange(len(given)) + 1
    if "quantity_kwh" not in given:
        minutes = pd.to_datetime(run.prices["start"]).sort_values().diff().dropna()
        hours = minutes[minutes > pd.Timedelta(0)].min() / pd.Timedelta(hours=1)
        given["quantity_kwh"] = given["quantity_mw"] * 1000 * hours
    kept = given[["row", "zone", "side", "kind", "quantity_kwh"]]
    return run.acceptances.merge(kept, on="row", how="left")


def table_of(run: MarketRun) -> pd.DataFrame:
    """A line per zone: prices, what was bought, sold and imported, what was left out although it would have earned."""
    orders = answered_orders(run)
    rows = []
    every: Any = run.prices
    for zone, prices in every.groupby("zone"):
        here = orders[orders["zone"] == zone]
        bought, sold = (here.loc[here["side"] == side, "accepted_kwh"].sum() for side in ("buy", "sell"))
        missed = here[~here["reason"].isin(QUIET)]
        price = prices["price_per_mwh"]
        rows.append(
            {
                "zone": zone,
                "mean price": price.mean(),
                "lowest": price.min(),
                "highest": price.max(),
                "bought kWh": bought,
                "sold kWh": sold,
                "net import kWh": bought - sold,
                "orders left out in the money": missed["order_id"].nunique(),
                "indicative": int(prices["indicative"].sum()),
            }
        )
    return pd.DataFrame(rows)


def draw(axes: Any, orders: Any, price: Any, title: str) -> None:
    """Supply, demand and the price of one zone and interval; orders whose reason needs saying are marked."""
    for side, colour, rising in (("sell", SUPPLY, True), ("buy", DEMAND, False)):
        curve = orders[orders["side"] == side].sort_values(["price_per_mwh", "row"], ascending=[rising, True])
        if curve.empty:
            continue
        energy = np.concatenate([[0.0], curve["quantity_kwh"].cumsum().to_numpy()]) / 1000
        limit = curve["price_per_mwh"].to_numpy()
        axes.step(energy, np.append(limit, limit[-1]), where="post", color=colour, lw=1.1, label=side)
        odd = ~curve["reason"].isin(QUIET).to_numpy()
        axes.plot(((energy[:-1] + energy[1:]) / 2)[odd], limit[odd], "x", color=LEFT_OUT, ms=5, mew=1.4)
    value = price["price_per_mwh"]
    if pd.notna(value):
        axes.axhline(value, color=PRICE, lw=0.9, ls=":" if price["indicative"] else "-")
        axes.axhspan(price["price_low"], price["price_high"], color=PRICE, alpha=0.08, lw=0)
        _frame(axes, orders, float(value))
    axes.set_title(title, fontsize=7, loc="left")
    axes.tick_params(labelsize=6)


def _frame(axes: Any, orders: Any, value: float) -> None:
    """The part around the price: limit prices at floor and cap would flatten all else."""
    near = orders["price_per_mwh"].sub(value).abs()
    reach = max(float(near.quantile(0.6)) if len(near) else 1.0, 1.0)
    axes.set_ylim(value - 1.5 * reach, value + 1.5 * reach)


def curve(run: MarketRun, zone: str, interval: int) -> Any:
    """One figure: the curves of a zone in an interval, and in words why orders in the money were left out."""
    import matplotlib.pyplot as plt

    orders = answered_orders(run)
    here = orders[(orders["zone"] == zone) & (orders["interval"] == interval)]
    every: Any = run.prices
    prices = every[(every["zone"] == zone) & (every["interval"] == interval)].iloc[0]
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    plt.close(figure)
    draw(axes, here, prices, f"{zone}, interval {interval}: {prices['price_per_mwh']:g} per MWh ({run.rule})")
    axes.set_xlabel("MWh")
    axes.set_ylabel("per MWh")
    told = here[~here["reason"].isin(QUIET)].drop_duplicates("order_id")
    words = [f"{row.order_id}: {row.reason.replace('_', ' ')}" for row in told.head(12).itertuples()]
    if len(told) > 12:
        words.append(f"and {len(told) - 12} more")
    if words:
        axes.plot([], [], "x", color=LEFT_OUT, label="\n".join(words))
    axes.legend(frameon=False, fontsize=7, loc="best")
    return figure


def write_curves(run: MarketRun) -> Path:
    """curves.pdf in the rule's folder: a page of small curves for every zone, one per interval."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_pdf import PdfPages

    path, every = run.folder / "curves.pdf", run.prices
    orders = answered_orders(run)
    by_place = dict(tuple(orders.groupby(["zone", "interval"])))
    with PdfPages(path, metadata={"CreationDate": None}) as pages:
        for zone in sorted(set(every["zone"])):
            rows = every[every["zone"] == zone].sort_values("interval").reset_index(drop=True)
            for first in range(0, len(rows), IN_A_ROW * ROWS):
                figure = _page(
                    f"{zone}, {run.rule}", rows.iloc[first : first + IN_A_ROW * ROWS], by_place, orders.iloc[:0]
                )
                pages.savefig(figure)
                plt.close(figure)
    return path


def _page(title: str, prices: Any, by_place: dict[Any, Any], none: Any) -> Any:
    """One page: a small curve for each row of ``prices``."""
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(ROWS, IN_A_ROW, figsize=(11, 13), layout="constrained")
    for axes, (_, price) in zip(grid.flat, prices.iterrows(), strict=False):
        at, value = int(price["interval"]), price["price_per_mwh"]
        words = f"{at}: {value:g}" if pd.notna(value) else f"{at}: no price"
        draw(axes, by_place.get((price["zone"], at), none), price, words)
    figure.suptitle(f"{title}: MWh against price per MWh; x marks what earns and was left out", fontsize=9)
    return figure
