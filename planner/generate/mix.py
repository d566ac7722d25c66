"""What a synthetic city is made of, as far as cities differ: how many, how large, how much contracted ahead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mix:
    """Shares and sizes of what units own, and how much of their use their allocations cover.

    ``vehicle_ratio`` is the share of all units with a vehicle, ``several_units_ratio`` of units held together with
    the one beside, ``home_battery_ratio`` of homes, offices and shops with a battery of ``home_battery_kwh`` (from, to).
    A vehicle needs a lognormal energy per stay
    (``vehicle_kwh`` its median, ``vehicle_most_kwh`` its cap) and ``charger_ratios`` says how common each charger is.
    ``pump_kw`` is the
    range of a unit's heat pump; ``balcony_spread`` is the deviation of the logarithm of small plants' sizes.  Allocations cover ``cover`` of the
    expected use, times a factor of each unit's own with deviation ``cover_spread`` of its logarithm.
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
