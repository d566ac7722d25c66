"""The marketplace's side of the rounds: columns in, prices out (formulation 3).

The dual function of the marketplace, for multipliers y of its rows, is
``L(y) = sum_b v_b(p_b(y)) + market(y)`` with node prices ``p_b = -G_b' y``: a proven lower bound of the city's
cost for any y, once every group has answered its node price.  The restricted master (Dantzig-Wolfe over the
answers) is its piecewise-linear model seen from the other side; the level step (Lemarechal, Nemirovskii,
Nesterov 1995) picks the next prices near the best ones so far where the model still promises enough.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import clarabel
import numpy as np
from scipy import sparse

from planner_models.linear import LinearModel
from planner_models.marketplace import MarketModel
from planner_models.solve import Options, Solution, SolveError, Solver
from planner_models.template import Floats, Ints


@dataclass(frozen=True)
class Column:
    """An answer of a group as the marketplace sees it: position (kWh per interval) and cost (currency)."""

    group: int
    position_kwh: Floats
    cost: float
    round: int


@dataclass(frozen=True)
class Claimed:
    """What a group may lose: ``cost`` beyond its cost without trade (currency), and what it pays for its position."""

    group: int
    position_kwh: Floats
    cost: float


@dataclass(frozen=True)
class Blend:
    """The restricted master's optimum: its value, multipliers of the market's rows, weight of every column."""

    value: float
    multipliers: Floats
    weights: Floats
    overdrawn: bool = False
    """Whether it pays for flow beyond a feeder's limit."""


STIFFER = 4.0
"""How much dearer flow beyond a limit becomes where paying for it was best."""
MOST_CUTS = 24
"""Above so many groups they are summed into about as many bundles, and a round adds one cut a bundle."""
HAIR_KWH = 1e-6
NEARNESS = 0.1
"""What a squared distance from the centre counts beside a squared change from interval to interval."""


