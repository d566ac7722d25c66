"""The clear of a small book by trying every integer decision: written from the contract, sharing no code with it.

What the contract leaves to be read, and how it is read here:

* *Decisions.*  Every block and every complex order is on or off; off delivers nothing.  On, a block's ratio lies in
  [minimum, 1], under its parent's ratio and its group's sum.  A block of minimum 0 has nothing to decide, since 0 or
  [0, 1] is [0, 1]: it is always on, and so never rejected in the money for want of divisibility.  A lossy line runs
  one way in an interval (energy is never burnt by running both ways), so which way is tried as well; but a line that
  carries nothing must not want to run either way at the prices; unless no price is like that (below zero): then the
  idle lines forgo the least that they can, open forward and shut in reverse.
* *Quantities.*  Given the decisions, all else (steps, ratios, complex quantities, flows) is the linear program's.
* *Support.*  A price supports an accepted block when its ratio is the best in [minimum, 1] at that price: at the
  money when the ratio lies strictly between, in the money (or at it) at 1, out of it (or at it) at a minimum below 1.
  So F is exactly the set of optimal multipliers of the program with its decisions fixed, and it does not depend on
  which of several optimal quantities is chosen.  Were a ratio in between free of it, a divisible block (minimum 0)
  that is partly taken would no longer set the price, against known answer C18 (a).
* *No loss* (``no_pab``).  For every accepted block the surplus of it and its accepted descendants is >= 0, each at
  its ratio; likewise every accepted complex order after its fixed cost.  A ratio at a minimum below 1 is then at the
  money.  The answer is the best decision whose F is not empty.
* *Make-whole* (``fixed_integers``): the least total of payments m >= 0 per order with which all those no-loss rows
  hold, so a child's surplus counts for its parent.  Ranges and projection are those of the part of F where it is least.
* *Convex hull*: prices are the optimal multipliers of the program over the hull of every participant (a family or an
  exclusive group is one participant), which is where total lost-opportunity cost is least: its value minus welfare.
* *Volume* is all kWh accepted, of both sides, of orders alone.  Equal welfare and volume: any of those decisions with
  the least kWh paradoxically rejected (submitted_at and hashes come after that and are asked by other tests).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
from books import Block, Book, Cell
from linear import INF, Floats, Program, Solved, Solver, best, optimal_multipliers, projection, ranges

SAME = 1e-6
Decision = frozenset[str]
"""Ids of the orders that are on, and of the lossy line intervals that run forward, as line@interval."""


@dataclass
class Rows:
    """Equations and upper limits while a program is written down."""

    width: int
    matrix: list[Floats] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, entries: dict[int, float], low: float, high: float) -> None:
        row = np.zeros(self.width)
        for column, value in entries.items():
            row[column] += value
        self.matrix.append(row)
        self.low.append(low)
        self.high.append(high)


@dataclass(frozen=True)
class Answer:
    """One decision with its program's optimum; money in currency."""

    on: Decision
    welfare: float
    volume_kwh: float
    x: Floats


@dataclass(frozen=True)
class Prices:
    """Per cell: the ends of the range (None where open), and the published point before it meets a tick."""

    low: dict[Cell, float | None]
    high: dict[Cell, float | None]
    point: dict[Cell, float | None]


