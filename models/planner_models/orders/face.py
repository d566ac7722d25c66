"""The prices that support a cleared book (contract 2, rule 4): a polyhedron in one price per place.

Steps only bound the price of their own place, in closed form.  What couples places (lines, neighbours' limits, partly
taken blocks, families, complex orders) stays as rows over prices and the few multipliers of C17 and C25 to C27.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from planner_models.linear import LinearModel
from planner_models.orders.model import BookModel
from planner_models.pricing import Face, supporting_face, tighten
from planner_models.solve import Options, Solver
from planner_models.template import Floats, Ints

TAKEN = 1e-7
HAIR = 1e-8
SMALL = 1e-6


def book_face(market: BookModel, x: Floats, fixed_integers: bool) -> Face:
    """Multipliers of all rows that support ``x``; those of the balance rows are the prices.

    With integers fixed, a running complex order bounds prices in closed form too, and one that is not says nothing;
    the direction of a line is a decision as any other, also where it carries nothing (idle.py says what follows).
    """
    model = market.model
    rest = np.ones(len(model.cost), dtype=bool)
    rest[market.level] = False
    low, high = level_bounds(market, x)
    if fixed_integers:
        rest[market.supplied] = rest[market.active] = False
        complex_low, complex_high = complex_bounds(market, x)
        low, high = np.maximum(low, complex_low), np.minimum(high, complex_high)
    low, high = _uncrossed(low, high)
    small = model.matrix[:, np.flatnonzero(rest)]
    through = small @ x[rest]
    lower, upper = model.row_lower.copy(), model.row_upper.copy()
    lower[market.balance] = upper[market.balance] = through[market.balance]
    face = supporting_face(
        LinearModel(
            small, lower, upper, model.cost[rest], model.lower[rest], model.upper[rest], model.integer[rest], (),
            np.empty(0, dtype=np.int64),
        ),
        x[rest],
        fixed_integers,
    )  # fmt: skip
    face.lower[market.balance], face.upper[market.balance] = low, high
    return face


def _uncrossed(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Ends that numerical slack of the primal crossed by a hair meet in the middle."""
    crossed = low > high
    middle = (low[crossed] + high[crossed]) / 2
    low[crossed] = high[crossed] = middle
    return low, high


def level_bounds(market: BookModel, x: Floats) -> tuple[Floats, Floats]:
    """Ends that the steps of each place leave to its price."""
    levels = market.book.levels
    return step_ends(levels.place, levels.sign, levels.price, x[market.level], levels.quantity, market.book.places)


def step_ends(
    place: Ints, sign: Floats, price: Floats, accepted: Floats, quantity: Floats, places: int
) -> tuple[Floats, Floats]:
    """Accepted steps are in the money and rejected ones out of it: the ends that this leaves to each place's price."""
    low, high = np.full(places, -np.inf), np.full(places, np.inf)
    hair = np.minimum(HAIR, quantity / 4)
    some, left, sells = accepted > hair, quantity - accepted > hair, sign > 0
    floors, ceilings = np.where(sells, some, left), np.where(sells, left, some)
    np.maximum.at(low, place[floors], price[floors])
    np.minimum.at(high, place[ceilings], price[ceilings])
    return low, high


def complex_bounds(market: BookModel, x: Floats) -> tuple[Floats, Floats]:
    """Ends that running complex orders leave: as steps, but what the minimum demands may be out of the money."""
    c, places = market.book.complexes, market.book.places
    low, high = np.full(places, -np.inf), np.full(places, np.inf)
    if not len(c):
        return low, high
    running = x[market.active][c.of] > 0.5
    supplied = x[market.supplied]
    hair = np.minimum(HAIR, c.quantity / 4)
    some, left = running & (supplied > hair), running & (c.quantity - supplied > hair)
    np.minimum.at(high, c.place[left], c.price[left])
    some &= ~_at_minimum(market, supplied)
    np.maximum.at(low, c.place[some], c.price[some])
    return low, high


def _at_minimum(market: BookModel, supplied: Floats) -> np.ndarray:
    """Whether the order of each complex row delivers just its minimum in that place."""
    c, places = market.book.complexes, market.book.places
    total = np.bincount(c.of * places + c.place, supplied, minlength=len(c) * places)
    least = np.full(len(c) * places, -1.0)
    least[c.minimum_of * places + c.minimum_place] = c.minimum
    return (total - least <= HAIR)[c.of * places + c.place]


@dataclass(frozen=True)
class Lumps:
    """Accepted blocks and complex orders: surplus of each is ``slope @ price - cost``; ``subtree`` sums families.

    ``index`` numbers blocks first, complexes after them.
    """

    index: np.ndarray
    slope: sparse.csr_matrix
    cost: Floats
    subtree: sparse.csr_matrix


