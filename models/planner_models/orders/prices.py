"""One price per place from a face: ends, middle, projection; closed forms wherever nothing but lines couples prices.

Rows over two prices of opposite sign (lines) make the face a lattice: bounds passed along them to the fixpoint are the
exact ends, and the middle of the least and the greatest point lies in the face.  Rows that no point of the box can
violate are dropped; only what is left (blocks, families, complex orders that bind) needs a linear or quadratic program,
component by component.
"""

from __future__ import annotations

from dataclasses import dataclass

import clarabel
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from planner_models.linear import LinearModel
from planner_models.pricing import Face, tighten
from planner_models.solve import Options, Solver
from planner_models.template import Floats, Ints

HOLDS = 1e-7
SAME = 1e-9
STILL = 1e-11
ROUNDS = 10_000


@dataclass(frozen=True)
class PlacePrices:
    """Per place: the ends over the face and the published point; infinite ends are set by nothing.

    ``supported`` is False where no price supports the answer (then the point is the middle).
    """

    low: Floats
    high: Floats
    point: Floats
    supported: bool


def place_prices(face: Face, rows: Ints, floor: float, cap: float, options: Options) -> PlacePrices:
    """Ends, middles and projection of the multipliers of ``rows`` over ``face`` within floor and cap."""
    face = tighten(face)
    _uncross(face)
    whole = np.full(face.matrix.shape[1], False)
    whole[rows] = True
    limits = np.where(whole, floor, -np.inf), np.where(whole, cap, np.inf)
    box = _Box(np.maximum(face.lower, limits[0]), np.minimum(face.upper, limits[1]))
    matrix = face.matrix.tocsr()
    lattice = _two_of_opposite_sign(matrix)
    box = propagate(matrix[lattice], face.row_lower[lattice], face.row_upper[lattice], box)
    free = propagate(
        matrix[lattice], face.row_lower[lattice], face.row_upper[lattice], _Box(face.lower.copy(), face.upper.copy())
    )
    low, high, point = free.low.copy(), free.high.copy(), np.full(len(box.low), np.nan)
    kept = np.flatnonzero(_may_fail(matrix, face.row_lower, face.row_upper, box))
    binding = kept[~lattice[kept]]
    supported = bool((box.low <= box.high + HOLDS).all())
    coupling = np.union1d(kept, np.flatnonzero(lattice))
    face = Face(matrix[coupling].tocsc(), face.row_lower[coupling], face.row_upper[coupling], face.lower, face.upper)
    matrix, binding = matrix[coupling], np.searchsorted(coupling, binding)
    labels = _components(matrix)
    for label in np.unique(labels[_touched(matrix, binding)]):
        members = np.flatnonzero(labels == label)
        part = _Part(face, matrix, members, box, free, options)
        supported &= part.ends(low, high, whole)
    middle = middles(low, high, floor, cap)
    point[:] = middle
    for members in _unsatisfied(matrix, face, middle, labels, whole):
        part = _Part(face, matrix, members, box, free, options)
        set_by_orders = whole & ((low > -np.inf) | (high < np.inf))
        found = part.project(np.where(set_by_orders, middle, np.nan)[members])
        if found is None:
            supported = False
        else:
            point[members] = found
    return PlacePrices(low[rows], high[rows], point[rows], supported)


def lattice_ends(face: Face) -> tuple[Floats, Floats]:
    """Least and greatest multipliers of a face whose rows are bounds and pairs of opposite sign alone."""
    face = tighten(face)
    _uncross(face)
    box = propagate(face.matrix.tocsr(), face.row_lower, face.row_upper, _Box(face.lower, face.upper))
    return box.low, box.high


def middles(low: Floats, high: Floats, floor: float, cap: float) -> Floats:
    """Midpoints; an end that nothing sets is replaced by the other; where neither is set the nearest to zero."""
    low_set, high_set = low > -np.inf, high < np.inf
    middle = np.where(low_set & high_set, (np.where(low_set, low, 0) + np.where(high_set, high, 0)) / 2, 0.0)
    middle = np.where(low_set & ~high_set, low, np.where(high_set & ~low_set, high, middle))
    return np.clip(middle, floor, cap)


@dataclass
class _Box:
    low: Floats
    high: Floats


