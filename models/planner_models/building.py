"""The building's MILP: a table of contents.

Assets (C2-C9) draw inside units; units hold positions against their allocations (C10, C11); the building adds
them up into the one number per interval that leaves it (C12) within its connection (C13).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyomo.core as pyo

from planner_models import unit as unit_model
from planner_models.assets import KINDS, battery
from planner_models.linear import Assembler, Flow
from planner_models.template import Family, Values
from planner_models.words import Asset, Battery, Building, Fees, IntervalGrid


class Shape(NamedTuple):
    limited: bool
    lossy: bool
    exclusive: bool


def shape(building: Building, exclusive: bool = False) -> Shape:
    limited = building.import_limit_kwh is not None or building.export_limit_kwh is not None
    lossy = building.loss_ratio > 0
    return Shape(limited, lossy, exclusive and lossy)


def values(building: Building, grid: IntervalGrid, fees: Fees) -> Values:
    unlimited = np.full(len(grid), np.inf)
    imports = unlimited if building.import_limit_kwh is None else np.array(building.import_limit_kwh)
    exports = unlimited if building.export_limit_kwh is None else np.array(building.export_limit_kwh)
    bound = _largest_flow(building, grid)
    return {
        "import_kwh": imports,
        "export_kwh": exports,
        "most_import_kwh": (most_import := np.minimum(imports, bound)),
        "most_export_kwh": (most_export := np.minimum(exports, bound)),
        "import_share": np.divide(1.0, most_import, out=np.zeros(len(grid)), where=most_import > 0),
        "export_share": np.divide(1.0, most_export, out=np.zeros(len(grid)), where=most_export > 0),
        "allocation_kwh": building.allocation_kwh,
        "loss_ratio": building.loss_ratio,
        "buy_fee": fees.market_buy_per_mwh / 1000,
        "sell_fee": fees.market_sell_per_mwh / 1000,
    }


def _largest_flow(building: Building, grid: IntervalGrid) -> float:
    """A bound on the physical flow of a building without limits, for the direction binary; kWh per interval."""
    total = 0.0
    for unit in building.units:
        for asset in unit.assets:
            for name in ("energy_kwh", "available_kwh", "max_kwh", "profile_kwh"):
                numbers = getattr(asset, name, ())
                total += max(numbers) if isinstance(numbers, tuple) and numbers else 0.0
            for name in ("charge_kw", "discharge_kw", "max_kw"):
                total += getattr(asset, name, 0.0) * grid.hours
    return total


def write(b: Any, n: int, shape: Shape) -> None:
    """positions -> q = requested - offered, with losses on the physical flow X = q - loss + A - w."""
    b.requested = pyo.Var(b.T, within=pyo.NonNegativeReals)
    b.offered = pyo.Var(b.T, within=pyo.NonNegativeReals)
    b.position = pyo.Expression(b.T, rule=lambda b, t: b.requested[t] - b.offered[t])
    b.cost = sum(b.buy_fee * b.requested[t] + b.sell_fee * b.offered[t] for t in b.T)
    loss: Any = None
    if shape.lossy:
        b.loss = loss = pyo.Var(b.T, within=pyo.NonNegativeReals)
    b.C12_position = pyo.Constraint(
        b.T,
        rule=lambda b, t: b.positions[t] + (loss[t] if shape.lossy else 0) == b.requested[t] - b.offered[t],
    )
    if not (shape.limited or shape.lossy):
        return
    b.flow = pyo.Var(b.T, bounds=lambda b, t: (-b.export_kwh[t], b.import_kwh[t]))
    b.C13_connection = pyo.Constraint(
        b.T,
        rule=lambda b, t: (
            b.flow[t]
            == b.requested[t] - b.offered[t] - (loss[t] if shape.lossy else 0) + b.allocation_kwh[t] - b.kept[t]
        ),
    )
    if shape.lossy:
        _write_losses(b, shape)


def _write_losses(b: Any, shape: Shape) -> None:
    """loss = ratio * |flow|; the direction binary keeps both directions from being paid for at once."""
    b.inflow = pyo.Var(b.T, bounds=lambda b, t: (0, b.most_import_kwh[t]))
    b.outflow = pyo.Var(b.T, bounds=lambda b, t: (0, b.most_export_kwh[t]))
    b.C12_direction = pyo.Constraint(b.T, rule=lambda b, t: b.flow[t] == b.inflow[t] - b.outflow[t])
    b.C12_loss = pyo.Constraint(
        b.T, rule=lambda b, t: b.loss[t] == b.loss_ratio * b.inflow[t] + b.loss_ratio * b.outflow[t]
    )
    if shape.exclusive:
        b.inward = pyo.Var(b.T, within=pyo.Binary)
        b.C12_in = pyo.Constraint(b.T, rule=lambda b, t: b.inflow[t] <= b.most_import_kwh[t] * b.inward[t])
        b.C12_out = pyo.Constraint(
            b.T, rule=lambda b, t: b.outflow[t] <= b.most_export_kwh[t] - b.most_export_kwh[t] * b.inward[t]
        )
    else:
        b.C12_one_way = pyo.Constraint(
            b.T, rule=lambda b, t: b.import_share[t] * b.inflow[t] + b.export_share[t] * b.outflow[t] <= 1
        )


FAMILY = Family(
    "building",
    write,
    scalars=("loss_ratio", "buy_fee", "sell_fee"),
    vectors=(
        "import_kwh",
        "export_kwh",
        "most_import_kwh",
        "most_export_kwh",
        "import_share",
        "export_share",
        "allocation_kwh",
    ),
    sockets=("positions", "kept"),
    ports=("position",),
)


@dataclass(frozen=True)
class Stamped:
    """Buildings in an assembler: what each requests, and each unit's flows, in the order given."""

    position: Flow
    unit_draw: Flow
    unit_kept: Flow
    units: tuple[tuple[str, str], ...]