def accepted_lumps(market: BookModel, x: Floats) -> Lumps:
    """What was accepted of the indivisible orders, as functions of the prices."""
    book = market.book
    blocks, c = book.blocks, book.complexes
    ratio = x[market.ratio] if len(blocks) else np.empty(0)
    taken_blocks = np.flatnonzero(ratio > TAKEN)
    running = np.flatnonzero(x[market.active] > 0.5) if len(c) else np.empty(0, dtype=np.int64)
    weight = ratio[blocks.of] * blocks.sign[blocks.of] * blocks.quantity if len(blocks) else np.empty(0)
    supplied = x[market.supplied] if len(c) else np.empty(0)
    slope = sparse.csr_matrix(
        (
            np.concatenate([weight, supplied]),
            (np.concatenate([blocks.of, len(blocks) + c.of]), np.concatenate([blocks.place, c.place])),
        ),
        shape=(len(blocks) + len(c), book.places),
    )
    spent = np.bincount(c.of, supplied * c.price, minlength=len(c)) + c.fixed_cost
    cost = np.concatenate([ratio * blocks.sign * blocks.price * blocks.total, spent])
    index = np.concatenate([taken_blocks, len(blocks) + running])
    return Lumps(index, slope[index], cost[index], _subtrees(blocks.parent, index, len(blocks)))


def _subtrees(parent: np.ndarray, index: np.ndarray, blocks: int) -> sparse.csr_matrix:
    """Entry (b, d) is 1 where d is b or an accepted descendant of it."""
    position = {int(i): k for k, i in enumerate(index)}
    rows, columns = [], []
    for k, i in enumerate(index):
        above = int(i)
        while above in position:
            rows.append(position[above])
            columns.append(k)
            above = int(parent[above]) if above < blocks else -1
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(index), len(index)))


def without_losses(face: Face, market: BookModel, lumps: Lumps) -> Face:
    """C28: the part of the face where no accepted block with its descendants and no complex order loses."""
    whole = _over_prices(lumps.subtree @ lumps.slope, market, face.matrix.shape[1])
    return replace(
        face,
        matrix=sparse.vstack([face.matrix, whole], format="csc"),
        row_lower=np.concatenate([face.row_lower, lumps.subtree @ lumps.cost]),
        row_upper=np.concatenate([face.row_upper, np.full(len(lumps.index), np.inf)]),
    )


def with_payments(face: Face, market: BookModel, lumps: Lumps) -> Face:
    """The face with one make-whole payment more per accepted lump, in the last columns; all lose nothing with it."""
    k, width = len(lumps.index), face.matrix.shape[1]
    whole = _over_prices(lumps.subtree @ lumps.slope, market, width)
    matrix = sparse.bmat([[face.matrix, None], [whole, lumps.subtree]], format="csc")
    return Face(
        matrix,
        np.concatenate([face.row_lower, lumps.subtree @ lumps.cost]),
        np.concatenate([face.row_upper, np.full(k, np.inf)]),
        np.concatenate([face.lower, np.zeros(k)]),
        np.concatenate([face.upper, np.full(k, np.inf)]),
    )


def _over_prices(rows: sparse.csr_matrix, market: BookModel, width: int) -> sparse.csr_matrix:
    """Rows over places as rows over multipliers."""
    coo = rows.tocoo()
    return sparse.csr_matrix((coo.data, (coo.row, market.balance[coo.col])), shape=(rows.shape[0], width))


def with_least_payments(face: Face, market: BookModel, lumps: Lumps, options: Options) -> Face:
    """The part of the face where the make-whole payments add up to the least (contract 2, fixed_integers)."""
    wide = with_payments(tighten(face), market, lumps)
    book, width = market.book, wide.matrix.shape[1]
    lower, upper = wide.lower.copy(), wide.upper.copy()
    lower[market.balance] = np.maximum(lower[market.balance], book.price_floor)
    upper[market.balance] = np.minimum(upper[market.balance], book.price_cap)
    cost = np.zeros(width)
    cost[width - len(lumps.index) :] = 1.0
    model = LinearModel(
        wide.matrix, wide.row_lower, wide.row_upper, cost, lower, upper, np.zeros(width, dtype=bool), (),
        np.full(width, -1),
    )  # fmt: skip
    found = Solver(model, options).lp()
    if not found.has_answer:
        return face
    least = max(found.objective, 0.0)
    if least <= SMALL:
        return without_losses(face, market, lumps)
    total = sparse.csc_matrix(cost[None, :])
    return replace(
        wide,
        matrix=sparse.vstack([wide.matrix, total], format="csc"),
        row_lower=np.append(wide.row_lower, -np.inf),
        row_upper=np.append(wide.row_upper, least),
    )
