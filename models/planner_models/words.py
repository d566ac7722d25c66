"""The words of the model: frozen values, standard library only.

Sign convention, written once for the whole project
---------------------------------------------------
* A unit's net use ``x`` and an asset's ``draw`` are positive when energy is drawn and negative
  when more is produced than used.
* A position is net use minus allocation (plus what is withheld): positive *requests* energy,
  negative *offers* it.  Files never carry the sign: they have two columns, requested and offered.
* Cost is minimised; welfare is minus cost.

Units: energy in kWh per interval, power in kW, prices in currency per MWh, cost in currency.
``Vector`` holds one number per interval of the horizon (delivery day first, look-ahead after it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

Vector = tuple[float, ...]
UNLIMITED = float("inf")


class Locality(StrEnum):
    """How far a unit's position may travel before its own building has been asked."""

    JOINT = "joint"
    NETTING = "netting"
    STRICT = "strict"


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True, slots=True)
class IntervalGrid:
    """The market time units of one horizon: the delivery day's ``settled`` intervals, then look-ahead.

    ``starts`` are UTC instants; intervals are numbered from 1 in files and from 0 in arrays.
    """

    starts: tuple[datetime, ...]
    minutes: int
    settled: int

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[datetime]:
        return iter(self.starts)

    @property
    def hours(self) -> float:
        """Length of one interval in hours."""
        return self.minutes / 60

    @property
    def end(self) -> datetime:
        """The instant at which the last interval ends."""
        return self.starts[-1] + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Load:
    """Use that is not scheduled: served, curtailed by agreement, or left unserved at its value."""

    id: str
    energy_kwh: Vector
    value_per_mwh: float
    curtailable_ratio: float = 0.0
    curtailment_cost_per_mwh: float = 0.0


@dataclass(frozen=True, slots=True)
class Plant:
    """Sun or wind: produces up to ``available_kwh``; spills for nothing if curtailable, else at the price cap."""

    id: str
    available_kwh: Vector
    curtailable: bool = True
    support_per_mwh: float = 0.0
    spill_cost_per_mwh: float = 0.0


@dataclass(frozen=True, slots=True)
class Battery:
    id: str
    energy_kwh: float
    charge_kw: float
    discharge_kw: float
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    minimum_kwh: float = 0.0
    initial_kwh: float = 0.0
    final_kwh: float = 0.0
    standing_loss_per_h: float = 0.0
    wear_per_mwh: float = 0.0
    shortfall_cost_per_mwh: float = 4000.0


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One stay of a vehicle: intervals [first, last) of the horizon, counted from 0."""

    id: str
    first: int
    last: int
    energy_kwh: float
    max_kw: float
    min_kw: float = 0.0
    charge_efficiency: float = 1.0
    shortfall_cost_per_mwh: float = 4000.0
    stay: int = 0


@dataclass(frozen=True, slots=True)
class Appliance:
    """One run of a fixed profile, started in an interval of [first_start, last_start] (from 0).

    ``skip_cost`` is what not running costs, in currency: the agreed skip value, or the price cap times
    the run's energy where the run is a must.
    """

    id: str
    first_start: int
    last_start: int
    profile_kwh: Vector
    skip_cost: float


@dataclass(frozen=True, slots=True)
class Flexible:
    """A load with a band: per interval and cumulative; energy outside the bands is a priced deviation."""

    id: str
    min_kwh: Vector
    max_kwh: Vector
    min_cumulative_kwh: Vector | None = None
    max_cumulative_kwh: Vector | None = None
    deviation_cost_per_mwh: float = 4000.0


@dataclass(frozen=True, slots=True)
class Generator:
    id: str
    max_kw: float
    min_kw: float = 0.0
    cost_per_mwh: float = 0.0
    start_cost: float = 0.0
    min_up_intervals: int = 1
    min_down_intervals: int = 1
    initially_on: bool = False


Asset = Load | Plant | Battery | Vehicle | Appliance | Flexible | Generator


@dataclass(frozen=True, slots=True)
class Unit:
    """An office, apartment, shop or parking: its assets, its allocation and its own connection."""

    id: str
    assets: tuple[Asset, ...]
    allocation_kwh: Vector
    reserve_per_mwh: Vector
    import_limit_kwh: Vector | None = None
    export_limit_kwh: Vector | None = None
    occupant: str = ""
    use: str = "other"


@dataclass(frozen=True, slots=True)
class Building:
    """Units behind one connection.  ``loss_ratio`` is that of the whole path from building to zone."""

    id: str
    zone: str
    units: tuple[Unit, ...]
    import_limit_kwh: Vector | None = None
    export_limit_kwh: Vector | None = None
    loss_ratio: float = 0.0
    feeders: tuple[str, ...] = ()

    @property
    def allocation_kwh(self) -> Vector:
        """Sum of the units' allocations, kWh per interval."""
        return tuple(sum(column) for column in zip(*(u.allocation_kwh for u in self.units), strict=True))


