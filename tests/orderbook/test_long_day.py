"""The day of 25 hours with families of blocks and an exclusive group, in hours and in quarters of an hour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from books import Book, LineRow, Row, write_book
from brute import Brute
from judging import RULES, Judged

import planner
from planner.orderbook import MarketRuns

MW = 1000.0
DATE = "2026-10-25"


def long_day(intervals: int) -> Book:
    """A dear evening and a cheap night in the north, a cheap south behind a narrow line; blocks reach over the hour
    that comes twice.

    ``night`` asks more than its intervals pay and stands only with ``evening``, its child, whose own child ``peak``
    buys; ``dear`` stands with nobody, so ``orphan`` cannot; ``first`` and ``second`` exclude each other.
    """
    rng = np.random.default_rng(25)
    rows = []
    for t in range(1, intervals + 1):
        hour = 25 * (t - 0.5) / intervals
        wish = 40 + 35 * np.exp(-(((hour - 20) / 3) ** 2)) - 15 * np.exp(-(((hour - 4) / 3) ** 2))
        for zone, shift in (("north", 0.0), ("south", -20.0)):
            for k in range(3):
                sold, bought = (float(rng.integers(2, 9)) * MW for _ in range(2))
                rows.append(Row(f"s{zone}{t}-{k}", zone, "sell", t, "step", round(wish + shift + 12 * (k - 1)), sold))
                rows.append(Row(f"b{zone}{t}-{k}", zone, "buy", t, "step", round(wish + 15 - 12 * k), bought))
    hours = intervals // 25

    def block(name: str, side: str, first: int, last: int, price: float, mw: float, least: float, **more: str) -> None:
        for t in range(first * hours + 1, last * hours + 1):
            rows.append(Row(name, "north", side, t, "block", price, mw * MW, least, **more))

    block("night", "sell", 1, 7, 35.0, 2, 1.0)
    block("evening", "sell", 18, 23, 45.0, 3, 0.5, parent_order_id="night")
    block("peak", "buy", 19, 21, 90.0, 1, 0.0, parent_order_id="evening")
    block("dear", "sell", 2, 9, 300.0, 2, 1.0)
    block("orphan", "sell", 19, 22, 20.0, 1, 1.0, parent_order_id="dear")
    block("first", "sell", 8, 16, 30.0, 2, 1.0, exclusive_group="one")
    block("second", "sell", 10, 18, 32.0, 2, 1.0, exclusive_group="one")
    return Book(tuple(rows), (LineRow("l1", "south", "north", 2 * MW, 2 * MW),))


@pytest.mark.parametrize(
    ("minutes", "judged"), [(60, True), (15, False), pytest.param(15, True, marks=pytest.mark.slow)]
)
def test_families_on_the_day_of_25_hours(minutes: int, judged: bool, tmp_path: Path) -> None:
    book = long_day(25 * 60 // minutes)
    folder = write_book(book, tmp_path / "case")
    told = (folder / "case.toml").read_text()
    told = told.replace("2026-06-15", DATE).replace("interval_minutes = 60", f"interval_minutes = {minutes}")
    (folder / "case.toml").write_text(told)
    runs = planner.market(planner.read_case(folder), RULES, tmp_path / "run")
    assert isinstance(runs, MarketRuns)
    if judged:
        brute = Brute(book)
        for rule in RULES:
            Judged(book, brute, rule, runs[rule]).check()
    run = runs["no_pab"]
    assert run.audit["violations"] == []
    starts = run.prices.loc[run.prices["zone"] == "north", "start"].astype(str)
    assert starts.nunique() == 25 * 60 // minutes  # the hour that comes twice has two offsets
    own = run.opportunity.set_index("order_id")["surplus"]
    assert own["night"] < 0 < own["night"] + own["evening"] + own["peak"]  # its children save it
    blocks = run.acceptances.groupby("order_id").first()
    assert blocks.loc[["night", "evening", "peak"], "ratio"].gt(0).all()
    assert blocks.loc["orphan", "reason"] == "parent_rejected"
    assert sorted(blocks.loc[["first", "second"], "ratio"]) == [0.0, 1.0]
