"""The planner's clear of every order book that was worked out by hand, under every rule its folder names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from known_orders import Expected, expectations, order_books

import planner

CLOSE = 1e-6
WH = 0.001 - 1e-9


def only(frame: pd.DataFrame, **keys: object) -> Any:
    """The one row of a table with these values."""
    for name, value in keys.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1, f"{len(frame)} rows for {keys}"
    return frame.iloc[0]


def check_welfare(run: Any, expected: float) -> None:
    assert run.certificate["welfare"] == pytest.approx(expected, rel=CLOSE, abs=1e-9)
    assert run.certificate["proven"] is True


def check_accepted(run: Any, expected: dict[str, list[float]]) -> None:
    for name, kwh in expected.items():
        rows = run.acceptances[run.acceptances["order_id"] == name].sort_values("interval")
        assert len(rows) == len(kwh)
        for found, value in zip(rows["accepted_kwh"], kwh, strict=True):
            assert abs(found - value) < WH, name


def check_prices(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        found = only(run.prices, zone=row["zone"], interval=row["interval"])
        assert found["price_low"] == pytest.approx(row["low"], abs=CLOSE)
        assert found["price_high"] == pytest.approx(row["high"], abs=CLOSE)
        assert found["price_per_mwh"] == row["published"]
        assert bool(found["indicative"]) is row.get("indicative", False)


def check_surplus(run: Any, expected: dict[str, float]) -> None:
    found = run.acceptances.groupby("order_id")["surplus"].sum()
    for name, amount in expected.items():
        assert found[name] == pytest.approx(amount, abs=CLOSE), name


def check_reasons(run: Any, expected: dict[str, str]) -> None:
    for name, reason in expected.items():
        assert set(run.acceptances.loc[run.acceptances["order_id"] == name, "reason"]) == {reason}, name


def check_flows(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        found = only(run.flows, line_id=row["line_id"], interval=row["interval"])
        assert abs(found["flow_kwh"] - row["flow_kwh"]) < WH
        if "rent" in row:
            assert found["rent"] == pytest.approx(row["rent"], abs=CLOSE)


def check_make_whole(run: Any, expected: dict[str, float]) -> None:
    ledger = run.settlement[run.settlement["line"] == "make_whole"]
    paid = ledger[ledger["account"].str.startswith("order:")].groupby("account")["amount"].sum()
    assert {name: round(amount, 9) for name, amount in paid[paid != 0].items()} == {
        f"order:{name}": pytest.approx(amount, abs=CLOSE) for name, amount in expected.items()
    }


def check_lost_opportunity(run: Any, expected: float) -> None:
    assert run.certificate["lost_opportunity_cost"]["total"] == pytest.approx(expected, abs=CLOSE)


CHECKS: dict[str, Callable[[Any, Any], None]] = {
    "welfare": check_welfare,
    "accepted": check_accepted,
    "prices": check_prices,
    "surplus": check_surplus,
    "reasons": check_reasons,
    "flows": check_flows,
    "make_whole": check_make_whole,
    "lost_opportunity_cost": check_lost_opportunity,
}


@pytest.mark.parametrize("folder", order_books(), ids=lambda folder: folder.name)
def test_known_answer_of_an_order_book(folder: Path, tmp_path: Path) -> None:
    wanted = expectations(folder)
    runs = planner.market(planner.read_case(folder), list(wanted), tmp_path / "run")
    for rule, expected in wanted.items():
        assert expected
        for key, value in expected.items():
            CHECKS[key](runs[rule], value)
        total = runs[rule].settlement["amount"].sum()
        assert total == pytest.approx(0, abs=CLOSE * max(1.0, runs[rule].settlement["amount"].abs().max() * 1e-6))
    assert runs["no_pab"].audit["violations"] == []
