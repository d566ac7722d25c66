"""Prices that no answer can leave, and the steps that they settle once and for all.

For any choice of blocks and complex orders the prices of a place lie between those of two extremes: every indivisible
sale taken and every purchase left, and the reverse.  The dual is the minimum of a submodular function (separable terms
and convex functions of differences ``a y_i - b y_j``, a, b > 0) tilted linearly by what the indivisible orders inject,
so its least and greatest minimisers move monotonely (Topkis, *Minimizing a submodular function on a lattice*, 1978).
Steps priced outside the window are decided; the model keeps the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from planner_models.linear import LinearModel
from planner_models.orders.book import Book
from planner_models.orders.face import step_ends
from planner_models.orders.model import BookModel, build_book
from planner_models.orders.prices import lattice_ends
from planner_models.pricing import Face, supporting_face
from planner_models.solve import Options, Solver
from planner_models.template import Floats, Ints

OUTSIDE = 1e-6


def closed(book: Book, options: Options) -> BookModel:
    """The book's model with decided steps fixed, and a direction for lossy lines wherever burning energy could pay.

    A line that runs both ways at once burns energy, which pays only where the prices of its ends add up to zero or
    less.  Where windows exclude that for every line of an interval, no choice of orders brings it about; elsewhere
    (a negative price, or blocks that bring more than anybody takes) every lossy line of the interval has a direction.
    """
    free = build_book(book)
    found, low, high = narrowed(free, options)
    w, n = book.wires, book.intervals
    lows = low.reshape(-1, n)
    pays = (w.loss_ratio > 0)[:, None] & (lows[w.source] + lows[w.target] <= OUTSIDE)
    places = (book.steps.place, book.blocks.place, book.complexes.place)
    here = pays.any(axis=0) & np.isin(np.arange(n), np.concatenate(places) % n)
    if not here.any():
        return found
    directed = build_book(book, (w.loss_ratio > 0)[:, None] & here[None, :])
    # without burning, prices of these intervals may leave the windows
    open_places = np.tile(here, len(book.zones))
    low, high = np.where(open_places, book.price_floor, low), np.where(open_places, book.price_cap, high)
    return replace(directed, model=_fixed(directed, low, high))


def narrowed(market: BookModel, options: Options) -> tuple[BookModel, Floats, Floats]:
    """The market with decided steps fixed, and the ends of every place's window."""
    book = market.book
    low, high = np.full(book.places, book.price_floor), np.full(book.places, book.price_cap)
    if one_way(market):
        return market, low, high
    most, least = injections(market)
    asked = Supporting(market, options)
    lowest, highest = asked.ends(most), asked.ends(least)
    if lowest is None or highest is None:
        return market, low, high
    low, high = np.maximum(low, lowest[0]), np.minimum(high, highest[1])
    return replace(market, model=_fixed(market, low, high)), low, high


def one_way(market: BookModel) -> bool:
    """Whether lines have a direction to decide: then the dual is no longer submodular."""
    orders = np.concatenate([market.taken, market.active])
    return bool(np.setdiff1d(np.flatnonzero(market.model.integer), orders).size)


def injections(market: BookModel) -> tuple[Floats, Floats]:
    """Most and least that indivisible orders may bring to each place, lots."""
    blocks, c, places = market.book.blocks, market.book.complexes, market.book.places
    low, high = _ratios(market)
    signed = blocks.sign[blocks.of] * blocks.quantity
    ends = signed * low[blocks.of], signed * high[blocks.of]
    most = np.bincount(blocks.place, np.maximum(*ends), minlength=places)
    least = np.bincount(blocks.place, np.minimum(*ends), minlength=places)
    upper = market.model.upper[market.active][c.of] if len(c) else np.empty(0)
    lower = market.model.lower[market.active][c.minimum_of] if len(c) else np.empty(0)
    most = most + np.bincount(c.place, c.quantity * upper, minlength=places)
    least = least + np.bincount(c.minimum_place, c.minimum * lower, minlength=places)
    return most.astype(float), least.astype(float)


def _ratios(market: BookModel) -> tuple[Floats, Floats]:
    """Least and greatest ratio of every block under the bounds of its decision."""
    blocks, model = market.book.blocks, market.model
    decided = market.taken >= 0
    columns = np.maximum(market.taken, 0)
    low = np.where(decided, model.lower[columns] * blocks.minimum, 0.0) if len(blocks) else np.empty(0)
    high = np.where(decided, model.upper[columns], 1.0) if len(blocks) else np.empty(0)
    return low, high


def supporting_ends(
    market: BookModel, injected: Floats, options: Options, intervals: Ints | None = None, running: Ints | None = None
) -> tuple[Floats, Floats] | None:
    """Least and greatest supporting prices of steps and network alone when so much is injected."""
    return Supporting(market, options, intervals, running).ends(injected)


