"""One rule's clear of an order book as arrays, read from its folder: the market's checks work on it as they are."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.audit.acceptances import Book, read_acceptances
from planner.audit.document import read_json
from planner.audit.evidence import Evidence
from planner.audit.grid import Grid
from planner.audit.ledgers import Ledger, read_ledger
from planner.audit.market import Market
from planner.audit.series import Series, case_series, names_of
from planner.audit.table import Numbers, Wh
from planner.audit.terms import Terms

NANO = 1_000_000_000
EXACT = ("no_pab", "fixed_integers")


class BookMarket(Market):
    """The market part of one rule; energy in Wh (zones or lines x intervals), prices in nano-currency per Wh."""

    def __init__(self, run: Evidence, folder: str) -> None:
        super().__init__(run)
        self.folder = folder

    @cached_property
    def certificate(self) -> dict[str, Any]:
        file = f"{self.folder}/certificate.json"
        return read_json(self.run.path(file), file)

    @property
    def rule(self) -> str:
        return str(self.certificate.get("pricing", ""))

    @cached_property
    def terms(self) -> Terms:
        terms = self.run.terms_of("market")
        grid = terms.grid
        day = Grid(grid.starts[: grid.settled], grid.settled, grid.minutes, grid.settled, grid.day, grid.zone)
        return replace(terms, grid=day, pricing=self.rule)

    @property
    def grid(self) -> Grid:
        return self.terms.grid

    def series(self, name: str) -> tuple[Series, ...]:
        return (Series(self.run.table(f"{self.folder}/{name}"), self.grid, 0, len(self.grid)),)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        return names_of(self.series("prices"), "zone")

    @cached_property
    def _price_numbers(self) -> Numbers:
        """Currency per MWh, NaN where there is none (zones x intervals)."""
        table = self.run.table(f"{self.folder}/prices")
        return case_series(table, self.grid, "zone", self.zones, "price_per_mwh")

    @cached_property
    def prices(self) -> Wh:
        return np.rint(np.nan_to_num(self._price_numbers) * 1000).astype(np.int64)

    @property
    def priced(self) -> npt.NDArray[np.bool_]:
        return ~np.isnan(self._price_numbers)

    @cached_property
    def net_import(self) -> Wh:
        """Of every zone, 0 without a neighbour."""
        table = self.run.table(f"{self.folder}/exchange")
        out = np.zeros((len(self.zones), len(self.grid)), dtype=np.int64)
        for column, sign in (("import_kwh", 1), ("export_kwh", -1)):
            energy = case_series(table, self.grid, "zone", self.zones, column, 0.0)
            out += sign * np.rint(energy * 1000).astype(np.int64)
        return out

    @cached_property
    def book(self) -> Book:
        part = Series(self.run.table(f"{self.folder}/acceptances"), self.grid, 0, len(self.grid))
        return read_acceptances(part, self.orders, self.grid.hours)

    @cached_property
    def ledger(self) -> Ledger:
        return read_ledger(self.run.table(f"{self.folder}/settlement"))
