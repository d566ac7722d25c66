"""S5: network tariffs worked out anew: which tariff holds for whom, on what, when, and at what rate.

Wh and nano-currency, (participants x intervals of the delivery day).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from planner.audit.evidence import Building
from planner.audit.internal_trade import largest_remainder
from planner.audit.shares import share_out
from planner.audit.table import Table, Wh
from planner.money import nano, price_nano
from planner.timegrid import clock_mask

LEVELS = ("unit", "building", "district", "city")


@dataclass(frozen=True)
class Due:
    """What one component charges on energy."""

    component: str
    energy: Wh
    price: Wh


@dataclass(frozen=True)
class Row:
    """One row of tariffs.csv beside what it looks at: for whom it holds, when it is open, and the energy it counts."""

    component: str
    level: str
    basis: str
    rate: float
    holds: npt.NDArray[np.bool_]
    open: npt.NDArray[np.bool_]
    energy: Wh
    step_wh: int
    peak_so_far_kw: float
    hours: float


def charged(rows: Sequence[Row]) -> Iterator[Due]:
    """Components per MWh: the energy of each participant above the step of the day, at rate and tax."""
    for row in rows:
        if row.basis == "per_mwh":
            reached = np.maximum(np.cumsum(row.energy, axis=1) - row.step_wh, 0)
            above = np.diff(reached, axis=1, prepend=0) * row.holds[:, None]
            yield Due(row.component, above, np.full(row.energy.shape[1], price_nano(row.rate), dtype=np.int64))


def day_charges(rows: Sequence[Row]) -> Iterator[tuple[str, list[int]]]:
    """Components of the day or of its peak: (component, what each participant owes)."""
    for row in rows:
        if row.basis == "per_day":
            amounts = _per_day(row) if row.open.any() else [0] * len(row.holds)
        elif row.basis == "per_kw_month":
            amounts = _per_peak(row)
        else:
            continue
        yield row.component, [amount if held else 0 for amount, held in zip(amounts, row.holds, strict=True)]


def _per_day(row: Row) -> list[int]:
    """Per unit; or once for the building, in equal parts."""
    count, amount = len(row.holds), nano(row.rate)
    return [amount] * count if row.level == "unit" else share_out(amount, [1] * count)


def _per_peak(row: Row) -> list[int]:
    """What the day's peak adds to the month's: a unit's own, or the building's, shared by use in that interval."""
    power = row.energy / 1000 / row.hours
    if row.level == "unit":
        return [nano(row.rate * max(float(top) - row.peak_so_far_kw, 0.0)) for top in power.max(axis=1, initial=0.0)]
    together = row.energy.sum(axis=0)
    at = int(together.argmax())
    added = max(float(together[at]) / 1000 / row.hours - row.peak_so_far_kw, 0.0)
    return share_out(nano(row.rate * added), row.energy[:, at].tolist())


def tariff_rows(b: Building, names: Sequence[str], use: Wh, bought: Wh, sold: Wh) -> tuple[Row, ...]:
    """The tariff rows that hold for some participant; Wh (participants x intervals) of use and internal trade."""
    return tuple(_rows(b, names, use, bought, sold))


def _rows(b: Building, names: Sequence[str], use: Wh, bought: Wh, sold: Wh) -> Iterator[Row]:
    table = b.case("tariffs")
    if table is None or not names:
        return
    parent = dict(zip(b.nodes.text("node"), b.nodes.text("parent"), strict=True))
    named = dict(zip(b.nodes.text("node"), b.nodes.text("tariff"), strict=True))
    tariffs = [_tariffs(parent, named, b.id, name) for name in names]
    text = {name: table.text(name) for name in ("tariff", "component", "level", "direction", "basis")}
    rate, tax, inside = (table.numbers(c, 0.0) for c in ("rate", "vat_ratio", "applies_to_internal"))
    step, peak = table.numbers("step_from_kwh", 0.0), table.numbers("peak_so_far_kw", 0.0)
    for i in range(len(table)):
        level = text["level"][i]
        holds = np.array([held[LEVELS.index(level)] == text["tariff"][i] for held in tariffs])
        if holds.any():
            opened = _open(b, table, i)
            energy = _counted(level, text["direction"][i], float(inside[i]), use, bought, sold)
            yield Row(
                text["component"][i],
                level,
                text["basis"][i],
                float(rate[i] * (1 + tax[i])),
                holds,
                opened,
                np.where(opened, energy, 0),
                round(float(step[i]) * 1000),
                float(peak[i]),
                b.grid.hours,
            )


def _open(b: Building, table: Table, i: int) -> npt.NDArray[np.bool_]:
    """The intervals in a component's clock window."""
    window = tuple(table.text(column)[i] for column in ("from_time", "to_time", "days", "months"))
    known = b.run.open_times
    if window not in known:
        starts = [datetime.fromtimestamp(int(at), UTC) for at in b.grid.starts[: b.grid.settled]]
        known[window] = clock_mask(starts, b.grid.zone, *window)
    return known[window]


def _counted(level: str, direction: str, internal: float, use: Wh, bought: Wh, sold: Wh) -> Wh:
    """At a unit's level its own use less its internal trade; above it the building's use, shared by own use."""
    sign, inside = (1, bought) if direction == "import" else (-1, sold)
    own = np.maximum(sign * use, 0)
    again = np.rint(inside * internal).astype(np.int64)
    if level == "unit":
        return np.maximum(own - inside + again, 0)
    return largest_remainder(np.maximum(sign * use.sum(axis=0), 0), own) + again


def _tariffs(
    parent: Mapping[str, str], named: Mapping[str, str], building: str, unit: str
) -> tuple[str, str, str, str]:
    """The tariff that holds for a unit at each level: its node's, or of the nearest above, or the nearest of all."""
    path = [unit, building]
    while (above := parent.get(path[-1], "")) and above not in path:
        path.append(above)
    on_path = [named.get(node, "") for node in path]
    nearest = next(filter(None, on_path), "")
    first = (0, 1, 2, len(path) - 1)
    unit_, building, district, city = (next(filter(None, on_path[at:]), nearest) for at in first)
    return unit_, building, district, city
