"""The order book's welfare problem as one sparse model: a table of contents.

Steps, blocks, families, exclusive groups, complex orders, neighbours and lines meet in one balance row per place.
Rows of the balance come first, so the first multipliers are the prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from planner_models.linear import Assembler, Flow, LinearModel
from planner_models.orders.block import BLOCK, block_values, shape_of
from planner_models.orders.book import Book
from planner_models.orders.complex import ACTIVE, COMPLEX_MINIMUM, COMPLEX_STEP
from planner_models.orders.exclusive import GROUP
from planner_models.orders.linked import LINK
from planner_models.orders.network import BALANCE, FREE, LINE, NEIGHBOUR, ONE_WAY
from planner_models.orders.step import STEP, step_values
from planner_models.template import Floats, Ints

INFINITE = 1e30


@dataclass(frozen=True)
class BookModel:
    """The compiled model and where everything stands in it.

    ``level`` (levels), ``ratio`` and ``taken`` (blocks; -1 without decision), ``active`` (complexes), ``supplied``
    (complex rows), ``forward``/``reverse`` (lines, intervals), ``imported``/``exported`` (neighbours, intervals),
    ``balance`` (places; row numbers).
    """

    book: Book
    model: LinearModel
    level: Ints
    ratio: Ints
    taken: Ints
    active: Ints
    supplied: Ints
    forward: Ints
    reverse: Ints
    imported: Ints
    exported: Ints
    balance: Ints

    @cached_property
    def volume(self) -> Floats:
        """Lots that each column trades: orders count, neighbours and lines do not."""
        out = np.zeros(len(self.model.cost))
        out[self.level] = 1.0
        out[self.supplied] = 1.0
        if len(self.book.blocks):
            out[self.ratio] = self.book.blocks.total
        return out

    def flow(self, x: Floats) -> Floats:
        """Net flow at mid-line, lots (lines, intervals)."""
        return x[self.forward] - x[self.reverse]


def build_book(book: Book, one_way: npt.NDArray[np.bool_] | None = None) -> BookModel:
    """Stamp every family, then the balance of every place; lines decide a direction where ``one_way`` says so.

    ``one_way`` is (lines, intervals), nowhere if left out.
    """
    a = Assembler(1)
    flows: list[Flow] = []
    level = _steps(a, book, flows)
    ratio, taken = _blocks(a, book, flows)
    active, supplied = _complexes(a, book, flows)
    imported, exported = _neighbours(a, book, flows)
    forward, reverse = _lines(a, book, flows, one_way)
    first = a.height
    if book.places:
        a.stamp(BALANCE, "", range(book.places), {}, {"net": _sum(a, flows, book.places)})
    balance = np.arange(first, first + book.places)
    return BookModel(
        book, a.build(), level, ratio, taken, active, supplied, forward, reverse, imported, exported, balance
    )


def _sum(a: Assembler, flows: list[Flow], places: int) -> Flow:
    total = sparse.csr_matrix((places, a.width))
    for flow in flows:
        matrix = flow.matrix.copy()
        matrix.resize((places, a.width))
        total = total + matrix
    return Flow(total, np.zeros(places))


def _at(flow: Flow, rows: Ints, members: Ints, weight: Floats, height: int) -> Flow:
    """``flow`` of some members, times ``weight``, added up in ``rows``."""
    gather = sparse.csr_matrix((weight, (rows, members)), shape=(height, flow.matrix.shape[0]))
    return Flow(gather @ flow.matrix, gather @ flow.constant)


def _steps(a: Assembler, book: Book, flows: list[Flow]) -> Ints:
    levels = book.levels
    count = len(levels.place)
    if not count:
        return np.empty(0, dtype=np.int64)
    first = a.width
    delivered = a.stamp(STEP, "", range(count), step_values(levels))["delivered"]
    flows.append(_at(delivered, levels.place, np.arange(count), np.ones(count), book.places))
    return np.arange(first, first + count)


def _blocks(a: Assembler, book: Book, flows: list[Flow]) -> tuple[Ints, Ints]:
    """Columns of ratio and decision; then the links and groups between the ratios."""
    blocks = book.blocks
    ratio, taken = (np.full(len(blocks), -1, dtype=np.int64) for _ in range(2))
    if not len(blocks):
        return ratio, taken
    shapes = shape_of(blocks)
    parts, order = [], []
    for shape in sorted(set(shapes.tolist())):
        members = np.flatnonzero(shapes == shape)
        parts.append(a.stamp(BLOCK, shape, members.tolist(), block_values(blocks, members))["shared"])
        group = a.groups[-1]
        order.append(members)
        names = group.template.variables
        ratio[members] = group.columns("ratio" if "ratio" in names else "taken")[:, 0]
        if "taken" in names:
            taken[members] = group.columns("taken")[:, 0]
    shared = a.pick(parts, np.argsort(np.concatenate(order), kind="stable"))
    flows.append(_at(shared, blocks.place, blocks.of, blocks.sign[blocks.of] * blocks.quantity, book.places))
    _links(a, book, shared)
    _groups(a, book, shared)
    return ratio, taken


def _links(a: Assembler, book: Book, shared: Flow) -> None:
    child = np.flatnonzero(book.blocks.parent >= 0)
    if len(child):
        ones, k = np.ones(len(child)), len(child)
        sockets = {
            "child": _at(shared, np.arange(k), child, ones, k),
            "parent": _at(shared, np.arange(k), book.blocks.parent[child], ones, k),
        }
        a.stamp(LINK, "", child.tolist(), {}, sockets)


def _groups(a: Assembler, book: Book, shared: Flow) -> None:
    member = np.flatnonzero(book.blocks.group >= 0)
    if len(member):
        k = int(book.blocks.group.max()) + 1
        together = _at(shared, book.blocks.group[member], member, np.ones(len(member)), k)
        a.stamp(GROUP, "", range(k), {}, {"together": together})


def _complexes(a: Assembler, book: Book, flows: list[Flow]) -> tuple[Ints, Ints]:
    c = book.complexes
    none = np.empty(0, dtype=np.int64)
    if not len(c):
        return none, none
    k, m = len(c.of), len(c.minimum_of)
    first = a.width
    on = a.stamp(ACTIVE, "", c.id, {"fixed_cost": c.fixed_cost})["on"]
    active = np.arange(first, a.width)
    first = a.width
    values = {"price": c.price, "quantity": c.quantity}
    sockets = {"on": _at(on, np.arange(k), c.of, np.ones(k), k)}
    delivered = a.stamp(COMPLEX_STEP, "", range(k), values, sockets)["delivered"]
    supplied = np.arange(first, a.width)
    flows.append(_at(delivered, c.place, np.arange(k), np.ones(k), book.places))
    if m:
        cell = {(int(o), int(p)): i for i, (o, p) in enumerate(zip(c.minimum_of, c.minimum_place, strict=True))}
        where = np.array([cell.get((int(o), int(p)), -1) for o, p in zip(c.of, c.place, strict=True)])
        inside = np.flatnonzero(where >= 0)
        together = _at(delivered, where[inside], inside, np.ones(len(inside)), m)
        active_at = _at(on, np.arange(m), c.minimum_of, np.ones(m), m)
        a.stamp(COMPLEX_MINIMUM, "", range(m), {"minimum": c.minimum}, {"together": together, "on": active_at})
    return active, supplied


def _neighbours(a: Assembler, book: Book, flows: list[Flow]) -> tuple[Ints, Ints]:
    e, n = book.neighbours, book.intervals
    shape = (len(e.zone), n)
    if not len(e.zone):
        return np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    values = {
        "most_imported": np.minimum(e.import_limit.ravel(), INFINITE),
        "most_exported": np.minimum(e.export_limit.ravel(), INFINITE),
        "import_price": e.import_price.ravel(),
        "export_value": -e.export_price.ravel(),
    }
    count = len(e.zone) * n
    delivered = a.stamp(NEIGHBOUR, "", range(count), values)["delivered"]
    place = (e.zone[:, None] * n + np.arange(n)[None, :]).ravel()
    flows.append(_at(delivered, place, np.arange(count), np.ones(count), book.places))
    group = a.groups[-1]
    return group.columns("imported").reshape(shape), group.columns("exported").reshape(shape)


def _lines(a: Assembler, book: Book, flows: list[Flow], one_way: npt.NDArray[np.bool_] | None) -> tuple[Ints, Ints]:
    w, n = book.wires, book.intervals
    forward, reverse = (np.empty((len(w.id), n), dtype=np.int64) for _ in range(2))
    directed = np.zeros(forward.shape, dtype=bool) if one_way is None else one_way
    for kind, members in ((FREE, ~directed), (ONE_WAY, directed)):
        line, time = np.nonzero(members)
        count = len(line)
        if not count:
            continue
        half = w.loss_ratio[line] / 2
        values = {
            "most_forward": w.forward[line, time],
            "most_reverse": w.reverse[line, time],
            "arriving": 1 - half,
            "leaving": 1 + half,
        }
        ports = a.stamp(LINE, kind, range(count), values)
        for port, end in (("at_target", w.target), ("at_source", w.source)):
            flows.append(_at(ports[port], end[line] * n + time, np.arange(count), np.ones(count), book.places))
        group = a.groups[-1]
        forward[line, time] = group.columns("forward").ravel()
        reverse[line, time] = group.columns("reverse").ravel()
    return forward, reverse
