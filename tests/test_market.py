"""planner.market: small books by hand under every rule."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import planner
from planner.case import new_case
from planner.cli import run as command
from planner.settings import Market, Settings, Solver

RULES = ("no_pab", "fixed_integers", "convex_hull", "pay_as_bid")


def book(rows: list[dict[str, object]], **tables: pd.DataFrame) -> planner.Case:
    import datetime as dt

    settings = Settings(
        name="hand", delivery_date=dt.date(2026, 6, 15), timezone="Europe/Stockholm",
        market=Market(price_floor=-500.0, price_cap=3000.0), solver=Solver(gap_relative=0.0),
    )  # fmt: skip
    frame = pd.DataFrame([{"zone": "Z", "interval": 1, "kind": "step", **row} for row in rows])
    return new_case(settings, orders=frame, **tables)


def step(name: str, side: str, quantity: float, price: float, **more: object) -> dict[str, object]:
    return {"order_id": name, "side": side, "quantity_kwh": quantity, "price_per_mwh": price, **more}


def block(name: str, side: str, quantity: float, price: float, **more: object) -> dict[str, object]:
    return step(name, side, quantity, price, kind="block", **more)


def price(run: object, zone: str = "Z", interval: int = 1) -> tuple[float, float, float]:
    rows = run.prices[(run.prices["zone"] == zone) & (run.prices["interval"] == interval)]  # type: ignore[attr-defined]
    return tuple(rows[["price_low", "price_per_mwh", "price_high"]].iloc[0])  # type: ignore[return-value]


def accepted(run: object) -> dict[str, float]:
    return run.acceptances.groupby("order_id")["accepted_kwh"].sum().to_dict()  # type: ignore[attr-defined]


K09 = [step("b1", "buy", 11, 50), step("b2", "buy", 14, 10), block("c", "sell", 10, 5), block("d", "sell", 20, 10)]
K10 = [step("b", "buy", 8, 100), step("s", "sell", 5, 10), block("k", "sell", 5, 40)]
K22 = [block("s3", "sell", 3, 3), block("b2", "buy", 2, 4), block("b1", "buy", 1, 2)]
K23 = [step("b", "buy", 7, 30), step("s", "sell", 4, 5), block("k", "sell", 10, 20, min_acceptance_ratio=0.5)]


def test_k09_a_cheaper_block_is_left_out(tmp_path: Path) -> None:
    runs = planner.market(book(K09), RULES, tmp_path / "run")
    for rule in ("no_pab", "fixed_integers"):
        assert accepted(runs[rule]) == {"b1": 10, "b2": 0, "c": 10, "d": 0}
        assert price(runs[rule]) == (50, 50, 50)
        assert runs[rule].certificate["welfare"] == pytest.approx(0.45)
        (missed,) = runs[rule].certificate["paradoxically_rejected"]
        assert (missed["order_id"], missed["missed"]) == ("d", pytest.approx(0.8))
    hull = runs["convex_hull"]
    assert price(hull) == (10, 10, 10)
    assert hull.certificate["lost_opportunity_cost"]["total"] == pytest.approx(0.04)
    assert hull.certificate["make_whole"] == 0


def test_k10_make_whole_or_no_block(tmp_path: Path) -> None:
    runs = planner.market(book(K10), RULES, tmp_path / "run")
    assert accepted(runs["fixed_integers"]) == {"b": 8, "s": 3, "k": 5}
    assert price(runs["fixed_integers"])[1] == 10
    assert runs["fixed_integers"].certificate["make_whole"] == pytest.approx(0.15)
    assert accepted(runs["no_pab"]) == {"b": 5, "s": 5, "k": 0}
    assert price(runs["no_pab"])[1] == 100
    assert price(runs["convex_hull"])[1] == 40
    assert runs["convex_hull"].certificate["make_whole"] == 0
    assert runs["convex_hull"].certificate["lost_opportunity_cost"]["total"] == pytest.approx(0.06)


def test_k11_a_child_saves_its_parent() -> None:
    rows = [
        step("b", "buy", 20, 22),
        block("parent", "sell", 10, 30),
        block("child", "sell", 10, 10, parent_order_id="parent"),
    ]
    run = planner.market(book(rows), "no_pab")
    assert price(run) == (20, 21, 22)
    assert accepted(run) == {"b": 20, "parent": 10, "child": 10}


def test_k22_no_linear_price() -> None:
    runs = planner.market(book(K22), RULES)
    assert sum(accepted(runs["no_pab"]).values()) == 0
    assert price(runs["convex_hull"])[1] == 3
    assert runs["convex_hull"].certificate["make_whole"] == pytest.approx(0.001)


def test_k23_two_optima() -> None:
    runs = planner.market(book(K23), RULES)
    assert accepted(runs["no_pab"]) == {"b": 4, "s": 4, "k": 0}
    assert price(runs["no_pab"])[1] == 30
    assert price(runs["convex_hull"])[1] == 20
    assert runs["convex_hull"].certificate["lost_opportunity_cost"]["total"] == pytest.approx(0.03)


def test_k19a_the_middle_lies_outside_the_face() -> None:
    rows = [step(f"s{t}", "sell", 1, 40 if t == 4 else 10, interval=t) for t in (1, 2, 3, 4)]
    rows += [step(f"x{t}", "sell", 1, 50 if t == 4 else 20, interval=t) for t in (1, 2, 3, 4)]
    rows += [block("b", "buy", 1, 20, interval=t) for t in (1, 2, 3, 4)]
    run = planner.market(book(rows), "no_pab")
    assert [price(run, interval=t)[1] for t in (1, 2, 3, 4)] == [12.5, 12.5, 12.5, 42.5]
    assert [price(run, interval=t)[::2] for t in (1, 4)] == [(10, 20), (40, 50)]


def test_the_order_of_rows_changes_nothing() -> None:
    one, other = (planner.market(book(rows), "no_pab") for rows in (K10, K10[::-1]))
    assert one.prices.equals(other.prices)
    assert accepted(one) == accepted(other)


def test_command_writes_what_it_says(tmp_path: Path) -> None:
    folder = Path(__file__).parents[1] / "data" / "cases" / "k18"
    assert command(["market", str(folder), "-o", str(tmp_path / "run"), "--pricing", "no_pab,convex_hull"]) == 0
    for rule in ("no_pab", "convex_hull"):
        files = {path.name for path in (tmp_path / "run" / "market" / rule).iterdir()}
        assert {"prices.csv", "acceptances.csv", "flows.csv", "settlement.csv", "certificate.json"} <= files


def test_curves_and_the_traders_table(tmp_path: Path) -> None:
    run = planner.market(book(K09), "no_pab", tmp_path / "run")
    (row,) = run.table().to_dict("records")
    assert (row["zone"], row["mean price"], row["bought kWh"], row["orders left out in the money"]) == ("Z", 50, 10, 1)
    words = [text.get_text() for text in run.plot("Z", 1).axes[0].get_legend().get_texts()]
    assert "d: paradoxically rejected" in words
    folder = Path(__file__).parents[1] / "data" / "cases" / "k18"
    assert command(["market", str(folder), "-o", str(tmp_path / "k18"), "--pricing", "no_pab", "--plot"]) == 0
    assert (tmp_path / "k18" / "market" / "curves.pdf").read_bytes().startswith(b"%PDF")


def test_the_report_and_the_repeat_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page for each rule with what was left out and why; a repeat gives the same bytes, another book is refused."""
    case = Path(__file__).parents[1] / "data" / "cases" / "k09"
    run = tmp_path / "run"
    assert command(["market", str(case), "-o", str(run), "--pricing", "no_pab,convex_hull", "--quiet"]) == 0
    page = (run / "report.html").read_text("utf-8")
    assert page.count("<h2>Pricing rule") == 2
    assert "paradoxically rejected" in page
    assert command(["audit", str(run), "--rerun", str(case)]) == 0
    assert "same: True" in capsys.readouterr().out
    other = Path(__file__).parents[1] / "data" / "cases" / "k10"
    assert command(["audit", str(run), "--rerun", str(other)]) == 2
