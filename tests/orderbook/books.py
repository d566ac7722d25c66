"""Small order books as frozen values: what a witness needs of a market case, and the case itself made from one.

Quantities are kWh, prices per MWh; intervals count from 1 as in the file.  A ``Book`` knows nothing of the planner's
own words, so that the brute force that reads it shares no code with what it judges.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One row of orders.csv."""

    order_id: str
    zone: str
    side: str
    interval: int
    kind: str
    price_per_mwh: float
    quantity_kwh: float
    min_acceptance_ratio: float = 1.0
    min_quantity_kwh: float = 0.0
    fixed_cost: float = 0.0
    exclusive_group: str = ""
    parent_order_id: str = ""

    @property
    def sign(self) -> int:
        """+1 for what a zone takes in, -1 for what it gives out: a seller's supply enters its balance negatively."""
        return 1 if self.side == "buy" else -1


@dataclass(frozen=True, slots=True)
class LineRow:
    """One row of lines.csv; no interval means all of them."""

    line_id: str
    from_zone: str
    to_zone: str
    forward_kwh: float
    reverse_kwh: float
    loss_ratio: float = 0.0
    interval: int | None = None


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row of grid.csv; no limit means none."""

    zone: str
    interval: int
    import_price_per_mwh: float
    export_price_per_mwh: float
    import_limit_kw: float | None = None
    export_limit_kw: float | None = None


Cell = tuple[str, int]
"""A zone and an interval: what has a price."""


@dataclass(frozen=True)
class Block:
    """All rows of one block order."""

    id: str
    rows: tuple[Row, ...]

    @property
    def ratio(self) -> float:
        return self.rows[0].min_acceptance_ratio

    @property
    def group(self) -> str:
        return self.rows[0].exclusive_group

    @property
    def parent(self) -> str:
        return self.rows[0].parent_order_id

    @property
    def value(self) -> float:
        """Welfare of the whole block in currency: what a buyer offers, minus what a seller asks."""
        return sum(row.sign * row.price_per_mwh * row.quantity_kwh for row in self.rows) / 1000

    @property
    def energy_kwh(self) -> float:
        return sum(row.quantity_kwh for row in self.rows)


@dataclass(frozen=True)
class Complex:
    """All rows of one scalable complex order."""

    id: str
    rows: tuple[Row, ...]

    @property
    def fixed_cost(self) -> float:
        return self.rows[0].fixed_cost

    @cached_property
    def least_kwh(self) -> dict[int, float]:
        """min_quantity_kwh by interval: it may stand on any row of the interval."""
        least: dict[int, float] = defaultdict(float)
        for row in self.rows:
            least[row.interval] = max(least[row.interval], row.min_quantity_kwh)
        return dict(least)


@dataclass(frozen=True)
class Book:
    """Everything one order-book clear starts from."""

    rows: tuple[Row, ...]
    lines: tuple[LineRow, ...] = ()
    grid: tuple[GridRow, ...] = ()
    price_floor: float = -500.0
    price_cap: float = 3000.0

    @cached_property
    def steps(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.kind == "step")

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(Block(name, rows) for name, rows in _by_id(self.rows, "block"))

    @cached_property
    def complexes(self) -> tuple[Complex, ...]:
        return tuple(Complex(name, rows) for name, rows in _by_id(self.rows, "complex"))

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Zones x intervals in which anything is said; a line without an interval spans those of the orders."""
        times = sorted({row.interval for row in (*self.rows, *self.grid)})
        zones = {row.zone for row in (*self.rows, *self.grid)}
        zones |= {end for line in self.lines for end in (line.from_zone, line.to_zone)}
        return tuple((zone, time) for zone in sorted(zones) for time in times)

    @cached_property
    def spans(self) -> tuple[LineRow, ...]:
        """One row per line and interval."""
        times = sorted({time for _, time in self.cells})
        return tuple(
            replace(line, interval=time)
            for line in self.lines
            for time in ([line.interval] if line.interval is not None else times)
            if time in times
        )

    @cached_property
    def children(self) -> dict[str, tuple[str, ...]]:
        """Blocks below each block, directly."""
        below: dict[str, list[str]] = defaultdict(list)
        for block in self.blocks:
            if block.parent:
                below[block.parent].append(block.id)
        return {name: tuple(found) for name, found in below.items()}

    def family(self, name: str) -> tuple[str, ...]:
        """A block and all its descendants."""
        return (name, *(one for child in self.children.get(name, ()) for one in self.family(child)))


