"""Who pays whom for a cleared order book: every Wh at its price, the network books rents, losses and rounding.

Accounts as in planner.settlement.market: ``order:<participant or order>``, ``grid:<zone>``, ``network``, ``operator``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.money import total
from planner.orderbook.outcome import Nano, Outcome, _fixed_nano
from planner.settlement.journal import Journal, check_closed
from planner.settlement.makewhole import Party, uplift
from planner_models.orders.rule import Rule

NETWORK, OPERATOR = "network", "operator"
Accounts = npt.NDArray[np.object_]


def settle_book(
    found: Outcome, price: Nano, rule: Rule, accounts: Accounts, starts: pd.DatetimeIndex, pro_rata: bool
) -> pd.DataFrame:
    """The ledger; ``price`` per place in nano per Wh, ``accounts`` one per row.  It closes to zero or raises."""
    journal = Journal()
    _book_orders(journal, found, price, rule, accounts)
    _book_neighbours(journal, found, price, rule)
    _book_network(journal, found, price)
    if rule.pays_make_whole:
        _book_make_whole(journal, found, accounts, pro_rata, _rent(journal.frame(starts)))
    frame = journal.frame(starts)
    check_closed(frame, "market")
    return frame.drop(columns="counterparty_kind")


def _book_orders(journal: Journal, found: Outcome, price: Nano, rule: Rule, accounts: Accounts) -> None:
    rows, n = found.energy.rows, found.book.intervals
    taken, interval = -rows.sign * rows.accepted, rows.place % n
    paid = price[rows.place]
    if rule is Rule.PAY_AS_BID:
        limit = np.rint(rows.price * 1000).astype(np.int64)
        network = np.full(len(taken), NETWORK, dtype=object)
        journal.listed(network, "surplus", interval, taken, paid - limit, "order")
        paid = limit
        _book_fixed_cost(journal, found, accounts)
    journal.listed(accounts, "energy", interval, taken, paid, "marketplace")


def _book_fixed_cost(journal: Journal, found: Outcome, accounts: Accounts) -> None:
    """Paid as bid, a running complex order is paid its fixed cost."""
    first = len(found.book.blocks)
    cost = np.where(found.accepted[first:], _fixed_nano(found.book), 0)
    names = [accounts[np.argmax(found.energy.rows.lump == first + k)] for k in range(len(cost))]
    journal.money(names, "fixed_cost", cost.tolist(), NETWORK)
    journal.money((NETWORK,), "fixed_cost", (-int(cost.sum()),), "order")


def _book_neighbours(journal: Journal, found: Outcome, price: Nano, rule: Rule) -> None:
    book, n = found.book, found.book.intervals
    zonal = price.reshape(len(book.zones), n)
    for e, zone in enumerate(book.neighbours.zone):
        net, paid = found.energy.imported[e][None, :], zonal[zone]
        if rule is Rule.PAY_AS_BID:
            own = np.where(net[0] > 0, book.neighbours.import_price[e], book.neighbours.export_price[e])
            own = np.rint(own * 1000).astype(np.int64)
            journal.energy((NETWORK,), "surplus", -net, paid - own, "grid")
            paid = own
        journal.energy((f"grid:{book.zones[zone]}",), "energy", -net, paid, "marketplace")


def _book_network(journal: Journal, found: Outcome, price: Nano) -> None:
    """Rents and losses of lines, and the Wh that rounding left."""
    book, n, energy = found.book, found.book.intervals, found.energy
    zonal, w = price.reshape(len(book.zones), n), found.book.wires
    for k in range(len(w.id)):
        flow = energy.flow[k]
        half = np.rint(np.abs(flow) * (w.loss_ratio[k] / 2)).astype(np.int64)
        spread = zonal[w.source[k]] - zonal[w.target[k]]
        journal.energy((NETWORK,), "congestion_rent", np.where(spread == 0, 0, flow)[None, :], spread, "line")
        for zone in (w.source[k], w.target[k]):
            journal.energy((NETWORK,), "losses", half[None, :], zonal[zone], "line")
    rest = energy.rest.reshape(len(book.zones), n)
    for zone in np.flatnonzero(rest.any(axis=1)):
        journal.energy((NETWORK,), "rounding", -rest[zone][None, :], zonal[zone], "marketplace")


def _rent(frame: pd.DataFrame) -> int:
    held = (frame["account"] == NETWORK) & frame["line"].isin(["congestion_rent", "losses"])
    return total(frame.loc[held, "amount_nano"].to_numpy())


def _book_make_whole(journal: Journal, found: Outcome, accounts: Accounts, pro_rata: bool, rent: int) -> None:
    """Make-whole and its funding pass through the operator, who bears what nobody funds."""
    parties, where = [*_steps(found, pro_rata), *_lumps(found)], _whose(found, accounts)
    paid = uplift(parties, pro_rata, rent)
    for line, amounts, sign in (("make_whole", paid.make_whole, 1), ("uplift", paid.uplift, -1)):
        summed: dict[str, int] = {}
        for name, amount in amounts.items():
            summed[where[name]] = summed.get(where[name], 0) + sign * amount
        journal.money(list(summed), line, list(summed.values()), OPERATOR)
        journal.money((OPERATOR,), line, (-sum(summed.values()),), "order")
    journal.money((NETWORK, OPERATOR), "uplift", (-paid.from_rent, paid.from_rent), OPERATOR)


def _steps(found: Outcome, all_of_them: bool) -> list[Party]:
    """Step rows that lose; those that win only where they may have to fund others."""
    rows = found.energy.rows
    kept = (rows.lump < 0) & ((found.step_make_whole > 0) | (all_of_them & (rows.accepted > 0)))
    return [
        Party(f"row {rows.row[k]}", int(found.step_make_whole[k] or -found.surplus[k]), int(rows.accepted[k]))
        for k in np.flatnonzero(kept)
    ]


def _lumps(found: Outcome) -> list[Party]:
    """Accepted blocks and complex orders; a loss is what its children do not save."""
    energy = np.zeros(len(found.names), dtype=np.int64)
    rows = found.energy.rows
    inside = rows.lump >= 0
    np.add.at(energy, rows.lump[inside], rows.accepted[inside])
    return [
        Party(found.names[k], int(found.make_whole[k] or min(-found.own[k], 0)), int(energy[k]))
        for k in np.flatnonzero(found.accepted)
    ]


def _whose(found: Outcome, accounts: Accounts) -> dict[str, str]:
    """The account of every party."""
    rows, names = found.energy.rows, found.names
    return {
        (f"row {row}" if lump < 0 else names[lump]): account
        for row, lump, account in zip(rows.row, rows.lump, accounts, strict=True)
    }
