"""What a clear decided, in whole Wh and whole nano-currency: the value that settlement, ledger and report read.

Integers begin here.  Energy is int64 Wh, one per interval of the horizon: the first ``settled`` intervals are
the delivery day and are settled, the rest is look-ahead, planned only.  A price is int64 nano-currency per Wh
(0.001 currency/MWh is 1 nano-currency/Wh), so that money = Wh x price is an exact integer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Wh = npt.NDArray[np.int64]
NanoPerWh = npt.NDArray[np.int64]

NANO = 1_000_000_000
NANO_PER_WH_OF_PRICE_PER_MWH = 1000


@dataclass(frozen=True)
class ClearedUnit:
    """One unit's day: net use x, allocation a, withheld w, all int64 Wh over the horizon."""

    unit: str
    occupant: str
    use_wh: Wh
    allocation_wh: Wh
    withheld_wh: Wh

    @property
    def position_wh(self) -> Wh:
        """delta = x - a + w: positive requests, negative offers."""
        return self.use_wh - self.allocation_wh + self.withheld_wh


@dataclass(frozen=True)
class ClearedBuilding:
    """One building's day.

    ``price_nano`` is its node price, ``internal_price_nano`` that of internal trades; ``cost`` is c_b of the
    implemented schedule over the horizon (fees included), ``no_trade_cost`` that of the answer without trade,
    ``proven_bound`` v_b at the node price (currency).  ``dispatch`` has the columns of contract 4 for every
    interval of the horizon: unit, asset, interval, start, power_kw, energy_kwh, state_of_charge_kwh, on; in order of
    the first three.
    """

    building: str
    group: str
    zone: str
    dark: bool
    units: tuple[ClearedUnit, ...]
    loss_wh: Wh
    price_nano: NanoPerWh
    internal_price_nano: NanoPerWh
    cost: float
    no_trade_cost: float
    proven_bound: float
    dispatch: pd.DataFrame

    @property
    def in_cohort(self) -> bool:
        """Whether it trades with others as one party: a building that speaks for itself is a group of its own name."""
        return self.group != self.building and not self.dark

    @property
    def position_wh(self) -> Wh:
        """q = sum of the units' positions + losses; positive requests from the marketplace."""
        total = self.loss_wh.copy()
        for unit in self.units:
            total = total + unit.position_wh
        return total


@dataclass(frozen=True)
class ClearedExchange:
    """The net exchange of a zone with its price-taking neighbour: int64 Wh, positive imports."""

    zone: str
    net_import_wh: Wh
    import_price_nano: NanoPerWh
    export_price_nano: NanoPerWh


@dataclass(frozen=True)
class ClearedZone:
    """Prices of one zone and what backs its balance besides buildings, exchange and orders.

    ``price_low``/``price_high`` are floats in currency per MWh; ``remainder_wh`` is the residual of rounding
    that the default supplier books (positive: it delivers), ``supply_wh`` what was taken from the unallocated
    part of the contracts.
    """

    zone: str
    price_nano: NanoPerWh
    price_low: npt.NDArray[np.float64]
    price_high: npt.NDArray[np.float64]
    indicative: npt.NDArray[np.bool_]
    supply_wh: Wh
    unserved_wh: Wh
    remainder_wh: Wh
    contract_price_nano: NanoPerWh


@dataclass(frozen=True)
class Acceptance:
    """One row of an outsider's order: how much of it was taken."""

    order_id: str
    row: int
    participant: str
    zone: str
    side: str
    interval: int
    price_per_mwh: float
    quantity_wh: int
    accepted_wh: int
    reason: str
    kind: str = "step"


@dataclass(frozen=True)
class Flow:
    """Flow over one line, int64 Wh at mid-line, positive from ``from_zone`` to ``to_zone``."""

    line_id: str
    from_zone: str
    to_zone: str
    flow_wh: Wh
    loss_ratio: float


@dataclass(frozen=True)
class Cleared:
    """The whole clear; ``rounds`` is a table ready to be written."""

    starts: tuple[datetime, ...]
    settled: int
    minutes: int
    buildings: tuple[ClearedBuilding, ...]
    zones: tuple[ClearedZone, ...]
    exchanges: tuple[ClearedExchange, ...]
    acceptances: tuple[Acceptance, ...]
    flows: tuple[Flow, ...]
    certificate: dict[str, Any]
    rounds: pd.DataFrame = field(default_factory=pd.DataFrame)

    def without_buildings(self) -> Cleared:
        """Horizon and zones alone."""
        return replace(self, buildings=(), acceptances=(), flows=(), rounds=pd.DataFrame())
