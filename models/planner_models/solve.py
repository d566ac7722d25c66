"""The only module that knows HiGHS.

A ``Solver`` holds one model in HiGHS; costs, bounds and row bounds change as arrays and the basis stays warm.
Every status is looked at: an answer is a value with what was proven about it, a refusal is a value too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

from planner_models.linear import LinearModel
from planner_models.template import Floats, Ints

Status = StrEnum("Status", ["OPTIMAL", "INCUMBENT", "NO_ANSWER", "INFEASIBLE", "UNBOUNDED", "FAILED"])


CROSSED = 1e-9
MATTERS = 1e-7
"""HiGHS's own tolerances, of reduced costs and of rows: what sleeps may not be looser."""
COUNTED = 1e-6
SUB_MIPS = ("mip_heuristic_run_rins", "mip_heuristic_run_rens", "mip_heuristic_run_root_reduced_cost")
DUAL, PRIMAL = 1, 4
"""HiGHS's simplex strategies: after a change of costs alone the last basis stays primal feasible."""


@dataclass(frozen=True)
class Options:
    """How to solve.  ``gap`` is relative; ``lp_solver`` is HiGHS's ``mip_lp_solver`` (choose, simplex, ipx).

    ``plain``: take a problem with integers as it is written, without presolve and without solving smaller ones beside.
    ``wide``: relaxations have far more columns than rows, as those of order books; presolving them takes longer than
    solving them.
    ``presolved``: presolve even the small relaxation of a building; among equal answers it ends at another.
    """

    gap: float = 1e-6
    time_limit_s: float = 600.0
    seed: int = 1
    lp_solver: str = "choose"
    log: bool = False
    plain: bool = False
    wide: bool = False
    presolved: bool = False


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


@dataclass(frozen=True)
class Left:
    """What of a model is left out of HiGHS, as masks over its columns and rows.

    *Asleep* columns stand at 0, their lower bound, and asleep rows are not written, until the relaxation itself says
    that they matter (a negative reduced cost, a broken row): then they wake and it is solved again, so that the answer
    is that of the whole model.  *Implied* ones never matter to the relaxation; ``restore`` gives their values.
    """

    columns: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.bool_]
    implied_columns: npt.NDArray[np.bool_]
    implied_rows: npt.NDArray[np.bool_]
    restore: Callable[[Floats], None]


@dataclass(frozen=True)
class Standing:
    """Where a solver stood: what of the model was written, in HiGHS's order, moved bounds, and the basis."""

    columns: Ints
    rows: Ints
    moved: Ints
    lower: Floats
    upper: Floats
    faced: Floats
    basis: highspy.HighsBasis | None
    only_costs: bool