def stamp_buildings(
    assembler: Assembler,
    buildings: Sequence[Building],
    grid: IntervalGrid,
    fees: Fees,
    exclusive: bool = False,
) -> Stamped:
    """Stamp every asset, unit and building; members of a family and shape are stamped together."""
    if not buildings:
        nothing = assembler.collect((), 0)
        return Stamped(nothing, nothing, nothing, ())
    units = [(building, unit) for building in buildings for unit in building.units]
    assets = [((b.id, u.id, a.id), i, a) for i, (b, u) in enumerate(units) for a in u.assets]
    draws = []
    for (kind, form), members in _by_shape(assets, exclusive):
        keys = [(*key, getattr(a, "stay", 0)) for key, _, a in members]
        ports = assembler.stamp(kind.family, form, keys, [kind.values(a, grid) for _, _, a in members])
        draws.append((ports["draw"], np.array([i for _, i, _ in members])))
    draw = assembler.collect(draws, len(units))

    unit_ports = _stamp_units(assembler, units, grid, draw)
    owner = np.array([i for i, b in enumerate(buildings) for _ in b.units])
    positions = assembler.collect([(unit_ports["position"], owner)], len(buildings))
    kept = assembler.collect([(unit_ports["kept"], owner)], len(buildings))
    position = _stamp_frames(assembler, buildings, grid, fees, exclusive, positions, kept)
    return Stamped(position, draw, unit_ports["kept"], tuple((b.id, u.id) for b, u in units))


def _by_shape(assets: Iterable[tuple[Any, int, Asset]], exclusive: bool) -> list[Any]:
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    kinds: dict[tuple[str, str], Any] = {}
    for entry in assets:
        asset = entry[2]
        kind = KINDS[type(asset)]
        form = battery.shape(asset, exclusive) if isinstance(asset, Battery) else kind.shape(asset)
        label = (kind.family.name, str(form))
        kinds[label] = (kind, form)
        groups[label].append(entry)
    return [(kinds[label], groups[label]) for label in sorted(groups)]


def _stamp_units(assembler: Assembler, units: list[Any], grid: IntervalGrid, draw: Flow) -> dict[str, Flow]:
    """Units by shape, then put back into the order given."""
    shapes = [unit_model.shape(u) for _, u in units]
    ports: dict[str, list[Flow]] = {"position": [], "kept": []}
    order: list[int] = []
    for form in sorted(set(shapes)):
        members = [i for i, s in enumerate(shapes) if s == form]
        out = assembler.stamp(
            unit_model.FAMILY,
            form,
            [(units[i][0].id, units[i][1].id) for i in members],
            [unit_model.values(units[i][1], grid) for i in members],
            {"draw": assembler.pick([draw], np.array(members))},
        )
        order += members
        for name, flows in ports.items():
            flows.append(out[name])
    back = np.argsort(np.array(order))
    return {name: assembler.pick(flows, back) for name, flows in ports.items()}


def _stamp_frames(
    assembler: Assembler,
    buildings: Sequence[Building],
    grid: IntervalGrid,
    fees: Fees,
    exclusive: bool,
    positions: Flow,
    kept: Flow,
) -> Flow:
    shapes = [shape(b, exclusive) for b in buildings]
    flows: list[Flow] = []
    order: list[int] = []
    for form in sorted(set(shapes)):
        members = [i for i, s in enumerate(shapes) if s == form]
        chosen = np.array(members)
        out = assembler.stamp(
            FAMILY,
            form,
            [buildings[i].id for i in members],
            [values(buildings[i], grid, fees) for i in members],
            {"positions": assembler.pick([positions], chosen), "kept": assembler.pick([kept], chosen)},
        )
        order += members
        flows.append(out["position"])
    return assembler.pick(flows, np.argsort(np.array(order)))
