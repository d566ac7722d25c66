"""S5: every line of a ledger at the price it should have: contract, internal, node, zone, fee, default tariff.

Prices in nano-currency per Wh; rows without a price (whole-day amounts, sums over different prices) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.internal_trade import participants
from planner.audit.ledgers import Ledger, read_ledger
from planner.audit.series import case_series
from planner.audit.table import Wh
from planner.money import price_nano

MARKET = "market/settlement"


def check_building_prices(b: Building, found: Findings) -> None:
    """S5 for what the units of a building pay."""
    ledger, terms, n = read_ledger(b.run.table(f"{b.folder}/settlement")), b.terms, b.grid.settled
    mine = ledger.of(participants(b)[0])
    right = {
        "internal_buy": b.internal_price,
        "internal_sell": b.internal_price,
        "market_buy": b.node_price,
        "market_sell": b.node_price,
    }
    contract = case_series(b.case("supply"), b.grid, "contract", ("allocated",), "price_per_mwh")[0]
    if not np.isnan(contract[:n]).any():
        right["allocated_energy"] = np.rint(np.nan_to_num(contract) * 1000).astype(np.int64)
    _compare(ledger, mine, right, found)
    _among(ledger, mine, "fee", (terms.fee_buy, terms.fee_sell), found)
    _among(ledger, mine & (ledger.energy > 0), "default_supply", (terms.default_import,), found)
    _among(ledger, mine & (ledger.energy < 0), "default_supply", (terms.default_export,), found)


def check_components(b: Building, found: Findings) -> None:
    """S5: a component is charged at a rate that tariffs.csv gives it, tax included; on what is not counted again."""
    table = b.case("tariffs")
    if table is None:
        return
    ledger = read_ledger(b.run.table(f"{b.folder}/settlement"))
    mine = ledger.of(participants(b)[0])
    rate, tax = table.numbers("rate"), table.numbers("vat_ratio", 0.0)
    rates: dict[str, list[float]] = {}
    for i in np.flatnonzero(table.labels("basis") == "per_mwh"):
        rates.setdefault(table.text("component")[i], []).append(float(rate[i] * (1 + tax[i])))
    for component, prices in rates.items():
        _among(ledger, mine, component, tuple(prices), found)


def check_market_prices(run: Evidence, found: Findings) -> None:
    """S5 for the marketplace: neighbours and contracts at the zone's price, fees as stated."""
    ledger, m = read_ledger(run.table(MARKET)), run.market
    for zone, price in zip(m.zones, m.prices, strict=True):
        for account in (f"grid:{zone}", f"supplier:{zone}"):
            _compare(ledger, ledger.of((account,)), {"energy": price}, found)
    groups = [account for account in ledger.accounts if account.startswith("group:")]
    _among(ledger, ledger.of(groups), "fee", (m.terms.fee_buy, m.terms.fee_sell), found)
    for b in run.buildings:
        if not b.dark:
            _compare(ledger, ledger.of((f"group:{b.group}",)), {"energy": b.node_price}, found)


def _compare(ledger: Ledger, rows: npt.NDArray[np.bool_], right: Mapping[str, Wh], found: Findings) -> None:
    """Rows of each line at its price of the interval."""
    for line, price in right.items():
        here = np.flatnonzero(rows & ledger.of(ledger.accounts, line) & ledger.priced & (ledger.t >= 0))
        expected = price[np.minimum(ledger.t[here], len(price) - 1)]
        wrong = ledger.price[here] != expected
        for i, nano in zip(here[wrong], expected[wrong], strict=True):
            _say(ledger, i, nano / 1000, found)


def _among(ledger: Ledger, rows: npt.NDArray[np.bool_], line: str, prices: tuple[float, ...], found: Findings) -> None:
    """Rows of a line at one of some prices per MWh."""
    known = [price_nano(price) for price in prices]
    here = rows & ledger.of(ledger.accounts, line) & ledger.priced
    for i in np.flatnonzero(here & ~np.isin(ledger.price, known)):
        _say(ledger, i, known[0] / 1000, found)


def _say(ledger: Ledger, i: Any, expected: float, found: Findings) -> None:
    at = int(ledger.t[i]) + 1 if ledger.t[i] >= 0 else None
    name, stated = ledger.name(i), ledger.price[i] / 1000
    found.add("S5", ledger.file, "not the price of this line", stated, expected, name=name, interval=at)
