"""Why a model has no answer: the rules in conflict, in the user's words.

Every row may give way at a price per unit; the cheapest way to give way names the rules that must, and the
multipliers of that problem name the rules and limits that stand against them (they certify that no answer exists).
Definitions (a position, a stored state) give way only where no limit can, so limits are named, not bookkeeping.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from planner_models.linear import Group, LinearModel
from planner_models.marketplace import MarketModel
from planner_models.solve import Options, SolveError, Solver
from planner_models.template import Floats

NOTHING = 1e-6
DEFINITIONS = {"C4_state", "C8_total", "C9_start", "C12_position", "C12_direction", "C12_loss", "C14_ladder"}
DEFINITION_WEIGHT = 100.0

# words of a row by its name, else by its rule; columns and market columns say whose words they share
WORDS = {
    "C2": "load to be served by {who}",
    "C3": "production of {who}",
    "C4": "power and energy limits of {who}",
    "C5": "charging or discharging, not both, of {who}",
    "C6": "stay and charging power of {who}",
    "C6_energy": "energy needed by {who} during its stay",
    "C7": "run of {who} in its window",
    "C8": "limits of {who}",
    "C8_floor": "cumulative floor of {who}",
    "C8_ceiling": "cumulative ceiling of {who}",
    "C9": "output limits of {who}",
    "C9_up_time": "minimum up time of {who}",
    "C9_down_time": "minimum down time of {who}",
    "C10": "import and export limits of {who}",
    "C11": "allocation of {who}",
    "C12": "position and losses of {who}",
    "C13": "connection limit of {who}",
    "C14": "balance of zone {who}",
    "C14_ladder": "trade of {who}",
    "C15": "limit of feeder {who}",
    "C16_imported": "import limit of zone {who}",
    "C16_exported": "export limit of zone {who}",
    "C17": "capacity of line {who}",
    "C18": "acceptance of block {who}",
    "C18_accepted": "quantity of order row {who}",
    "C19": "unallocated supply of zone {who}",
}
COLUMNS = {
    "load": "C2", "plant": "C3", "battery": "C4", "vehicle": "C6", "appliance": "C7", "flexible": "C8",
    "generator": "C9", "unit": "C11", "unit.net_use": "C10", "building": "C12", "building.flow": "C13",
    "ladder": "C14_ladder",
}  # fmt: skip
MARKET_COLUMNS = {
    "imported": "C16_imported", "exported": "C16_exported", "supplied": "C19", "accepted": "C18_accepted",
    "ratio": "C18", "taken": "C18", "forward": "C17", "reverse": "C17", "unserved": "C14", "excess": "C14",
}  # fmt: skip
LEVELS = ("building", "unit")


@dataclass(frozen=True)
class Conflict:
    """A rule that cannot hold together with the others named beside it.

    ``amount`` says by how much it would have to give way (kWh, or a count where the rule counts); 0 for a rule
    that only stands against those that would.
    """

    rule: str
    words: str
    amount: float

    def __str__(self) -> str:
        by = f", short by {self.amount:.3f}" if self.amount else ""
        return f"{self.words} ({self.rule}){by}"


@dataclass(frozen=True)
class Infeasible:
    """A refusal: ``who`` has no answer, and why."""

    who: str
    conflicts: tuple[Conflict, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.who}: these rules cannot hold together", *(f"  {c}" for c in self.conflicts)])


class InfeasibleError(SolveError):
    """Carries the refusal to where it is told; ``refusal.conflicts`` has the rules."""

    def __init__(self, refusal: Infeasible) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def conflicting_rules(
    model: LinearModel, options: Options | None = None, market: MarketModel | None = None
) -> tuple[Conflict, ...]:
    """The rules of ``model`` that cannot hold together, those that must give way first; empty if all can.

    In a city's model the first rows and columns are the marketplace's: give its ``market``.  Limits that contradict
    themselves (lower above upper) are named as they stand.
    """
    names = _Names(model, market)
    crossed = np.flatnonzero(model.lower > model.upper + NOTHING)
    found = [replace(names.column(int(j)), amount=float(model.lower[j] - model.upper[j])) for j in crossed]
    model = replace(model, lower=np.minimum(model.lower, model.upper))
    return _told([*found, *_elastic(model, options or Options(), names)])


def _elastic(model: LinearModel, options: Options, names: _Names) -> list[Conflict]:
    """Rows that give way in the cheapest way, then what their multipliers rest on."""
    rows, columns = model.matrix.shape
    if not rows:
        return []
    weight = np.array([DEFINITION_WEIGHT if names.base(i) in DEFINITIONS else 1.0 for i in range(rows)])
    eye = sparse.identity(rows, format="csc")
    elastic = LinearModel(
        matrix=sparse.hstack([model.matrix, eye, -eye], format="csc"),
        row_lower=model.row_lower,
        row_upper=model.row_upper,
        cost=np.concatenate([np.zeros(columns), weight, weight]),
        lower=np.concatenate([model.lower, np.zeros(2 * rows)]),
        upper=np.concatenate([model.upper, np.full(2 * rows, np.inf)]),
        integer=np.concatenate([model.integer, np.zeros(2 * rows, dtype=bool)]),
        groups=(),
        column_interval=np.full(columns + 2 * rows, -1),
    )
    solver = Solver(elastic, options)
    found = solver.lp()
    if found.has_answer and found.objective <= NOTHING:
        found = solver.mip()
    if not found.has_answer:
        raise SolveError(f"explaining a conflict: {found.status.value}")
    slack = np.abs(found.x[columns : columns + rows] - found.x[columns + rows :])
    broken = [names.row(int(i), float(slack[i])) for i in np.flatnonzero(slack > NOTHING)]
    return [*broken, *_opponents(elastic, found.row_dual, slack, names, columns)] if broken else []


def _opponents(model: LinearModel, dual: Floats, slack: Floats, names: _Names, columns: int) -> Iterator[Conflict]:
    """Limits and rules with a multiplier; a search over whole numbers leaves none."""
    if not len(dual):
        return
    for i in np.flatnonzero((np.abs(dual) > NOTHING) & (slack <= NOTHING)):
        if names.base(int(i)) not in DEFINITIONS:
            yield names.row(int(i), 0.0)
    pressed = -(model.matrix.T @ dual)[:columns]
    for j in np.flatnonzero(np.abs(pressed) > NOTHING):
        yield names.column(int(j))


def _told(found: list[Conflict]) -> tuple[Conflict, ...]:
    """One conflict for every wording, the largest amount first."""
    most: dict[tuple[str, str], float] = {}
    for c in found:
        most[c.rule, c.words] = max(c.amount, most.get((c.rule, c.words), 0.0))
    told = [Conflict(rule, words, amount) for (rule, words), amount in most.items()]
    return tuple(sorted(told, key=lambda c: (-c.amount, int(c.rule[1:]), c.words)))


class _Names:
    """Rows and columns in words."""

    def __init__(self, model: LinearModel, market: MarketModel | None) -> None:
        self.groups, self.market = model.groups, market
        self.market_rows = len(market.row_names) if market else 0
        self.market_columns = len(market.column_names) if market else 0
        self.first_rows = np.array([g.first_row for g in model.groups])
        self.first_columns = np.array([g.first_column for g in model.groups])

    def base(self, row: int) -> str:
        """The rule's name without its place."""
        return self._row(row)[0]

    def row(self, row: int, amount: float) -> Conflict:
        base, place, who = self._row(row)
        return _conflict(base, who, place, amount)

    def _row(self, row: int) -> tuple[str, str, str]:
        if self.market and row < self.market_rows:
            base, place = _split(self.market.row_names[row])
            return base, *_of_market(place)
        group, member, local = self._find(row - self.market_rows, self.first_rows, rows=True)
        base, place = _split(group.template.row_names[local])
        return base, place, _who(group, member)

    def column(self, column: int) -> Conflict:
        if self.market and column < self.market_columns:
            base, place = _split(self.market.column_names[column])
            where, who = ("", place) if base in ("accepted", "ratio", "taken") else _of_market(place)
            return _conflict(MARKET_COLUMNS[base], who, where, 0.0)
        group, member, local = self._find(column - self.market_columns, self.first_columns, rows=False)
        base, place = _split(group.template.column_names[local])
        family = group.template.family.name
        return _conflict(COLUMNS.get(f"{family}.{base}", COLUMNS[family]), _who(group, member), place, 0.0)

    def _find(self, position: int, starts: Floats, rows: bool) -> tuple[Group, int, int]:
        # groups without rows share their start with the next one: the last of them is meant
        group = self.groups[int(np.searchsorted(starts, position, side="right")) - 1]
        height = len(group.template.row_names) if rows else group.template.columns
        return group, *divmod(position - (group.first_row if rows else group.first_column), height)