class Supporting:
    """Steps and network alone, solved for one injection after another.

    Only ``intervals`` are solved if given (other places keep infinite ends).  ``running`` complex orders answer with
    what they offer beyond their minimum, which is part of what is injected.
    """

    def __init__(
        self, market: BookModel, options: Options, intervals: Ints | None = None, running: Ints | None = None
    ) -> None:
        book = market.book
        every = np.arange(book.intervals)
        inside = np.isin(every, every if intervals is None else intervals)
        here = np.tile(inside, len(book.zones))
        wires = np.concatenate([a[:, inside].ravel() for a in (
            market.forward, market.reverse, market.imported, market.exported)])  # fmt: skip
        self.all_places, self.places = book.places, np.flatnonzero(here)
        self.steps = _offers(market, here, running)
        self.small = _small(market, self.steps, wires, self.places)
        self.solver = Solver(self.small, replace(options, wide=True))

    def ends(self, injected: Floats) -> tuple[Floats, Floats] | None:
        """Least and greatest supporting price of every place when so much is injected there; None if unsolved."""
        places, steps, k = self.places, self.steps, len(self.steps.column)
        self.solver.set_rows(-injected[places], -injected[places])
        found = self.solver.lp()
        if not found.has_answer:
            return None
        face = _network_face(self.small, found.x, k)
        position = np.searchsorted(places, steps.place)
        low, high = step_ends(position, steps.sign, steps.price, found.x[:k], steps.quantity, len(places))
        out = np.full(self.all_places, -np.inf), np.full(self.all_places, np.inf)
        out[0][places], out[1][places] = lattice_ends(replace(face, lower=low, upper=high))
        return out


@dataclass(frozen=True)
class _Offers:
    """Price-responsive columns: steps, and what running complex orders offer beyond their minimum."""

    column: Ints
    place: Ints
    sign: Floats
    price: Floats
    quantity: Floats


def _offers(market: BookModel, here: npt.NDArray[np.bool_], running: Ints | None) -> _Offers:
    levels, c = market.book.levels, market.book.complexes
    kept = np.flatnonzero(here[levels.place])
    parts = [(market.level[kept], levels.place[kept], levels.sign[kept], levels.price[kept], levels.quantity[kept])]
    if running is not None and len(running):
        beyond = np.where(np.isin(c.of, running) & here[c.place], c.quantity - within_minimum(market.book), 0.0)
        k = np.flatnonzero(beyond > 0)
        parts.append((market.supplied[k], c.place[k], np.ones(len(k)), c.price[k], beyond[k]))
    return _Offers(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def within_minimum(book: Book) -> Floats:
    """Of every complex row, what its order's minimum takes when the cheapest rows serve it."""
    c = book.complexes
    cells = c.of * book.places + c.place
    order = np.lexsort((c.price, cells))
    before = np.cumsum(c.quantity[order]) - c.quantity[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = cells[order][1:] != cells[order][:-1]
    before -= np.maximum.accumulate(np.where(first, before, 0.0))
    least = np.zeros(len(c) * book.places)
    least[c.minimum_of * book.places + c.minimum_place] = c.minimum
    out = np.empty(len(order))
    out[order] = np.clip(least[cells[order]] - before, 0.0, c.quantity[order])
    return out


def _small(market: BookModel, steps: _Offers, wires: Ints, places: Ints) -> LinearModel:
    """Steps and network of some places; unserved energy and excess at the ends of the price range keep it feasible."""
    model, book = market.model, market.book
    columns = np.concatenate([steps.column, wires])
    rows = model.matrix[:, columns].tocsr()[market.balance[places]]
    eye, k = sparse.identity(len(places)), len(places)
    ends = np.full(k, book.price_cap), np.full(k, -book.price_floor)
    upper = np.concatenate([steps.quantity, model.upper[wires], np.full(2 * k, np.inf)])
    width = len(columns) + 2 * k
    return LinearModel(
        sparse.hstack([rows, eye, -eye], format="csc"),
        np.zeros(k),
        np.zeros(k),
        np.concatenate([steps.sign * steps.price, model.cost[wires], *ends]),
        np.zeros(width),
        upper,
        np.zeros(width, dtype=bool),
        (),
        np.full(width, -1),
    )


def _network_face(small: LinearModel, x: Floats, steps: int) -> Face:
    """What lines, neighbours and the ends of the price range leave to the prices."""
    rest = np.arange(steps, small.matrix.shape[1])
    held = small.matrix[:, rest] @ x[rest]
    return supporting_face(
        replace(
            small, matrix=small.matrix[:, rest], row_lower=held, row_upper=held, cost=small.cost[rest],
            lower=small.lower[rest], upper=small.upper[rest], integer=small.integer[rest],
        ),
        x[rest],
        fixed_integers=True,
    )  # fmt: skip


def _fixed(market: BookModel, low: Floats, high: Floats) -> LinearModel:
    """The model with every step outside the windows at its end."""
    levels, model = market.book.levels, market.model
    below, above = levels.price < low[levels.place] - OUTSIDE, levels.price > high[levels.place] + OUTSIDE
    sells = levels.sign > 0
    full, none = np.where(sells, below, above), np.where(sells, above, below)
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[market.level[full]] = upper[market.level[full]]
    upper[market.level[none]] = 0.0
    return replace(model, lower=lower, upper=upper)
