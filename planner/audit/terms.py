"""What case.toml says that an audit needs, with the contract's defaults, and the grid that follows from it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from planner.audit.grid import Grid, civil_grid
from planner.audit.table import DamagedFileError, MissingFileError


@dataclass(frozen=True)
class Terms:
    """Prices in currency per MWh."""

    grid: Grid
    price_floor: float
    price_cap: float
    price_tick: float
    pricing: str
    fee_buy: float
    fee_sell: float
    default_import: float
    default_export: float
    locality: str
    preset: str
    uplift: str
    synthetic: bool


def read_terms(path: Path, file: str, delivery_date: str) -> Terms:
    """Terms of the case.toml at ``path``, which the run calls ``file``.

    ``delivery_date`` (ISO) serves where the file leaves it to the command line.
    """
    if not path.is_file():
        raise MissingFileError(f"{file} is missing")
    try:
        return _read(path.read_text("utf-8"), delivery_date)
    except (tomllib.TOMLDecodeError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DamagedFileError(file, f"{type(error).__name__}: {error}") from None


@lru_cache(maxsize=16)
def _read(text: str, delivery_date: str) -> Terms:
    """Every holder of a run has the same text."""
    return _terms(tomllib.loads(text), delivery_date)


def _terms(toml: dict[str, Any], delivery_date: str) -> Terms:
    market, fees = toml.get("market", {}), toml.get("fees", {})
    locality = str(toml.get("allocation", {}).get("locality", "netting"))
    charged = 0.0 if locality == "joint" else 1.0  # the reference without fees
    tariff = toml.get("default_tariff", {})
    given = toml.get("delivery_date")
    day = given if isinstance(given, date) else date.fromisoformat(str(given or delivery_date))
    minutes = int(toml.get("interval_minutes", 60))
    if minutes not in (15, 30, 60):
        raise ValueError(f"interval_minutes is {minutes}")
    ahead = float(toml.get("horizon", {}).get("look_ahead_hours", 12))
    return Terms(
        grid=civil_grid(day, ZoneInfo(str(toml["timezone"])), minutes, ahead),
        price_floor=float(market.get("price_floor", -500)),
        price_cap=float(market.get("price_cap", 4000)),
        price_tick=float(market.get("price_tick_per_mwh", 0.01)),
        pricing=str(market.get("pricing", "convex_hull")),
        fee_buy=charged * float(fees.get("market_buy_per_mwh", 8)),
        fee_sell=charged * float(fees.get("market_sell_per_mwh", 0)),
        default_import=float(tariff.get("import_per_mwh", 320)),
        default_export=float(tariff.get("export_per_mwh", 20)),
        locality=locality,
        preset=str(toml.get("privacy", {}).get("preset", "exchange")),
        uplift=str(toml.get("settlement", {}).get("uplift", "operator")),
        synthetic=bool(toml.get("synthetic", False)),
    )
