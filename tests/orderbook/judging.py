"""What a clear of a small book must satisfy, asked of the tables that the planner writes and of the brute force."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import Book, Row, write_book
from brute import Answer, Brute, Prices
from linear import best

import planner

RULES = ("no_pab", "fixed_integers", "convex_hull")
CLOSE = 1e-6
WH = 0.0011
TICK = 0.01


def shuffled(book: Book, seed: int) -> Book:
    """The same orders and lines in other rows of their files."""
    rng = np.random.default_rng(seed)
    rows = tuple(book.rows[i] for i in rng.permutation(len(book.rows)))
    return Book(rows, tuple(reversed(book.lines)), tuple(reversed(book.grid)), book.price_floor, book.price_cap)


def clear(book: Book, rules: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Runs by rule, of the book as a case folder under ``folder``."""
    case = planner.read_case(write_book(book, folder / "book"))
    return dict(planner.market(case, list(rules), folder / "run"))


@dataclass(frozen=True)
class Judged:
    """One run beside the brute force of its book."""

    book: Book
    brute: Brute
    rule: str
    run: Any

    # ---- what was accepted -----------------------------------------------------------------------------------------

    @cached_property
    def kwh(self) -> dict[Row, float]:
        """Accepted energy of every row."""
        found: dict[tuple[object, ...], float] = {}
        for row in self.run.acceptances.to_dict("records"):
            key = (row["order_id"], row["interval"], round(row["price_per_mwh"], 6))
            assert key not in found, "a row stands twice"
            found[key] = row["accepted_kwh"]
        assert len(found) == len(self.book.rows), "a row is missing"
        return {row: found[row.order_id, row.interval, round(row.price_per_mwh, 6)] for row in self.book.rows}

    @cached_property
    def on(self) -> frozenset[str]:
        """Blocks and complex orders that deliver anything."""
        return frozenset(row.order_id for row, kwh in self.kwh.items() if row.kind != "step" and kwh > WH)

    @cached_property
    def flow(self) -> dict[tuple[str, int], float]:
        return {(row["line_id"], row["interval"]): row["flow_kwh"] for row in self.run.flows.to_dict("records")}

    @cached_property
    def candidates(self) -> list[Answer]:
        """The brute force's decisions of greatest welfare and volume under the rule."""
        return self.brute.unparadoxical if self.rule == "no_pab" else self.brute.optimal

    @cached_property
    def matched(self) -> list[Answer]:
        """Those that take the same orders, with lossy lines the way they run (either way where nothing flows)."""
        names = {block.id for block in self.book.blocks if block.ratio > 0}
        names |= {order.id for order in self.book.complexes}
        return [one for one in self.candidates if one.on & names == self.on & names and self._runs_alike(one)]

    def _runs_alike(self, answer: Answer) -> bool:
        for span in self.brute.lossy:
            flow = self.flow[span.line_id, span.interval]
            if abs(flow) > WH and (f"{span.line_id}@{span.interval}" in answer.on) != (flow > 0):
                return False
        return True

    # ---- questions -------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything."""
        self.check_feasible()
        self.check_welfare()
        self.check_decision()
        self.check_volume_and_ties()
        self.check_prices()
        self.check_money()
        self.check_reasons()

    def check_welfare(self) -> None:
        expected = self.candidates[0].welfare
        assert self.run.certificate["welfare"] == pytest.approx(expected, rel=CLOSE, abs=1e-6)
        assert self.run.certificate["proven"] is True
        worth = sum(row.sign * row.price_per_mwh * kwh / 1000 for row, kwh in self.kwh.items())
        worth -= sum(order.fixed_cost for order in self.book.complexes if order.id in self.on)
        for row in self.run.exchange.to_dict("records"):
            for grid in self.book.grid:
                if (grid.zone, grid.interval) == (row["zone"], row["interval"]):
                    worth -= grid.import_price_per_mwh * row["import_kwh"] / 1000
                    worth += grid.export_price_per_mwh * row["export_kwh"] / 1000
        assert worth == pytest.approx(expected, rel=CLOSE, abs=1e-3)

    def check_feasible(self) -> None:
        """Every rule of the order families and the balance of every cell, from the tables alone."""
        self._check_orders()
        self._check_blocks()
        drawn: dict[tuple[str, int], float] = defaultdict(float)
        for row, kwh in self.kwh.items():
            drawn[row.zone, row.interval] += row.sign * kwh
        for span in self.book.spans:
            flow, half = self.flow[span.line_id, span.interval], span.loss_ratio / 2
            assert -span.reverse_kwh - WH <= flow <= span.forward_kwh + WH
            drawn[span.from_zone, span.interval] += flow + half * abs(flow)
            drawn[span.to_zone, span.interval] -= flow - half * abs(flow)
        for row in self.run.exchange.to_dict("records"):
            drawn[row["zone"], row["interval"]] -= row["import_kwh"] - row["export_kwh"]
        assert {cell: kwh for cell, kwh in drawn.items() if abs(kwh) > 5 * WH} == {}

    def _check_orders(self) -> None:
        for row, kwh in self.kwh.items():
            assert -1e-9 <= kwh <= row.quantity_kwh + 1e-9
        for order in self.book.complexes:
            for time, least in order.least_kwh.items():
                given = sum(self.kwh[row] for row in order.rows if row.interval == time)
                assert order.id not in self.on or given >= least - WH

    def _check_blocks(self) -> None:
        ratio: dict[str, float] = {}
        for block in self.book.blocks:
            ratios = [self.kwh[row] / row.quantity_kwh for row in block.rows]
            assert max(ratios) - min(ratios) < 1e-5
            ratio[block.id] = ratios[0]
            assert ratios[0] == 0 or block.ratio - 1e-5 <= ratios[0]
        for block in self.book.blocks:
            assert not block.parent or ratio[block.id] <= ratio[block.parent] + 1e-5
        for members in self.brute.groups.values():
            assert sum(ratio[name] for name in members) <= 1 + 1e-5

    def check_decision(self) -> None:
        """The same orders are taken as in one of the best decisions, with the least kWh rejected in the money."""
        assert self.matched, f"takes {sorted(self.on)}, not {[sorted(one.on) for one in self.candidates]}"
        if self.rule == "convex_hull" or len(self.candidates) == 1 or self.brute.lossy:
            return
        missed = []
        for answer in self.candidates:
            prices = self.brute.priced(answer, self.rule)
            missed.append(self.brute.rejected_in_the_money_kwh(answer, prices) if prices else np.inf)
        mine = [kwh for kwh, one in zip(missed, self.candidates, strict=True) if one in self.matched]
        assert min(mine) <= min(missed) + WH

    def check_volume_and_ties(self) -> None:
        volume = sum(self.kwh.values())
        assert volume == pytest.approx(self.matched[0].volume_kwh, abs=0.02)
        alike: dict[tuple[object, ...], list[Row]] = defaultdict(list)
        for row in self.book.steps:
            alike[row.zone, row.side, row.interval, row.price_per_mwh].append(row)
        for rows in alike.values():
            ratios = [self.kwh[row] / row.quantity_kwh for row in rows]
            assert max(ratios) - min(ratios) <= 2 * WH / min(row.quantity_kwh for row in rows)
        if len(self.book.lines) and not self.brute.lossy:
            least = self.brute.least_flow(self.matched[0])
            assert sum(flow**2 for flow in self.flow.values()) <= least + 0.1 * (1 + least**0.5)

    @cached_property
    def readings(self) -> list[Prices]:
        """The brute force's prices of every answer that the run may stand for (an idle line has two directions)."""
        found = [self.brute.priced(answer, self.rule) for answer in self.matched]
        return [prices for prices in found if prices is not None]

    def check_prices(self) -> None:
        """As one of the readings has them."""
        wrong: list[AssertionError] = []
        for expected in self.readings:
            try:
                self._check_prices(expected)
            except AssertionError as error:
                wrong.append(error)
            else:
                return
        raise wrong[0] if wrong else AssertionError("no price supports the answer")

    def _check_prices(self, expected: Prices) -> None:
        published = {(row["zone"], row["interval"]): row for row in self.run.prices.to_dict("records")}
        for cell in self.book.cells:
            row, low, high, point = published[cell], expected.low[cell], expected.high[cell], expected.point[cell]
            if low is None and high is None:
                assert all(np.isnan(row[name]) for name in ("price_per_mwh", "price_low", "price_high"))
                assert row["indicative"]
                continue
            assert row["indicative"] or None not in (low, high)
            assert row["price_per_mwh"] in _ticks(point, low, high), cell
            low, high = (high if low is None else low), (low if high is None else high)
            assert row["price_low"] == pytest.approx(low, abs=1e-4), cell
            assert row["price_high"] == pytest.approx(high, abs=1e-4), cell

    @cached_property
    def published(self) -> dict[tuple[str, int], float]:
        return {(row["zone"], row["interval"]): row["price_per_mwh"] for row in self.run.prices.to_dict("records")}

    @cached_property
    def surplus(self) -> dict[str, float]:
        """Surplus of every order at the published prices, in currency."""
        found: dict[str, float] = defaultdict(float)
        for row, kwh in self.kwh.items():
            price = self.published[row.zone, row.interval]
            found[row.order_id] += row.sign * (row.price_per_mwh - price) * kwh / 1000 if kwh else 0.0
        for order in self.book.complexes:
            found[order.id] -= order.fixed_cost if order.id in self.on else 0.0
        return dict(found)

    def check_money(self) -> None:
        """The ledger closes; it pays what prices and energy say, and the make-whole that is due."""
        ledger = self.run.settlement
        assert ledger["amount"].sum() == pytest.approx(0, abs=1e-6)
        energy = ledger[ledger["line"] == "energy"].groupby("account")["amount"].sum().to_dict()
        paid = ledger[ledger["line"] == "make_whole"].groupby("account")["amount"].sum().to_dict()
        taken: dict[str, float] = defaultdict(float)
        for row, kwh in self.kwh.items():
            taken[row.order_id] -= row.sign * self.published[row.zone, row.interval] * kwh / 1000 if kwh else 0.0
        for name, amount in taken.items():
            assert energy.get(f"order:{name}", 0.0) == pytest.approx(amount, abs=1e-3)
        due = self.due_make_whole()
        for name in taken:
            assert paid.get(f"order:{name}", 0.0) == pytest.approx(due.get(name, 0.0), abs=2e-3), name
        if self.rule == "convex_hull":
            turnover = sum(self.kwh.values()) + sum(row.quantity_kwh for row in self.book.rows)
            room = TICK * turnover / 1000 + 1e-6
            found = self.run.certificate["lost_opportunity_cost"]["total"]
            if not (self.book.lines or self.book.grid):
                assert found == pytest.approx(self.brute.lost_opportunity(), abs=room)

    def due_make_whole(self) -> dict[str, float]:
        """Nothing under ``no_pab``; else a block's loss after its accepted descendants' wins, a step row's own."""
        due: dict[str, float] = {}
        if self.rule == "no_pab":
            return due
        below: dict[str, float] = {}
        blocks = {block.id: block for block in self.book.blocks}

        def total(name: str) -> float:
            if name not in below:
                won = sum(total(child) for child in self.book.children.get(name, ()) if child in self.on)
                below[name] = self.surplus[name] + won
                if below[name] < 0:
                    due[name], below[name] = -below[name], 0.0
            return below[name]

        for name in self.on & set(blocks):
            total(name)
        for order in self.book.complexes:
            due[order.id] = max(0.0, -self.surplus[order.id])
        for row in self.book.steps:
            if self.kwh[row]:
                lost = row.sign * (self.published[row.zone, row.interval] - row.price_per_mwh) * self.kwh[row] / 1000
                due[row.order_id] = due.get(row.order_id, 0.0) + max(0.0, lost)
        return due

    def check_reasons(self) -> None:
        """Words agree with energy and prices wherever these leave no doubt."""
        kinds = {row.order_id: row.kind for row in self.book.rows}
        for row in self.run.acceptances.to_dict("records"):
            reason, kwh, kind = row["reason"], row["accepted_kwh"], kinds[row["order_id"]]
            if kwh == 0 and not (kind == "complex" and row["order_id"] in self.on):
                assert reason in REJECTED, reason
            elif kwh > 0:
                assert reason in ACCEPTED, reason
            if kind == "step" and kwh == 0 and reason == "out_of_the_money":
                order = next(one for one in self.book.steps if self._is(one, row))
                price = self.published[order.zone, order.interval]
                assert np.isnan(price) or order.sign * (order.price_per_mwh - price) <= TICK
        if self.rule == "no_pab":
            assert "accepted_at_loss" not in set(self.run.acceptances["reason"])

    def _is(self, order: Row, row: dict[str, Any]) -> bool:
        return (order.order_id, order.interval, order.price_per_mwh) == (
            row["order_id"],
            row["interval"],
            row["price_per_mwh"],
        )


