"""Small dense linear programs, the face of their optimal multipliers, and what can be asked of a face.

Everything is a ``Program``: maximise cost . x with row_low <= matrix x <= row_high and low <= x <= high.  The face of
the multipliers that prove a program's value is a program again (``optimal_multipliers``), built from strong duality
alone: no primal solution is classified with a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import clarabel
import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
INF = highspy.kHighsInf
HAIR = 1e-10
FAR, UNSET = 1e6, 1e4
"""How far a price may run where nothing holds it, and from where on it counts as held by nothing."""


@dataclass(frozen=True)
class Program:
    """Dense data of one linear program; infinite bounds are +-INF."""

    cost: Floats
    low: Floats
    high: Floats
    matrix: Floats
    row_low: Floats
    row_high: Floats

    def with_rows(self, matrix: Floats, low: Floats, high: Floats) -> Program:
        """The same program under more rows."""
        return replace(
            self,
            matrix=np.vstack([self.matrix, matrix]),
            row_low=np.concatenate([self.row_low, low]),
            row_high=np.concatenate([self.row_high, high]),
        )

    def with_columns(self, count: int, low: float, high: float) -> Program:
        """The same program with ``count`` more columns, in no row yet."""
        return replace(
            self,
            cost=np.concatenate([self.cost, np.zeros(count)]),
            low=np.concatenate([self.low, np.full(count, low)]),
            high=np.concatenate([self.high, np.full(count, high)]),
            matrix=np.hstack([self.matrix, np.zeros((len(self.matrix), count))]),
        )


@dataclass(frozen=True)
class Solved:
    """An optimal answer."""

    value: float
    x: Floats


class Solver:
    """One program in HiGHS, warm from one question to the next; None where there is no answer."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.highs = highspy.Highs()
        self.highs.silent()
        self.highs.setOptionValue("threads", 1)
        self.highs.setOptionValue("primal_feasibility_tolerance", 1e-9)
        self.highs.setOptionValue("dual_feasibility_tolerance", 1e-9)
        self.highs.passModel(_model(program))
        self.columns = np.arange(len(program.cost), dtype=np.int32)

    def solve(self) -> Solved | None:
        self.highs.run()
        status = self.highs.getModelStatus()
        if status == highspy.HighsModelStatus.kUnknown:  # a warm basis that leads nowhere: from scratch, as it stands
            self.highs.clearSolver()
            self.highs.setOptionValue("presolve", "off")
            self.highs.run()
            self.highs.setOptionValue("presolve", "choose")
            status = self.highs.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            return Solved(self.highs.getInfo().objective_function_value, np.array(self.highs.getSolution().col_value))
        assert status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible), status
        return None

    def bounded(self, low: Floats, high: Floats) -> Solved | None:
        """The best answer under other column bounds."""
        self.highs.changeColsBounds(len(self.columns), self.columns, low, high)
        return self.solve()

    def towards(self, cost: Floats) -> Solved | None:
        """The best answer under another cost."""
        self.highs.changeColsCost(len(self.columns), self.columns, cost)
        return self.solve()


def _model(program: Program) -> Any:
    columns = sparse.csc_matrix(program.matrix)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(program.cost), len(program.row_low)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.cost, program.low, program.high
    lp.row_lower_, lp.row_upper_ = program.row_low, program.row_high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = columns.indptr, columns.indices
    lp.a_matrix_.value_ = columns.data
    return lp


def best(program: Program) -> Solved | None:
    """The optimum of one program, or None if it has no feasible point."""
    return Solver(program).solve()


def optimal_multipliers(program: Program, value: float) -> Program:
    """All row multipliers that prove ``value`` (columns: rows of ``program``, then what bounds are worth).

    With y on the rows and h, l >= 0 on the column bounds: cost - matrix' y = h - l and
    rhs y + high h - low l = value.  Empty exactly when ``value`` is below the optimum.
    """
    rows, columns = program.matrix.shape
    equal = program.row_low == program.row_high
    capped = ~equal & (program.row_high < INF)
    assert np.all(equal | capped), "rows are equations or upper limits"
    finite_high, finite_low = program.high < INF, program.low > -INF
    low = np.concatenate([np.where(equal, -INF, 0.0), np.zeros(2 * columns)])
    high = np.full(rows + 2 * columns, INF)
    high[rows : rows + columns][~finite_high] = 0.0
    high[rows + columns :][~finite_low] = 0.0
    fixed = program.low == program.high  # one multiplier of either sign says it all
    low[rows : rows + columns][fixed] = -INF
    high[rows + columns :][fixed] = 0.0
    eye = np.eye(columns)
    proof = np.concatenate(
        [
            program.row_high,
            np.where(finite_high, program.high, 0.0),
            -np.where(finite_low, program.low, 0.0),
        ]
    )
    return Program(
        np.zeros(rows + 2 * columns),
        low,
        high,
        np.vstack([np.hstack([program.matrix.T, eye, -eye]), proof[None, :]]),
        np.concatenate([program.cost, [-INF]]),
        np.concatenate([program.cost, [value]]),
    )


def ranges(face: Program, columns: npt.NDArray[np.int64]) -> list[tuple[float | None, float | None]] | None:
    """(least, most) of each column over a face; None for an end that is open; None in all for an empty face."""
    low, high = face.low.copy(), face.high.copy()
    low[columns] = np.maximum(low[columns], -FAR)
    high[columns] = np.minimum(high[columns], FAR)
    solver = Solver(replace(face, low=low, high=high))
    if solver.solve() is None:
        return None
    found: list[tuple[float | None, float | None]] = []
    for column in columns:
        ends: list[float | None] = []
        for sign in (-1.0, 1.0):
            cost = np.zeros(len(face.cost))
            cost[column] = sign
            solved = solver.towards(cost)
            assert solved is not None
            end = solved.x[column]
            ends.append(None if abs(end) > UNSET else float(end))
        found.append((ends[0], ends[1]))
    return found


def projection(face: Program, columns: npt.NDArray[np.int64], point: Floats) -> Floats:
    """The columns' values at the point of a face nearest to ``point``."""
    n = len(face.cost)
    quadratic = np.zeros(n)
    quadratic[columns] = 1.0
    linear = np.zeros(n)
    linear[columns] = -point
    equal = face.row_low == face.row_high
    up, down = ~equal & (face.row_high < INF), ~equal & (face.row_low > -INF)
    high, low = face.high < INF, face.low > -INF
    eye = np.eye(n)
    unequal = np.vstack([face.matrix[up], -face.matrix[down], eye[high], -eye[low]])
    limits = np.concatenate([face.row_high[up], -face.row_low[down], face.high[high], -face.low[low]])
    limits += HAIR * (1 + np.abs(limits))  # a face without an interior is none for an interior-point method
    rows = sparse.csc_matrix(np.vstack([face.matrix[equal], unequal]))
    right = np.concatenate([face.row_low[equal], limits])
    cones = [clarabel.ZeroConeT(int(equal.sum())), clarabel.NonnegativeConeT(len(limits))]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    for tolerance in (1e-10, 1e-8, 1e-7):  # as fine as a face without an interior allows
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = tolerance
        weights = sparse.diags(quadratic, format="csc")
        solution = clarabel.DefaultSolver(weights, linear, rows, right, cones, settings).solve()
        if str(solution.status) == "Solved":
            break
    assert "Solved" in str(solution.status), solution.status
    return np.array(solution.x)[columns]