def _uncross(face: Face) -> None:
    crossed = face.lower > face.upper
    middle = (face.lower[crossed] + face.upper[crossed]) / 2
    face.lower[crossed], face.upper[crossed] = middle, middle


def _two_of_opposite_sign(matrix: sparse.csr_matrix) -> npt.NDArray[np.bool_]:
    count = np.diff(matrix.indptr)
    signs = np.asarray(matrix.sign().sum(axis=1)).ravel()
    return (count == 2) & (signs == 0)


def propagate(matrix: sparse.csr_matrix, row_low: Floats, row_high: Floats, box: _Box) -> _Box:
    """Bounds passed along rows ``a y_i - b y_j`` until nothing moves: least and greatest point of the lattice."""
    if not matrix.shape[0]:
        return box
    entries, columns = matrix.data.reshape(-1, 2), matrix.indices.reshape(-1, 2)
    up = np.argmax(entries, axis=1)
    k = np.arange(len(up))
    i, j, a, b = columns[k, up], columns[k, 1 - up], entries[k, up], -entries[k, 1 - up]
    low, high = box.low.copy(), box.high.copy()
    held = _never_negative(i, j, a, b, row_low, row_high)
    low[held] = np.maximum(low[held], 0.0)
    for _ in range(ROUNDS):
        before = low.copy(), high.copy()
        # row_low <= a y_i - b y_j <= row_high
        np.maximum.at(low, i, (row_low + b * low[j]) / a)
        np.minimum.at(high, i, (row_high + b * high[j]) / a)
        np.maximum.at(low, j, (a * low[i] - row_high) / b)
        np.minimum.at(high, j, (a * high[i] - row_low) / b)
        if _still(before[0], low) and _still(before[1], high):
            break
    crossed = (low > high) & (low - high < HOLDS)
    low[crossed] = high[crossed] = (low[crossed] + high[crossed]) / 2
    return _Box(low, high)


def _still(before: Floats, after: Floats) -> bool:
    """Whether bounds moved by less than the last digits of a price."""
    with np.errstate(invalid="ignore"):
        return bool(((before == after) | (np.abs(before - after) <= STILL)).all())


def _never_negative(i: Ints, j: Ints, a: Floats, b: Floats, row_low: Floats, row_high: Floats) -> Ints:
    """Multipliers with ``y_i <= g y_j`` and ``y_j <= h y_i``, g h > 1: an idle line with losses (below zero it would
    burn energy).  Passing bounds along the two rows would only creep to it."""
    under, over = np.flatnonzero(row_high == 0), np.flatnonzero(row_low == 0)
    edges: dict[tuple[int, int], float] = {}
    for u, v, gain in (
        *zip(i[under].tolist(), j[under].tolist(), (b[under] / a[under]).tolist(), strict=True),
        *zip(j[over].tolist(), i[over].tolist(), (a[over] / b[over]).tolist(), strict=True),
    ):
        edges[u, v] = min(gain, edges.get((u, v), np.inf))
    return np.array([u for (u, v), gain in edges.items() if gain * edges.get((v, u), 0.0) > 1 + HOLDS], dtype=np.int64)


def _may_fail(matrix: sparse.csr_matrix, row_low: Floats, row_high: Floats, box: _Box) -> npt.NDArray[np.bool_]:
    """Rows that some point of the box violates."""
    plus, minus = matrix.maximum(0), (-matrix).maximum(0)

    def reach(first: Floats, second: Floats, open_end: float) -> Floats:
        finite = np.isfinite(first), np.isfinite(second)
        value = plus @ np.where(finite[0], first, 0.0) - minus @ np.where(finite[1], second, 0.0)
        opened = plus @ (~finite[0]).astype(float) + minus @ (~finite[1]).astype(float) > 0
        return np.where(opened, open_end, value)

    slack = HOLDS * (1 + np.abs(plus).max(axis=1).toarray().ravel()) if matrix.shape[0] else 0.0
    least, most = reach(box.low, box.high, -np.inf), reach(box.high, box.low, np.inf)
    return (least < row_low - slack) | (most > row_high + slack)


def _touched(matrix: sparse.csr_matrix, rows: Ints) -> Ints:
    return np.unique(matrix[rows].indices)


