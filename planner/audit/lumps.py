"""Blocks and complex orders of a run, each as one: what the order rows say and the acceptances give them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from planner.audit.series import rows_of
from planner.audit.table import Numbers, Wh

if TYPE_CHECKING:
    from planner.audit.market import Market

NANO = 1_000_000_000
NOISE_NANO = 1000


@dataclass(frozen=True)
class Lumps:
    """Blocks and complex orders by name: their rows in the acceptances, terms, and what they won (nano)."""

    names: tuple[str, ...]
    of: Wh  # per acceptance, -1 for steps
    block: npt.NDArray[np.bool_]
    sign: Wh  # +1 buys, as in Book
    minimum: Numbers
    parent: Wh
    group: tuple[str, ...]
    fixed_nano: Wh
    accepted: Wh
    quantity: Numbers
    own: Wh

    def upwards(self) -> list[int]:
        """Children before their parents."""
        depth = np.zeros(len(self.names), dtype=np.int64)
        above = self.parent.copy()
        for _ in range(len(self.names)):
            if not (above >= 0).any():
                break
            depth += above >= 0
            above = np.where(above >= 0, self.parent[above], -1)
        return [int(k) for k in np.argsort(-depth, kind="stable")]


def read_lumps(m: Market) -> Lumps:
    book, orders = m.book, m.orders
    lump = np.isin(book.kind, ("block", "complex"))
    names = tuple(sorted(set(book.ids[lump].tolist())))
    of = np.full(len(lump), -1, dtype=np.int64)
    of[lump] = rows_of(names, book.ids[lump])
    count, inside = len(names), np.flatnonzero(of >= 0)
    first = np.zeros(count, dtype=np.int64)
    first[of[inside][::-1]] = inside[::-1]
    row = book.order_row[first]
    parents, groups = (orders.labels(c)[row] for c in ("parent_order_id", "exclusive_group"))
    fixed = np.rint(orders.numbers("fixed_cost", 0.0)[row] * NANO).astype(np.int64)
    accepted, own = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.add.at(accepted, of[inside], book.accepted[inside])
    np.add.at(own, of[inside], (m.margin * book.accepted)[inside])
    return Lumps(
        names=names,
        of=of,
        block=book.kind[first] == "block",
        sign=book.sign[first],
        minimum=orders.numbers("min_acceptance_ratio", 1.0)[row],
        parent=rows_of(names, parents),
        group=tuple(map(str, groups)),
        fixed_nano=fixed,
        accepted=accepted,
        quantity=np.bincount(of[inside], book.quantity[inside], minlength=count).astype(float),
        own=own - np.where(accepted > 0, fixed, 0),
    )


def least_per_cell(m: Market) -> Iterator[tuple[tuple[str, int], float]]:
    """((complex order, interval), its minimum in Wh) wherever an order states one."""
    orders = m.orders
    least, t = orders.numbers("min_quantity_kwh", 0.0) * 1000, m.grid.index(orders)
    cells: dict[tuple[str, int], float] = {}
    ids = orders.text("order_id")
    for row in np.flatnonzero((least > 0) & (t >= 0)):
        key = (ids[row], int(t[row]))
        cells[key] = max(cells.get(key, 0.0), float(np.rint(least[row])))
    yield from cells.items()
