"""The only module that knows HiGHS.

A ``Solver`` holds one model in HiGHS; costs, bounds and row bounds change as arrays and the basis stays warm.
Every status is looked at: an answer is a value with what was proven about it, a refusal is a value too.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from enum import StrEnum

import highspy
import numpy as np
import numpy.typing as npt

from planner_models.linear import LinearModel
from planner_models.template import Floats, Ints

Status = StrEnum("Status", ["OPTIMAL", "INCUMBENT", "NO_ANSWER", "INFEASIBLE", "UNBOUNDED", "FAILED"])


CROSSED = 1e-9
DUAL, PRIMAL = 1, 4
"""HiGHS's simplex strategies: after a change of costs alone the last basis stays primal feasible."""


@dataclass(frozen=True)
class Options:
    """How to solve.  ``gap`` is relative; ``lp_solver`` is HiGHS's ``mip_lp_solver`` (choose, simplex, ipx)."""

    gap: float = 1e-6
    time_limit_s: float = 600.0
    seed: int = 1
    lp_solver: str = "choose"
    log: bool = False


@dataclass(frozen=True)
class Solution:
    """An answer or a refusal.

    ``x``: one number per column; ``bound``: proven lower bound of the objective; ``row_dual`` (d objective /
    d right-hand side) only for LPs.
    """

    status: Status
    x: Floats
    objective: float
    bound: float
    row_dual: Floats
    seconds: float

    @property
    def has_answer(self) -> bool:
        return self.status in (Status.OPTIMAL, Status.INCUMBENT)


class SolveError(RuntimeError):
    """HiGHS ended without an answer where one exists by construction: a bug or numerical trouble."""