@dataclass
class Master:
    """Holds the answers.  ``sites[g]`` is (zone, feeders) of group g.

    A city of many groups is cut in *bundles*, sums of groups that answer alike to its rows, and a feeder's rows sleep
    until a blend oversteps them: then it is ``awake``, and the groups below it are bundled apart.  ``seconds`` is the
    time spent in solvers.  ``penalty`` (currency per kWh) is what flow beyond a feeder's limit costs while prices are
    sought: few answers fit a tight feeder, and without it their first blends price it a hundredfold (Marsten, Hogan,
    Blankenship 1975).
    """

    market: MarketModel
    sites: list[tuple[str, tuple[str, ...]]]
    options: Options
    columns: list[Column] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        market, different = self.market, set(self.sites)
        known = {site: market.gather(*site) for site in different}
        self.gathers = [known[site] for site in self.sites]
        self.penalty = (market.city.price_cap - min(0.0, market.city.price_floor)) / 1000
        few = len(self.sites) <= MOST_CUTS
        self.awake = {f.id for f in market.city.feeders} if few else set()
        self._bundle()

    def _bundle(self) -> None:
        """Number the bundle of every group, and gather each bundle's position into the rows that are awake."""
        if len(self.sites) <= MOST_CUTS:
            self.bundle_of = np.arange(len(self.sites))
            self.entering = self.gathers
        else:
            seen = [(zone, tuple(f for f in feeders if f in self.awake)) for zone, feeders in self.sites]
            kinds = sorted(set(seen))
            self.bundle_of = np.zeros(len(seen), dtype=np.int64)
            self.entering = []
            for kind in kinds:
                inside = [g for g, site in enumerate(seen) if site == kind]
                streets = sorted({self.sites[g] for g in inside})
                parts = min(len(streets), max(1, round(MOST_CUTS * len(inside) / len(seen))))
                number = {street: len(self.entering) + i % parts for i, street in enumerate(streets)}
                self.bundle_of[inside] = [number[self.sites[g]] for g in inside]
                self.entering += [self.market.gather(*kind)] * parts
        self.live = self._live()

    def _live(self) -> Ints:
        """The market's rows without those of feeders that sleep."""
        market, zones = self.market, len(self.market.city.zones)
        asleep = [zones + i for i, f in enumerate(market.city.feeders) if f.id not in self.awake]
        sockets = (np.array(asleep, dtype=np.int64)[:, None] * market.n + np.arange(market.n)).ravel()
        live = np.ones(len(market.row_lower), dtype=bool)
        live[market.socket[:, sockets].tocoo().row] = False
        live[market.balance_rows.ravel()] = True
        return np.flatnonzero(live)

    def bundled(self) -> list[Column]:
        """The answers summed by bundle and round."""
        if len(self.sites) <= MOST_CUTS:
            return self.columns
        sums: dict[tuple[int, int], list[Column]] = {}
        for c in self.columns:
            sums.setdefault((int(self.bundle_of[c.group]), c.round), []).append(c)
        return [
            Column(bundle, np.sum([c.position_kwh for c in own], axis=0), sum(c.cost for c in own), round)
            for (bundle, round), own in sums.items()
        ]

    def node_price(self, multipliers: Floats, group: int) -> Floats:
        """Price at the group's node, currency per MWh."""
        return -1000 * (self.gathers[group].T @ multipliers)

    def zone_price(self, multipliers: Floats, zone: str) -> Floats:
        """Clearing price of a zone, currency per MWh."""
        return -1000 * (self.market.gather(zone, ()).T @ multipliers)

    @property
    def soft(self) -> MarketModel:
        """The market with flow beyond feeders' limits at the penalty: their multipliers stay within it."""
        market, sockets = self.market, len(self.market.city.zones) * self.market.n
        rows = np.unique(market.socket[:, sockets:].tocoo().row)
        more = 2 * len(rows)
        beyond = sparse.identity(len(market.row_lower), format="csc")[:, rows]
        return replace(
            market,
            own=sparse.hstack([market.own, beyond, -beyond], format="csr"),
            cost=np.concatenate([market.cost, np.full(more, self.penalty)]),
            lower=np.concatenate([market.lower, np.zeros(more)]),
            upper=np.concatenate([market.upper, np.full(more, np.inf)]),
        )

    def stiffen(self) -> None:
        """Make flow beyond a limit dearer."""
        self.penalty *= STIFFER

    def blend(self, soft: bool = False) -> Blend:
        """Solve the restricted master LP; feeders that it oversteps wake, and it is solved again."""
        while True:
            blend = self._blend(self.soft if soft else self.market)
            if not (broken := self._overstepped(blend)):
                return blend
            self.awake |= broken
            self._bundle()

    def _overstepped(self, blend: Blend) -> set[str]:
        """Sleeping feeders whose limits the blend breaks."""
        sleeping = [f for f in self.market.city.feeders if f.id not in self.awake]
        if not sleeping:
            return set()
        positions = np.zeros((len(self.sites), self.market.n))
        for column, weight in zip(self.columns, blend.weights, strict=True):
            if weight > 0:
                positions[column.group] += weight * column.position_kwh
        broken = set()
        for feeder in sleeping:
            below = [g for g, (_, feeders) in enumerate(self.sites) if feeder.id in feeders]
            flow = positions[below].sum(axis=0) + np.array(feeder.allocation_kwh)
            over = (flow > np.array(feeder.import_limit_kwh) + HAIR_KWH).any()
            if over or (flow < -np.array(feeder.export_limit_kwh) - HAIR_KWH).any():
                broken.add(feeder.id)
        return broken

    def _blend(self, market: MarketModel) -> Blend:
        columns, live = self.bundled(), self.live
        bundles = len(self.entering)
        enter = sparse.csc_matrix(np.stack([self.entering[c.group] @ c.position_kwh for c in columns], axis=1)[live])
        convex = sparse.csc_matrix(
            (np.ones(len(columns)), ([c.group for c in columns], range(len(columns)))), shape=(bundles, len(columns))
        )
        k, rows = len(columns), len(live)
        model = LinearModel(
            matrix=sparse.bmat([[market.own[live], enter], [None, convex]], format="csc"),
            row_lower=np.concatenate([market.row_lower[live], np.ones(bundles)]),
            row_upper=np.concatenate([market.row_upper[live], np.ones(bundles)]),
            cost=np.concatenate([market.cost, [c.cost for c in columns]]),
            lower=np.concatenate([market.lower, np.zeros(k)]),
            upper=np.concatenate([market.upper, np.full(k, np.inf)]),
            integer=np.zeros(len(market.cost) + k, dtype=bool),
            groups=(),
            column_interval=np.full(len(market.cost) + k, -1),
        )
        found = self._timed(Solver(model, self.options).lp())
        if not found.has_answer:
            raise SolveError(f"restricted master: {found.status.value}")
        multipliers = np.zeros(len(market.row_lower))
        multipliers[live] = found.row_dual[:rows]
        weight = {(c.group, c.round): w for c, w in zip(columns, found.x[len(market.cost) :], strict=True)}
        own = [weight[int(self.bundle_of[c.group]), c.round] for c in self.columns]
        beyond = found.x[len(self.market.cost) : len(market.cost)]
        return Blend(found.objective, multipliers, np.array(own), overdrawn=bool((beyond > HAIR_KWH).any()))

    def clip(self, multipliers: Floats) -> Floats:
        """The nearest multipliers at which the market's side is bounded.

        An unlimited column that stands in one row bounds that row's multiplier by its cost; a row open on one
        side fixes the multiplier's sign.
        """
        y = multipliers.copy()
        market = self.soft
        y[np.isinf(market.row_lower)] = np.minimum(y[np.isinf(market.row_lower)], 0)
        y[np.isinf(market.row_upper)] = np.maximum(y[np.isinf(market.row_upper)], 0)
        own = market.own.tocsc()
        free = np.flatnonzero((np.diff(own.indptr) == 1) & np.isinf(market.upper))
        rows, entries = own.indices[own.indptr[free]], own.data[own.indptr[free]]
        bounds, above = market.cost[free] / entries, entries > 0
        np.minimum.at(y, rows[above], bounds[above])
        np.maximum.at(y, rows[~above], bounds[~above])
        return y

    def market_value(self, multipliers: Floats) -> float:
        """market(y): the best the orders, exchange and network can do at y, in closed form."""
        market = self.market
        reduced = market.cost - market.own.T @ multipliers
        tiny = np.abs(reduced) < 1e-9
        reduced = np.where(tiny & (np.isinf(market.upper) | np.isinf(market.lower)), 0.0, reduced)
        with np.errstate(invalid="ignore"):
            columns = np.where(reduced > 0, market.lower * reduced, np.where(reduced < 0, market.upper * reduced, 0.0))
            rows = np.where(
                multipliers > 0,
                market.row_lower * multipliers,
                np.where(multipliers < 0, market.row_upper * multipliers, 0.0),
            )
        return float(columns.sum() + rows.sum())

    def level_step(self, centre: Floats, level: float, smooth: bool = False) -> Floats | None:
        """Multipliers nearest to ``centre`` where the model reaches ``level``; None if Clarabel finds none.

        ``smooth``: rather those whose prices change least from interval to interval, near the centre only besides.
        """
        return _LevelProblem(self).solve(centre, level, smooth)

    def multiplier_range(self, level: float) -> tuple[Floats, Floats]:
        """Ends of each balance row's multiplier over {y: model(y) >= level}; other rows get their zero.

        The answers bound the dual function from above, so the true optimal face lies inside.
        """
        return _LevelProblem(self).ends(self.market.balance_rows.ravel(), level)

    def least_claims(self, claims: Sequence[Claimed], level: float) -> Floats | None:
        """Multipliers of the level set at which groups lose least altogether; None on trouble."""
        return _LevelProblem(self).least(claims, level)

    def dispatch(
        self, positions: Sequence[Floats] | Floats, time_limit_s: float, gap: float, feeder_slack_kwh: float = 0.0
    ) -> Solution:
        """Orders, exchange and lines for given group positions (kWh): the market's own MILP.

        ``feeder_slack_kwh``: what rounding positions to whole Wh may have added to a feeder's flow.
        """
        market = self.market
        slack = np.full(len(market.row_lower), feeder_slack_kwh)
        slack[market.balance_rows.ravel()] = 0.0
        enters = sum((self.gathers[g] @ q for g, q in enumerate(positions)), np.zeros(len(market.row_lower)))
        model = LinearModel(
            matrix=market.own.tocsc(),
            row_lower=market.row_lower - enters - slack,
            row_upper=market.row_upper - enters + slack,
            cost=market.cost,
            lower=market.lower,
            upper=market.upper,
            integer=market.integer,
            groups=(),
            column_interval=market.column_interval,
        )
        return self._timed(Solver(model, self.options).mip(gap, time_limit_s))

    def _timed(self, found: Solution) -> Solution:
        self.seconds += found.seconds
        return found