class Solver:
    """One linear model inside HiGHS.  All arrays are in the model's own column numbers.

    Columns that the data fix (outside a vehicle's stay, at night) and rows without any other never reach HiGHS;
    crossed bounds do, to be refused.  With ``left``, only ``lp`` may be asked.

    A ``resumable`` one begins every question from the basis of the last and remembers nothing else, so that another
    that goes on from where it is ``standing``, with a copy of its model, gives the same answers.
    """

    def __init__(
        self,
        model: LinearModel,
        options: Options | None = None,
        left: Left | None = None,
        resumable: bool = False,
        standing: Standing | None = None,
    ) -> None:
        self.model = model
        self.options = options or Options()
        movable = (model.lower < model.upper) | (model.lower > model.upper + CROSSED)
        self.fixed = np.where(movable, 0.0, model.lower)
        self.cost, self.lower, self.upper = model.cost.copy(), model.lower.copy(), model.upper.copy()
        self.seconds = 0.0
        self.resumable = resumable
        self._basis: highspy.HighsBasis | None = None
        self._relaxed = True
        self.faced = np.empty(0)
        """Room for the owner's note of the bounds it last put before the solver."""
        self._only_costs = False
        self._warm = False
        self._sleepers = None if left is None else _Sleepers(model, left, movable)
        written = movable if left is None else movable & ~left.columns & ~left.implied_columns
        self._number(np.flatnonzero(written), self._rows_written(movable, left))
        if standing is not None:
            self._stand(standing)
        self._open()

    def _open(self) -> None:
        """Put the model into a HiGHS of its own."""
        _greet()
        self.highs = highspy.Highs()
        self._options: dict[str, object] = {}
        self._set("output_flag", self.options.log)
        self._set("random_seed", self.options.seed)
        self._set("threads", _threads())
        for name in SUB_MIPS if self.options.plain else ():
            self._set(name, False)
        if self.resumable:  # scale factors would be remembered, and are not worth their time here
            self._set("simplex_scale_strategy", 0)
        self._pass()

    @property
    def standing(self) -> Standing:
        """All that the next question needs of those before it."""
        moved = np.flatnonzero((self.lower != self.model.lower) | (self.upper != self.model.upper))
        bounds = self.lower[moved], self.upper[moved]
        return Standing(self.kept, self.rows, moved, *bounds, self.faced, self._basis, self._only_costs)

    def _stand(self, standing: Standing) -> None:
        """Begin where a copy of the model stood."""
        self.lower[standing.moved], self.upper[standing.moved] = standing.lower, standing.upper
        self._basis, self.faced, self._only_costs = standing.basis, standing.faced, standing.only_costs
        self._warm = self._basis is not None
        self._number(standing.columns, standing.rows)
        if self._sleepers is not None:
            self._sleepers.leave(standing)

    def _enter(self) -> None:
        """Have nothing remembered but the basis, if resumable."""
        if not self.resumable:
            return
        if self._warm:
            self.highs.clearSolver()
        if self._basis is not None:
            self.highs.setBasis(self._basis)

    def _rows_written(self, movable: npt.NDArray[np.bool_], left: Left | None) -> Ints:
        """Rows with a movable entry, and those that the fixed columns break."""
        model = self.model
        self.shift = model.matrix @ self.fixed
        written = np.zeros(len(model.row_lower), dtype=bool)
        written[model.matrix.indices[np.repeat(movable, np.diff(model.matrix.indptr))]] = True
        written |= (self.shift < model.row_lower - CROSSED) | (self.shift > model.row_upper + CROSSED)
        if left is not None:
            written &= ~left.rows & ~left.implied_rows
        return np.flatnonzero(written)

    def _number(self, columns: Ints, rows: Ints) -> None:
        """Which columns and rows stand in HiGHS, in its order, and where each of the model's stands (-1: nowhere)."""
        self.kept, self.rows = columns, rows
        self._place = np.full(len(self.model.cost), -1, dtype=np.int32)
        self._place[columns] = np.arange(len(columns))
        self._row_place = np.full(len(self.model.row_lower), -1, dtype=np.int32)
        self._row_place[rows] = np.arange(len(rows))

    def _set(self, name: str, value: object) -> None:
        if self._options.get(name) == value:
            return
        if self.highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise SolveError(f"HiGHS refused option {name} = {value}")
        self._options[name] = value

    def _pass(self) -> None:
        model, rows = self.model, self.rows
        matrix = _cut(model.matrix, self.kept, self._row_place, len(rows))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
        lp.col_cost_ = self.cost[self.kept]
        lp.col_lower_, lp.col_upper_ = _infinite(self.lower[self.kept]), _infinite(self.upper[self.kept])
        lp.row_lower_ = _infinite(model.row_lower[rows] - self.shift[rows])
        lp.row_upper_ = _infinite(model.row_upper[rows] - self.shift[rows])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = matrix.indptr.astype(np.int32)
        lp.a_matrix_.index_ = matrix.indices.astype(np.int32)
        lp.a_matrix_.value_ = matrix.data
        if self.highs.passModel(lp) == highspy.HighsStatus.kError:
            raise SolveError("HiGHS refused the model")

    @property
    def offset(self) -> float:
        """Cost of the columns that the data fix."""
        return float((self.cost * self.fixed).sum())  # no BLAS: its threads are slower than this sum

    def set_cost(self, columns: Ints, cost: Floats) -> None:
        """Change objective coefficients of some columns (currency per unit of column)."""
        self.cost[columns] = cost
        position, mine = self._positions(columns)
        self.highs.changeColsCost(int(mine.sum()), position[mine], cost[mine])

    def _positions(self, columns: Ints) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Where columns stand in HiGHS, and which of them reached it."""
        position = self._place[columns]
        return position, position >= 0

    def set_bounds(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        """Change bounds of some columns; columns that the data fixed keep their value."""
        self._only_costs = False
        position, mine = self._positions(columns)
        movable = columns[mine]
        self.lower[movable], self.upper[movable] = lower[mine], upper[mine]
        self.highs.changeColsBounds(len(movable), position[mine], _infinite(lower[mine]), _infinite(upper[mine]))

    def set_rows(self, lower: Floats, upper: Floats) -> None:
        """Change the bounds of every row; each holds a movable column."""
        self._only_costs = False
        low, high = (_infinite(end[self.rows] - self.shift[self.rows]) for end in (lower, upper))
        self.highs.changeRowsBounds(len(self.rows), np.arange(len(self.rows), dtype=np.int32), low, high)

    def add_row(self, columns: Ints, entries: Floats, lower: float, upper: float) -> None:
        """One more row over movable columns: a cut."""
        position, mine = self._positions(columns)
        shift = float(entries[~mine] @ self.fixed[columns[~mine]])
        ends = (float(np.clip(end - shift, -highspy.kHighsInf, highspy.kHighsInf)) for end in (lower, upper))
        self._only_costs = False
        self.highs.addRow(*ends, int(mine.sum()), position[mine].astype(np.int32), entries[mine].astype(float))

    def lp(self, time_limit_s: float | None = None) -> Solution:
        """Solve the relaxation, warm from the last basis; what slept and turns out to matter wakes."""
        found = self._relaxation(time_limit_s)
        while self._sleepers is not None and (woken := self._sleepers.woken_by(found, self.cost)) is not None:
            self._wake(*woken)
            found = self._relaxation(time_limit_s)
        if self._sleepers is not None and found.has_answer:
            self._sleepers.left.restore(found.x)
        return found

    def _relaxation(self, time_limit_s: float | None) -> Solution:
        self._enter()
        self._integrality(False)
        self._set("simplex_strategy", PRIMAL if self._only_costs else DUAL)
        found = self._twice(self.options.gap, time_limit_s)
        self._only_costs = found.status is Status.OPTIMAL
        if self.resumable:
            self._basis = self.highs.getBasis() if self._only_costs else None
        return found

    def _wake(self, columns: Ints, rows: Ints) -> None:
        """Write columns and rows that were left out; the basis stays."""
        model, old = self.model, self.rows
        entering = _cut(model.matrix, columns, self._row_place, len(old))
        self.highs.addCols(
            len(columns),
            self.cost[columns],
            _infinite(model.lower[columns]),
            _infinite(model.upper[columns]),
            entering.nnz,
            entering.indptr[:-1].astype(np.int32),
            entering.indices.astype(np.int32),
            entering.data,
        )
        self._number(np.concatenate([self.kept, columns]), old)
        entering = model.matrix.tocsr()[rows][:, self.kept].tocsr()
        self.highs.addRows(
            len(rows),
            _infinite(model.row_lower[rows] - self.shift[rows]),
            _infinite(model.row_upper[rows] - self.shift[rows]),
            entering.nnz,
            entering.indptr[:-1].astype(np.int32),
            entering.indices.astype(np.int32),
            entering.data,
        )
        self._number(self.kept, np.concatenate([old, rows]))
        self._only_costs = self._only_costs and not len(rows)
        if self._basis is not None:
            self._basis = self.highs.getBasis()

    def mip(
        self,
        gap: float | None = None,
        time_limit_s: float | None = None,
        start: Floats | None = None,
        tolerance: float = 0.0,
        at_most: float = np.inf,
    ) -> Solution:
        """Solve with integers, from ``start`` if given, to a relative ``gap`` or an absolute ``tolerance``.

        Nobody looks for answers dearer than ``at_most``: where all are, it is INFEASIBLE.
        """
        if not self.model.integer[self.kept].any():
            return self._cheap(self.lp(time_limit_s), at_most)
        self._enter()
        self._integrality(True)
        self._only_costs = False
        self._set("simplex_strategy", DUAL)
        self._set("mip_abs_gap", max(tolerance, 1e-9))
        if start is not None:
            guess = highspy.HighsSolution()
            guess.col_value = list(start[self.kept])
            self.highs.setSolution(guess)
        wanted = self.options.gap if gap is None else gap
        if at_most < np.inf:
            return self._cheap(self._below(at_most, wanted, time_limit_s), at_most)
        found = self._twice(wanted, time_limit_s)
        if start is not None and found.has_answer and self._misread(found):
            self.highs.clearSolver()
            found = self._twice(wanted, time_limit_s)
        return found

    def _below(self, at_most: float, gap: float, time_limit_s: float | None) -> Solution:
        """One run that leaves every branch dearer than ``at_most``; finding none is an answer to believe."""
        self._set("objective_bound", at_most - self.offset)
        found = self._run(gap, time_limit_s)
        self._set("objective_bound", highspy.kHighsInf)
        self._warm = True
        return found

    def _cheap(self, found: Solution, at_most: float) -> Solution:
        """``found``, or that there is none: HiGHS may end with a dearer answer that it met on its way."""
        if found.status is Status.OPTIMAL and found.objective > at_most:
            return self._refusal(Status.INFEASIBLE, found.seconds)
        return found

    def _misread(self, found: Solution) -> bool:
        """Whether HiGHS counted a start at another cost than its own.

        HiGHS 1.16 may carry a start wrongly into the presolved model and then prune by a cost that nothing has.
        """
        cost = float((self.cost * found.x).sum())
        return abs(cost - found.objective) > COUNTED * max(1.0, abs(cost))

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

    @property
    def _is_small(self) -> bool:
        return self._sleepers is not None and not self.options.presolved

    def _run(self, gap: float, time_limit_s: float | None) -> Solution:
        began = time.perf_counter()
        limit = self.options.time_limit_s if time_limit_s is None else time_limit_s
        self._set("mip_rel_gap", gap)
        self._set("mip_lp_solver", self.options.lp_solver)
        # the relaxation of a building is small: presolving it takes as long as solving it
        plain = self._is_small or self.options.wide if self._relaxed else self.options.plain
        self._set("presolve", "off" if plain else "choose")
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
        if verdict in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty):
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
        spoken = np.array(found.row_dual)
        written = len(self.rows)
        dual = np.zeros(len(self.model.row_lower) + len(spoken) - written)  # cuts come last
        dual[self.rows], dual[len(self.model.row_lower) :] = spoken[:written], spoken[written:]
        bound = objective if status is Status.OPTIMAL else -np.inf
        return Solution(status, x, objective, bound, dual, seconds)

    def _refusal(self, status: Status, seconds: float) -> Solution:
        return Solution(status, np.empty(0), np.inf, -np.inf, np.empty(0), seconds)


class _Sleepers:
    """Columns and rows that sleep, and the part of the matrix in which they stand."""

    def __init__(self, model: LinearModel, left: Left, movable: npt.NDArray[np.bool_]) -> None:
        self.model, self.left = model, left
        self.columns = np.flatnonzero(left.columns & movable)
        self.rows = np.flatnonzero(left.rows)
        self.entering = model.transposed[self.columns]
        self.across = model.matrix.tocsr()[self.rows]

    def woken_by(self, found: Solution, cost: Floats) -> tuple[Ints, Ints] | None:
        """What must wake before the answer is one of the whole model; None if nothing must."""
        if found.status in (Status.INFEASIBLE, Status.UNBOUNDED, Status.FAILED):
            columns, rows = np.ones(len(self.columns), dtype=bool), np.ones(len(self.rows), dtype=bool)
        elif found.status is Status.OPTIMAL:
            self.left.restore(found.x)
            columns = cost[self.columns] - self.entering @ found.row_dual < -MATTERS
            activity = self.across @ found.x
            rows = activity > self.model.row_upper[self.rows] + MATTERS
            rows |= activity < self.model.row_lower[self.rows] - MATTERS
        else:
            return None
        if not columns.any() and not rows.any():
            return None
        woken = self.columns[columns], self.rows[rows]
        self._keep(~columns, ~rows)
        return woken

    def leave(self, standing: Standing) -> None:
        """Those who are awake where another copy stood are awake here as well."""
        self._keep(~np.isin(self.columns, standing.columns), ~np.isin(self.rows, standing.rows))

    def _keep(self, columns: npt.NDArray[np.bool_], rows: npt.NDArray[np.bool_]) -> None:
        self.columns, self.entering = self.columns[columns], self.entering[columns]
        self.rows, self.across = self.rows[rows], self.across[rows]


def _cut(matrix: sparse.csc_matrix, columns: Ints, row_place: npt.NDArray[np.int32], rows: int) -> sparse.csc_matrix:
    """Some columns of a matrix with its rows at ``row_place`` (-1: left out), places ascending in every column."""
    length = np.diff(matrix.indptr)[columns]
    begin = np.cumsum(length) - length
    at = np.arange(length.sum()) + np.repeat(matrix.indptr[columns] - begin, length)
    place, owner = row_place[matrix.indices[at]], np.repeat(np.arange(len(columns)), length)
    kept = np.flatnonzero(place >= 0)
    kept = kept[np.lexsort((place[kept], owner[kept]))]
    pointer = np.zeros(len(columns) + 1, dtype=np.int32)
    np.cumsum(np.bincount(owner[kept], minlength=len(columns)), out=pointer[1:])
    return sparse.csc_matrix((matrix.data[at[kept]], place[kept], pointer), shape=(rows, len(columns)))


@lru_cache(maxsize=1)
def _greet() -> None:
    """HiGHS prints its name when a process makes its first solver, before any option can silence it."""
    with suppress(OSError):
        before = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        try:
            highspy.Highs()
        finally:
            os.dup2(before, 1)
            os.close(before)
            os.close(nowhere)


def _infinite(values: npt.ArrayLike) -> Floats:
    return np.clip(np.asarray(values, dtype=float), -highspy.kHighsInf, highspy.kHighsInf)


def _threads() -> int:
    """One thread a solver, fixed for the process: changing it between solves breaks HiGHS."""
    return int(os.environ.get("PLANNER_HIGHS_THREADS", "1"))
