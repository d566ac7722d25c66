"""What a synthetic city is made of, as far as cities differ: how many, how large, how much contracted ahead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mix:
    """Shares and sizes of what units own, and how much of their use their allocations cover.

    Shares: ``vehicle_ratio`` of all units have a vehicle, ``several_units_ratio`` belong to the occupant of the unit
    beside, ``home_battery_ratio`` of homes, offices and shops have a battery; ``charger_ratios`` are the chargers'.
    Sizes: ``home_battery_kwh`` and ``pump_kw`` are the ranges of a unit's battery and heat pump.  The energy a vehicle
    needs for a stay is lognormal with median ``vehicle_kwh``, at most ``vehicle_most_kwh``; the sizes of a unit's
    own solar plant are, with the deviation ``balcony_spread`` of their logarithm.
    Allocations cover ``cover`` of the expected use, times a factor of each unit's own with the deviation
    ``cover_spread`` of its logarithm.
    """

    vehicle_ratio: float = 0.28
    several_units_ratio: float = 0.08
    home_battery_ratio: float = 0.12
    home_battery_kwh: tuple[float, float] = (4.0, 14.0)
    pump_kw: tuple[float, float] = (1.5, 3.5)
    vehicle_kwh: float = 11.0
    vehicle_most_kwh: float = float("inf")
    charger_ratios: tuple[float, float, float, float] = (0.25, 0.2, 0.45, 0.1)
    balcony_spread: float = 0.5
    cover: float = 0.75
    cover_spread: float = 0.25
