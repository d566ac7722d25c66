"""The whole city in one MILP: the reference that the rounds are held against.

Every building's columns beside the marketplace's, their positions substituted into its sockets.  Where nothing
couples intervals (no storage, stays or runs) the model falls apart and is solved piece by piece.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from planner_models.building import Stamped, stamp_buildings
from planner_models.linear import Assembler, LinearModel
from planner_models.marketplace import MarketModel, build_marketplace
from planner_models.solve import Options, Solution, Solver, Status
from planner_models.template import Floats, Ints
from planner_models.words import City


@dataclass(frozen=True)
class CityModel:
    """``model``'s columns: the marketplace's first, then the buildings'."""

    city: City
    market: MarketModel
    model: LinearModel
    stamped: Stamped
    market_columns: int
    market_rows: int

    def buildings_part(self, x: Floats) -> Floats:
        return x[self.market_columns :]

    def positions(self, x: Floats) -> Floats:
        """q of every building, shape (buildings, n)."""
        flat = self.stamped.position.of(self.buildings_part(x))
        return flat.reshape(len(self.city.buildings), -1)


@dataclass(frozen=True)
class Piece:
    """One part of a clear that shares nothing with the others: interval numbers from 1."""

    first_interval: int
    last_interval: int
    status: str
    gap: float


def build_city(city: City, exclusive: bool = False) -> CityModel:
    """The monolith of ``city``; ``exclusive`` writes the direction binaries (C5, C12)."""
    market = build_marketplace(city)
    assembler = Assembler(len(city.grid))
    stamped = stamp_buildings(assembler, city.buildings, city.grid, city.fees, exclusive)
    buildings = assembler.build()
    links = link(market, city, stamped)
    rows = market.own.shape[0]
    matrix = sparse.bmat([[market.own, links.matrix], [None, buildings.matrix]], format="csc")
    model = LinearModel(
        matrix=matrix,
        row_lower=np.concatenate([market.row_lower - links.constant, buildings.row_lower]),
        row_upper=np.concatenate([market.row_upper - links.constant, buildings.row_upper]),
        cost=np.concatenate([market.cost, buildings.cost]),
        lower=np.concatenate([market.lower, buildings.lower]),
        upper=np.concatenate([market.upper, buildings.upper]),
        integer=np.concatenate([market.integer, buildings.integer]),
        groups=buildings.groups,
        column_interval=np.concatenate([market.column_interval, buildings.column_interval]),
    )
    return CityModel(city, market, model, stamped, market.own.shape[1], rows)


@dataclass(frozen=True)
class Links:
    """How the buildings' columns enter the market's rows."""

    matrix: sparse.csr_matrix
    constant: Floats


def link(market: MarketModel, city: City, stamped: Stamped) -> Links:
    """Socket columns replaced by the buildings' positions."""
    n = market.n
    groups = len(city.zones) + len(city.feeders)
    rows, columns = [], []
    for i, building in enumerate(city.buildings):
        for g in market.sockets_of(building.zone, building.feeders):
            rows.append(g * n + np.arange(n))
            columns.append(i * n + np.arange(n))
    height = len(city.buildings) * n
    if not rows:
        return Links(sparse.csr_matrix((market.own.shape[0], 0)), np.zeros(market.own.shape[0]))
    entries = (np.ones(n * len(rows)), (np.concatenate(rows), np.concatenate(columns)))
    enter = market.socket @ sparse.csr_matrix(entries, shape=(groups * n, height))
    return Links((enter @ stamped.position.matrix).tocsr(), enter @ stamped.position.constant)


def pieces_of(model: LinearModel) -> list[tuple[Ints, Ints]]:
    """Sets of intervals that share no row, as (columns, rows) of each; one set where all is coupled."""
    rows = model.matrix.shape[0]
    graph = sparse.bmat([[None, model.matrix], [model.matrix.T, None]], format="csr")
    _, label = connected_components(graph, directed=False)
    part = label[rows:]
    intervals = model.column_interval
    dated = intervals >= 0
    union = _Union(int(label.max()) + 1)
    first_of: dict[int, int] = {}
    for interval, component in sorted(set(zip(intervals[dated].tolist(), part[dated].tolist(), strict=True))):
        union.join(first_of.setdefault(interval, component), component)
    roots = np.array([union.find(i) for i in range(len(union.parent))])
    dated_roots = np.unique(roots[part[dated]]) if dated.any() else np.unique(roots[part])
    home = dated_roots[0] if len(dated_roots) else 0
    column_root, row_root = roots[part], roots[label[:rows]]
    column_root[~np.isin(column_root, dated_roots)] = home
    row_root[~np.isin(row_root, dated_roots)] = home
    out = [(np.flatnonzero(column_root == r), np.flatnonzero(row_root == r)) for r in dated_roots]
    return sorted(
        out, key=lambda piece: int(np.min(intervals[piece[0]], where=intervals[piece[0]] >= 0, initial=10**9))
    )


class _Union:
    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def join(self, a: int, b: int) -> None:
        a, b = self.find(a), self.find(b)
        self.parent[max(a, b)] = min(a, b)


def solve_pieces(model: LinearModel, options: Options) -> tuple[Solution, tuple[Piece, ...]]:
    """Solve the MILP piece by piece within the time limit; bounds and objectives add up."""
    began = time.perf_counter()
    parts = pieces_of(model)
    x = np.zeros(model.matrix.shape[1])
    objective = bound = 0.0
    worst = Status.OPTIMAL
    pieces: list[Piece] = []
    for columns, rows in parts:
        left = options.time_limit_s - (time.perf_counter() - began)
        share = model if len(parts) == 1 else submodel(model, columns, rows)
        found = Solver(share, replace(options, time_limit_s=max(left, 0.05))).mip()
        if not found.has_answer:
            last = len(pieces) + 1 == len(parts)
            return replace(found, bound=bound + found.bound if last else -np.inf), tuple(pieces)
        x[columns] = found.x
        objective += found.objective
        bound += found.bound
        worst = found.status if found.status is not Status.OPTIMAL else worst
        pieces.append(_piece(model.column_interval[columns], found))
    seconds = time.perf_counter() - began
    return Solution(worst, x, objective, bound, np.empty(0), seconds), tuple(pieces)


def _piece(intervals: Ints, found: Solution) -> Piece:
    dated = intervals[intervals >= 0]
    first, last = (int(dated.min()) + 1, int(dated.max()) + 1) if len(dated) else (1, 1)
    gap = (found.objective - found.bound) / max(1e-9, abs(found.objective)) if found.objective else 0.0
    return Piece(first, last, found.status.name.lower(), max(0.0, gap))


def submodel(model: LinearModel, columns: Ints, rows: Ints) -> LinearModel:
    """The model of some columns and rows; names are those of the whole, so only numbers are kept."""
    return LinearModel(
        matrix=model.matrix[rows][:, columns].tocsc(),
        row_lower=model.row_lower[rows],
        row_upper=model.row_upper[rows],
        cost=model.cost[columns],
        lower=model.lower[columns],
        upper=model.upper[columns],
        integer=model.integer[columns],
        groups=(),
        column_interval=model.column_interval[columns],
    )
