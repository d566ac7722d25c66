"""Tiny cities for the models' witnesses: short constructors, and random ones drawn from a seed.

All random numbers are whole Wh, whole currency per MWh and hours of one interval, so that hand sums stay exact.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from planner_models.words import (
    Appliance,
    Asset,
    Battery,
    BlockOrder,
    Building,
    City,
    Exchange,
    Feeder,
    Fees,
    Flexible,
    Generator,
    IntervalGrid,
    Line,
    Load,
    Plant,
    Remainder,
    Side,
    StepOrder,
    Unit,
    Vehicle,
)

Rng = np.random.Generator
KINDS = ("load", "plant", "battery", "vehicle", "appliance", "flexible", "generator")
CAP = 4000.0


def grid(n: int, minutes: int = 60) -> IntervalGrid:
    first = datetime(2026, 6, 9, 22, tzinfo=UTC)
    return IntervalGrid(tuple(first + timedelta(minutes=minutes * t) for t in range(n)), minutes, n)


def same(value: float, n: int) -> tuple[float, ...]:
    return (float(value),) * n


def unit(name: str, assets: tuple[Asset, ...], n: int, allocation: Any = 0.0, reserve: Any = 0.0, **more: Any) -> Unit:
    """A unit whose allocation and reserve may be given as one number for all intervals."""
    spread = [same(v, n) if isinstance(v, int | float) else tuple(v) for v in (allocation, reserve)]
    return Unit(name, assets, spread[0], spread[1], **more)


def house(name: str, *units: Unit, zone: str = "z", **more: Any) -> Building:
    return Building(name, zone, units, **more)


def exchange(n: int, buy: Any = 100.0, sell: Any = 50.0, most: Any = np.inf, zone: str = "z") -> Exchange:
    """A neighbour that sells at ``buy`` and buys at ``sell`` (currency per MWh)."""
    prices = [same(v, n) if isinstance(v, int | float) else tuple(v) for v in (buy, sell)]
    limit = same(most, n) if isinstance(most, int | float) else tuple(most)
    return Exchange(zone, prices[0], prices[1], limit, limit)


def city(buildings: tuple[Building, ...], n: int, **more: Any) -> City:
    more.setdefault("exchanges", (exchange(n),))
    return City(grid(n, more.pop("minutes", 60)), more.pop("zones", ("z",)), buildings, **more)


def _kwh(rng: Rng, low: float, high: float, n: int) -> tuple[float, ...]:
    return tuple(rng.integers(round(low * 1000), round(high * 1000) + 1, n) / 1000)


def _number(rng: Rng, low: float, high: float, step: float = 0.1) -> float:
    return float(np.round(rng.integers(round(low / step), round(high / step) + 1) * step, 6))


def random_asset(rng: Rng, kind: str, name: str, n: int) -> Asset:
    """One asset of a kind, with every option of its family sometimes used."""
    return _MAKERS[kind](rng, name, n)


def _load(rng: Rng, name: str, n: int) -> Load:
    ratio = float(rng.choice([0.0, 0.3]))
    return Load(name, _kwh(rng, 0, 3, n), _number(rng, 200, 900, 1), ratio, _number(rng, 30, 150, 1))


def _plant(rng: Rng, name: str, n: int) -> Plant:
    return Plant(name, _kwh(rng, 0, 4, n), bool(rng.integers(2)), float(rng.choice([0.0, 40.0])), CAP)


def _battery(rng: Rng, name: str, n: int) -> Battery:
    size = _number(rng, 2, 6)
    return Battery(
        name,
        size,
        _number(rng, 1, 3),
        _number(rng, 1, 3),
        _number(rng, 0.8, 1.0, 0.05),
        _number(rng, 0.8, 1.0, 0.05),
        minimum_kwh=_number(rng, 0, 0.5),
        initial_kwh=_number(rng, 0.5, 2),
        final_kwh=_number(rng, 0, 2),
        standing_loss_per_h=float(rng.choice([0.0, 0.02])),
        wear_per_mwh=_number(rng, 0, 20, 1),
        shortfall_cost_per_mwh=CAP,
    )


def _vehicle(rng: Rng, name: str, n: int) -> Vehicle:
    first = int(rng.integers(0, n - 1))
    last = int(rng.integers(first + 1, n + 1))
    most = _number(rng, 1, 4)
    least = float(rng.choice([0.0, most / 2]))
    return Vehicle(name, first, last, _number(rng, 0.5, 6), most, least, _number(rng, 0.8, 1, 0.05), 900.0)


def _appliance(rng: Rng, name: str, n: int) -> Appliance:
    length = int(rng.integers(1, min(3, n) + 1))
    first = int(rng.integers(0, n - length + 1))
    last = int(rng.integers(first, n - length + 1))
    return Appliance(name, first, last, _kwh(rng, 0.2, 1.5, length), float(rng.choice([0.05, 5.0])))


def _flexible(rng: Rng, name: str, n: int) -> Flexible:
    most = np.array(_kwh(rng, 0.5, 2, n))
    low = np.cumsum(most) * 0.4 * (np.arange(n) >= n // 2)
    floor = tuple(np.round(low, 3)) if rng.integers(2) else None
    ceiling = tuple(np.round(np.cumsum(most) * 0.7, 3)) if rng.integers(2) else None
    least = tuple(np.round(most * float(rng.choice([0.0, 0.2])), 3))
    return Flexible(name, least, tuple(most), floor, ceiling, _number(rng, 100, 600, 1))


def _generator(rng: Rng, name: str, n: int) -> Generator:
    most = _number(rng, 1, 4)
    return Generator(
        name,
        most,
        float(rng.choice([0.0, most / 2])),
        _number(rng, 30, 150, 1),
        float(rng.choice([0.0, 0.1])),
        int(rng.integers(1, 4)),
        int(rng.integers(1, 4)),
        bool(rng.integers(2)),
    )


_MAKERS = {
    "load": _load,
    "plant": _plant,
    "battery": _battery,
    "vehicle": _vehicle,
    "appliance": _appliance,
    "flexible": _flexible,
    "generator": _generator,
}


def random_unit(rng: Rng, name: str, n: int, kinds: tuple[str, ...] = KINDS) -> Unit:
    assets = [random_asset(rng, "load", f"{name}.load", n)] if "load" in kinds else []
    others = [k for k in kinds if k != "load"]
    for i in range(int(rng.integers(0, 4)) if others else 0):
        assets.append(random_asset(rng, str(rng.choice(others)), f"{name}.{i}", n))
    limits = _kwh(rng, 3, 8, n) if rng.integers(3) == 0 else None
    allotted = bool(rng.integers(2))
    return Unit(
        name,
        tuple(assets),
        _kwh(rng, 0, 2, n) if allotted else same(0, n),
        _kwh(rng, 0, 150, n) if allotted and rng.integers(2) else same(0, n),
        limits,
        limits if rng.integers(2) else None,
    )


def random_building(
    rng: Rng, name: str, n: int, zone: str = "z", feeders: tuple[str, ...] = (), kinds: tuple[str, ...] = KINDS
) -> Building:
    """One to three units; sometimes a limited connection, sometimes losses."""
    units = tuple(random_unit(rng, f"{name}.u{i}", n, kinds) for i in range(int(rng.integers(1, 4))))
    imports = _kwh(rng, 4, 9, n) if rng.integers(2) else None
    exports = _kwh(rng, 3, 6, n) if rng.integers(2) else None
    loss = float(rng.choice([0.0, 0.02, 0.1]))
    return Building(name, zone, units, imports, exports, loss, feeders)


def random_city(
    seed: int, *, houses: int = 3, n: int = 4, kinds: tuple[str, ...] = KINDS, lowest: float = 5.0, orders: bool = True
) -> City:
    """Two zones joined by a lossy line, a limited feeder in the first, step and block orders, fees.

    ``lowest`` bounds the neighbour's prices from below: negative makes some prices negative.
    """
    rng = np.random.default_rng(seed)
    zones = ("east", "west")
    feeders = [("street",) if i in (0, 2) else () for i in range(houses)]
    buildings = tuple(
        random_building(rng, f"b{i}", n, zones[i % 2] if i else "east", feeders[i], kinds) for i in range(houses)
    )
    below = [b for b in buildings if b.feeders]
    granted = np.sum([b.allocation_kwh for b in below], axis=0)
    room = np.full(n, len(below) * 1.0)
    buy = np.round(rng.uniform(max(lowest, 20) if lowest >= 0 else lowest, 200, n))
    sell = np.round(buy - rng.uniform(0, 40, n))
    limit = same(30, n)
    steps = tuple(
        StepOrder(
            f"s{i}",
            i + 1,
            str(rng.choice(zones)),
            Side.SELL if rng.integers(2) else Side.BUY,
            int(rng.integers(n)),
            _number(rng, 10, 200, 1),
            _number(rng, 0.5, 4),
        )
        for i in range(4)
    )
    blocks = (
        BlockOrder("k", (5, 6), "west", Side.SELL, (0, 1), (2.0, 1.0), _number(rng, 20, 120, 1), 0.5),
        BlockOrder("m", (7,), "east", Side.BUY, (n - 1,), (1.5,), _number(rng, 20, 150, 1), 1.0),
    )
    return City(
        grid(n),
        zones,
        buildings,
        feeders=(Feeder("street", "east", tuple(granted + 3 * room), tuple(2 * room), tuple(granted)),),
        exchanges=(exchange(n, tuple(buy), tuple(sell), limit, "east"),),
        remainders=(Remainder("west", _kwh(rng, 0, 1, n)),),
        steps=steps if orders else (),
        blocks=blocks if orders else (),
        lines=(Line("tie", "east", "west", same(12, n), same(8, n), 0.04),),
        fees=Fees(float(rng.choice([0.0, 8.0])), float(rng.choice([0.0, 3.0]))),
        price_floor=-500.0,
        price_cap=CAP,
    )


def only(asset: Asset, n: int, **more: Any) -> Building:
    """A building of one unit with one asset."""
    return house("b", unit("u", (asset,), n), **more)


def with_buildings(whole: City, *buildings: Building) -> City:
    return replace(whole, buildings=buildings)
