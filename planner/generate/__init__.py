"""Synthetic cities in the contract's case format, with every kind of asset.

Nothing here is measured: sizes, habits and prices are drawn from a seeded generator, so that the same
arguments write the same files on every machine.  Cases say `synthetic = true`.

Units: power in kW, energy in kWh per interval, prices in currency per MWh.  Arrays named ``*_kwh`` have
one row per unit and one column per interval.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from planner.generate import assets, market, network, profiles, writing
from planner.generate.clock import Clock
from planner.generate.layout import even_sizes, plan_city
from planner.generate.mix import Mix

DELIVERY_DATE = date(2026, 4, 15)  # a Wednesday with sun at noon and heat pumps still at work


def generate(
    folder: str | Path,
    units: int,
    units_per_building: int = 50,
    interval_minutes: int = 60,
    days: int = 1,
    seed: int = 1,
    *,
    delivery_date: date = DELIVERY_DATE,
    timezone: str = "Europe/Berlin",
    vehicle_ratio: float = 0.28,
    mode: str = "decentralised",
    preset: str = "exchange",
) -> Path:
    """Write a synthetic city of ``units`` units as a case folder and return its path.

    ``units`` counts every node of kind unit, the common unit of each building included.  ``vehicle_ratio`` is the
    share of units with a vehicle that charges semi-continuously.  Raises ValueError for sizes that make no city.
    """
    _check(units, units_per_building, interval_minutes, days)
    folder = Path(folder)
    clock = Clock.of(delivery_date, days, interval_minutes, timezone)
    mix = Mix(vehicle_ratio=vehicle_ratio)
    plan = plan_city(even_sizes(units, units_per_building), seed, mix)
    shapes = profiles.shapes(clock, seed)
    fleet = assets.draw(plan, shapes, clock, seed, mix)
    limits = network.limits(plan, fleet, clock, seed)
    tables = {
        "nodes": network.nodes(plan, limits),
        "profiles": profiles.table(shapes, clock),
        **fleet.tables,
        **market.tables(plan, fleet, limits, clock, seed, mix),
    }
    settings = writing.Settings(
        name=f"city-{units}x{clock.first_day}",
        delivery_date=delivery_date,
        timezone=timezone,
        interval_minutes=interval_minutes,
        seed=seed,
        mode=mode,
        preset=preset,
    )
    return writing.write_case(folder, settings, tables, parquet_from_units=500)


def _check(units: int, units_per_building: int, interval_minutes: int, days: int) -> None:
    """Refuse what makes no city; all reasons at once."""
    reasons = [
        text
        for wrong, text in (
            (units < 2, f"units must be at least 2, not {units}"),
            (units_per_building < 2, f"units per building must be at least 2, not {units_per_building}"),
            (interval_minutes not in (15, 30, 60), f"interval minutes must be 15, 30 or 60, not {interval_minutes}"),
            (days < 1, f"days must be at least 1, not {days}"),
        )
        if wrong
    ]
    if reasons:
        raise ValueError("; ".join(reasons))
