"""The tables of a case folder as data: every column with its type, default and bounds (contract, section 1 and 2).

Typed frames follow one convention: a missing text is ``""``, a missing number NaN, a missing interval
``<NA>``, a missing start ``NaT``.  A default is a value, the name of another column of the row, or a setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

ENDINGS = (".csv", ".csv.gz", ".parquet")


class Type(Enum):
    ID = "id"  # a new name: checked against the id pattern
    REF = "reference"  # a name introduced elsewhere
    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "true or false"
    CHOICE = "choice"
    INTERVAL = "interval"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class Same:
    """Default: the value of another column in the same row."""

    column: str


@dataclass(frozen=True, slots=True)
class Setting:
    """Default: a setting, named by its path in case.toml."""

    path: str


@dataclass(frozen=True, slots=True)
class Size:
    """How large numbers may be, either side of 0, and what to ask whoever wrote a larger one.

    Far above what a city has, far below where sums of energy and money would lose their last digits.
    """

    most: float
    hint: str = ""


SIZES = (
    ("annual_kwh", Size(1e10, "is it in Wh?")),
    ("_kwh", Size(1e8, "is it in Wh?")),
    ("_kw", Size(1e7, "is it in W?")),
    ("_mw", Size(1e4, "is it in kW?")),
    ("_per_mwh", Size(1e6, "is it per MWh, in the currency of the case?")),
    ("rate", Size(1e6, "is it in the currency of the case?")),
    ("skip_value", Size(1e6, "is it in the currency of the case?")),
    ("value", Size(1e7, "is it in W?")),
    ("", Size(1e9, "is the unit right?")),
)
"""By the end of a column's name, the first that fits: annual_kwh, …_kwh, …_kw, and so on to all the others."""


def size_of(column: str) -> Size:
    """How large the numbers of a column may be."""
    return next(size for ending, size in SIZES if column.endswith(ending))


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``least``/``most`` are inclusive bounds, ``above`` and ``below`` exclusive ones.

    Where neither ``most`` nor ``below`` is given, the size of the column's unit is the limit.
    """

    name: str
    type: Type = Type.TEXT
    required: bool = False
    default: object = None
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One file of a case: ``name`` is the attribute of Case, ``stem`` the file's name without its ending.

    ``key`` names what a row is about.  In a ``series`` a row also has an interval or a start and (key, time)
    is unique; ``dense`` series must cover every interval of the delivery day.  Elsewhere ``unique`` says
    that the key is unique by itself.
    """

    name: str
    stem: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    series: bool = False
    dense: bool = False
    timed: bool = False  # has interval/start columns, but a row may leave both empty
    unique: bool = True

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def file(self) -> str:
        return f"{self.stem}.csv"


def _id(name: str) -> Column:
    return Column(name, Type.ID, required=True)


def _ref(name: str, required: bool = True) -> Column:
    return Column(name, Type.REF, required=required)


def _number(name: str, default: object = None, *, required: bool = False, **bounds: Any) -> Column:
    return Column(name, Type.NUMBER, required, default, **bounds)


def _amount(name: str, default: object = None, *, required: bool = False) -> Column:
    """A number that cannot be negative."""
    return Column(name, Type.NUMBER, required, default, least=0.0)


def _ratio(name: str, default: object = 0.0) -> Column:
    return Column(name, Type.NUMBER, default=default, least=0.0, most=1.0)


def _efficiency(name: str) -> Column:
    return Column(name, Type.NUMBER, default=1.0, above=0.0, most=1.0)


def _choice(name: str, *choices: str, required: bool = False, default: str = "") -> Column:
    return Column(name, Type.CHOICE, required, default, choices=choices)


INTERVAL = Column("interval", Type.INTERVAL)
START = Column("start", Type.INSTANT)
TIME = (INTERVAL, START)
CAP = Setting("market.price_cap")

KINDS = ("city", "district", "feeder", "transformer", "building", "unit")
USES = ("office", "apartment", "shop", "parking", "common", "other")
CHANNELS = ("import", "export", "production", "net")
INCLUDABLE = ("solar", "battery", "vehicle", "appliance", "none")


def _plants(name: str) -> Table:
    return Table(
        name,
        name,
        (
            _id("plant"),
            _ref("node"),
            _ref("meter", False),
            _ref("profile", False),
            _amount("peak_kw"),
            _number("tilt_deg", least=0.0, most=90.0),
            _number("azimuth_deg", least=-360.0, most=360.0),
            Column("curtailable", Type.FLAG, default=True),
            _number("support_per_mwh", 0.0),
        ),
        key=("plant",),
    )


