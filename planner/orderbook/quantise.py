"""From lots in floats to whole Wh: every row of the file, every flow, every exchange, and what rounding left per place.

A level's energy is shared pro rata among its rows by largest remainder; what a place then misses is taken from its
partly accepted rows, where there are any, and the last few Wh are booked as rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from planner_models.orders.book import Book
from planner_models.orders.model import BookModel
from planner_models.template import Floats, Ints

Wh = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """The book's order rows in one list: steps, then block rows, then complex rows.

    ``lump`` numbers blocks first, complexes after them, -1 for steps; ``quantity`` and ``accepted`` in Wh.
    """

    row: Ints
    place: Ints
    sign: Ints
    price: Floats
    quantity: Wh
    accepted: Wh
    lump: Ints


@dataclass(frozen=True)
class Energy:
    """What was cleared, in Wh.  ``flow`` (lines, intervals), ``imported`` net (neighbours, intervals), ``rest``
    (places): what the place lacks by rounding, positive where the network has to deliver it."""

    rows: Rows
    flow: Wh
    imported: Wh
    rest: Wh


def whole(market: BookModel, x: Floats) -> Energy:
    """The answer ``x`` in whole Wh."""
    book = market.book
    rows, exact = _rows(market, x)
    flow = _wh(market.flow(x), book)
    imported = _wh(x[market.imported] - x[market.exported], book)
    rows = _fitted(rows, exact, book, flow, imported)
    return Energy(rows, flow, imported, _rest(rows, book, flow, imported))


def _wh(lots: Floats, book: Book) -> Wh:
    return np.rint(lots * (book.lot_kwh * 1000)).astype(np.int64)


def _rows(market: BookModel, x: Floats) -> tuple[Rows, Floats]:
    """Rows with accepted energy rounded down to the Wh, and the exact energy."""
    book, scale = market.book, market.book.lot_kwh * 1000
    s, b, c, levels = book.steps, book.blocks, book.complexes, book.levels
    ratio = x[market.ratio] if len(b) else np.empty(0)
    of_level = np.divide(x[market.level], levels.quantity, out=np.zeros(len(levels.place)), where=levels.quantity > 0)
    exact = np.concatenate([of_level[levels.of] * s.quantity, ratio[b.of] * b.quantity, x[market.supplied]]) * scale
    quantity = np.rint(np.concatenate([s.quantity, b.quantity, c.quantity]) * scale).astype(np.int64)
    nearest = np.rint(exact)
    accepted = np.where(np.abs(exact - nearest) < 1e-3, nearest, np.floor(exact)).astype(np.int64)
    exact = np.where(np.abs(exact - nearest) < 1e-3, nearest, exact)
    rows = Rows(
        row=np.concatenate([s.row, b.row, c.row]),
        place=np.concatenate([s.place, b.place, c.place]),
        sign=np.concatenate([s.sign, b.sign[b.of], np.ones(len(c.of))]).astype(np.int64),
        price=np.concatenate([s.price, b.price[b.of], c.price]),
        quantity=quantity,
        accepted=np.clip(accepted, 0, quantity),
        lump=np.concatenate([np.full(len(s.place), -1), b.of, len(b) + c.of]),
    )
    return rows, exact


def _fitted(rows: Rows, exact: Floats, book: Book, flow: Wh, imported: Wh) -> Rows:
    """Partly accepted rows take the Wh that rounding down left, so that every place closes where it can."""
    accepted = rows.accepted.copy()
    broken = np.flatnonzero(accepted != exact)
    if not len(broken):
        return rows
    part = exact - accepted
    # block and complex rows round to the nearest: their ratio is theirs alone
    lumps = broken[rows.lump[broken] >= 0]
    accepted[lumps] = np.rint(exact[lumps]).astype(np.int64)
    steps = broken[rows.lump[broken] < 0]
    missing = _rest(replace(rows, accepted=accepted), book, flow, imported)
    key = rows.place[steps] * 2 + (rows.sign[steps] > 0)
    order = np.lexsort((rows.row[steps], -rows.quantity[steps], -np.round(part[steps], 6), key))
    steps, key = steps[order], key[order]
    for number in np.unique(key):
        members = steps[key == number]
        place, sells = divmod(int(number), 2)
        due = round(float(part[members].sum()))
        want = int(missing[place]) if sells else -int(missing[place])
        give = want if abs(want - part[members].sum()) <= 2 + len(members) and want >= 0 else due
        give = min(give, len(members))
        accepted[members[:give]] += 1
        missing[place] -= give if sells else -give
    accepted = np.clip(accepted, 0, rows.quantity)
    return replace(rows, accepted=accepted)


def _rest(rows: Rows, book: Book, flow: Wh, imported: Wh) -> Wh:
    """Wh that each place takes and nobody gives."""
    rest = np.zeros(book.places, dtype=np.int64)
    np.add.at(rest, rows.place, -rows.sign * rows.accepted)
    n, w, e = book.intervals, book.wires, book.neighbours
    by_zone = rest.reshape(len(book.zones), n)
    half = np.rint(np.abs(flow) * (w.loss_ratio / 2)[:, None]).astype(np.int64)
    np.add.at(by_zone, w.source, flow + half)
    np.add.at(by_zone, w.target, half - flow)
    np.add.at(by_zone, e.zone, -imported)
    return by_zone.ravel()