class Solver:
    """One linear model inside HiGHS.  All arrays are in the model's own column numbers.

    Columns that the data fix (outside a vehicle's stay, at night) never reach HiGHS; crossed bounds do, to be refused.
    """

    def __init__(self, model: LinearModel, options: Options | None = None) -> None:
        self.model = model
        self.options = options or Options()
        movable = (model.lower < model.upper) | (model.lower > model.upper + CROSSED)
        self.kept = np.flatnonzero(movable)
        self.fixed = np.where(movable, 0.0, model.lower)
        self.offset = float(model.cost @ self.fixed)
        self.seconds = 0.0
        self._relaxed = True
        self._only_costs = False
        self._warm = False
        self.highs = highspy.Highs()
        self._set("output_flag", self.options.log)
        self._set("random_seed", self.options.seed)
        self._set("threads", _threads())
        self._pass()

    def _set(self, name: str, value: object) -> None:
        if self.highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise SolveError(f"HiGHS refused option {name} = {value}")

    def _pass(self) -> None:
        model = self.model
        matrix = model.matrix[:, self.kept].tocsc()
        shift = model.matrix @ self.fixed
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.kept), matrix.shape[0]
        lp.col_cost_ = model.cost[self.kept]
        lp.col_lower_, lp.col_upper_ = _infinite(model.lower[self.kept]), _infinite(model.upper[self.kept])
        lp.row_lower_, lp.row_upper_ = _infinite(model.row_lower - shift), _infinite(model.row_upper - shift)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = matrix.indptr.astype(np.int32)
        lp.a_matrix_.index_ = matrix.indices.astype(np.int32)
        lp.a_matrix_.value_ = matrix.data
        self.shift = shift
        if self.highs.passModel(lp) == highspy.HighsStatus.kError:
            raise SolveError("HiGHS refused the model")

    def set_cost(self, columns: Ints, cost: Floats) -> None:
        """Change objective coefficients of some columns (currency per unit of column)."""
        position, mine = self._positions(columns)
        self.offset += float(cost[~mine] @ self.fixed[columns[~mine]])
        self.highs.changeColsCost(int(mine.sum()), position[mine].astype(np.int32), cost[mine])

    def _positions(self, columns: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Where columns stand in HiGHS, and which of them reached it."""
        if not len(self.kept):
            return np.zeros(len(columns), dtype=np.int64), np.zeros(len(columns), dtype=bool)
        position = np.minimum(np.searchsorted(self.kept, columns), len(self.kept) - 1)
        return position, self.kept[position] == columns

    def set_bounds(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        """Change bounds of some columns; columns that the data fixed keep their value."""
        self._only_costs = False
        position, mine = self._positions(columns)
        self.highs.changeColsBounds(
            int(mine.sum()), position[mine].astype(np.int32), _infinite(lower[mine]), _infinite(upper[mine])
        )

    def set_rows(self, rows: Ints, lower: Floats, upper: Floats) -> None:
        """Change bounds of some rows."""
        self._only_costs = False
        for row, lo, up in zip(rows, lower - self.shift[rows], upper - self.shift[rows], strict=True):
            self.highs.changeRowBounds(int(row), float(max(lo, -highspy.kHighsInf)), float(min(up, highspy.kHighsInf)))

    def add_row(self, columns: Ints, entries: Floats, lower: float, upper: float) -> None:
        """One more row over movable columns: a cut."""
        position, mine = self._positions(columns)
        shift = float(entries[~mine] @ self.fixed[columns[~mine]])
        ends = (float(np.clip(end - shift, -highspy.kHighsInf, highspy.kHighsInf)) for end in (lower, upper))
        self._only_costs = False
        self.highs.addRow(*ends, int(mine.sum()), position[mine].astype(np.int32), entries[mine].astype(float))

    def lp(self, time_limit_s: float | None = None) -> Solution:
        """Solve the relaxation, warm from the last basis."""
        self._integrality(False)
        self._set("simplex_strategy", PRIMAL if self._only_costs else DUAL)
        found = self._twice(self.options.gap, time_limit_s)
        self._only_costs = found.status is Status.OPTIMAL
        return found

    def mip(
        self,
        gap: float | None = None,
        time_limit_s: float | None = None,
        start: Floats | None = None,
        tolerance: float = 0.0,
    ) -> Solution:
        """Solve with integers, from ``start`` if given, to a relative ``gap`` or an absolute ``tolerance``."""
        if not self.model.integer[self.kept].any():
            return self.lp(time_limit_s)
        self._integrality(True)
        self._only_costs = False
        self._set("simplex_strategy", DUAL)
        self._set("mip_abs_gap", max(tolerance, 1e-9))
        if start is not None:
            guess = highspy.HighsSolution()
            guess.col_value = list(start[self.kept])
            self.highs.setSolution(guess)
        return self._twice(self.options.gap if gap is None else gap, time_limit_s)

    def _twice(self, gap: float, time_limit_s: float | None) -> Solution:
        """Solve; a refusal from a warm start is only believed when it is repeated from a cold one."""
        found = self._run(gap, time_limit_s)
        if found.status in (Status.FAILED, Status.INFEASIBLE, Status.UNBOUNDED) and self._warm:
            self.highs.clearSolver()
            self._set("simplex_strategy", DUAL)
            found = self._run(gap, time_limit_s)
        self._warm = True
        return found

    def _integrality(self, wanted: bool) -> None:
        if self._relaxed != wanted:
            return
        integers = np.flatnonzero(self.model.integer[self.kept]).astype(np.int32)
        kind = highspy.HighsVarType.kInteger if wanted else highspy.HighsVarType.kContinuous
        if len(integers):
            self.highs.changeColsIntegrality(
                len(integers), integers, np.full(len(integers), kind.value, dtype=np.uint8)
            )
        self._relaxed = not wanted

    def _run(self, gap: float, time_limit_s: float | None) -> Solution:
        began = time.perf_counter()
        limit = self.options.time_limit_s if time_limit_s is None else time_limit_s
        self._set("mip_rel_gap", gap)
        self._set("mip_lp_solver", self.options.lp_solver)
        self._set("time_limit", self.highs.getRunTime() + max(limit, 0.01))
        called = self.highs.run()
        seconds = time.perf_counter() - began
        self.seconds += seconds
        if called == highspy.HighsStatus.kError:
            return self._refusal(Status.FAILED, seconds)
        return self._read(seconds)

    def _read(self, seconds: float) -> Solution:
        verdict = self.highs.getModelStatus()
        info = self.highs.getInfo()
        integer = not self._relaxed
        bad = {
            highspy.HighsModelStatus.kInfeasible: Status.INFEASIBLE,
            highspy.HighsModelStatus.kUnboundedOrInfeasible: Status.INFEASIBLE,
            highspy.HighsModelStatus.kUnbounded: Status.UNBOUNDED,
        }
        if verdict in bad:
            return self._refusal(bad[verdict], seconds)
        if verdict == highspy.HighsModelStatus.kOptimal:
            status = Status.OPTIMAL
        elif verdict in (
            highspy.HighsModelStatus.kTimeLimit,
            highspy.HighsModelStatus.kSolutionLimit,
            highspy.HighsModelStatus.kIterationLimit,
        ):
            feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
            if not feasible:
                bound = info.mip_dual_bound + self.offset if integer else -np.inf
                return replace(self._refusal(Status.NO_ANSWER, seconds), bound=bound)
            status = Status.INCUMBENT
        else:
            return self._refusal(Status.FAILED, seconds)
        return self._answer(status, info, seconds, integer)

    def _answer(self, status: Status, info: object, seconds: float, integer: bool) -> Solution:
        found = self.highs.getSolution()
        x = self.fixed.copy()
        x[self.kept] = np.array(found.col_value)
        objective = float(info.objective_function_value) + self.offset  # type: ignore[attr-defined]
        if integer:
            bound = float(info.mip_dual_bound) + self.offset  # type: ignore[attr-defined]
            return Solution(status, x, objective, min(bound, objective), np.empty(0), seconds)
        dual = np.array(found.row_dual)
        bound = objective if status is Status.OPTIMAL else -np.inf
        return Solution(status, x, objective, bound, dual, seconds)

    def _refusal(self, status: Status, seconds: float) -> Solution:
        return Solution(status, np.empty(0), np.inf, -np.inf, np.empty(0), seconds)


def _infinite(values: npt.ArrayLike) -> Floats:
    return np.clip(np.asarray(values, dtype=float), -highspy.kHighsInf, highspy.kHighsInf)


def _threads() -> int:
    """One thread a solver, fixed for the process: changing it between solves breaks HiGHS."""
    return int(os.environ.get("PLANNER_HIGHS_THREADS", "1"))