TABLES: tuple[Table, ...] = (
    Table(
        "nodes",
        "nodes",
        (
            _id("node"),
            _ref("parent", False),
            _choice("kind", *KINDS, required=True),
            _choice("use", *USES),
            Column("label"),
            Column("occupant"),
            _amount("floor_area_m2"),
            _amount("import_limit_kw"),
            _amount("export_limit_kw"),
            _number("loss_ratio", 0.0, least=0.0, below=1.0),
            _ref("tariff", False),
            _amount("guaranteed_kwh"),
            _amount("priority"),
            Column("metering_point"),
        ),
        key=("node",),
    ),
    Table(
        "limits",
        "limits",
        (
            _ref("node"),
            *TIME,
            _amount("import_kw"),
            _amount("export_kw"),
            _choice("reason", "outage", "dso_limit", "maintenance"),
        ),
        key=("node",),
        series=True,
    ),
    Table(
        "loads",
        "loads",
        (
            _id("load"),
            _ref("node"),
            _ref("meter", False),
            _ref("profile", False),
            _amount("annual_kwh"),
            _amount("peak_kw"),
            Column("meter_includes"),
            _number("value_per_mwh", CAP),
            _ratio("curtailable_ratio"),
            _amount("curtailment_cost_per_mwh", 0.0),
        ),
        key=("load",),
    ),
    _plants("solar"),
    _plants("wind"),
    Table(
        "batteries",
        "batteries",
        (
            _id("battery"),
            _ref("node"),
            _amount("energy_kwh", required=True),
            _amount("charge_kw", required=True),
            _amount("discharge_kw", required=True),
            _efficiency("charge_efficiency"),
            _efficiency("discharge_efficiency"),
            _amount("minimum_kwh", 0.0),
            _amount("initial_kwh", 0.0),
            _amount("final_kwh", Same("initial_kwh")),
            _number("standing_loss_per_h", 0.0, least=0.0, below=1.0),
            _amount("wear_per_mwh", 0.0),
        ),
        key=("battery",),
    ),
    Table(
        "vehicles",
        "vehicles",
        (
            _id("vehicle"),
            _ref("node"),
            Column("arrival", required=True),
            Column("departure", required=True),
            _amount("energy_kwh", required=True),
            _amount("max_kw", required=True),
            _amount("min_kw", 0.0),
            _efficiency("charge_efficiency"),
            _amount("shortfall_cost_per_mwh", CAP),
            _ref("spot", False),
        ),
        key=("vehicle", "arrival"),
    ),
    Table(
        "appliances",
        "appliances",
        (
            _id("appliance"),
            _ref("node"),
            Column("earliest", required=True),
            Column("latest_end", required=True),
            Column("profile_kw", required=True),
            Column("profile_minutes", Type.WHOLE, default=Setting("interval_minutes"), least=1.0),
            _amount("skip_value"),
        ),
        key=("appliance",),
    ),
    Table(
        "flexible",
        "flexible",
        (
            _id("load"),
            _ref("node"),
            *TIME,
            _amount("min_kw", required=True),
            _amount("max_kw", required=True),
            _amount("min_cumulative_kwh"),
            _amount("max_cumulative_kwh"),
            _amount("deviation_cost_per_mwh", CAP),
        ),
        key=("load",),
        series=True,
        dense=True,
    ),
    Table(
        "generators",
        "generators",
        (
            _id("generator"),
            _ref("node"),
            _amount("max_kw", required=True),
            _amount("min_kw", 0.0),
            _number("cost_per_mwh", required=True),
            _amount("start_cost", 0.0),
            Column("min_up_intervals", Type.WHOLE, default=1, least=0.0),
            Column("min_down_intervals", Type.WHOLE, default=1, least=0.0),
            Column("initially_on", Type.FLAG, default=False),
        ),
        key=("generator",),
    ),
    Table(
        "supply",
        "supply",
        (
            _id("contract"),
            _ref("zone"),
            *TIME,
            _amount("energy_kwh", required=True),
            _number("price_per_mwh", required=True),
        ),
        key=("contract", "zone"),
        series=True,
        dense=True,
    ),
    Table(
        "grid_prices",
        "grid",
        (
            _ref("zone"),
            *TIME,
            _number("import_price_per_mwh", required=True),
            _number("export_price_per_mwh", required=True),
            _amount("import_limit_kw"),
            _amount("export_limit_kw"),
        ),
        key=("zone",),
        series=True,
        dense=True,
    ),
    Table(
        "orders",
        "orders",
        (
            _id("order_id"),
            Column("participant"),
            Column("resource", default="electricity"),
            Column("submitted_at", Type.INSTANT),
            _ref("zone"),
            _choice("side", "buy", "sell", required=True),
            *TIME,
            _choice("kind", "step", "block", "complex", required=True),
            _number("price_per_mwh", required=True),
            _number("quantity_kwh", above=0.0),
            _number("quantity_mw", above=0.0),
            _ratio("min_acceptance_ratio", 1.0),
            _amount("min_quantity_kwh", 0.0),
            _amount("fixed_cost", 0.0),
            Column("exclusive_group"),
            _ref("parent_order_id", False),
        ),
        key=("order_id",),
        timed=True,
        unique=False,
    ),
    Table(
        "lines",
        "lines",
        (
            _id("line_id"),
            _ref("from_zone"),
            _ref("to_zone"),
            *TIME,
            _amount("forward_kwh", required=True),
            _amount("reverse_kwh", required=True),
            _number("loss_ratio", 0.0, least=0.0, below=1.0),
        ),
        key=("line_id",),
        series=True,
        timed=True,
    ),
    Table(
        "allocations",
        "allocations",
        (
            _ref("node"),
            *TIME,
            _amount("energy_kwh", required=True),
            Column("resource", default="electricity"),
            _amount("reserve_per_mwh", 0.0),
        ),
        key=("node", "resource"),
        series=True,
        dense=True,
    ),
    Table(
        "tariffs",
        "tariffs",
        (
            _id("tariff"),
            Column("component", required=True),
            _choice("level", "unit", "building", "district", "city", required=True),
            _choice("direction", "import", "export", required=True),
            _choice("basis", "per_mwh", "per_kw_month", "per_day", required=True),
            _number("rate", required=True),
            Column("from_time"),
            Column("to_time"),
            Column("days"),
            Column("months"),
            _amount("step_from_kwh", 0.0),
            _ratio("applies_to_internal"),
            _amount("vat_ratio", 0.0),
            _amount("peak_so_far_kw", 0.0),
        ),
        key=("tariff",),
        unique=False,
    ),
    Table(
        "resources",
        "resources",
        (
            _id("resource"),
            _choice("unit", "spot", "core", "GB", "m2", required=True),
            Column("divisible", Type.FLAG, default=True),
        ),
        key=("resource",),
    ),
    Table(
        "listings",
        "listings",
        (
            _id("listing"),
            _ref("node"),
            _ref("resource"),
            _choice("side", "offer", "request", required=True),
            _number("quantity", required=True, above=0.0),
            Column("start", required=True),
            Column("end", required=True),
            _number("limit_price_per_unit_hour"),
            _number("limit_price_total"),
            Column("all_or_nothing", Type.FLAG, default=False),
            Column("bundle"),
        ),
        key=("listing",),
    ),
    Table(
        "meters",
        "meters",
        (
            _id("meter"),
            _ref("node"),
            Column("file", required=True),
            Column("format"),
            _choice("channel", *CHANNELS),
            Column("timezone"),
            _ref("part_of", False),
        ),
        key=("meter",),
    ),
    Table("profiles", "profiles", (_id("profile"), *TIME, _number("value", required=True)), ("profile",), True),
    Table(
        "weather",
        "weather",
        (*TIME, _number("temperature_c"), _amount("ghi_w_m2"), _amount("wind_m_s")),
        series=True,
    ),
    Table(
        "imbalance",
        "imbalance",
        (*TIME, _number("long_per_mwh", required=True), _number("short_per_mwh", required=True)),
        series=True,
    ),
)

BY_NAME = {table.name: table for table in TABLES}
BY_STEM = {table.stem: table for table in TABLES}
ASSETS = {
    "loads": "load",
    "solar": "plant",
    "wind": "plant",
    "batteries": "battery",
    "vehicles": "vehicle",
    "appliances": "appliance",
    "flexible": "load",
    "generators": "generator",
}
"""The tables of assets, each with the column that names the asset."""


def passes(column: str) -> bool:
    """Whether a column that no table knows is left alone: ``note`` and ``x_…``."""
    return column == "note" or column.startswith("x_")


def stem_and_ending(file_name: str) -> tuple[str, str]:
    """``orders.csv.gz`` -> (``orders``, ``.csv.gz``); an ending that no table can have gives (name, "")."""
    for ending in ENDINGS:
        if file_name.endswith(ending):
            return file_name.removesuffix(ending), ending
    return PurePath(file_name).name, ""
