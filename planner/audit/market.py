"""The market part of a run as arrays: zones, groups, lines and orders.

Energy in Wh, (zones, lines, groups x intervals of the horizon).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from planner.audit.acceptances import NOTHING_BOOKED, Book, read_acceptances
from planner.audit.evidence import Evidence
from planner.audit.grid import Grid
from planner.audit.lumps import Lumps, read_lumps
from planner.audit.series import Series, case_series, dense_wh, names_of, rows_of
from planner.audit.table import DamagedFileError, Numbers, Table, Wh
from planner.audit.terms import Terms

ROUNDING_WH = 1


class Market:
    """The market part of a run."""

    folder = "market"

    def __init__(self, run: Evidence) -> None:
        self.run = run
        self.contract_means: dict[str, Numbers] | None = None  # kept by published.contract_prices

    @property
    def rule(self) -> str:
        """The pricing rule of the clear."""
        return self.terms.pricing

    @property
    def grid(self) -> Grid:
        return self.run.grid

    @property
    def terms(self) -> Terms:
        return self.run.terms

    def case(self, name: str) -> Table | None:
        return self.run.optional(f"market/case/{name}")

    def series(self, name: str) -> tuple[Series, ...]:
        return self.run.series("market", name)

    @cached_property
    def exchange(self) -> tuple[Series, ...]:
        return self.series("exchange")

    @cached_property
    def zones(self) -> tuple[str, ...]:
        return names_of(self.exchange, "zone")

    def of_zones(self, value: str) -> Wh:
        return dense_wh(self.exchange, "zone", self.zones, value)

    @cached_property
    def prices(self) -> Wh:
        """Nano-currency per Wh (zones x intervals)."""
        return dense_wh(self.series("prices"), "zone", self.zones, "price_per_mwh")

    @cached_property
    def groups(self) -> Table:
        return self.run.table("market/groups")

    @cached_property
    def group_positions(self) -> tuple[tuple[str, ...], Wh]:
        """(groups, requested minus offered)."""
        rows = self.series("positions")
        names = names_of(rows, "group")
        if not names or not any(len(part.table) for part in rows):
            return (), np.zeros((0, len(self.grid)), dtype=np.int64)
        return names, dense_wh(rows, "group", names, "requested_kwh") - dense_wh(rows, "group", names, "offered_kwh")

    @cached_property
    def lines(self) -> tuple[tuple[str, ...], Wh]:
        """(lines, flow at mid-line from ``from_zone`` to ``to_zone``)."""
        if self.case("lines") is None:
            return (), np.zeros((0, len(self.grid)), dtype=np.int64)
        rows = self.series("flows")
        names = names_of(rows, "line_id")
        return names, dense_wh(rows, "line_id", names, "flow_kwh")

    def line_terms(self, column: str) -> Numbers:
        """A column of lines.csv (lines x intervals); a row without time holds always, no row carries nothing."""
        table, names = self.case("lines"), self.lines[0]
        if table is None:
            return np.zeros((0, len(self.grid)))
        out = case_series(table, self.grid, "line_id", names, column)
        timeless = (table.instants < 0) & np.isnan(table.numbers("interval"))
        always = dict(zip(np.array(table.text("line_id"))[timeless], table.numbers(column, 0.0)[timeless], strict=True))
        fixed = np.array([[always.get(name, 0.0)] for name in names]).reshape(-1, 1)
        return np.where(np.isnan(out), fixed, out)

    def line_ends(self) -> tuple[tuple[str, str], ...]:
        table = self.case("lines")
        assert table is not None
        ends = zip(table.text("line_id"), zip(table.text("from_zone"), table.text("to_zone"), strict=True), strict=True)
        known = dict(ends)
        return tuple(known.get(name, ("", "")) for name in self.lines[0])

    @cached_property
    def remainder_supply(self) -> Numbers:
        """R: contracted supply that no allocation hands out, per zone; may be negative in a bad run."""
        supply, allocations = self.case("supply"), self.case("allocations")
        contracted = np.zeros((len(self.zones), len(self.grid)))
        if supply is not None:
            contract, zone = np.array(supply.text("contract")), np.array(supply.text("zone"))
            for name in sorted(set(contract)):
                where = str(zone[contract == name][0])
                energy = np.nan_to_num(case_series(supply, self.grid, "contract", (name,), "energy_kwh")[0])
                if where in self.zones:
                    contracted[self.zones.index(where)] += energy * 1000
        handed = np.zeros_like(contracted)
        if allocations is not None:
            names = tuple(sorted(set(allocations.text("node"))))
            energy = np.nan_to_num(
                case_series(allocations, self.grid, "node", names, "energy_kwh", resource=True) * 1000
            )
            for name, row in zip(names, energy, strict=True):
                handed[self.zones.index(self.zone_of_building(name))] += row
        return contracted - handed

    def zone_of_building(self, building: str) -> str:
        """The nearest zone above a building; the market's tree names the buildings too."""
        node, seen = building, set()
        while node and node not in self.zones and node not in seen:
            seen.add(node)
            node = self._parents.get(node, "")
        if node not in self.zones:
            raise DamagedFileError("market/case/nodes.csv", f"building {building} lies in no zone")
        return node

    @cached_property
    def _parents(self) -> dict[str, str]:
        nodes = self.run.table("market/case/nodes")
        return dict(zip(nodes.text("node"), nodes.text("parent"), strict=True))

    @cached_property
    def orders(self) -> Table:
        return self.run.table("market/case/orders")

    @cached_property
    def zone_of_order(self) -> Wh:
        """The zone beside each acceptance, as its place in ``zones``; -1 where it is none of them."""
        return rows_of(self.zones, self.book.zone)

    @cached_property
    def margin(self) -> Wh:
        """What each acceptance wins per Wh at the zone's price, nano; rows without a price win nothing."""
        row, known = self.zone_of_order, (self.zone_of_order >= 0) & (self.book.t >= 0)
        price = np.where(known, self.prices[np.maximum(row, 0), np.maximum(self.book.t, 0)], self.book.limit_nano)
        return self.book.sign * (self.book.limit_nano - price)

    @cached_property
    def lumps(self) -> Lumps:
        return read_lumps(self)

    @cached_property
    def book(self) -> Book:
        """Acceptances of the whole horizon joined to market/case/orders.csv by row and order_id."""
        orders = self.case("orders")
        if orders is None:
            return NOTHING_BOOKED
        table = self.run.table("market/acceptances")
        return read_acceptances(Series(table, self.grid, 0, len(self.grid)), orders, self.grid.hours)
