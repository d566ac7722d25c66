"""What stands outside the buildings: neighbours, contracted supply, orders and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planner.preparation.desk import Desk, Floats, kwh, number, prices, records, text
from planner.preparation.network import Limit
from planner_models.words import UNLIMITED, Exchange, Line, Vector

NAN = float("nan")


def exchanges(desk: Desk, node_limits: Mapping[str, Limit]) -> tuple[Exchange, ...]:
    """One price-taking neighbour per zone of grid.csv; a limit of the zone's own node holds for it too."""
    buy = desk.series("grid_prices", "zone", "import_price_per_mwh")
    sell = desk.series("grid_prices", "zone", "export_price_per_mwh")
    limits = [desk.series("grid_prices", "zone", column, fill=NAN) for column in ("import_limit_kw", "export_limit_kw")]
    found = []
    for zone in sorted(set(buy) & set(sell)):
        if (sell[zone] > buy[zone]).any():
            desk.problem("grid_prices", "export price above import price", zone, "the outside would pay for a circle")
        into, out_of = (_exchange_limit(desk, limit.get(zone)) for limit in limits)
        node = node_limits.get(zone, Limit(into, out_of))
        found.append(
            Exchange(
                zone=zone,
                import_price_per_mwh=prices(buy[zone]),
                export_price_per_mwh=prices(sell[zone]),
                import_limit_kwh=tuple(map(min, into, node.into)),
                export_limit_kwh=tuple(map(min, out_of, node.out_of)),
            )
        )
    return tuple(found)


def _exchange_limit(desk: Desk, limit_kw: Floats | None) -> Vector:
    if limit_kw is None:
        return (UNLIMITED,) * len(desk.grid)
    return kwh(np.where(np.isnan(limit_kw), UNLIMITED, limit_kw * desk.grid.hours))


def supply_wh(desk: Desk) -> dict[str, np.ndarray]:
    """S: contracted Wh per interval for each zone of supply.csv, summed over contracts, each in whole Wh."""
    total: dict[str, np.ndarray] = {}
    for zone, rows in desk.case.supply.groupby("zone", sort=True):
        contracts = desk.series("supply", "contract", "energy_kwh", rows, fill=0.0)
        total[str(zone)] = sum((_wh(energy) for energy in contracts.values()), np.zeros(len(desk.grid), np.int64))
    return total


def _wh(energy_kwh: Floats) -> np.ndarray:
    return np.round(energy_kwh * 1000).astype(np.int64)


def lines(desk: Desk) -> tuple[Line, ...]:
    """Transport lines; a row without time holds for all intervals that no other row of the line names."""
    rows = records(desk.case.lines, "line_id", "interval", "start")
    names = sorted({row["line_id"] for row in rows})
    capacities = [_capacity(desk, rows, column) for column in ("forward_kwh", "reverse_kwh")]
    return tuple(_line(desk, [row for row in rows if row["line_id"] == name], *capacities) for name in names)


def _capacity(desk: Desk, rows: Sequence[dict[str, Any]], column: str) -> dict[str, Vector]:
    """kWh per interval that each line carries in one direction."""
    always = {row["line_id"]: float(row[column]) for row in rows if not _timed(row)}
    table = desk.case.lines
    timed = desk.series("lines", "line_id", column, table[table["interval"].notna() | table["start"].notna()], NAN)
    names = {row["line_id"] for row in rows}
    nowhere = np.full(len(desk.grid), NAN)
    return {
        name: kwh(np.where(np.isnan(timed.get(name, nowhere)), always.get(name, 0.0), timed.get(name, nowhere)))
        for name in names
    }


def _timed(row: dict[str, Any]) -> bool:
    return bool(text(row["interval"]) or text(row["start"]))


def _line(desk: Desk, rows: Sequence[dict[str, Any]], forward: dict[str, Vector], reverse: dict[str, Vector]) -> Line:
    ends = sorted({(text(row["from_zone"]), text(row["to_zone"]), number(row["loss_ratio"], 0.0)) for row in rows})
    name = rows[0]["line_id"]
    if len(ends) > 1:
        desk.problem("lines", "ends or loss_ratio differ between rows of a line", name, "give each its own line_id")
    from_zone, to_zone, loss = ends[0]
    return Line(name, from_zone, to_zone, forward[name], reverse[name], loss)
