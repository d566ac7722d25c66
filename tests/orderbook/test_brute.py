"""The brute force against answers worked out by hand: two witnesses that share nothing but the contract."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from books import read_book
from brute import Answer, Brute
from known_orders import Expected, expectations, order_books
from linear import best

CLOSE = 1e-6


def decided(brute: Brute, rule: str) -> list[tuple[Answer, object]]:
    """Every decision that a rule leaves, with its prices; the tie by kWh rejected in the money applied."""
    answers = brute.unparadoxical if rule == "no_pab" else brute.optimal
    priced = [(answer, brute.priced(answer, rule)) for answer in answers]
    missed = [brute.rejected_in_the_money_kwh(answer, prices) for answer, prices in priced]
    return [pair for pair, kwh in zip(priced, missed, strict=True) if kwh <= min(missed) + CLOSE]


def accepted(brute: Brute, answer: Answer) -> dict[str, list[float]]:
    """kWh of each order, by row in order of intervals."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in sorted(brute.book.rows, key=lambda row: (row.interval, -row.sign * row.price_per_mwh)):
        if row.kind == "block":
            found[row.order_id].append(answer.x[brute.column["block", row.order_id]] * row.quantity_kwh)
        else:
            found[row.order_id].append(answer.x[brute.column[row.kind, row]] * brute.scale)
    return dict(found)


def unequal_ties(brute: Brute) -> set[str]:
    """Steps that share a price with another of their side and cell: the brute force splits them as it likes."""
    met: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for row in brute.book.steps:
        met[row.zone, row.side, row.interval, row.price_per_mwh].append(row.order_id)
    return {name for names in met.values() if len(names) > 1 for name in names}


def check(brute: Brute, rule: str, expected: Expected) -> None:
    pairs = decided(brute, rule)
    loose = unequal_ties(brute)
    for answer, prices in pairs:
        assert answer.welfare == pytest.approx(expected["welfare"], rel=CLOSE, abs=1e-9)
        for row in expected["prices"]:
            cell = (row["zone"], row["interval"])
            low, high, point = prices.low[cell], prices.high[cell], prices.point[cell]
            if row.get("indicative") and None in (low, high):
                low, high = (low, low) if high is None else (high, high)
            assert low == pytest.approx(row["low"], abs=1e-5)
            assert high == pytest.approx(row["high"], abs=1e-5)
            assert point == pytest.approx(row["published"], abs=0.005)
    if len(pairs) == 1 and "accepted" in expected:
        found = accepted(brute, pairs[0][0])
        for name, kwh in expected["accepted"].items():
            assert name in loose or found[name] == pytest.approx(kwh, rel=1e-7, abs=1e-3), name
    if rule == "convex_hull" and "lost_opportunity_cost" in expected:
        assert brute.lost_opportunity() == pytest.approx(expected["lost_opportunity_cost"], abs=1e-6)
    if rule == "fixed_integers" and "make_whole" in expected:
        answer = pairs[0][0]
        total = brute.least_make_whole(answer, brute.supporting(answer))[1]
        assert total == pytest.approx(sum(expected["make_whole"].values()), abs=1e-6)


@pytest.mark.parametrize("folder", order_books(), ids=lambda folder: folder.name)
def test_brute_force_finds_what_was_worked_out_by_hand(folder: Path) -> None:
    brute = Brute(read_book(folder))
    rules = {rule: expected for rule, expected in expectations(folder).items() if rule != "pay_as_bid"}
    assert len(rules) == 3
    for rule, expected in rules.items():
        check(brute, rule, expected)


def test_a_price_found_without_a_block_is_no_hull_price_of_the_book_with_it() -> None:
    """K24: at 100 the dual value is 750, at 40 it is 630, and no price has less."""
    brute = Brute(read_book(order_books()[0].parent / "k10"))
    hull = brute.hull

    def dual_value(price: float) -> float:
        """What all participants would earn at a price, in currency: the hull's program with its balance priced out."""
        priced = hull.cost - price * hull.matrix[0]
        free = type(hull)(priced, hull.low, hull.high, hull.matrix[1:], hull.row_low[1:], hull.row_high[1:])
        solved = best(free)
        assert solved is not None
        return solved.value * brute.unit

    assert dual_value(100) == pytest.approx(0.75)
    assert dual_value(40) == pytest.approx(0.63)
    assert min(dual_value(price) for price in np.arange(0, 120, 2.5)) == pytest.approx(0.63)