def _components(matrix: sparse.csr_matrix) -> Ints:
    """A number for every multiplier; rows couple what they touch."""
    height, width = matrix.shape
    if not height:
        return np.arange(width)
    edges = sparse.bmat([[None, matrix.T], [matrix, None]], format="csr")
    return connected_components(edges, directed=False)[1][:width]


def _unsatisfied(
    matrix: sparse.csr_matrix, face: Face, middle: Floats, labels: Ints, priced: npt.NDArray[np.bool_]
) -> list[Ints]:
    """Components whose middle is no point of the face, or that hold multipliers other than prices."""
    value = matrix @ middle
    slack = HOLDS * (1 + np.abs(value))
    rows = np.flatnonzero((value < face.row_lower - slack) | (value > face.row_upper + slack))
    bad = np.unique(labels[_touched(matrix, rows)])
    return [np.flatnonzero(labels == label) for label in bad]


class _Part:
    """One component of a face: its rows over its own members."""

    def __init__(
        self, face: Face, matrix: sparse.csr_matrix, members: Ints, box: _Box, free: _Box, options: Options
    ) -> None:
        rows = np.unique(matrix[:, members].tocsc().indices)
        self.members, self.options = members, options
        self.matrix = matrix[rows][:, members]
        self.row_lower, self.row_upper = face.row_lower[rows], face.row_upper[rows]
        self.low, self.high = box.low[members], box.high[members]
        self.own_low, self.own_high = face.lower[members], face.upper[members]

    def ends(self, low: Floats, high: Floats, priced: npt.NDArray[np.bool_]) -> bool:
        """Least and greatest value of each price over the face alone: floor and cap are no order's word, so an end
        that only they would stop, of this price or of one coupled to it, is open."""
        if not Solver(self._model(self.low, self.high), self.options).lp().has_answer:
            return False
        solver = Solver(self._model(self.own_low, self.own_high), self.options)
        for k, member in enumerate(self.members):
            if not priced[member] or self.high[k] - self.low[k] <= SAME:
                continue
            one = np.array([k])
            for out, sign in ((low, 1.0), (high, -1.0)):
                solver.set_cost(one, np.array([sign]))
                found = solver.lp()
                solver.set_cost(one, np.array([0.0]))
                out[member] = found.x[k] if found.has_answer else -np.inf * sign
        return True

    def _model(self, lower: Floats, upper: Floats) -> LinearModel:
        width = len(self.members)
        return LinearModel(
            self.matrix.tocsc(), self.row_lower, self.row_upper, np.zeros(width), lower, upper,
            np.zeros(width, dtype=bool), (), np.full(width, -1),
        )  # fmt: skip

    def project(self, target: Floats) -> Floats | None:
        """The point of the component nearest to ``target`` (NaN: no wish)."""
        width = len(self.members)
        wish = ~np.isnan(target)
        weight = np.where(wish, 1.0, 1e-10)
        whole = sparse.vstack([self.matrix, sparse.identity(width)], format="csr")
        low = np.concatenate([self.row_lower, self.low])
        high = np.concatenate([self.row_upper, self.high])
        return nearest(whole, low, high, weight, np.where(wish, target, 0.0))


def nearest(rows: sparse.csr_matrix, low: Floats, high: Floats, weight: Floats, target: Floats) -> Floats | None:
    """min sum of weight (y - target)^2 over low <= rows y <= high; None where Clarabel finds no point."""
    size = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    size[size == 0] = 1.0
    rows = sparse.diags(1 / size) @ rows
    low, high = low / size, high / size
    same = np.isfinite(low) & (high - low <= SAME)
    above, below = np.isfinite(high) & ~same, np.isfinite(low) & ~same
    stacked = sparse.vstack([rows[same], rows[above], -rows[below]], format="csc")
    right = np.concatenate([(low[same] + high[same]) / 2, high[above], -low[below]])
    cones = [clarabel.ZeroConeT(int(same.sum())), clarabel.NonnegativeConeT(len(right) - int(same.sum()))]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    quadratic = sparse.diags(weight, format="csc")
    found = clarabel.DefaultSolver(quadratic, -weight * target, stacked, right, cones, settings).solve()
    good = (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved)
    return np.array(found.x) if found.status in good else None