class _LevelProblem:
    """min |y - centre|^2 over {y: model(y) >= level}; variables y, v (groups), s (boxed columns), r (ranges)."""

    def __init__(self, master: Master) -> None:
        self.master = master
        live = self.live = master.live
        whole = master.soft
        market = self.market = replace(
            whole, own=whole.own[live], row_lower=whole.row_lower[live], row_upper=whole.row_upper[live]
        )
        self.m, self.groups = len(live), len(master.entering)
        boxed = np.isfinite(market.lower) & np.isfinite(market.upper) & (market.lower < market.upper)
        self.boxed = np.flatnonzero(boxed)
        ranged = np.isfinite(market.row_lower) & np.isfinite(market.row_upper)
        self.ranged = np.flatnonzero(ranged & (market.row_lower < market.row_upper))
        self.width = self.m + self.groups + len(self.boxed) + len(self.ranged)
        self.rows: list[sparse.csr_matrix] = []
        self.right: list[Floats] = []

    def _write(self, level: float) -> sparse.csc_matrix:
        self._cuts()
        self._market_side()
        gain, constant = self._promise()
        self._at_most(sparse.csr_matrix(-gain[None, :]), np.array([constant - level]))
        return sparse.vstack(self.rows, format="csc")

    def ends(self, rows: Ints, level: float) -> tuple[Floats, Floats]:
        """Least and largest multiplier of each row in the level set; the row's own value is kept on trouble."""
        matrix = self._write(level)
        height, width = matrix.shape
        model = LinearModel(
            matrix=matrix,
            row_lower=np.full(height, -np.inf),
            row_upper=np.concatenate(self.right),
            cost=np.zeros(width),
            lower=np.full(width, -np.inf),
            upper=np.full(width, np.inf),
            integer=np.zeros(width, dtype=bool),
            groups=(),
            column_interval=np.full(width, -1),
        )
        solver = Solver(model, self.master.options)
        size = len(self.master.market.row_lower)
        low, high = np.full(size, np.inf), np.full(size, -np.inf)
        place = np.full(size, -1)
        place[self.live] = np.arange(self.m)
        for row in rows:
            for sign, out in ((1.0, low), (-1.0, high)):
                solver.set_cost(place[[row]], np.array([sign]))
                found = solver.lp()
                if found.has_answer:
                    out[row] = found.x[place[row]]
            solver.set_cost(place[[row]], np.array([0.0]))
        self.master.seconds += solver.seconds
        return low, high

    def least(self, claims: Sequence[Claimed], level: float) -> Floats | None:
        """min sum of losses over {y: model(y) >= level}, a loss w_g >= 0 being at least cost - y.(G q)."""
        matrix = self._write(level)
        k, (height, width) = len(claims), matrix.shape
        gathers = self.master.gathers
        slopes = np.stack([gathers[c.group] @ c.position_kwh for c in claims])[:, self.live]
        losses = sparse.hstack([-sparse.csr_matrix(slopes), sparse.csr_matrix((k, width - self.m)), -sparse.eye(k)])
        model = LinearModel(
            matrix=sparse.vstack([sparse.hstack([matrix, sparse.csr_matrix((height, k))]), losses], format="csc"),
            row_lower=np.full(height + k, -np.inf),
            row_upper=np.concatenate([*self.right, [-c.cost for c in claims]]),
            cost=np.concatenate([np.zeros(width), np.ones(k)]),
            lower=np.concatenate([np.full(width, -np.inf), np.zeros(k)]),
            upper=np.full(width + k, np.inf),
            integer=np.zeros(width + k, dtype=bool),
            groups=(),
            column_interval=np.full(width + k, -1),
        )
        found = self.master._timed(Solver(model, self.master.options).lp())
        if not found.has_answer:
            return None
        multipliers = np.zeros(len(self.master.market.row_lower))
        multipliers[self.live] = found.x[: self.m]
        return self.master.clip(multipliers)

    def solve(self, centre: Floats, level: float, smooth: bool) -> Floats | None:
        matrix = self._write(level)
        near = NEARNESS if smooth else 1.0
        quadratic = sparse.diags(np.concatenate([np.full(self.m, near), np.full(self.width - self.m, 1e-9)]))
        if smooth:
            quadratic = quadratic + self._roughness()
        linear = np.concatenate([-near * centre[self.live], np.zeros(self.width - self.m)])
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        cones = [clarabel.NonnegativeConeT(matrix.shape[0])]
        began = time.perf_counter()
        found = clarabel.DefaultSolver(
            sparse.triu(quadratic, format="csc"), linear, matrix, np.concatenate(self.right), cones, settings
        ).solve()
        self.master.seconds += time.perf_counter() - began
        if found.status not in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved):
            return None
        multipliers = np.zeros(len(self.master.market.row_lower))
        multipliers[self.live] = np.array(found.x)[: self.m]
        return self.master.clip(multipliers)

    def _roughness(self) -> sparse.csc_matrix:
        """Squares of what the balance multipliers of every zone change by from one interval to the next."""
        place = np.full(len(self.master.market.row_lower), -1)
        place[self.live] = np.arange(self.m)
        rows = place[self.master.market.balance_rows]
        earlier, later = rows[:, :-1].ravel(), rows[:, 1:].ravel()
        at = np.arange(len(earlier))
        entries = (np.repeat([-1.0, 1.0], len(at)), (np.tile(at, 2), np.concatenate([earlier, later])))
        change = sparse.csc_matrix(entries, shape=(len(at), self.width))
        return change.T @ change

    def _at_most(self, rows: sparse.csr_matrix, right: Floats) -> None:
        self.rows.append(rows)
        self.right.append(right)

    def _place(self, blocks: dict[str, sparse.spmatrix], height: int) -> sparse.csr_matrix:
        sizes = {"y": self.m, "v": self.groups, "s": len(self.boxed), "r": len(self.ranged)}
        return sparse.hstack(
            [blocks.get(name, sparse.csr_matrix((height, size))) for name, size in sizes.items()], format="csr"
        )

    def _cuts(self) -> None:
        """v_g + y.(G q) <= c for every answer."""
        columns, entering = self.master.bundled(), self.master.entering
        slopes = sparse.csr_matrix(np.stack([entering[c.group] @ c.position_kwh for c in columns])[:, self.live])
        owner = sparse.csr_matrix(
            (np.ones(len(columns)), (range(len(columns)), [c.group for c in columns])),
            shape=(len(columns), self.groups),
        )
        self._at_most(self._place({"y": slopes, "v": owner}, len(columns)), np.array([c.cost for c in columns]))

    def _market_side(self) -> None:
        market = self.market
        eye = sparse.identity
        transposed = market.own.T.tocsr()
        k = len(self.boxed)
        if k:
            self._at_most(self._place({"s": eye(k)}, k), np.zeros(k))
            self._at_most(self._place({"y": transposed[self.boxed], "s": eye(k)}, k), market.cost[self.boxed])
        below = np.flatnonzero(np.isinf(market.upper))
        if len(below):
            self._at_most(self._place({"y": transposed[below]}, len(below)), market.cost[below])
        rows = eye(self.m, format="csr")
        open_below = np.flatnonzero(np.isinf(market.row_lower))
        open_above = np.flatnonzero(np.isinf(market.row_upper))
        self._at_most(self._place({"y": rows[open_below]}, len(open_below)), np.zeros(len(open_below)))
        self._at_most(self._place({"y": -rows[open_above]}, len(open_above)), np.zeros(len(open_above)))
        k = len(self.ranged)
        if k:
            self._at_most(self._place({"r": eye(k)}, k), np.zeros(k))
            self._at_most(self._place({"y": -rows[self.ranged], "r": eye(k)}, k), np.zeros(k))

    def _promise(self) -> tuple[Floats, float]:
        """The model's value as ``gain.z + constant``."""
        market = self.market
        low = np.where(np.isfinite(market.lower), market.lower, 0.0)
        y = -(market.own @ low)
        anchor = np.where(np.isfinite(market.row_lower), market.row_lower, market.row_upper)
        y = y + np.where(np.isfinite(anchor), anchor, 0.0)
        s = market.upper[self.boxed] - market.lower[self.boxed]
        r = market.row_upper[self.ranged] - market.row_lower[self.ranged]
        return np.concatenate([y, np.ones(self.groups), s, r]), float((market.cost * low).sum())


def supply_curve(market: MarketModel, zone: str) -> list[tuple[Floats, Floats, bool]]:
    """Steps of a zone's market side: (price per MWh, quantity kWh, sells) per interval, for slices."""
    city, n = market.city, market.n
    steps: list[tuple[Floats, Floats, bool]] = []
    for e in city.exchanges:
        if e.zone == zone:
            steps.append((np.array(e.import_price_per_mwh), np.array(e.import_limit_kwh), True))
            steps.append((np.array(e.export_price_per_mwh), np.array(e.export_limit_kwh), False))
    for r in city.remainders:
        if r.zone == zone:
            steps.append((np.zeros(n), np.array(r.energy_kwh), True))
    steps.append((np.full(n, city.price_cap), np.full(n, np.inf), True))
    steps.append((np.full(n, city.price_floor), np.full(n, np.inf), False))
    return steps


def market_positions(master: Master, positions: Sequence[Floats] | Floats, zone: str) -> Floats:
    """Sum of the positions of the groups of one zone, kWh."""
    inside = [q for q, (z, _) in zip(positions, master.sites, strict=True) if z == zone]
    return np.sum(inside, axis=0) if inside else np.zeros(master.market.n)
