"""market/: what the marketplace knows and publishes; dark groups only by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from planner.cleared import Acceptance, Cleared, ClearedBuilding, Wh
from planner.ledger.tables import Clock, repeated, write_csv, write_ledger
from planner.money import AMOUNT_DECIMALS, amount_text, decimal_text, energy_text, price_nano, price_text
from planner.settlement import Settled

ELECTRICITY = "electricity"
Intervals = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """A stretch of the horizon and the folder that tells of it."""

    folder: Path
    intervals: Intervals


def spans(root: Path, cleared: Cleared) -> list[Span]:
    """The delivery day in ``root`` and, where there is one, the look-ahead in ``root/look_ahead``."""
    day = Span(root, np.arange(cleared.settled))
    ahead = Span(root / "look_ahead", np.arange(cleared.settled, len(cleared.starts)))
    return [day, ahead] if ahead.intervals.size else [day]


def write_market(
    root: Path, cleared: Cleared, settled: Settled, groups: Iterable[Any], offers: pd.DataFrame | None, clock: Clock
) -> None:
    """All tables of market/ but its case."""
    for span in spans(root, cleared):
        _write_prices(span, cleared, clock)
        _write_flows(span, cleared, clock)
        _write_exchange(span, cleared, clock)
        _write_positions(span, cleared, clock)
    _write_acceptances(root / "acceptances.csv", cleared)
    _write_groups(root / "groups.csv", cleared.buildings, groups)
    _write_rounds(root / "rounds.csv", cleared.rounds)
    _write_offers(root / "offers.csv", cleared, offers, clock)
    write_ledger(root / "settlement.csv", settled.market, clock)


def _write_prices(span: Span, cleared: Cleared, clock: Clock) -> None:
    zones, at = sorted(cleared.zones, key=lambda zone: zone.zone), span.intervals
    columns = {
        "zone": repeated([zone.zone for zone in zones], len(at)),
        "resource": repeated([ELECTRICITY], len(zones) * len(at)),
    }
    columns |= clock.columns(at, len(zones))
    columns["price_per_mwh"] = price_text(_joined([zone.price_nano[at] for zone in zones]))
    for end in ("price_low", "price_high"):
        values = np.concatenate([np.zeros(0), *(getattr(zone, end)[at] for zone in zones)])
        columns[end] = np.where(np.isfinite(values), values, np.nan)
    columns["indicative"] = np.concatenate([np.zeros(0, dtype=bool), *(zone.indicative[at] for zone in zones)])
    write_csv(span.folder / "prices.csv", columns)


def _write_flows(span: Span, cleared: Cleared, clock: Clock) -> None:
    flows, at = sorted(cleared.flows, key=lambda flow: flow.line_id), span.intervals
    price = {zone.zone: zone.price_nano[at] for zone in cleared.zones}
    through = [flow.flow_wh[at] for flow in flows]
    rents = [wh * (price[f.to_zone] - price[f.from_zone]) for f, wh in zip(flows, through, strict=True)]
    columns: dict[str, Any] = {"line_id": repeated([f.line_id for f in flows], len(at))}
    columns |= clock.columns(at, len(flows))
    columns["flow_kwh"] = energy_text(_joined(through))
    columns["rent"] = amount_text(_joined(rents))
    write_csv(span.folder / "flows.csv", columns)


def _write_exchange(span: Span, cleared: Cleared, clock: Clock) -> None:
    zones, at = sorted(cleared.zones, key=lambda zone: zone.zone), span.intervals
    outside = {exchange.zone: exchange for exchange in cleared.exchanges}
    nothing = np.zeros(len(at), dtype=np.int64)
    net = _joined([outside[z.zone].net_import_wh[at] if z.zone in outside else nothing for z in zones])
    foreign = np.repeat([z.zone not in outside for z in zones], len(at))
    columns: dict[str, Any] = {"zone": repeated([zone.zone for zone in zones], len(at))}
    columns |= clock.columns(at, len(zones))
    columns["import_kwh"], columns["export_kwh"] = energy_text(np.maximum(net, 0)), energy_text(np.maximum(-net, 0))
    for name in ("import_price", "export_price"):
        prices = [getattr(outside[z.zone], f"{name}_nano")[at] if z.zone in outside else nothing for z in zones]
        columns[f"{name}_per_mwh"] = price_text(_joined(prices), missing=foreign)
    for name in ("supply", "unserved", "remainder"):
        columns[f"{name}_kwh"] = energy_text(_joined([getattr(zone, f"{name}_wh")[at] for zone in zones]))
    write_csv(span.folder / "exchange.csv", columns)


def group_positions(cleared: Cleared) -> dict[str, Wh]:
    """Signed position of every group that trades, Wh over the horizon, by id."""
    positions: dict[str, Wh] = {}
    for building in sorted(cleared.buildings, key=lambda b: (b.group, b.building)):
        if not building.dark:
            positions[building.group] = positions.get(building.group, 0) + building.position_wh
    return positions


def _write_positions(span: Span, cleared: Cleared, clock: Clock) -> None:
    positions, at = group_positions(cleared), span.intervals
    signed = _joined([position[at] for position in positions.values()])
    columns: dict[str, Any] = {"group": repeated(list(positions), len(at))}
    columns |= clock.columns(at, len(positions))
    columns["resource"] = repeated([ELECTRICITY], len(signed))
    columns["requested_kwh"] = energy_text(np.maximum(signed, 0))
    columns["offered_kwh"] = energy_text(np.maximum(-signed, 0))
    write_csv(span.folder / "positions.csv", columns)


def _write_acceptances(path: Path, cleared: Cleared) -> None:
    price = {zone.zone: zone.price_nano for zone in cleared.zones}
    rows = sorted(cleared.acceptances, key=lambda row: (row.row, row.order_id, row.interval))
    integers = lambda values: np.array(list(values), dtype=np.int64)  # noqa: E731
    columns = {
        "order_id": pa.array([row.order_id for row in rows], type=pa.string()),
        "row": integers(row.row for row in rows),
        "interval": integers(row.interval for row in rows),
        "price_per_mwh": price_text(integers(price_nano(row.price_per_mwh) for row in rows)),
        "accepted_kwh": energy_text(integers(row.accepted_wh for row in rows)),
        "ratio": np.array([row.accepted_wh / row.quantity_wh for row in rows], dtype=float),
        "surplus": decimal_text(integers(_surplus(row, price[row.zone]) for row in rows), AMOUNT_DECIMALS, trim=True),
        "reason": pa.array([row.reason for row in rows], type=pa.string()),
    }
    write_csv(path, columns)


def _surplus(row: Acceptance, price: Wh) -> int:
    margin = int(price[row.interval - 1]) - price_nano(row.price_per_mwh)
    return (margin if row.side == "sell" else -margin) * row.accepted_wh


def _write_groups(path: Path, buildings: Sequence[ClearedBuilding], groups: Iterable[Any]) -> None:
    members: dict[str, list[ClearedBuilding]] = {}
    for building in buildings:
        members.setdefault(building.group, []).append(building)
    known = {group.id: group for group in groups}
    names = sorted(members)
    kinds = [known[name].kind if name in known else _kind(members[name]) for name in names]
    feeders = [";".join(known[name].feeders) if name in known else "" for name in names]
    columns = {
        "group": names,
        "kind": kinds,
        "zone": [members[name][0].zone for name in names],
        "dark": [members[name][0].dark for name in names],
        "feeders": feeders,
    }
    types = {"dark": pa.bool_()}
    write_csv(path, {name: pa.array(column, type=types.get(name, pa.string())) for name, column in columns.items()})


def _kind(members: Sequence[ClearedBuilding]) -> str:
    if members[0].dark:
        return "dark"
    return "building" if len(members) == 1 else "cohort"


def _write_rounds(path: Path, rounds: pd.DataFrame) -> None:
    if not len(rounds.columns):
        rounds = pd.DataFrame(columns=["round", "group", "interval", "price_per_mwh", "position_kwh"])
    write_csv(path, {str(name): rounds[name] for name in rounds.columns})


def _write_offers(path: Path, cleared: Cleared, offers: pd.DataFrame | None, clock: Clock) -> None:
    """What groups offer in each zone and interval at the clearing price, summed, without names; and other offers."""
    at = np.arange(cleared.settled)
    zone_of = {b.group: b.zone for b in cleared.buildings}
    positions = group_positions(cleared)
    rows: list[tuple[str, int, int, int]] = []
    for zone in sorted(cleared.zones, key=lambda zone: zone.zone):
        offered = sum((np.maximum(-q, 0) for g, q in positions.items() if zone_of[g] == zone.zone), zone.price_nano * 0)
        rows += [(zone.zone, int(t), int(offered[t]), int(zone.price_nano[t])) for t in at if offered[t]]
    whole = np.array([row[1:] for row in rows], dtype=np.int64).reshape(-1, 3)
    more = pd.DataFrame() if offers is None else offers
    columns = {
        "resource": [ELECTRICITY] * len(rows),
        "zone": [row[0] for row in rows],
        "interval": (whole[:, 0] + 1).tolist(),
        "start": clock.texts.take(pa.array(whole[:, 0])).to_pylist(),
        "quantity": energy_text(whole[:, 1]).to_pylist(),
        "price": price_text(whole[:, 2]).to_pylist(),
    }
    joined = {name: [*cells, *(more[name].tolist() if name in more else [])] for name, cells in columns.items()}
    text = {name: pa.array([str(cell) for cell in cells], type=pa.string()) for name, cells in joined.items()}
    write_csv(path, text)


def _joined(parts: Sequence[Wh]) -> Wh:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])
