"""Order books of a given size, drawn from a seed: what ASSUME can express, and two large ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

COLUMNS = ("order_id", "zone", "side", "interval", "kind", "price_per_mwh", "quantity_kwh", "min_acceptance_ratio")
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
Cells = tuple[object, ...]


def write(folder: Path, rows: Iterator[Cells], lines: Iterable[Cells] = (), minutes: int = 60) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.toml").write_text(TOML.format(name=folder.name, minutes=minutes))
    with (folder / "orders.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
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