@dataclass(frozen=True, slots=True)
class Feeder:
    """A limited node between building and zone (district, feeder, transformer)."""

    id: str
    zone: str
    import_limit_kwh: Vector
    export_limit_kwh: Vector
    allocation_kwh: Vector


@dataclass(frozen=True, slots=True)
class Exchange:
    """A price-taking neighbour of a zone: one net exchange per interval (formulation 2.3)."""

    zone: str
    import_price_per_mwh: Vector
    export_price_per_mwh: Vector
    import_limit_kwh: Vector
    export_limit_kwh: Vector


@dataclass(frozen=True, slots=True)
class Remainder:
    """Contracted supply that no allocation hands out: offered in its zone at price 0."""

    zone: str
    energy_kwh: Vector


@dataclass(frozen=True, slots=True)
class StepOrder:
    """One row of orders.csv of kind step; ``row`` is its data row in the file, counted from 1."""

    id: str
    row: int
    zone: str
    side: Side
    interval: int
    price_per_mwh: float
    quantity_kwh: float
    participant: str = ""


@dataclass(frozen=True, slots=True)
class BlockOrder:
    """All rows share one acceptance ratio, 0 or in [min_acceptance_ratio, 1]; one limit price.

    The ratios of an exclusive group sum to at most 1; a child's ratio is at most that of its ``parent``, an order id.
    ``submitted_at`` is an ISO instant in UTC, '' if unknown: it only breaks ties.
    """

    id: str
    rows: tuple[int, ...]
    zone: str
    side: Side
    intervals: tuple[int, ...]
    quantities_kwh: Vector
    price_per_mwh: float
    min_acceptance_ratio: float = 1.0
    participant: str = ""
    exclusive_group: str = ""
    parent: str = ""
    submitted_at: str = ""


@dataclass(frozen=True, slots=True)
class ComplexOrder:
    """A scalable complex order: when active, every interval delivers at least its minimum; it always sells.

    Its steps, one per row, cost their own limit prices, and being active costs ``fixed_cost`` (currency).
    ``minimum_kwh`` holds one number per entry of ``minimum_intervals``.
    """

    id: str
    rows: tuple[int, ...]
    zone: str
    intervals: tuple[int, ...]
    prices_per_mwh: Vector
    quantities_kwh: Vector
    minimum_intervals: tuple[int, ...]
    minimum_kwh: Vector
    fixed_cost: float = 0.0
    participant: str = ""
    submitted_at: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A transport line; ``loss_ratio`` of the flow is lost, half at each end."""

    id: str
    from_zone: str
    to_zone: str
    forward_kwh: Vector
    reverse_kwh: Vector
    loss_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Fees:
    """On the position, bought from or sold to the marketplace; internal trade pays none."""

    market_buy_per_mwh: float = 0.0
    market_sell_per_mwh: float = 0.0


@dataclass(frozen=True, slots=True)
class City:
    """Everything one clear is about, as numbers on one grid."""

    grid: IntervalGrid
    zones: tuple[str, ...]
    buildings: tuple[Building, ...]
    feeders: tuple[Feeder, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    remainders: tuple[Remainder, ...] = ()
    steps: tuple[StepOrder, ...] = ()
    blocks: tuple[BlockOrder, ...] = ()
    complexes: tuple[ComplexOrder, ...] = ()
    lines: tuple[Line, ...] = ()
    fees: Fees = Fees()
    price_floor: float = -500.0
    price_cap: float = 4000.0
