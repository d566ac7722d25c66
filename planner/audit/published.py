"""C14, C19 and C24: what the marketplace publishes beside the answer: offers, contract prices, the log of rounds."""

from __future__ import annotations

import numpy as np

from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.market import Market
from planner.audit.network import zone_of
from planner.audit.series import case_series
from planner.audit.table import DamagedFileError, Numbers, Table, Wh

ROUNDED = 0.0011
"""Per MWh: prices in files have three decimals."""
OFFERS, ROUNDS = "market/offers.csv", "market/rounds.csv"


def check_offers(m: Market, found: Findings) -> None:
    """C14: on offer in a zone is what its groups offer, at its price; where nothing is offered nothing is said."""
    table, n = m.run.table("market/offers"), m.grid.settled
    due = np.zeros((len(m.zones), n), dtype=np.int64)
    zones = dict(zip(m.groups.text("group"), m.groups.text("zone"), strict=True))
    names, positions = m.group_positions
    for name, row in zip(names, positions, strict=True):
        due[m.zones.index(zones[name])] += np.maximum(-row[:n], 0)
    stated, price = _offers(m, table, due.shape)
    found.flag("C14", OFFERS, m.zones, stated != due, "not what is offered (Wh)", stated, due)
    wrong = (stated > 0) & (price != m.prices[:, :n])
    found.flag("C14", OFFERS, m.zones, wrong, "not the price of the zone", price / 1000, m.prices[:, :n] / 1000)


def _offers(m: Market, table: Table, shape: tuple[int, int]) -> tuple[Wh, Wh]:
    """Electricity on offer and its price, (zones x intervals of the day)."""
    out = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    t = np.nan_to_num(table.numbers("interval"), nan=0).astype(np.int64) - 1
    here = np.array([name in ("", "electricity") for name in table.text("resource")], dtype=bool)
    for row in np.flatnonzero(here):
        zone = table.text("zone")[row]
        if zone not in m.zones or not 0 <= t[row] < shape[1]:
            raise DamagedFileError(table.file, f"data row {row + 1} is in no zone or interval of the day")
        for to, column in zip(out, (table.wh("quantity"), table.nano("price")), strict=True):
            to[m.zones.index(zone), t[row]] = column[row]
    return out


def check_contract(b: Building, found: Findings) -> None:
    """C19: the contract behind a building's allocation is as large as that."""
    table, file = b.case("supply"), b.file("case/supply.csv")
    stated = case_series(table, b.grid, "contract", ("allocated",), "energy_kwh", 0.0)[0] * 1000
    _ = b.position  # a unit's own folder has no building's position, and not all of its allocation
    held = b.allocation.sum(axis=0)
    wrong = (np.abs(stated - held) > 0.5)[None]
    found.flag("C19", file, (b.id,), wrong, "the contract is not the building's allocation (Wh)", stated, held)


def check_contract_price(b: Building, found: Findings) -> None:
    """C19: allocated energy has the price of the zone's contracts, their mean by energy."""
    m = b.run.market
    mean = contract_prices(m).get(zone_of(b))
    if mean is None:
        return
    own = case_series(b.case("supply"), b.grid, "contract", ("allocated",), "price_per_mwh", 0.0)[0]
    wrong = (np.abs(own - mean) > ROUNDED) & (b.allocation.sum(axis=0) > 0)
    what = "not the price of the zone's contracts"
    found.flag("C19", b.file("case/supply.csv"), (b.id,), wrong[None], what, own, mean)


def contract_prices(m: Market) -> dict[str, Numbers]:
    """Mean price of the contracts of each zone, weighted by energy, per MWh; empty where there are none."""
    if m.contract_means is None:
        supply = m.case("supply")
        m.contract_means = {} if supply is None else _means(m, supply)
    return m.contract_means


def _means(m: Market, supply: Table) -> dict[str, Numbers]:
    home = dict(zip(supply.text("contract"), supply.text("zone"), strict=True))
    names = tuple(sorted(home))
    energy = case_series(supply, m.grid, "contract", names, "energy_kwh", 0.0)
    paid = energy * case_series(supply, m.grid, "contract", names, "price_per_mwh", 0.0)
    out = {}
    for zone in m.zones:
        here = np.array([[home[name] == zone] for name in names])
        total, sum_paid = ((part * here).sum(axis=0) for part in (energy, paid))
        out[zone] = np.divide(sum_paid, total, out=np.zeros_like(total), where=total > 0)
    return out


def check_rounds(run: Evidence, found: Findings) -> None:
    """C24: a round tells of each group the whole horizon once, at one cost, and has one bound; alone nobody trades."""
    table = run.table("market/rounds")
    if not len(table):
        return
    t, number, group = table.numbers("interval"), table.numbers("round"), table.codes("group")[0]
    key = np.stack([number, group], axis=1)
    _, turn = np.unique(key, axis=0, return_inverse=True)
    cells = turn * (len(run.grid) + 1) + np.nan_to_num(t).astype(np.int64)
    whole = (t >= 1) & (t <= len(run.grid)) & (t == np.rint(t))
    count = np.bincount(turn[whole], minlength=int(turn.max()) + 1)
    if not whole.all() or len(np.unique(cells)) != len(cells) or (count != len(run.grid)).any():
        found.add("C24", ROUNDS, "a group's turn is not the horizon once", int(count.min()), len(run.grid))
    for name, same in (("cost", turn), ("bound", np.unique(number, return_inverse=True)[1])):
        values = np.nan_to_num(table.numbers(name))
        first = values[np.unique(same, return_index=True)[1]][same]
        for row in np.flatnonzero(values != first)[:3]:
            found.add(
                "C24", ROUNDS, f"two values of {name} in one turn", values[row], first[row], name=f"row {row + 1}"
            )
    alone = (table.labels("kind") == "alone") & (np.nan_to_num(table.numbers("position_kwh")) != 0)
    if alone.any():
        found.add("C24", ROUNDS, "a position without trade", int(alone.sum()), 0)
