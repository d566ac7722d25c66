"""buildings/<id>/: what stays with the building, in a folder nobody else may open."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from planner.cleared import Cleared, ClearedBuilding
from planner.ledger.documents import write_json
from planner.ledger.market_tables import Span, spans
from planner.ledger.tables import Clock, repeated, write_csv, write_ledger, write_parquet
from planner.money import energy_text, price_text
from planner.settlement import BuildingLedger

PRIVATE = 0o700


def write_building(
    root: Path, building: ClearedBuilding, cleared: Cleared, ledger: BuildingLedger, clock: Clock
) -> None:
    """All tables of one building but its case."""
    root.mkdir(parents=True, mode=PRIVATE, exist_ok=True)
    for span in spans(root, cleared):
        _write_units(span, building, clock)
        _write_position(span, building, clock)
        _write_dispatch(span, building)
    write_ledger(root / "trades.csv", ledger.trades, clock)
    write_ledger(root / "settlement.csv", ledger.settlement, clock)
    write_ledger(root / "statements.csv", ledger.statements, clock)
    answer = {
        "cost": building.cost,
        "no_trade_cost": building.no_trade_cost,
        "proven_bound": building.proven_bound,
        "group": building.group,
        "zone": building.zone,
        "dark": building.dark,
    }
    write_json(root / "answer.json", answer)


def _write_units(span: Span, building: ClearedBuilding, clock: Clock) -> None:
    units, at = sorted(building.units, key=lambda unit: unit.unit), span.intervals
    shape = len(units) * len(at)
    columns = {"unit": repeated([unit.unit for unit in units], len(at))}
    columns |= clock.columns(at, len(units))
    for name in ("use", "allocation", "withheld"):
        energy = np.array([getattr(unit, f"{name}_wh")[at] for unit in units], dtype=np.int64)
        columns[f"{name}_kwh"] = energy_text(energy.reshape(shape))
    position = np.array([unit.position_wh[at] for unit in units], dtype=np.int64).reshape(shape)
    columns["requested_kwh"] = energy_text(np.maximum(position, 0))
    columns["offered_kwh"] = energy_text(np.maximum(-position, 0))
    write_csv(span.folder / "units.csv", columns)


def _write_position(span: Span, building: ClearedBuilding, clock: Clock) -> None:
    at = span.intervals
    columns = clock.columns(at) | {
        "position_kwh": energy_text(building.position_wh[at]),
        "loss_kwh": energy_text(building.loss_wh[at]),
        "node_price_per_mwh": price_text(building.price_nano[at]),
        "internal_price_per_mwh": price_text(building.internal_price_nano[at]),
    }
    write_csv(span.folder / "position.csv", columns)


def _write_dispatch(span: Span, building: ClearedBuilding) -> None:
    frame = building.dispatch
    if "interval" in frame:
        frame = frame[frame["interval"].isin(span.intervals + 1)]
        frame = frame.sort_values(["unit", "asset", "interval"], kind="stable", ignore_index=True)
    write_parquet(span.folder / "dispatch.parquet", frame)
