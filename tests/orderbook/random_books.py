"""Random small books, steered towards what is hard: whole numbers, few distinct prices, so that ties abound.

Up to 12 orders of all kinds, up to 3 intervals, 2 zones, with lines and sometimes losses or a price-taking neighbour.
A seed always gives the same book; ``seed % len(THEMES)`` picks what it is steered to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from books import Book, GridRow, LineRow, Row
from brute import Answer, Brute, Prices
from linear import best

Rng = np.random.Generator
MW = 1000.0
MOST_ORDERS = 12
MOST_DECISIONS = 8


class Draft:
    """A book while orders are added to it."""

    def __init__(self, rng: Rng, zones: Sequence[str], intervals: int) -> None:
        self.rng, self.zones, self.intervals = rng, list(zones), intervals
        self.rows: list[Row] = []
        self.orders = 0
        self.decisions = 0

    def pick(self, values: Sequence[Any]) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def chance(self, ratio: float) -> bool:
        return bool(self.rng.random() < ratio)

    def room(self, orders: int = 1, decisions: int = 0) -> bool:
        """Whether so many more orders and integer decisions still fit."""
        return self.orders + orders <= MOST_ORDERS and self.decisions + decisions <= MOST_DECISIONS

    def name(self, letter: str) -> str:
        self.orders += 1
        return f"{letter}{self.orders}"

    def step(self, side: str, zone: str, prices: Sequence[int], sizes: Sequence[int], times: Sequence[int]) -> None:
        """One step order with a row in each of ``times``."""
        if self.room():
            name = self.name("s" if side == "sell" else "b")
            for time in times:
                row = Row(name, zone, side, time, "step", float(self.pick(prices)), self.pick(sizes) * MW)
                self.rows.append(row)

    def block(
        self,
        side: str,
        zone: str,
        price: float,
        sizes: Sequence[int],
        times: Sequence[int],
        ratio: float = 1.0,
        group: str = "",
        parent: str = "",
    ) -> str:
        """One block order; its id, or nothing where there is no room."""
        if not self.room(1, 1):
            return ""
        self.decisions += 1
        name = self.name("k")
        for time in times:
            size = self.pick(sizes) * MW
            self.rows.append(
                Row(name, zone, side, time, "block", price, size, ratio, exclusive_group=group, parent_order_id=parent)
            )
        return name

    def complex(self, zone: str, prices: Sequence[int], sizes: Sequence[int], least: float, fixed: float) -> None:
        """One scalable complex order: one or two steps in every interval, a least quantity, a fixed cost."""
        if not self.room(1, 1):
            return
        self.decisions += 1
        name = self.name("c")
        for time in range(1, self.intervals + 1):
            asked = self.rng.permutation(prices)[: self.pick((1, 1, 2))]
            steps = [(float(price), self.pick(sizes) * MW) for price in asked]
            total = sum(size for _, size in steps)
            for i, (price, size) in enumerate(sorted(steps)):
                minimum = float(round(least * total)) if i == 0 else 0.0
                self.rows.append(Row(name, zone, "sell", time, "complex", price, size, 1.0, minimum, fixed_cost=fixed))

    def window(self, least: int = 1) -> list[int]:
        """A random run of intervals."""
        length = int(self.rng.integers(min(least, self.intervals), self.intervals + 1))
        first = int(self.rng.integers(1, self.intervals - length + 2))
        return list(range(first, first + length))

    def all_day(self) -> list[int]:
        return list(range(1, self.intervals + 1))


def _ground(draft: Draft) -> None:
    """Buyers and sellers of plain steps in every zone, so that something trades."""
    for zone in draft.zones:
        draft.step("buy", zone, (40, 60, 80, 100), (4, 6, 7, 8, 10), draft.all_day())
        draft.step("sell", zone, (10, 20, 30, 40), (3, 4, 5, 6), draft.all_day())


def _extra(draft: Draft, count: int) -> None:
    for _ in range(count):
        side = draft.pick(("buy", "sell"))
        draft.step(side, draft.pick(draft.zones), (0, 10, 20, 30, 40, 50, 60), (1, 2, 3, 5, 10), draft.window())


def general(draft: Draft) -> None:
    """A bit of everything."""
    _ground(draft)
    for _ in range(draft.pick((1, 2, 3, 4))):
        side = draft.pick(("sell", "sell", "buy"))
        price = draft.pick((10, 20, 30, 40, 50))
        ratio = draft.pick((1.0, 1.0, 0.5, 0.25, 0.0))
        draft.block(side, draft.pick(draft.zones), price, (2, 3, 4, 5, 8), draft.window(), ratio)
    if draft.chance(0.3):
        _group(draft)
    if draft.chance(0.3):
        _family(draft)
    if draft.chance(0.3):
        draft.complex(draft.zones[0], (5, 15, 25), (3, 5), draft.pick((0.0, 0.3, 0.6)), draft.pick((0.0, 50.0, 200.0)))
    _extra(draft, 3)


def paradox(draft: Draft) -> None:
    """Dear buyers, a cheap seller who is not enough, and blocks in between that are too big to be marginal."""
    for zone in draft.zones:
        draft.step("buy", zone, (90, 100, 120), (8, 9, 11), draft.all_day())
        draft.step("sell", zone, (5, 10, 15), (4, 5, 6), draft.all_day())
    for _ in range(draft.pick((1, 2, 3, 4))):
        price, ratio = draft.pick((30, 40, 50)), draft.pick((1.0, 1.0, 0.5))
        draft.block("sell", draft.pick(draft.zones), price, (4, 5, 6, 7), draft.window(), ratio)
    if draft.chance(0.4):
        draft.complex(draft.pick(draft.zones), (20, 30), (4, 6), draft.pick((0.3, 0.8)), draft.pick((0.0, 100.0)))
    _extra(draft, 2)


def middle(draft: Draft) -> None:
    """Step ends far apart in every interval, and a block over several of them whose limit cuts the corner off."""
    times = draft.all_day()
    zone = draft.zones[0]
    size = draft.pick((2, 3, 4))
    for time in times:
        draft.step("sell", zone, (10, 15, 20), (size,), [time])
        draft.step("buy", zone, (60, 70, 90), (draft.pick((1, 2)),), [time])
        small = draft.rows[-1].quantity_kwh / MW
        draft.rows[-2] = replace(draft.rows[-2], quantity_kwh=(size + small) * MW)
    price = draft.pick((22, 25, 28))
    draft.block("buy", zone, price, (size,), times, draft.pick((1.0, 1.0, 0.5)))
    if draft.chance(0.5):
        draft.block("sell", draft.pick(draft.zones), draft.pick((40, 50)), (2, 5), times)
    _extra(draft, draft.pick((0, 0, 1)))


def family(draft: Draft) -> None:
    """Linked blocks two or three deep, parents too dear by themselves."""
    _ground(draft)
    _family(draft, depth=draft.pick((2, 3)))
    if draft.chance(0.4):
        _family(draft)
    if draft.chance(0.3):
        _group(draft)
    _extra(draft, 2)


def _family(draft: Draft, depth: int = 2) -> None:
    side, zone = draft.pick(("sell", "sell", "sell", "buy")), draft.pick(draft.zones)
    parent = ""
    for level in range(depth):
        for _ in range(1 if level == 0 else draft.pick((1, 1, 2))):
            dear = level == 0 or draft.chance(0.3)
            price = draft.pick((50, 60, 70) if dear == (side == "sell") else (10, 20, 30))
            place = zone if draft.chance(0.8) else draft.pick(draft.zones)
            name = draft.block(
                side, place, price, (1, 2, 3), draft.window(), draft.pick((1.0, 1.0, 0.5, 0.25)), parent=parent
            )
            if not name:
                return
        parent = name


def _group(draft: Draft) -> None:
    side, zone, group = draft.pick(("sell", "buy")), draft.pick(draft.zones), f"g{draft.orders}"
    for _ in range(draft.pick((2, 3))):
        price = draft.pick((20, 30, 35) if side == "sell" else (40, 50, 60))
        draft.block(side, zone, price, (2, 3, 4), [draft.pick(draft.all_day())], draft.pick((1.0, 0.5)), group=group)


def scalable(draft: Draft) -> None:
    """Complex orders whose steps are cheap and whose fixed cost their own price does not earn back."""
    for zone in draft.zones:
        draft.step("buy", zone, (80, 100, 120), (6, 7, 8), draft.all_day())
        draft.step("sell", zone, (15, 20, 25), (2, 3, 4), draft.all_day())
    for zone in draft.zones if draft.chance(0.5) else draft.zones[:1]:
        fixed = draft.pick((100.0, 150.0, 200.0)) * draft.intervals
        draft.complex(zone, (5, 10, 15, 20), (5, 6, 8), draft.pick((0.0, 0.2, 0.5)), fixed)
    if draft.chance(0.5):
        draft.block("sell", draft.pick(draft.zones), draft.pick((20, 40, 60)), (2, 4), draft.window())
    _extra(draft, 2)


THEMES: tuple[Callable[[Draft], None], ...] = (general, paradox, middle, family, scalable, paradox, middle, scalable)


def random_book(seed: int) -> Book:
    """The book of a seed."""
    rng = np.random.default_rng(seed)
    theme = THEMES[seed % len(THEMES)]
    zones = ["east", "west"][: 1 + int(rng.random() < 0.5)]
    intervals = 3 if theme is middle else int(rng.integers(1, 4))  # over two, the corner is cut through the middle
    draft = Draft(rng, zones, intervals)
    theme(draft)
    shift = float(draft.pick((0, 0, 0, -30)))
    lossy = shift == 0 and len(zones) > 1 and draft.chance(0.2)
    rows = tuple(replace(row, price_per_mwh=row.price_per_mwh + shift) for row in draft.rows)
    return Book(rows, _lines(draft, lossy), _grid(draft) if not lossy and draft.chance(0.1) else ())


def below_zero(seed: int) -> Book:
    """Two zones joined by a lossy line, at prices so far below zero that burning energy would often pay."""
    rng = np.random.default_rng(seed)
    theme = THEMES[seed % len(THEMES)]
    draft = Draft(rng, ["east", "west"], int(rng.integers(1, 4)))
    theme(draft)
    shift, loss = draft.pick((-120.0, -60.0, -40.0)), draft.pick((0.03, 0.1))
    ends = draft.pick((0, 1, 2, 5, 100)) * MW, draft.pick((0, 1, 2, 5, 100)) * MW
    rows = tuple(replace(row, price_per_mwh=row.price_per_mwh + shift) for row in draft.rows)
    return Book(rows, (LineRow("l1", "east", "west", *ends, loss),))


def _lines(draft: Draft, lossy: bool) -> tuple[LineRow, ...]:
    """None, one or two lines between two zones."""
    if len(draft.zones) < 2 or draft.chance(0.1):
        return ()
    found = [LineRow("l1", "east", "west", draft.pick((0, 1, 2, 5, 100)) * MW, draft.pick((0, 1, 2, 5, 100)) * MW)]
    if lossy:
        return (replace(found[0], loss_ratio=draft.pick((0.02, 0.1))),)
    if draft.chance(0.25):
        found.append(LineRow("l2", "west", "east", draft.pick((1, 3)) * MW, draft.pick((0, 2)) * MW))
    return tuple(found)


def _grid(draft: Draft) -> tuple[GridRow, ...]:
    """A neighbour of the last zone in every interval."""
    price = draft.pick((20, 45, 70))
    limits = draft.pick((1, 2, 5)) * MW, draft.pick((0, 2)) * MW
    return tuple(
        GridRow(draft.zones[-1], time, float(price), float(price - draft.pick((0, 10))), *limits)
        for time in draft.all_day()
    )


@dataclass(frozen=True)
class Traits:
    """What makes a book hard."""

    paradoxically_accepted: bool
    middle_not_supporting: bool
    family: bool
    complex_loses: bool


def traits(brute: Brute, answer: Answer, prices: Prices) -> Traits:
    """``answer`` and ``prices`` are those of ``no_pab``."""
    return Traits(
        paradoxically_accepted=all(not brute.admits(one) for one in brute.optimal),
        middle_not_supporting=_off_middle(prices),
        family=any(block.parent for block in brute.book.blocks),
        complex_loses=any(_complex_loses(brute, one) for one in brute.optimal),
    )


def _off_middle(prices: Prices) -> bool:
    """Whether the projection had to move the component-wise middle."""
    for cell, point in prices.point.items():
        low, high = prices.low[cell], prices.high[cell]
        ends = [end for end in (low, high) if end is not None]
        if point is not None and abs(point - sum(ends) / len(ends)) > 1e-3:
            return True
    return False


def _complex_loses(brute: Brute, answer: Answer) -> bool:
    """Whether an accepted complex order loses at every supporting price."""
    families, slopes, constants = brute.no_loss_rows(answer)
    orders = {order.id for order in brute.book.complexes}
    face = brute.supporting(answer)
    for family, slope, constant in zip(families, slopes, constants, strict=True):
        if family[0] in orders:
            row = np.zeros((1, len(face.cost)))
            row[0, : len(brute.cells)] = slope
            if best(face.with_rows(row, np.array([-constant + 1e-6]), np.array([np.inf]))) is None:
                return True
    return False