ACCEPTED = {"accepted", "partly_accepted", "accepted_at_loss"}
REJECTED = {
    "out_of_the_money",
    "rejected_in_the_money",
    "paradoxically_rejected",
    "tie",
    "minimum_not_met",
    "parent_rejected",
    "group_taken",
    "limit",
}


def _ticks(point: float, low: float | None, high: float | None) -> set[float]:
    """The ticks that may be published: nearest to the point within the ends that are set, or nearest where none is.

    Two where the point lies halfway, to within what an interior-point method knows of it.
    """
    first, last = (-np.inf if low is None else low - 1e-6), (np.inf if high is None else high + 1e-6)
    below, above = np.floor(point / TICK - 1) * TICK, np.ceil(point / TICK + 1) * TICK
    around = [round(tick, 2) for tick in np.arange(below, above + TICK / 2, TICK)]
    inside = [tick for tick in around if first <= tick <= last] or around
    nearest = min(abs(tick - point) for tick in inside)
    return {tick for tick in inside if abs(tick - point) <= nearest + 4e-4}


def _alike(one: Prices, other: Prices | None) -> bool:
    if other is None:
        return False
    for mine, theirs in ((one.low, other.low), (one.high, other.high), (one.point, other.point)):
        for cell, value in mine.items():
            if (value is None) != (theirs[cell] is None):
                return False
            if value is not None and abs(value - theirs[cell]) > 1e-5:
                return False
    return True


def tally(judged: Judged) -> Counter[str]:
    """What one book counts for (``no_pab``)."""
    from random_books import traits

    answer = judged.candidates[0]
    prices = judged.brute.priced(answer, "no_pab")
    assert prices is not None
    found = traits(judged.brute, answer, prices)
    return Counter({name: int(getattr(found, name)) for name in found.__dataclass_fields__})


__all__ = ["RULES", "Judged", "best", "clear", "shuffled", "tally"]
