"""Prices of a cleared model: the face of multipliers that support it, each price's range, one point of the face.

With the decisions x given, a multiplier vector y supports them if every column's reduced cost has the sign its
value demands and every slack row's multiplier is zero: complementary slackness, a polyhedron in y.  Integers are
either fixed (``fixed_integers``: their reduced costs are free) or relaxed (``convex_hull`` of the relaxation).

Source of the rule: contract 2, rule 4: range of each price over the face, midpoints, Euclidean projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import clarabel
import numpy as np
import numpy.typing as npt
from scipy import sparse

from planner_models.linear import LinearModel
from planner_models.solve import Options, Solution, Solver
from planner_models.template import Floats, Ints

TOUCH = 1e-6
PINNED = 1e-9


@dataclass(frozen=True)
class Face:
    """Supporting multipliers: ``lower <= y <= upper`` and ``row_lower <= matrix y <= row_upper``."""

    matrix: sparse.csc_matrix
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class PriceRange:
    """Per priced row, in multiplier units: the ends over the face, the published point, ends no decision sets."""

    low: Floats
    high: Floats
    point: Floats
    supported: bool


def supporting_face(model: LinearModel, x: Floats, fixed_integers: bool) -> Face:
    """Complementary slackness at ``x`` as a polyhedron in the row multipliers."""
    activity = model.matrix @ x
    at_low = activity - model.row_lower <= TOUCH * (1 + np.abs(activity))
    at_high = model.row_upper - activity <= TOUCH * (1 + np.abs(activity))
    lower = np.where(at_high, -np.inf, 0.0)
    upper = np.where(at_low, np.inf, 0.0)
    movable = model.lower < model.upper
    if fixed_integers:
        movable &= ~model.integer
    columns = np.flatnonzero(movable)
    value = x[columns]
    low_end = value - model.lower[columns] <= TOUCH * (1 + np.abs(value))
    high_end = model.upper[columns] - value <= TOUCH * (1 + np.abs(value))
    cost = model.cost[columns]
    # reduced cost r = c - A'y: r >= 0 at the lower end, r <= 0 at the upper end
    row_upper = np.where(high_end & ~low_end, np.inf, cost)
    row_lower = np.where(low_end & ~high_end, -np.inf, cost)
    both = low_end & high_end
    row_upper[both], row_lower[both] = np.inf, -np.inf
    return Face(model.matrix[:, columns].T.tocsc(), row_lower, row_upper, lower, upper)


def tighten(face: Face) -> Face:
    """Rows with a single entry become bounds of their multiplier."""
    rows = face.matrix.tocsr()
    single = np.flatnonzero(np.diff(rows.indptr) == 1)
    lower, upper = face.lower.copy(), face.upper.copy()
    position = rows.indptr[single]
    who, entry = rows.indices[position], rows.data[position]
    a, b = face.row_lower[single] / entry, face.row_upper[single] / entry
    np.maximum.at(lower, who, np.minimum(a, b))
    np.minimum.at(upper, who, np.maximum(a, b))
    rest = np.flatnonzero(np.diff(rows.indptr) > 1)
    return Face(rows[rest].tocsc(), face.row_lower[rest], face.row_upper[rest], lower, upper)


@dataclass(frozen=True)
class Claim:
    """A participant's loss as a function of the multipliers: ``constant + slope . y``, made whole where positive."""

    slope: Floats
    constant: float


def least_make_whole(face: Face, claims: Sequence[Claim], options: Options) -> Face:
    """The part of the face where the claims' losses add up to the least (contract 2, rule 4, fixed_integers)."""
    if not claims:
        return face
    k, m = len(claims), face.matrix.shape[1]
    slopes = sparse.csr_matrix(np.stack([c.slope for c in claims]))
    paid = sparse.identity(k)
    matrix = sparse.bmat([[face.matrix, None], [-slopes, paid]], format="csc")
    constants = np.array([c.constant for c in claims])
    wide = Face(
        matrix,
        np.concatenate([face.row_lower, constants]),
        np.concatenate([face.row_upper, np.full(k, np.inf)]),
        np.concatenate([face.lower, np.zeros(k)]),
        np.concatenate([face.upper, np.full(k, np.inf)]),
    )
    cost = np.concatenate([np.zeros(m), np.ones(k)])
    found = _FaceSolver(wide, options).least(cost)
    if not found.has_answer:
        return face
    total = sparse.csc_matrix(cost[None, :])
    return replace(
        wide,
        matrix=sparse.vstack([wide.matrix, total], format="csc"),
        row_lower=np.append(wide.row_lower, -np.inf),
        row_upper=np.append(wide.row_upper, found.objective),
    )


