"""Order books of a given size, drawn from a seed: what ASSUME can express, and large ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ("order_id", "zone", "side", "interval", "kind", "price_per_mwh", "quantity_kwh", "min_acceptance_ratio")
MORE_COLUMNS = ("parent_order_id", "min_quantity_kwh", "fixed_cost")
TOML = """\
name = "{name}"
delivery_date = 2026-06-15
timezone = "Europe/Brussels"
interval_minutes = {minutes}
currency = "EUR"
synthetic = true

[market]
pricing = "no_pab"
price_floor = -500.0
price_cap = 4000.0
"""
QUARTERS = 96
Cells = tuple[object, ...]


def write(
    folder: Path, rows: Iterator[Cells], lines: Iterable[Cells] = (), minutes: int = 60, more: tuple[str, ...] = ()
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.toml").write_text(TOML.format(name=folder.name, minutes=minutes))
    with (folder / "orders.csv").open("w", newline="") as file:
        csv.writer(file).writerows([(*COLUMNS, *more), *rows])
    joined = list(lines)
    if joined:
        with (folder / "lines.csv").open("w", newline="") as file:
            head = ("line_id", "from_zone", "to_zone", "forward_kwh", "reverse_kwh")
            csv.writer(file).writerows([head, *joined])
    return folder


def one_zone(folder: Path, steps_per_hour: int, blocks: int, seed: int) -> Path:
    """24 hours of steps that cross near 60 and blocks around that price, all or nothing or at least half."""
    rng = np.random.default_rng(seed)

    def rows() -> Iterator[Cells]:
        for hour in range(1, 25):
            for k in range(steps_per_hour):
                buys = k % 2 == 0
                price = rng.uniform(40, 120) if buys else rng.uniform(0, 100)
                kwh = int(rng.integers(1, 60)) * 1000
                yield f"s{hour}-{k}", "z", "buy" if buys else "sell", hour, "step", round(price, 1), kwh, ""
        for k in range(blocks):
            first, length = int(rng.integers(1, 20)), int(rng.integers(2, 6))
            price, ratio = round(rng.normal(58, 12), 1), (1.0, 0.5)[int(rng.random() < 0.3)]
            kwh = int(rng.integers(20, 40 * steps_per_hour // 8 + 60)) * 1000
            side = "sell" if rng.random() < 0.8 else "buy"
            for hour in range(first, min(first + length, 25)):
                yield f"k{k}", "z", side, hour, "block", price, kwh, ratio

    return write(folder, rows())


def many_steps(folder: Path, count: int = 50_000, zones: int = 10) -> Path:
    """Steps alone over 96 quarter-hours; every zone joined to the next and to the one after it."""
    rng = np.random.default_rng(1)
    level = rng.normal(60, 10, zones)

    def rows() -> Iterator[Cells]:
        for k in range(count):
            zone, interval = int(rng.integers(zones)), int(rng.integers(1, 97))
            buys = rng.random() < 0.5
            price = level[zone] + (rng.uniform(-20, 60) if buys else rng.uniform(-60, 30))
            kwh = int(rng.integers(1, 400)) * 100
            yield f"s{k}", f"z{zone}", "buy" if buys else "sell", interval, "step", round(price, 2), kwh, ""

    def lines() -> Iterator[Cells]:
        for k in range(zones):
            for step in (1, 2):
                yield f"l{k}-{step}", f"z{k}", f"z{(k + step) % zones}", 20_000, 15_000

    return write(folder, rows(), lines(), minutes=15)


def many_blocks(folder: Path, blocks: int = 5_000, zones: int = 20) -> Path:
    """5,000 blocks in a ring of 20 zones with 40 step rows per zone and hour between them."""
    rng = np.random.default_rng(2)
    level = rng.normal(60, 8, zones)

    def rows() -> Iterator[Cells]:
        for zone in range(zones):
            for hour in range(1, 25):
                for k in range(40):
                    buys = k % 2 == 0
                    price = level[zone] + (rng.uniform(-20, 60) if buys else rng.uniform(-60, 30))
                    kwh = int(rng.integers(10, 400)) * 100
                    yield (
                        f"s{zone}-{hour}-{k}",
                        f"z{zone}",
                        "buy" if buys else "sell",
                        hour,
                        "step",
                        round(price, 2),
                        kwh,
                        "",
                    )
        for k in range(blocks):
            zone, first, length = int(rng.integers(zones)), int(rng.integers(1, 20)), int(rng.integers(2, 9))
            price, kwh = round(level[zone] + rng.normal(0, 15), 2), int(rng.integers(5, 60)) * 100
            side = "sell" if rng.random() < 0.7 else "buy"
            for hour in range(first, min(first + length, 25)):
                yield f"k{k}", f"z{zone}", side, hour, "block", price, kwh, 1.0

    def lines() -> Iterator[Cells]:
        for k in range(zones):
            yield f"l{k}", f"z{k}", f"z{(k + 1) % zones}", 60_000, 60_000

    return write(folder, rows(), lines())


def near_the_money(folder: Path) -> Path:
    """Steps, 400 blocks near the money (100 of them children) and 5 complex orders."""
    return mixed(folder, blocks=400, largest=0.25, children=100, complexes=5)


def large_blocks(folder: Path) -> Path:
    """Steps and 100 blocks of up to 60 % of what a zone offers."""
    return mixed(folder, blocks=100, largest=0.6)


@dataclass(frozen=True)
class Mix:
    """A market day of ``zones`` in quarter-hours; prices follow a daily curve, each zone beside it by its level."""

    rng: np.random.Generator
    curve: Any
    level: Any
    supply_kwh: float

    @property
    def zones(self) -> int:
        return len(self.level)

    def complexes(self, count: int) -> Iterator[Cells]:
        """All day, three steps each, the first of which is the least to deliver; 5 per MWh of it as fixed cost."""
        for k in range(count):
            zone, kwh = int(self.rng.integers(self.zones)), int(self.rng.integers(10, 65)) * 10
            fixed = round(kwh * QUARTERS * 5 / 1000)
            for t in range(1, QUARTERS + 1):
                for beside, least in ((-20, kwh), (-15, ""), (5, "")):
                    price = round(60 + self.level[zone] + beside, 2)
                    yield f"c{k}", f"z{zone}", "sell", t, "complex", price, kwh, "", "", least, fixed

    def blocks(self, count: int, largest: float, children: int) -> Iterator[Cells]:
        """One to three hours, 2 % to ``largest`` of a zone's supply; the last ``children`` have one of the others."""
        rng = self.rng
        for k in range(count):
            zone, length = int(rng.integers(self.zones)), int(rng.integers(4, 12))
            first, side = int(rng.integers(QUARTERS - length + 1)), "sell" if rng.random() < 0.7 else "buy"
            price = round(self.curve[first : first + length].mean() + self.level[zone] + rng.normal(0, 10), 2)
            kwh, ratio = (
                int(self.supply_kwh * rng.uniform(0.02, largest) / 1000) * 1000,
                (1.0, 0.5, 0.3)[rng.integers(3)],
            )
            parent = f"b{int(rng.integers(count - children))}" if k >= count - children else ""
            for t in range(first + 1, first + length + 1):
                yield f"b{k}", f"z{zone}", side, t, "block", price, kwh, ratio, parent, "", ""

    def steps(self, count: int) -> Iterator[Cells]:
        rng = self.rng
        for k in range(count):
            zone, t, buys = int(rng.integers(self.zones)), int(rng.integers(QUARTERS)), rng.random() < 0.5
            price = round(self.curve[t] + self.level[zone] + rng.normal(15 if buys else -10, 30), 2)
            kwh = int(rng.exponential(500) + 10) * 100
            yield f"s{k}", f"z{zone}", "buy" if buys else "sell", t + 1, "step", price, kwh, "", "", "", ""

    def lines(self) -> Iterator[Cells]:
        """A chain of all zones and a third as many lines across."""
        most = int(self.supply_kwh * 0.3)
        for k in range(self.zones - 1):
            yield f"l{k}", f"z{k}", f"z{k + 1}", most, most
        for k in range(self.zones // 3):
            one, other = self.rng.choice(self.zones, 2, replace=False)
            yield f"x{k}", f"z{one}", f"z{other}", most, most


def mixed(folder: Path, blocks: int, largest: float, children: int = 0, complexes: int = 0) -> Path:
    """50,000 rows over 96 intervals and 10 zones: blocks, complex orders, and steps for the rest."""
    rng, count, zones = np.random.default_rng(3), 50_000, 10
    curve = 60 + 20 * np.sin(np.arange(QUARTERS) / QUARTERS * 2 * np.pi)
    mix = Mix(rng, curve, rng.normal(0, 8, zones), 50_000 * (count / QUARTERS / zones) / 2)
    lumps = [*mix.complexes(complexes), *mix.blocks(blocks, largest, children)]
    rows = [*lumps, *mix.steps(count - len(lumps))]
    return write(folder, iter(rows), mix.lines(), minutes=15, more=MORE_COLUMNS)
