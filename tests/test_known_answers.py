"""Every city of data/cases: clear it and compare each key of its expected.json (data/cases/README.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import planner
from planner.ledger.run import read_table

CASES = Path(__file__).parents[1] / "data" / "cases"
MONEY = 1e-9
SOLVED = 1e-6

Expected = dict[str, Any]


def variants() -> list[Any]:
    """(folder, one set of expectations) of every case."""
    found = []
    for folder in sorted(path.parent for path in CASES.glob("*/nodes.csv")):
        expected = json.loads((folder / "expected.json").read_text())
        for variant in expected.get("variants", [expected]):
            name = "-".join([folder.name, variant["date"]]) if "date" in variant else folder.name
            found.append(pytest.param(folder, variant, id=name))
    return found


def wh(energy_kwh: float) -> int:
    return round(energy_kwh * 1000)


def only(frame: pd.DataFrame, row: Expected, *keys: str) -> Any:
    """The one row of a table that agrees with ``row`` in ``keys``."""
    chosen = frame[[all(found[key] == row[key] for key in keys) for found in frame.to_dict("records")]]
    assert len(chosen) == 1, f"{len(chosen)} rows for {[row[key] for key in keys]}"
    return chosen.iloc[0]


def of_building(run: Any, name: str) -> pd.DataFrame:
    """interval, position_kwh, internal_price_per_mwh, … of one building."""
    return read_table(run.folder / "buildings" / name / "position.csv")


def check_objective(run: Any, expected: float) -> None:
    assert run.certificate["objective"] == pytest.approx(expected, abs=SOLVED)


def check_welfare(run: Any, expected: float) -> None:
    assert -run.certificate["objective"] == pytest.approx(expected, abs=SOLVED)


def check_prices(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        found = only(run.prices, row, "zone", "interval")
        assert found["price_low"] == pytest.approx(row["low"], abs=SOLVED)
        assert found["price_high"] == pytest.approx(row["high"], abs=SOLVED)
        assert found["price_per_mwh"] == row["published"]


def check_positions(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        found = only(of_building(run, row["building"]), row, "interval")
        assert wh(found["position_kwh"]) == wh(row["requested_kwh"]) - wh(row["offered_kwh"])


def check_position_sums(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        position = of_building(run, row["building"])["position_kwh"]
        assert wh(position.clip(lower=0).sum()) == wh(row["requested_kwh"])
        assert wh((-position).clip(lower=0).sum()) == wh(row["offered_kwh"])


def check_trades(run: Any, expected: list[Expected]) -> None:
    key = ["seller", "buyer", "interval"]
    found = {tuple(row[k] for k in key): row for row in run.trades.to_dict("records") if wh(row["energy_kwh"])}
    assert sorted(found) == sorted(tuple(row[k] for k in key) for row in expected)
    for row in expected:
        trade = found[tuple(row[k] for k in key)]
        assert wh(trade["energy_kwh"]) == wh(row["energy_kwh"])
        assert trade["price_per_mwh"] == row.get("price_per_mwh", trade["price_per_mwh"])


def check_internal_prices(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        found = only(of_building(run, row["building"]), row, "interval")
        assert found["internal_price_per_mwh"] == row["price_per_mwh"]


def check_dispatch(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        assert wh(only(run.dispatch, row, "asset", "interval")["energy_kwh"]) == wh(row["energy_kwh"])


def check_energy(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        rows = run.dispatch[run.dispatch["asset"] == row["asset"]]
        assert wh(rows["energy_kwh"].sum()) == wh(row["energy_kwh"])


def check_exchange(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        found = only(run.exchange, row, "zone", "interval")
        assert wh(found["import_kwh"]) - wh(found["export_kwh"]) == wh(row["net_import_kwh"])


def check_acceptances(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        assert wh(only(run.acceptances, row, "order_id", "interval")["accepted_kwh"]) == wh(row["accepted_kwh"])


def check_accepted_sum(run: Any, expected: float) -> None:
    assert wh(run.acceptances["accepted_kwh"].sum()) == wh(expected)


def check_flows(run: Any, expected: list[Expected]) -> None:
    for row in expected:
        found = only(run.flows, row, "line_id", "interval")
        assert wh(found["flow_kwh"]) == wh(row["flow_kwh"])
        assert found["rent"] == pytest.approx(row["rent"], abs=MONEY)


def check_payments(run: Any, expected: list[Expected]) -> None:
    ledger = run.settlement[(run.settlement["ledger"] == "market") & (run.settlement["line"] == "energy")]
    for row in expected:
        received = ledger.loc[ledger["account"] == f"group:{row['building']}", "amount"].sum()
        assert -received == pytest.approx(row["amount"], abs=MONEY)


def check_intervals(run: Any, expected: int) -> None:
    assert sorted(run.prices["interval"]) == list(range(1, expected + 1))


CHECKS: dict[str, Callable[[Any, Any], None]] = {
    "objective": check_objective,
    "welfare": check_welfare,
    "prices": check_prices,
    "positions": check_positions,
    "position_sums": check_position_sums,
    "trades": check_trades,
    "internal_prices": check_internal_prices,
    "dispatch": check_dispatch,
    "energy": check_energy,
    "exchange": check_exchange,
    "acceptances": check_acceptances,
    "accepted_sum_kwh": check_accepted_sum,
    "flows": check_flows,
    "payments": check_payments,
    "intervals": check_intervals,
}


@pytest.mark.parametrize(("folder", "expected"), variants())
def test_known_answer(folder: Path, expected: Expected) -> None:
    wanted = {key: value for key, value in expected.items() if key != "date"}
    if "refused" in wanted:
        with pytest.raises(planner.InvalidInput, match=wanted["refused"]):
            planner.clear(planner.read_case(folder))
        return
    run = planner.clear(planner.read_case(folder, expected.get("date")))
    assert wanted
    for key, value in wanted.items():
        CHECKS[key](run, value)


@pytest.mark.parametrize(("offices", "gap"), [(1, 0.005), (2, 0.0), (7, 0.0)])
def test_k13_what_cannot_be_divided_is_the_gap(offices: int, gap: float) -> None:
    """In rounds: the dual is 0 at prices of 0, and what is lost against these prices is the gap, to the last bit."""
    case = planner.read_case(CASES / f"k13-{offices}")
    run = planner.clear(case.with_(solver={"mode": "decentralised"}, market={"pricing": "convex_hull"}))
    certificate = run.certificate
    assert certificate["bound"] == pytest.approx(0.0, abs=SOLVED)
    assert certificate["gap_absolute"] == pytest.approx(gap, abs=SOLVED)
    assert certificate["lost_opportunity_cost"]["total"] == pytest.approx(gap, abs=SOLVED)
    assert run.prices["price_per_mwh"].tolist()[:2] == [0, 0]
    assert run.audit["violations"] == []


@pytest.mark.parametrize(("locality", "price"), [("joint", 0.0), ("strict", 0.015)])
def test_k16_what_asking_the_neighbour_first_costs(locality: str, price: float) -> None:
    run = planner.clear(planner.read_case(CASES / f"k16-{locality}"), price_of_locality=True)
    assert run.certificate["price_of_locality"] == pytest.approx([price, price], abs=SOLVED)
