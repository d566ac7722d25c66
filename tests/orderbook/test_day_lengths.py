"""Days of 23, 24 and 25 hours in steps of 15 and 30 minutes, with a lossy line, blocks and prices below zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from books import Book, LineRow, Row, write_book
from judging import RULES

import planner

DAYS = {"2026-03-29": 23, "2026-06-15": 24, "2026-10-25": 25}
MW = 1000.0


def day_of(intervals: int) -> Book:
    """Steps in every interval of two zones, blocks over a third of the day each; west is cheap, at times below zero."""
    rng = np.random.default_rng(intervals)
    rows = []
    for t in range(1, intervals + 1):
        for zone, cheapest in (("east", 30), ("west", -20)):
            for k in range(3):
                sold, bought = (float(rng.integers(1, 9)) * MW / 4 for _ in range(2))
                rows.append(Row(f"s{zone}{t}-{k}", zone, "sell", t, "step", cheapest + 25.0 * k, sold))
                rows.append(Row(f"b{zone}{t}-{k}", zone, "buy", t, "step", cheapest + 50.0 - 30.0 * k, bought))
    third = intervals // 3
    for k, price in enumerate((5.0, 25.0, 40.0)):
        span = range(1 + k * third, 1 + (k + 1) * third)
        rows += [Row(f"k{k}", "west", "sell", t, "block", price, MW / 2, 0.8) for t in span]
    return Book(tuple(rows), (LineRow("l1", "west", "east", MW, MW / 2, 0.04),))


@pytest.mark.parametrize("minutes", [15, 30])
@pytest.mark.parametrize("date", DAYS)
def test_a_day_of_any_length_is_cleared_under_every_rule(date: str, minutes: int, tmp_path: Path) -> None:
    intervals = DAYS[date] * 60 // minutes
    folder = write_book(day_of(intervals), tmp_path / "case")
    told = (folder / "case.toml").read_text()
    told = told.replace("2026-06-15", date).replace("interval_minutes = 60", f"interval_minutes = {minutes}")
    (folder / "case.toml").write_text(told)
    runs = planner.market(planner.read_case(folder), [*RULES, "pay_as_bid"], tmp_path / "run")
    for run in runs.values():
        assert run.certificate["proven"]
        assert len(run.prices) == 2 * intervals
        assert run.flows["flow_kwh"].abs().max() > 0
    assert runs["no_pab"].audit["violations"] == []
