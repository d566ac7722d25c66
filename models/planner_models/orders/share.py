"""One answer among all that are worth the same: greatest volume, least flow squared, ties pro rata (rules 2 and 3).

Any optimal multipliers tell which columns may move without loss: those whose reduced cost is zero.  All else stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from planner_models.linear import LinearModel
from planner_models.orders.chooser import Answer
from planner_models.orders.model import BookModel
from planner_models.orders.prices import nearest
from planner_models.solve import Options, Solver
from planner_models.template import Floats, Ints

AT_THE_MONEY = 1e-6
SNAP = 1e-8


def share(market: BookModel, answer: Answer, options: Options) -> Floats:
    """The columns of the one answer that rules 2 and 3 choose."""
    model = market.model
    reduced = model.cost - model.matrix.T @ answer.dual
    free = (np.abs(reduced) <= AT_THE_MONEY) & (model.lower < model.upper) & ~model.integer
    columns = np.flatnonzero(free)
    if len(columns) < 2:
        return answer.x
    part = _Open(market, answer.x, columns, np.abs(answer.dual) > AT_THE_MONEY)
    volume = market.volume[columns]
    part = part.most(volume, options)
    part = part.least_flow(market)
    return part.pro_rata(market)


@dataclass(frozen=True)
class _Open:
    """The columns still open, the rows they must keep, and where they stand."""

    market: BookModel
    x: Floats
    columns: Ints
    tight: np.ndarray
    extra: sparse.csr_matrix | None = None
    extra_value: Floats | None = None

    def _rows(self) -> tuple[sparse.csr_matrix, Floats, Floats]:
        model = self.market.model
        open_part = model.matrix[:, self.columns]
        rows = np.unique(open_part.indices)
        open_part = open_part.tocsr()[rows]
        rest = model.matrix.tocsr()[rows] @ self.x - open_part @ self.x[self.columns]
        low, high = model.row_lower[rows] - rest, model.row_upper[rows] - rest
        now = open_part @ self.x[self.columns]
        # a row whose multiplier is not zero is worth money: it stays where it is
        tight = self.tight[rows]
        low, high = np.where(tight, now, np.minimum(low, now)), np.where(tight, now, np.maximum(high, now))
        if self.extra is None or self.extra_value is None:
            return open_part, low, high
        return (
            sparse.vstack([open_part, self.extra], format="csr"),
            np.concatenate([low, self.extra_value]),
            np.concatenate([high, self.extra_value]),
        )

    def _ends(self) -> tuple[Floats, Floats]:
        model = self.market.model
        return model.lower[self.columns], model.upper[self.columns]

    def _moved(self, values: Floats) -> Floats:
        x = self.x.copy()
        low, high = self._ends()
        values = np.where(np.abs(values - low) < SNAP, low, np.where(np.abs(values - high) < SNAP, high, values))
        x[self.columns] = np.clip(values, low, high)
        return x

    def most(self, weight: Floats, options: Options) -> _Open:
        """Greatest ``weight`` times columns; kept as a row from here on."""
        if not weight.any():
            return self
        matrix, row_low, row_high = self._rows()
        low, high = self._ends()
        width = len(self.columns)
        model = LinearModel(
            matrix.tocsc(), row_low, row_high, -weight, low, high, np.zeros(width, dtype=bool), (),
            np.full(width, -1),
        )  # fmt: skip
        found = Solver(model, options).lp()
        x = self._moved(found.x) if found.has_answer else self.x
        total = np.array([float((weight * x[self.columns]).sum())])
        return _Open(self.market, x, self.columns, self.tight, sparse.csr_matrix(weight[None, :]), total)

    def least_flow(self, market: BookModel) -> _Open:
        """Smallest sum of squared flows; the flows are fixed from here on."""
        position = np.full(len(market.model.cost), -1, dtype=np.int64)
        position[self.columns] = np.arange(len(self.columns))
        forward, reverse = position[market.forward.ravel()], position[market.reverse.ravel()]
        moving = np.flatnonzero((forward >= 0) | (reverse >= 0))
        if not len(moving):
            return self
        net = self._net(forward[moving], reverse[moving])
        fixed = market.flow(self.x).ravel()[moving] - net @ self.x[self.columns]
        x = self._least(net, -fixed)
        flows = net @ x[self.columns]
        rows = net if self.extra is None else sparse.vstack([self.extra, net], format="csr")
        kept = flows if self.extra_value is None else np.concatenate([self.extra_value, flows])
        return _Open(market, x, self.columns, self.tight, rows, kept)

    def _net(self, forward: Ints, reverse: Ints) -> sparse.csr_matrix:
        k = np.arange(len(forward))
        rows = np.concatenate([k[forward >= 0], k[reverse >= 0]])
        columns = np.concatenate([forward[forward >= 0], reverse[reverse >= 0]])
        signs = np.concatenate([np.ones(int((forward >= 0).sum())), -np.ones(int((reverse >= 0).sum()))])
        return sparse.csr_matrix((signs, (rows, columns)), shape=(len(forward), len(self.columns)))

    def _least(self, form: sparse.csr_matrix, target: Floats) -> Floats:
        """Columns with the least squared distance of ``form @ columns`` from ``target``."""
        matrix, row_low, row_high = self._rows()
        low, high = self._ends()
        k, width = form.shape
        # one variable per form, so that the quadratic stays diagonal
        whole = sparse.bmat([[matrix, None], [sparse.identity(width), None], [form, -sparse.identity(k)]], format="csr")
        lower = np.concatenate([row_low, low, np.zeros(k)])
        upper = np.concatenate([row_high, high, np.zeros(k)])
        weight = np.concatenate([np.zeros(width), np.ones(k)])
        found = nearest(whole, lower, upper, weight, np.concatenate([np.zeros(width), target]))
        return self.x if found is None else self._moved(found[:width])

    def pro_rata(self, market: BookModel) -> Floats:
        """What is still open (steps beside complex steps or blocks of one price) in equal ratios."""
        model = market.model
        size = np.zeros(len(model.cost))
        size[market.level] = market.book.levels.quantity
        size[market.supplied] = market.book.complexes.quantity
        if len(market.book.blocks):
            size[market.ratio] = market.book.blocks.total
        orders = np.flatnonzero(size[self.columns] > 0)
        if len(orders) < 2 or not self._crowded(orders):
            return self.x
        share_of = np.sqrt(market.volume[self.columns[orders]] / np.maximum(size[self.columns[orders]], 1e-12))
        share_of = np.where(np.isin(self.columns[orders], market.ratio), np.sqrt(size[self.columns[orders]]), share_of)
        form = sparse.csr_matrix((share_of, (np.arange(len(orders)), orders)), shape=(len(orders), len(self.columns)))
        return self._least(form, np.zeros(len(orders)))

    def _crowded(self, orders: Ints) -> bool:
        """Whether two open orders of one side meet in a place."""
        part = self.market.model.matrix[:, self.columns[orders]].tocsr()[self.market.balance]
        return bool((((part > 0).sum(axis=1) > 1) | ((part < 0).sum(axis=1) > 1)).any())