class Brute:
    """All there is to know about one book.  Money inside is price x scaled quantity; ``unit`` turns it to currency."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.scale = max(row.quantity_kwh for row in book.rows) / 10
        self.unit = self.scale / 1000
        self.cells = book.cells
        self.row_of = {cell: i for i, cell in enumerate(self.cells)}
        names: list[object] = [("step", row) for row in book.steps]
        names += [("block", block.id) for block in book.blocks]
        names += [("complex", row) for order in book.complexes for row in order.rows]
        names += [("forward", span) for span in book.spans] + [("reverse", span) for span in book.spans]
        names += [("import", row) for row in book.grid] + [("export", row) for row in book.grid]
        self.column = {name: i for i, name in enumerate(names)}
        assert len(self.column) == len(names), "two rows alike"

    # ---- the program with decisions open -----------------------------------------------------------------------

    @cached_property
    def program(self) -> Program:
        """Every order at its widest; rows: balances first, then links, groups and least quantities."""
        cost, high = np.zeros(len(self.column)), np.zeros(len(self.column))
        for (kind, what), j in self.column.items():
            cost[j], high[j] = self._worth(kind, what)
        rows = Rows(len(cost))
        for cell in self.cells:
            rows.add(self._balance(cell), 0.0, 0.0)
        for block in self.book.blocks:
            if block.parent:
                rows.add({self.column["block", block.id]: 1.0, self.column["block", block.parent]: -1.0}, -INF, 0.0)
        for members in self.groups.values():
            rows.add({self.column["block", name]: 1.0 for name in members}, -INF, 1.0)
        for order in self.book.complexes:
            for time, least in order.least_kwh.items():
                mine = {self.column["complex", row]: -1.0 for row in order.rows if row.interval == time}
                rows.add(mine, -INF, -least / self.scale)
        return Program(cost, np.zeros(len(cost)), high, np.array(rows.matrix), np.array(rows.low), np.array(rows.high))

    def _worth(self, kind: str, what: object) -> tuple[float, float]:
        """(welfare of one unit, most units) of a column."""
        if kind in ("step", "complex"):
            return what.sign * what.price_per_mwh, what.quantity_kwh / self.scale
        if kind == "block":
            block = next(b for b in self.book.blocks if b.id == what)
            return block.value / self.unit, 1.0
        if kind in ("forward", "reverse"):
            return 0.0, getattr(what, f"{kind}_kwh") / self.scale
        limit = getattr(what, f"{kind}_limit_kw")
        price = getattr(what, f"{kind}_price_per_mwh")
        return (price if kind == "export" else -price), (1e3 if limit is None else limit / self.scale)

    def _balance(self, cell: Cell) -> dict[int, float]:
        """What each column draws from a cell; its multiplier is the price."""
        found: dict[int, float] = {}
        zone, time = cell
        for row in (*self.book.steps, *(row for order in self.book.complexes for row in order.rows)):
            if (row.zone, row.interval) == cell:
                found[self.column[row.kind, row]] = row.sign
        for block in self.book.blocks:
            drawn = sum(row.sign * row.quantity_kwh for row in block.rows if (row.zone, row.interval) == cell)
            if drawn:
                found[self.column["block", block.id]] = drawn / self.scale
        for span in self.book.spans:
            half = span.loss_ratio / 2
            if span.interval == time and zone in (span.from_zone, span.to_zone):
                out, back = (1 + half, -(1 - half)) if zone == span.from_zone else (-(1 - half), 1 + half)
                found[self.column["forward", span]] = out
                found[self.column["reverse", span]] = back
        for row in self.book.grid:
            if (row.zone, row.interval) == cell:
                found[self.column["import", row]], found[self.column["export", row]] = -1.0, 1.0
        return found

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for block in self.book.blocks:
            if block.group:
                found.setdefault(block.group, []).append(block.id)
        return found

    # ---- decisions -----------------------------------------------------------------------------------------------

    @cached_property
    def lossy(self) -> tuple[object, ...]:
        return tuple(span for span in self.book.spans if span.loss_ratio > 0)

    def decisions(self) -> Iterator[Decision]:
        """Every choice of orders and of directions; a child needs its parent on, a group's minima fit into 1."""
        free = frozenset(block.id for block in self.book.blocks if block.ratio == 0)
        names = [block.id for block in self.book.blocks if block.id not in free]
        names += [order.id for order in self.book.complexes]
        parents = {block.id: block.parent for block in self.book.blocks if block.parent}
        ratio = {block.id: block.ratio for block in self.book.blocks}
        ways = [f"{span.line_id}@{span.interval}" for span in self.lossy]
        for chosen in product((False, True), repeat=len(names)):
            on = free | {name for name, taken in zip(names, chosen, strict=True) if taken}
            if any(child in on - free and parent not in on for child, parent in parents.items()):
                continue
            if any(sum(ratio[name] for name in group if name in on) > 1 + 1e-9 for group in self.groups.values()):
                continue
            for directions in product((False, True), repeat=len(ways)):
                yield frozenset(on | {way for way, ahead in zip(ways, directions, strict=True) if ahead})

    def bounds(self, on: Decision, open_lines: Sequence[object] = ()) -> tuple[Floats, Floats]:
        """Column bounds under a decision; ``open_lines`` may run both ways."""
        low, high = self.program.low.copy(), self.program.high.copy()
        for block in self.book.blocks:
            j = self.column["block", block.id]
            low[j], high[j] = (block.ratio, 1.0) if block.id in on else (0.0, 0.0)
        for order in self.book.complexes:
            if order.id not in on:
                high[[self.column["complex", row] for row in order.rows]] = 0.0
        for span in self.lossy:
            if span not in open_lines:
                shut = "reverse" if f"{span.line_id}@{span.interval}" in on else "forward"
                high[self.column[shut, span]] = 0.0
        return low, high

    def fixed(self, on: Decision, open_lines: Sequence[object] = ()) -> Program:
        """The program under a decision: an order that is off has no least quantity."""
        low, high = self.bounds(on, open_lines)
        rows = self.program.row_high.copy()
        at = len(rows)
        for order in reversed(self.book.complexes):
            at -= len(order.least_kwh)
            if order.id not in on:
                rows[at : at + len(order.least_kwh)] = 0.0
        return Program(self.program.cost, low, high, self.program.matrix, self.program.row_low, rows)

    def fixed_costs(self, on: Decision) -> float:
        return sum(order.fixed_cost for order in self.book.complexes if order.id in on) / self.unit

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Every decision that can be carried out, best welfare first."""
        solver = Solver(self.program)
        least = [len(order.least_kwh) for order in self.book.complexes]
        first = len(self.program.row_high) - sum(least)
        found = []
        for on in self.decisions():
            at = first
            for order, count in zip(self.book.complexes, least, strict=True):
                for i in range(at, at + count):
                    limit = self.program.row_high[i] if order.id in on else 0.0
                    solver.highs.changeRowBounds(i, -INF, limit)
                at += count
            solved = solver.bounded(*self.bounds(on))
            if solved is not None:
                welfare = (solved.value - self.fixed_costs(on)) * self.unit
                found.append(Answer(on, welfare, self.volume(solved.x), solved.x))
        return tuple(sorted(found, key=lambda answer: -answer.welfare))

    @cached_property
    def weights(self) -> Floats:
        """kWh of orders per unit of each column."""
        weight = np.zeros(len(self.column))
        for (kind, what), j in self.column.items():
            if kind in ("step", "complex"):
                weight[j] = self.scale
            elif kind == "block":
                weight[j] = next(b for b in self.book.blocks if b.id == what).energy_kwh
        return weight

    def volume(self, x: Floats) -> float:
        return float(self.weights @ x)

    def most_volume(self, answer: Answer) -> Answer:
        """The same decision and welfare with the greatest volume."""
        program = self.fixed(answer.on)
        level = answer.welfare / self.unit + self.fixed_costs(answer.on)
        held = program.with_rows(program.cost[None, :], np.array([level - 1e-9 - 1e-12 * abs(level)]), np.array([INF]))
        solved = best(Program(self.weights, held.low, held.high, held.matrix, held.row_low, held.row_high))
        x = answer.x if solved is None else np.where(solved.x < 1e-7, 0.0, solved.x)
        return Answer(answer.on, answer.welfare, self.volume(x), x)

    # ---- surplus ---------------------------------------------------------------------------------------------------

    def surplus(self, answer: Answer, name: str) -> tuple[Floats, float]:
        """(slope on the cells' prices, constant) of an accepted order's surplus, in scaled money."""
        slope, constant = np.zeros(len(self.cells)), 0.0
        for block in self.book.blocks:
            if block.id == name:
                ratio = answer.x[self.column["block", name]]
                for row in block.rows:
                    energy = ratio * row.quantity_kwh / self.scale
                    slope[self.row_of[row.zone, row.interval]] -= row.sign * energy
                    constant += row.sign * row.price_per_mwh * energy
        for order in self.book.complexes:
            if order.id == name:
                constant -= order.fixed_cost / self.unit
                for row in order.rows:
                    energy = answer.x[self.column["complex", row]]
                    slope[self.row_of[row.zone, row.interval]] -= row.sign * energy
                    constant += row.sign * row.price_per_mwh * energy
        return slope, constant

    def families(self, on: Decision) -> list[tuple[str, ...]]:
        """Whose surplus must not be negative together: each accepted block with its accepted descendants; complexes."""
        blocks = [block.id for block in self.book.blocks if block.id in on]
        found = [tuple(name for name in self.book.family(one) if name in on) for one in blocks]
        return found + [(order.id,) for order in self.book.complexes if order.id in on]

    def no_loss_rows(self, answer: Answer) -> tuple[list[tuple[str, ...]], Floats, Floats]:
        """(families, slopes, constants): slope . p + constant >= 0 for each."""
        families = self.families(answer.on)
        parts = [[self.surplus(answer, name) for name in family] for family in families]
        slopes = np.array([sum(slope for slope, _ in part) for part in parts]).reshape(len(parts), len(self.cells))
        return families, slopes, np.array([sum(constant for _, constant in part) for part in parts])

    # ---- prices ----------------------------------------------------------------------------------------------------

    def supporting(self, answer: Answer, free_lines: bool = False) -> Program:
        """F without the no-loss rows: the optimal multipliers under the decision; idle lines may want neither way.

        Where no price is like that, the idle lines count as open forward, and prices are those at which they forgo the
        least in reverse (capacity times what a unit would earn); but if the same orders are worth more with lines
        running another way, there are none.
        """
        level = answer.welfare / self.unit + self.fixed_costs(answer.on)
        ways = ("forward", "reverse")
        idle = [s for s in self.lossy if free_lines or max(answer.x[self.column[way, s]] for way in ways) < 1e-9]
        face = optimal_multipliers(self.fixed(answer.on, idle), level)
        if not free_lines and idle and best(face) is None and not self._better_turned(answer):
            ahead = answer.on | {f"{span.line_id}@{span.interval}" for span in idle}
            return self._forgoing_least(self.fixed(ahead), idle, level)
        return face

    def _forgoing_least(self, program: Program, idle: Sequence[object], level: float) -> Program:
        """Its optimal multipliers, as far as what the idle lines would earn in reverse comes to the least."""
        face = optimal_multipliers(program, level)
        first = len(face.cost)
        wide = face.with_columns(len(idle), 0.0, INF)
        rows = np.zeros((len(idle), len(wide.cost)))
        forgone = np.zeros(len(wide.cost))
        for i, span in enumerate(idle):
            rows[i, first + i] = 1.0  # at least what a unit would earn: the worth of its column's upper end
            rows[i, len(program.row_high) + self.column["reverse", span]] = -1.0
            forgone[first + i] = span.reverse_kwh / self.scale
        wide = wide.with_rows(rows, np.zeros(len(idle)), np.full(len(idle), INF))
        low, high = wide.low.copy(), wide.high.copy()
        low[: len(self.cells)], high[: len(self.cells)] = self.book.price_floor, self.book.price_cap
        solved = best(Program(-forgone, low, high, wide.matrix, wide.row_low, wide.row_high))
        if solved is None:
            return wide
        return wide.with_rows(forgone[None, :], np.array([-INF]), np.array([-solved.value]))

    def _better_turned(self, answer: Answer) -> bool:
        """Whether the same orders are worth more with lines running another way."""
        ways = {f"{span.line_id}@{span.interval}" for span in self.lossy}
        alike = [one.welfare for one in self.answers if one.on - ways == answer.on - ways]
        return max(alike) > answer.welfare + SAME * max(1e-3, abs(answer.welfare))

    def without_loss(self, answer: Answer, face: Program) -> Program:
        """F of ``no_pab``."""
        _, slopes, constants = self.no_loss_rows(answer)
        wide = np.zeros((len(slopes), len(face.cost)))
        wide[:, : len(self.cells)] = slopes
        return face.with_rows(wide, -constants, np.full(len(slopes), INF)) if len(slopes) else face

    def least_make_whole(self, answer: Answer, face: Program) -> tuple[Program, float]:
        """(the part of F with the least total make-whole, that total in currency)."""
        families, slopes, constants = self.no_loss_rows(answer)
        if not families:
            return face, 0.0
        names = [family[0] for family in families]
        wide = face.with_columns(len(names), 0.0, INF)
        rows = np.zeros((len(names), len(wide.cost)))
        rows[:, : len(self.cells)] = slopes
        for i, family in enumerate(families):
            for name in family:
                rows[i, len(face.cost) + names.index(name)] = 1.0
        wide = wide.with_rows(rows, -constants, np.full(len(names), INF))
        paid = np.zeros(len(wide.cost))
        paid[len(face.cost) :] = 1.0
        solved = best(Program(-paid, wide.low, wide.high, wide.matrix, wide.row_low, wide.row_high))
        assert solved is not None
        total = -solved.value
        return wide.with_rows(paid[None, :], np.array([-INF]), np.array([total])), total * self.unit

    @cached_property
    def hull(self) -> Program:
        """The program over every participant's hull: families and groups by one copy per joint decision."""
        base = self.program
        columns = len(base.cost)
        copies: list[tuple[int, tuple[str, ...], Decision]] = []
        for part in self.participants:
            for on in self._joint(part):
                copies.append((columns, part, on))
                columns += 1 + len(part)
        orders = {order.id: columns + i for i, order in enumerate(self.book.complexes)}
        wide = base.with_columns(columns + len(orders) - len(base.cost), 0.0, 1.0)
        for name, j in orders.items():
            wide.cost[j] = -next(o.fixed_cost for o in self.book.complexes if o.id == name) / self.unit
        rows = Rows(len(wide.cost))
        for row, low, high in self._hull_rows(copies, orders):
            rows.add(row, low, high)
        kept = len(self.cells)
        matrix = np.vstack([wide.matrix[:kept], np.array(rows.matrix).reshape(-1, len(wide.cost))])
        return Program(
            wide.cost,
            wide.low,
            wide.high,
            matrix,
            np.concatenate([wide.row_low[:kept], rows.low]),
            np.concatenate([wide.row_high[:kept], rows.high]),
        )

    def _hull_rows(
        self, copies: list[tuple[int, tuple[str, ...], Decision]], orders: dict[str, int]
    ) -> Iterator[tuple[dict[int, float], float, float]]:
        blocks = {block.id: block for block in self.book.blocks}
        for part in self.participants:
            mine = [(first, on) for first, who, on in copies if who == part]
            yield dict.fromkeys((first for first, _ in mine), 1.0), 1.0, 1.0
            for k, name in enumerate(part, start=1):
                total = dict.fromkeys((first + k for first, _ in mine), -1.0)
                yield {self.column["block", name]: 1.0, **total}, 0.0, 0.0
            for first, on in mine:
                yield from self._copy_rows(first, part, on, blocks)
        for order in self.book.complexes:
            taken = orders[order.id]
            for row in order.rows:
                yield {self.column["complex", row]: 1.0, taken: -row.quantity_kwh / self.scale}, -INF, 0.0
            for time, least in order.least_kwh.items():
                mine_now = {self.column["complex", row]: -1.0 for row in order.rows if row.interval == time}
                yield {**mine_now, taken: least / self.scale}, -INF, 0.0
        for span in self.lossy:
            if span.forward_kwh and span.reverse_kwh:
                ends = {("forward", span): span.forward_kwh, ("reverse", span): span.reverse_kwh}
                yield {self.column[key]: self.scale / most for key, most in ends.items()}, -INF, 1.0

    def _copy_rows(
        self, first: int, part: tuple[str, ...], on: Decision, blocks: dict[str, Block]
    ) -> Iterator[tuple[dict[int, float], float, float]]:
        at = {name: first + k for k, name in enumerate(part, start=1)}
        for name in part:
            yield {at[name]: 1.0, first: -1.0 if name in on else 0.0}, -INF, 0.0
            if name in on:
                yield {at[name]: -1.0, first: blocks[name].ratio}, -INF, 0.0
            if blocks[name].parent:
                yield {at[name]: 1.0, at[blocks[name].parent]: -1.0}, -INF, 0.0
        for members in self.groups.values():
            if members[0] in at:
                yield {**{at[name]: 1.0 for name in members}, first: -1.0}, -INF, 0.0

    @cached_property
    def participants(self) -> tuple[tuple[str, ...], ...]:
        """Blocks joined by parents and groups."""
        home = {block.id: {block.id} for block in self.book.blocks}

        def join(one: str, other: str) -> None:
            both = home[one] | home[other]
            for name in both:
                home[name] = both

        for block in self.book.blocks:
            if block.parent:
                join(block.id, block.parent)
        for members in self.groups.values():
            for name in members[1:]:
                join(members[0], name)
        return tuple(sorted({tuple(sorted(part)) for part in home.values()}))

    def _joint(self, part: tuple[str, ...]) -> Iterator[Decision]:
        parents = {block.id: block.parent for block in self.book.blocks}
        ratio = {block.id: block.ratio for block in self.book.blocks}
        for chosen in product((False, True), repeat=len(part)):
            on = frozenset(name for name, taken in zip(part, chosen, strict=True) if taken)
            if any(parents[name] and parents[name] not in on for name in on):
                continue
            if all(sum(ratio[n] for n in group if n in on) <= 1 + 1e-9 for group in self.groups.values()):
                yield on

    @cached_property
    def hull_optimum(self) -> Solved:
        solved = best(self.hull)
        assert solved is not None
        return solved

    def prices(self, face: Program) -> Prices | None:
        """Ranges over a face, and its point nearest to their middles; None for an empty face."""
        found = ranges(face, np.arange(len(self.cells)))
        if found is None:
            return None
        low = {cell: ends[0] for cell, ends in zip(self.cells, found, strict=True)}
        high = {cell: ends[1] for cell, ends in zip(self.cells, found, strict=True)}
        middle = {cell: _middle(low[cell], high[cell]) for cell in self.cells}
        priced = [cell for cell in self.cells if middle[cell] is not None]
        point: dict[Cell, float | None] = dict.fromkeys(self.cells)
        if priced:
            columns = np.array([self.row_of[cell] for cell in priced])
            nearest = projection(face, columns, np.array([middle[cell] for cell in priced]))
            point.update(zip(priced, map(float, nearest), strict=True))
        return Prices(low, high, point)

    # ---- the rules ---------------------------------------------------------------------------------------------------

    def best_volume(self, answers: list[Answer]) -> list[Answer]:
        """Of equal welfare, those of greatest volume."""
        full = [self.most_volume(answer) for answer in answers]
        most = max(answer.volume_kwh for answer in full)
        return [answer for answer in full if answer.volume_kwh >= most - SAME * max(1.0, most)]

    def _level(self, welfare: float) -> list[Answer]:
        return [a for a in self.answers if abs(a.welfare - welfare) <= SAME * max(1e-3, abs(welfare))]

    @cached_property
    def optimal(self) -> list[Answer]:
        """Decisions of greatest welfare, then volume."""
        return self.best_volume(self._level(self.answers[0].welfare))

    def admits(self, answer: Answer) -> bool:
        """Whether some supporting price lets no accepted order or family lose."""
        return best(self.without_loss(answer, self.supporting(answer))) is not None

    @cached_property
    def unparadoxical(self) -> list[Answer]:
        """Decisions of greatest welfare among those that ``no_pab`` admits, then volume."""
        first = next(answer for answer in self.answers if self.admits(answer))
        return self.best_volume([answer for answer in self._level(first.welfare) if self.admits(answer)])

    def priced(self, answer: Answer, rule: str, free_lines: bool = False) -> Prices | None:
        """Prices of a decision under a rule; ``free_lines``: a lossy line must not want to run the other way either."""
        if rule == "convex_hull":
            return self.prices(optimal_multipliers(self.hull, self.hull_optimum.value))
        face = self.supporting(answer, free_lines)
        if best(face) is None:
            return None
        if rule == "no_pab":
            return self.prices(self.without_loss(answer, face))
        return self.prices(self.least_make_whole(answer, face)[0])

    def least_flow(self, answer: Answer) -> float:
        """The least sum of squared flows (kWh) at the answer's decision, welfare and volume."""
        spans = [self.column[way, span] for span in self.book.spans for way in ("forward", "reverse")]
        program = self.fixed(answer.on)
        level = answer.welfare / self.unit + self.fixed_costs(answer.on)
        held = program.with_rows(
            np.vstack([program.cost, self.weights / self.scale]),
            np.array([level - 1e-7, answer.volume_kwh / self.scale - 1e-7]),
            np.array([INF, INF]),
        )
        columns = np.array(spans)
        return float((projection(held, columns, np.zeros(len(columns))) ** 2).sum()) * self.scale**2

    def lost_opportunity(self) -> float:
        """Total lost-opportunity cost under ``convex_hull``, in currency."""
        return self.hull_optimum.value * self.unit - self.answers[0].welfare

    def rejected_in_the_money_kwh(self, answer: Answer, prices: Prices) -> float:
        """kWh of the blocks that are off and would have earned at the published prices."""
        total = 0.0
        for block in self.book.blocks:
            points = [_rounded(prices.point[row.zone, row.interval]) for row in block.rows]
            if block.id in answer.on or any(p is None for p in points):
                continue
            gain = sum(
                row.sign * (row.price_per_mwh - p) * row.quantity_kwh for row, p in zip(block.rows, points, strict=True)
            )
            total += block.energy_kwh if gain > SAME * block.energy_kwh else 0.0
        return total


def _rounded(price: float | None) -> float | None:
    """As it is published, on a tick of 0.01."""
    return None if price is None else round(price, 2)


def _middle(low: float | None, high: float | None) -> float | None:
    """The middle; an end that is open is replaced by the other."""
    if low is None or high is None:
        return high if low is None else low
    return (low + high) / 2


__all__ = ["Answer", "Brute", "Decision", "Prices"]
