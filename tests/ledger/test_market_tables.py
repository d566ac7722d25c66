"""market/ of a city with two zones, a lossy line, a dark building, a cohort and orders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from factories_cleared import order, small_city

from planner.cleared import Cleared
from planner.ledger.market_tables import write_market
from planner.ledger.run import read_table
from planner.ledger.tables import Clock, write_csv
from planner.settlement import Terms, settle_on


@pytest.fixture(scope="module")
def cleared() -> Cleared:
    return small_city()


@pytest.fixture(scope="module")
def market(cleared: Cleared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("market")
    groups = [SimpleNamespace(id="g2", kind="cohort", feeders=("f1", "f2"))]
    write_market(root, cleared, settle_on(cleared, Terms()), groups, None, Clock(cleared.starts, "Europe/Stockholm"))
    return root


def test_dark_groups_are_named_and_nothing_more(market: Path) -> None:
    groups = read_table(market / "groups.csv").set_index("group")
    assert groups["dark"].to_dict() == {"b1": False, "b3": True, "g2": False}
    assert groups["kind"].to_dict() == {"b1": "building", "b3": "dark", "g2": "cohort"}
    assert groups.loc["g2", "feeders"] == "f1;f2"
    for name in ("positions", "settlement", "offers", "prices", "exchange"):
        assert "b3" not in (market / f"{name}.csv").read_text()


def test_exchange_positions_flows_and_orders_balance_to_the_wh(market: Path, cleared: Cleared) -> None:
    exchange = read_table(market / "exchange.csv").set_index(["zone", "interval"])
    positions = read_table(market / "positions.csv").set_index(["group", "interval"])
    given = exchange["import_kwh"] - exchange["export_kwh"]
    given = given + exchange["supply_kwh"] + exchange["unserved_kwh"] + exchange["remainder_kwh"]
    drawn = positions["requested_kwh"] - positions["offered_kwh"]
    flow = read_table(market / "flows.csv").set_index("interval")["flow_kwh"]
    assert given["north", 1] == pytest.approx(drawn["b1", 1] - 1.25 + flow[1] + 0.05)
    assert given["south", 2] == pytest.approx(drawn["g2", 2] + 2 - flow[2] + 0.038)
    assert not ((positions["requested_kwh"] > 0) & (positions["offered_kwh"] > 0)).any()


def test_rent_is_the_spread_on_the_flow(market: Path) -> None:
    flows = read_table(market / "flows.csv")
    assert flows["rent"].tolist() == pytest.approx([2.001 * 0.02, 1.5 * 0.02, -0.5 * 0.02])


def test_the_look_ahead_has_the_same_columns_and_later_intervals(market: Path) -> None:
    for name in ("prices", "flows", "exchange", "positions"):
        day, ahead = read_table(market / f"{name}.csv"), read_table(market / "look_ahead" / f"{name}.csv")
        assert list(day.columns) == list(ahead.columns)
        assert set(day["interval"]) == {1, 2, 3}
        assert set(ahead["interval"]) == {4}
        assert ahead["start"].min() > day["start"].max()


def test_offers_are_sums_by_zone_without_names(market: Path) -> None:
    offers = read_table(market / "offers.csv")
    assert offers[["zone", "quantity", "price"]].drop_duplicates().values.tolist() == [["south", 6.333, 40.0]]


def test_acceptances_in_the_order_of_their_rows(cleared: Cleared, tmp_path: Path) -> None:
    orders = (order("z", "buy", 0, 30, row=1, zone="north", quantity_kwh=4), *cleared.acceptances[::-1])
    turned = replace(cleared, acceptances=tuple(replace(o, row=i) for i, o in enumerate(orders, start=1)))
    settled = settle_on(turned, Terms())
    write_market(tmp_path, turned, settled, [], None, Clock(cleared.starts, "UTC"))
    table = read_table(tmp_path / "acceptances.csv")
    assert table["order_id"].tolist() == ["z", "k1", "d1", "s1"]
    assert table["ratio"].tolist() == [0, 1, 1, 1]
    assert table["surplus"].tolist() == pytest.approx([0, -0.01, 0.1, 0.0125])


def test_text_with_commas_survives(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", {"label": pd.Series(["a, b", 'say "x"', None]), "x": [1.5, None, 2.0]})
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["label"].tolist()[:2] == ["a, b", 'say "x"']
    assert table["x"].tolist()[::2] == [1.5, 2]
