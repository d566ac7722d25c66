"""C10 to C13 and the building's side of C19: from assets to units, from units to the building's position."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from planner.audit.appliances import idle_appliances
from planner.audit.evidence import Building
from planner.audit.findings import Findings
from planner.audit.network import limit_wh, loss_ratio
from planner.audit.series import case_series
from planner.audit.shifting import absent_vehicles
from planner.audit.table import Table, Wh

ROUNDING_WH = 1
SAME_KWH = 1e-7
SHOWN_PER_FILE = 3
ASSET_TABLES = {
    "loads": "load",
    "solar": "plant",
    "wind": "plant",
    "batteries": "battery",
    "vehicles": "vehicle",
    "appliances": "appliance",
    "flexible": "load",
    "generators": "generator",
}


def asset_nodes(b: Building) -> dict[str, str]:
    """Every asset of the case and the node it stands at."""
    if b.assets is None:
        found: dict[str, str] = {}
        for table, key in ASSET_TABLES.items():
            rows = b.case(table)
            if rows is not None:
                found.update(zip(rows.text(key), rows.text("node"), strict=True))
        b.assets = found
    return b.assets


def dispatched(b: Building) -> tuple[Wh, dict[str, set[str]], Wh]:
    """(sum of the assets' draws (units x intervals), asset -> units it appears in, assets per unit)."""
    total = np.zeros((len(b.units), len(b.grid)), dtype=np.int64)
    place = {unit: i for i, unit in enumerate(b.units)}
    homes: dict[str, set[str]] = {}
    for part in b.dispatch:
        unit_code, units = part.table.codes("unit")
        asset_code, assets = part.table.codes("asset")
        for pair in np.unique(unit_code * len(assets) + asset_code):
            homes.setdefault(assets[pair % len(assets)], set()).add(units[pair // len(assets)])
        row = np.array([place.get(unit, -1) for unit in units], dtype=np.int64)[unit_code]
        keep = (row >= 0) & (part.t >= 0)
        np.add.at(total, (row[keep], part.t[keep]), part.table.wh("energy_kwh")[keep])
    count = np.zeros(len(b.units), dtype=np.int64)
    for units_of in homes.values():
        for unit in units_of & set(place):
            count[place[unit]] += 1
    return total, homes, count


def check_net_use(b: Building, found: Findings) -> None:
    """C10."""
    total, homes, count = dispatched(b)
    file = b.file("units")
    found.flag("C10", file, b.units, b.use != total, "net use is not the sum of the assets (Wh)", b.use, total)
    nodes, resting = asset_nodes(b), absent_vehicles(b) | idle_appliances(b)
    for asset in sorted(set(homes) | set(nodes) - resting):
        where = {nodes[asset]} if asset in nodes else set()
        if not where or not homes.get(asset) or (homes[asset] != where and where != {b.id}):
            stated = ", ".join(sorted(homes.get(asset, ()))) or "nowhere"
            right = ", ".join(sorted(where)) or "not in the case"
            found.add("C10", b.file("dispatch"), "an asset in the wrong place", stated, right, name=asset)
    slack = (count[:, None] + 1) * ROUNDING_WH
    most = limit_wh(b.nodes, b.case("limits"), b.grid, b.units, "import")
    least = -limit_wh(b.nodes, b.case("limits"), b.grid, b.units, "export")
    found.flag("C10", file, b.units, b.use > most + slack, "above the import limit (Wh)", b.use, most)
    found.flag("C10", file, b.units, b.use < least - slack, "above the export limit (Wh)", b.use, least)


def check_power(b: Building, found: Findings) -> None:
    """C10: the power of a row is its energy over the interval."""
    for part in b.dispatch:
        wrong = part.table.per_row("power", partial(_other_power, b.grid.hours))
        for row in np.flatnonzero(wrong)[:SHOWN_PER_FILE]:
            power, energy = part.table.numbers("power_kw"), part.table.numbers("energy_kwh")
            at, right = int(part.t[row]) + 1, energy[row] / b.grid.hours
            asset = part.table.text("asset")[row]
            found.add(
                "C10", part.table.file, "power is not its energy (kW)", power[row], right, name=asset, interval=at
            )


def _other_power(hours: float, table: Table) -> npt.NDArray[np.bool_]:
    power, energy = table.numbers("power_kw"), table.numbers("energy_kwh")
    wrong: npt.NDArray[np.bool_] = ~(np.abs(power * hours - energy) < SAME_KWH)
    return wrong


def check_positions(b: Building, found: Findings) -> None:
    """C11."""
    file = b.file("units")
    expected = b.use - b.allocation + b.withheld
    found.flag("C11", file, b.units, b.delta != expected, "position is not x - a + w (Wh)", b.delta, expected)
    requested, offered = b.of_units("requested_kwh"), b.of_units("offered_kwh")
    both = (requested < 0) | (offered < 0) | ((requested > 0) & (offered > 0))
    found.flag("C11", file, b.units, both, "requested and offered at once, or negative (Wh)", requested, 0)
    outside = (b.withheld < 0) | (b.withheld > np.maximum(b.allocation, 0))
    found.flag("C11", file, b.units, outside, "withheld outside 0..allocation (Wh)", b.withheld, b.allocation)


def check_building(b: Building, found: Findings) -> None:
    """C12: the position, and the losses on the way to the zone."""
    file = b.file("position")
    expected = b.delta.sum(axis=0) + b.loss
    found.flag(
        "C12", file, (b.id,), (b.position != expected)[None], "position is not the units' (Wh)", b.position, expected
    )
    loss = loss_ratio(b) * np.abs(b.use.sum(axis=0))
    wrong = np.abs(b.loss - loss) > ROUNDING_WH
    found.flag("C12", file, (b.id,), wrong[None], "losses are not their ratio of the net use (Wh)", b.loss, loss)


def check_connection(b: Building, found: Findings) -> None:
    """C13, within one Wh of rounding per asset."""
    use, names = b.use.sum(axis=0)[None], (b.id,)
    slack = (len(asset_nodes(b)) + 1) * ROUNDING_WH
    most = limit_wh(b.nodes, b.case("limits"), b.grid, names, "import")
    least = -limit_wh(b.nodes, b.case("limits"), b.grid, names, "export")
    file = b.file("units")
    found.flag("C13", file, names, use > most + slack, "above the import limit (Wh)", use, most)
    found.flag("C13", file, names, use < least - slack, "above the export limit (Wh)", use, least)


def check_allocated(b: Building, found: Findings) -> None:
    """C19 inside the building: units hold what the case allocates to them."""
    table = b.case("allocations")
    if table is None:
        return
    given = case_series(table, b.grid, "node", b.units, "energy_kwh", resource=True)
    known = ~np.isnan(given)
    wrong = known & (np.abs(b.allocation - np.nan_to_num(given) * 1000) > 0.5)
    what = "allocation is not that of the case (Wh)"
    found.flag("C19", b.file("units"), b.units, wrong, what, b.allocation, np.nan_to_num(given) * 1000)
    total = case_series(table, b.grid, "node", (b.id,), "energy_kwh", resource=True)[0] * 1000
    held = b.allocation.sum(axis=0)
    over = ~np.isnan(total) & (np.abs(held - np.nan_to_num(total)) > 0.5)
    found.flag("C19", b.file("units"), (b.id,), over[None], "units do not hold the building's (Wh)", held, total)
