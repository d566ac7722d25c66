"""C23 for prices, and S2: the internal price of a building beside the price of its node.

Prices in nano-currency per Wh (0.001 currency per MWh).
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.market import Market
from planner.audit.network import feeders_of, limited_nodes, zone_of
from planner.audit.series import dense, dense_numbers
from planner.audit.table import DamagedFileError, MissingFileError, Wh

FILE = "market/prices.csv"


def check_prices(m: Market, found: Findings) -> None:
    """C23: floor, cap, tick and range."""
    price, terms = m.prices, m.terms
    low, high = np.rint(terms.price_floor * 1000), np.rint(terms.price_cap * 1000)
    shown = price / 1000
    beyond = (price < low) | (price > high)
    found.flag("C23", FILE, m.zones, beyond, "price outside floor and cap", shown, terms.price_cap)
    tick = round(terms.price_tick * 1000)
    if tick >= 1:
        off = (price % tick != 0) & (price != low) & (price != high)
        found.flag("C23", FILE, m.zones, off, "price not on the tick", shown, terms.price_tick)
    rows = m.series("prices")
    least, most = (dense_numbers(rows, "zone", m.zones, f"price_{end}") for end in ("low", "high"))
    slack = terms.price_tick + 1e-6
    outside = (shown < least - slack) | (shown > most + slack)
    # one end took the place of an open one: what couples zones may have pulled the price through it
    open_end = dense(rows, "zone", m.zones, [part.table.flags("indicative", False) for part in rows])
    outside &= ~(open_end & (least == most))
    found.flag("C23", FILE, m.zones, outside, "price outside its range", shown, np.where(shown > most, most, least))


def check_internal(b: Building, found: Findings) -> None:
    """S2: with the fee of the side the building is on; between both where it trades with nobody.

    Units of a dark building have the default tariff outside: any price between its two ends serves both sides.
    """
    buy, sell = _outside_prices(b)
    position, stated = b.position, b.internal_price
    least = np.where((position > 0) & ~np.bool_(b.dark), buy, np.minimum(sell, buy))
    most = np.where((position < 0) & ~np.bool_(b.dark), sell, np.maximum(sell, buy))
    file, names = b.file("position"), (b.id,)
    wrong = ((stated < least) | (stated > most))[None]
    expected = np.where(stated < least, least, most) / 1000
    found.flag("S2", file, names, wrong, "internal price on the wrong end", stated / 1000, expected)
    _check_trades(b, found)


def _check_trades(b: Building, found: Findings) -> None:
    """Every internal trade is at the internal price."""
    trades = b.run.table(f"{b.folder}/trades")
    t = np.nan_to_num(trades.numbers("interval")).astype(np.int64) - 1
    inside, price = (t >= 0) & (t < b.grid.settled), trades.nano("price_per_mwh")
    for row in np.flatnonzero(inside)[price[inside] != b.internal_price[t[inside]]]:
        at, right = int(t[row]) + 1, b.internal_price[t[row]] / 1000
        found.add("S2", trades.file, "a trade at another price", price[row] / 1000, right, interval=at)


def _outside_prices(b: Building) -> tuple[Wh, Wh]:
    """What a unit would pay and receive outside, nano; a dark building has the default tariff."""
    if b.dark:
        flat = np.ones(len(b.grid), dtype=np.int64)
        return flat * round(b.terms.default_import * 1000), flat * round(b.terms.default_export * 1000)
    return b.node_price + round(b.terms.fee_buy * 1000), b.node_price - round(b.terms.fee_sell * 1000)


def check_node_prices(b: Building, found: Findings) -> None:
    """C23: a building's price is its zone's, and behind limited feeders that of all who are behind the same ones."""
    m = b.run.market
    nodes = m.case("nodes")
    if nodes is None:
        raise MissingFileError("market/case/nodes.csv is missing")
    zone, limited = zone_of(b), limited_nodes(nodes, m.case("limits"))
    feeders = feeders_of(b, limited)
    price, what = m.prices[m.zones.index(zone)] if zone in m.zones else b.node_price, "not the price of its zone"
    if feeders:
        price, what = _first_behind(b.run, limited)[zone, feeders].node_price, "not the price behind its feeders"
    wrong = (b.node_price != price)[None]
    found.flag("C23", b.file("position"), (b.id,), wrong, what, b.node_price / 1000, price / 1000)


def _first_behind(run: Evidence, limited: frozenset[str]) -> dict[tuple[str, tuple[str, ...]], Building]:
    """The first building behind each zone and feeders, found once; whose files do not say where it is, is not."""
    if run.first_behind is None:
        run.first_behind = {}
        for b in run.buildings:
            with suppress(MissingFileError, DamagedFileError):  # named by its own check
                run.first_behind.setdefault((zone_of(b), feeders_of(b, limited)), b)
    return run.first_behind