def price_range(face: Face, rows: Ints, options: Options) -> PriceRange:
    """Ends of each priced multiplier over the face, and the projection of the midpoints onto it."""
    face = tighten(face)
    # numerical slack of the primal may cross bounds by a hair
    crossed = face.lower > face.upper
    middle = (face.lower[crossed] + face.upper[crossed]) / 2
    face.lower[crossed], face.upper[crossed] = middle, middle
    low, high = face.lower[rows].copy(), face.upper[rows].copy()
    open_rows = np.flatnonzero(high - low > PINNED)
    solver = _FaceSolver(face, options)
    for k in open_rows:
        low[k] = solver.extreme(int(rows[k]), 1.0, low[k])
        high[k] = solver.extreme(int(rows[k]), -1.0, high[k])
    middle = _middle(low, high)
    point = _project(face, rows, middle, solver)
    return PriceRange(low, high, middle if point is None else point, point is not None)


def _middle(low: Floats, high: Floats) -> Floats:
    """Midpoints; an end that is open is replaced by the other."""
    low_set, high_set = np.isfinite(low), np.isfinite(high)
    return np.where(
        low_set & high_set,
        (np.where(low_set, low, 0) + np.where(high_set, high, 0)) / 2,
        np.where(low_set, low, np.where(high_set, high, 0.0)),
    )


class _FaceSolver:
    """Linear programs over one face, warm from one to the next."""

    def __init__(self, face: Face, options: Options) -> None:
        self.face = face
        model = LinearModel(
            matrix=face.matrix,
            row_lower=face.row_lower,
            row_upper=face.row_upper,
            cost=np.zeros(face.matrix.shape[1]),
            lower=face.lower,
            upper=face.upper,
            integer=np.zeros(face.matrix.shape[1], dtype=bool),
            groups=(),
            column_interval=np.full(face.matrix.shape[1], -1),
        )
        self.model = model
        self.solver: Solver | None = None
        self.options = options

    def extreme(self, row: int, sign: float, fallback: float) -> float:
        """min (sign 1) or max (sign -1) of a multiplier; ``fallback`` where the face is open or numerically empty."""
        if self.solver is None:
            self.solver = Solver(self.model, replace(self.options, time_limit_s=60.0))
        self.solver.set_cost(np.array([row]), np.array([sign]))
        found = self.solver.lp()
        self.solver.set_cost(np.array([row]), np.array([0.0]))
        return float(found.x[row]) if found.has_answer else fallback

    def least(self, cost: Floats) -> Solution:
        """The face's least ``cost . y``."""
        return Solver(replace(self.model, cost=cost), replace(self.options, time_limit_s=60.0)).lp()

    def holds(self, rows: Ints, values: Floats) -> bool:
        """Whether the face has a point with these multipliers in these rows."""
        lower, upper = self.face.lower.copy(), self.face.upper.copy()
        lower[rows], upper[rows] = values - PINNED, values + PINNED
        found = Solver(replace(self.model, lower=lower, upper=upper), replace(self.options, time_limit_s=60.0)).lp()
        return found.has_answer


def _project(face: Face, rows: Ints, middle: Floats, solver: _FaceSolver) -> Floats | None:
    """The face's point nearest to the midpoints in the priced rows; None where the solver finds none."""
    if np.all(face.upper[rows] - face.lower[rows] <= PINNED):
        return middle
    if solver.holds(rows, middle):
        return middle
    m = face.matrix.shape[1]
    weight = np.full(m, 1e-10)
    weight[rows] = 1.0
    target = np.zeros(m)
    target[rows] = -middle
    stacked, right, equal = _inequalities(face)
    cones = [clarabel.ZeroConeT(equal), clarabel.NonnegativeConeT(len(right) - equal)]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    quadratic = sparse.diags(weight, format="csc")
    found = clarabel.DefaultSolver(quadratic, target, stacked, right, cones, settings).solve()
    good = (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved)
    return np.array(found.x)[rows] if found.status in good else None


def _inequalities(face: Face) -> tuple[sparse.csc_matrix, Floats, int]:
    """The face as ``stacked y + s = right`` with the first ``equal`` slacks zero, the others nonnegative."""
    eye = sparse.identity(face.matrix.shape[1], format="csr")
    whole = sparse.vstack([face.matrix.tocsr(), eye], format="csr")
    low = np.concatenate([face.row_lower, face.lower])
    high = np.concatenate([face.row_upper, face.upper])
    same: npt.NDArray[np.bool_] = np.isfinite(low) & (high - low <= PINNED)
    above, below = np.isfinite(high) & ~same, np.isfinite(low) & ~same
    stacked = sparse.vstack([whole[same], whole[above], -whole[below]], format="csc")
    return stacked, np.concatenate([low[same], high[above], -low[below]]), int(same.sum())