def _split(name: str) -> tuple[str, str]:
    """``C13_connection[12]`` -> its name and its place."""
    found = re.fullmatch(r"(\w+?)(?:\[(.*)\])?", name, flags=re.DOTALL)
    assert found is not None, name
    return found[1], found[2] or ""


def _of_market(place: str) -> tuple[str, str]:
    """``east,2`` -> interval and zone; a block has no interval."""
    who, comma, interval = place.rpartition(",")
    return (interval, who) if comma else ("", place)


def _who(group: Group, member: int) -> str:
    """``load l of unit u of building b``."""
    key = group.keys[member]
    parts = [str(p) for p in key] if isinstance(key, tuple) else [str(key)]
    titled = [f"{level} {part}" for level, part in zip(LEVELS, parts, strict=False)]
    if len(parts) > len(LEVELS):
        titled.append(f"{group.template.family.name} {parts[2]}")
    return " of ".join(reversed(titled))


def _conflict(name: str, who: str, place: str, amount: float) -> Conflict:
    """Intervals are numbered from 1 in what users read."""
    rule, interval = name.split("_")[0], place.rpartition(",")[2]
    words = WORDS.get(name) or WORDS[rule]
    where = f" in interval {int(interval) + 1}" if interval.isdigit() else ""
    return Conflict(rule, words.format(who=who.strip("'")) + where, amount)