def _by_id(rows: Iterable[Row], kind: str) -> list[tuple[str, tuple[Row, ...]]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.kind == kind:
            found[row.order_id].append(row)
    return [(name, tuple(sorted(group, key=lambda row: row.interval))) for name, group in sorted(found.items())]


TOML = """\
name = "{name}"
delivery_date = 2026-06-15
timezone = "Europe/Stockholm"
interval_minutes = 60
currency = "EUR"
synthetic = true

[market]
pricing = "no_pab"
price_floor = {floor}
price_cap = {cap}
price_tick_per_mwh = 0.01

[privacy]
preset = "lab"

[solver]
gap_relative = 0.0
"""


def write_book(book: Book, folder: Path, name: str = "book") -> Path:
    """The book as a case folder; grid.csv must cover the day, so the hours without a row repeat the first, closed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.toml").write_text(TOML.format(name=name, floor=book.price_floor, cap=book.price_cap))
    _write(folder / "orders.csv", [f.name for f in fields(Row)], book.rows)
    if book.lines:
        _write(folder / "lines.csv", [f.name for f in fields(LineRow)], _whole_day(book.lines))
    if book.grid:
        _write(folder / "grid.csv", [f.name for f in fields(GridRow)], _closed(book.grid))
    return folder


def _whole_day(lines: tuple[LineRow, ...]) -> list[LineRow]:
    """A line with limits by interval needs all 24; those not said are shut."""
    rows = list(lines)
    timed = {line.line_id: line for line in lines if line.interval is not None}
    for name, line in timed.items():
        said = {row.interval for row in lines if row.line_id == name}
        rows += [replace(line, interval=t, forward_kwh=0.0, reverse_kwh=0.0) for t in range(1, 25) if t not in said]
    return rows


def _closed(grid: tuple[GridRow, ...]) -> list[GridRow]:
    rows = list(grid)
    for zone in sorted({row.zone for row in grid}):
        mine = [row for row in grid if row.zone == zone]
        said = {row.interval for row in mine}
        rows += [
            replace(mine[0], interval=t, import_limit_kw=0.0, export_limit_kw=0.0)
            for t in range(1, 25)
            if t not in said
        ]
    return rows


def _write(path: Path, names: list[str], rows: Iterable[object]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)


def _cell(value: object) -> object:
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else value


def read_book(folder: Path) -> Book:
    """The book in a case folder of the kind that the known answers have."""
    import tomllib

    market = tomllib.loads((folder / "case.toml").read_text())["market"]
    return Book(
        tuple(_row(cells) for cells in _cells(folder / "orders.csv")),
        tuple(_line(cells) for cells in _cells(folder / "lines.csv")),
        tuple(_grid(cells) for cells in _cells(folder / "grid.csv")),
        market["price_floor"],
        market["price_cap"],
    )


def _cells(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _row(cells: dict[str, str]) -> Row:
    return Row(
        cells["order_id"],
        cells["zone"],
        cells["side"],
        int(cells["interval"]),
        cells["kind"],
        float(cells["price_per_mwh"]),
        float(cells["quantity_kwh"]),
        float(cells.get("min_acceptance_ratio") or 1.0),
        float(cells.get("min_quantity_kwh") or 0.0),
        float(cells.get("fixed_cost") or 0.0),
        cells.get("exclusive_group") or "",
        cells.get("parent_order_id") or "",
    )


def _line(cells: dict[str, str]) -> LineRow:
    return LineRow(
        cells["line_id"],
        cells["from_zone"],
        cells["to_zone"],
        float(cells["forward_kwh"]),
        float(cells["reverse_kwh"]),
        float(cells.get("loss_ratio") or 0.0),
        int(cells["interval"]) if cells.get("interval") else None,
    )


def _grid(cells: dict[str, str]) -> GridRow:
    limits = [float(cells[name]) if cells.get(name) else None for name in ("import_limit_kw", "export_limit_kw")]
    return GridRow(
        cells["zone"],
        int(cells["interval"]),
        float(cells["import_price_per_mwh"]),
        float(cells["export_price_per_mwh"]),
        *limits,
    )
