"""buildings/<id>/: what stays with the building, in a folder nobody else may open.

Tables of many buildings are formatted together and cut apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from planner.cleared import Cleared, ClearedBuilding
from planner.ledger.documents import write_json
from planner.ledger.folder import PRIVATE
from planner.ledger.market_tables import Span, spans
from planner.ledger.tables import Clock, ledger_columns, repeated, write_csvs, write_parquet
from planner.money import energy_text, price_text
from planner.settlement import BlockLedger


def write_buildings(
    roots: Sequence[Path], buildings: Sequence[ClearedBuilding], cleared: Cleared, ledger: BlockLedger, clock: Clock
) -> None:
    """All tables of some buildings but their cases; ``ledger`` holds theirs, in this order."""
    for root in roots:
        root.mkdir(parents=True, mode=PRIVATE, exist_ok=True)
    for span in spans(Path(), cleared):
        folders = [root / span.folder for root in roots]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        _write_units(folders, span, buildings, clock)
        _write_positions(folders, span, buildings, clock)
        _write_dispatch(folders, span, buildings)
    _write_ledgers(roots, ledger, clock)
    for root, building in zip(roots, buildings, strict=True):
        _write_answer(root / "answer.json", building)


def _write_ledgers(roots: Sequence[Path], ledger: BlockLedger, clock: Clock) -> None:
    """trades.csv, settlement.csv and, from the units' own rows of it, statements.csv."""
    trades = ledger_columns(ledger.trades.frame, clock)
    write_csvs([root / "trades.csv" for root in roots], trades, ledger.trades.lengths)
    columns = ledger_columns(ledger.ledger.frame, clock)
    booked = {name: cells for name, cells in columns.items() if name != "counterparty_kind"}
    write_csvs([root / "settlement.csv" for root in roots], booked, ledger.ledger.lengths)
    told = pa.array(ledger.told)
    own = {("unit" if name == "account" else name): cells.filter(told) for name, cells in columns.items()}
    write_csvs([root / "statements.csv" for root in roots], own, ledger.told_lengths)


def _write_answer(path: Path, building: ClearedBuilding) -> None:
    answer = {
        "cost": building.cost,
        "no_trade_cost": building.no_trade_cost,
        "proven_bound": building.proven_bound,
        "group": building.group,
        "zone": building.zone,
        "dark": building.dark,
    }
    write_json(path, answer)


def _write_units(folders: Sequence[Path], span: Span, buildings: Sequence[ClearedBuilding], clock: Clock) -> None:
    at = span.intervals
    units = [unit for building in buildings for unit in sorted(building.units, key=lambda unit: unit.unit)]
    columns = {"unit": repeated([unit.unit for unit in units], len(at))}
    columns |= clock.columns(at, len(units))
    for name in ("use", "allocation", "withheld"):
        columns[f"{name}_kwh"] = energy_text(_flat([getattr(unit, f"{name}_wh")[at] for unit in units]))
    position = _flat([unit.position_wh[at] for unit in units])
    columns["requested_kwh"] = energy_text(np.maximum(position, 0))
    columns["offered_kwh"] = energy_text(np.maximum(-position, 0))
    lengths = [len(building.units) * len(at) for building in buildings]
    write_csvs([folder / "units.csv" for folder in folders], columns, lengths)


def _write_positions(folders: Sequence[Path], span: Span, buildings: Sequence[ClearedBuilding], clock: Clock) -> None:
    at = span.intervals
    columns = clock.columns(at, len(buildings)) | {
        "position_kwh": energy_text(_flat([b.position_wh[at] for b in buildings])),
        "loss_kwh": energy_text(_flat([b.loss_wh[at] for b in buildings])),
        "node_price_per_mwh": price_text(_flat([b.price_nano[at] for b in buildings])),
        "internal_price_per_mwh": price_text(_flat([b.internal_price_nano[at] for b in buildings])),
    }
    write_csvs([folder / "position.csv" for folder in folders], columns, [len(at)] * len(buildings))


def _flat(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *rows])


def _write_dispatch(folders: Sequence[Path], span: Span, buildings: Sequence[ClearedBuilding]) -> None:
    for folder, building in zip(folders, buildings, strict=True):
        write_parquet(folder / "dispatch.parquet", _of_span(building.dispatch, span))


def _of_span(frame: pd.DataFrame, span: Span) -> pd.DataFrame:
    """The rows of a stretch of the horizon; a frame without any column says nothing of any."""
    if "interval" not in frame:
        return frame
    inside = np.isin(frame["interval"].to_numpy(), span.intervals + 1)
    return frame if inside.all() else frame[inside].reset_index(drop=True)
