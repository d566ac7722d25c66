"""An order book's run: clean as written, and every rule that speaks of it violated by one changed number."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mutations import Mutation, both, cell, entry, without

import planner
from planner.audit import RULES, audit
from planner.case import Case, new_case
from planner.settings import Market, Settings

M = "market/fixed_integers/"
N = "market/no_pab/"
INPUT = "market/case/"


def book() -> Case:
    """A family, a group, a complex order, a lossy line, a neighbour, and a block that needs make-whole."""

    def row(name: str, side: str, quantity: float, price: float, t: int = 1, **more: object) -> dict[str, object]:
        base = {"order_id": name, "zone": "A", "side": side, "interval": t, "kind": "step"}
        return {**base, "quantity_kwh": quantity, "price_per_mwh": price, **more}

    rows = [
        row("b", "buy", 8, 100),
        row("s", "sell", 5, 10),
        row("k", "sell", 5, 40, kind="block"),
        *(row("load", "buy", 40, 60, t) for t in (2, 3)),
        *(row("base", "sell", 6, 20, t) for t in (2, 3)),
        *(row("parent", "sell", 10, 65, t, kind="block") for t in (2, 3)),
        *(row("child", "sell", 10, 30, t, kind="block", parent_order_id="parent") for t in (2, 3)),
        row("run2", "buy", 4, 90, 2, kind="block", exclusive_group="run"),
        row("run3", "buy", 4, 80, 3, kind="block", exclusive_group="run"),
        *(row("plant", "sell", 8, 25, t, kind="complex", min_quantity_kwh=4, fixed_cost=0.1) for t in (2, 3)),
        *(row("far", "sell", 10, 30, t, zone="B") for t in (2, 3)),
    ]
    lines = pd.DataFrame([{"line_id": "L", "from_zone": "B", "to_zone": "A", "forward_kwh": 5, "reverse_kwh": 5,
                           "loss_ratio": 0.04}])  # fmt: skip
    grid = pd.DataFrame([{"zone": "A", "interval": t, "import_price_per_mwh": 70 if t > 1 else 300,
                          "export_price_per_mwh": 5, "import_limit_kw": 50, "export_limit_kw": 50}
                         for t in range(1, 25)])  # fmt: skip
    settings = Settings(
        name="book",
        delivery_date=dt.date(2026, 6, 15),
        timezone="Europe/Stockholm",
        market=Market(price_floor=-500.0, price_cap=3000.0),
    )
    return new_case(settings, orders=pd.DataFrame(rows), lines=lines, grid_prices=grid)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book") / "run"
    planner.market(book(), ["fixed_integers", "no_pab"], folder)
    return folder


def test_clean_as_written(written: Path) -> None:
    found = audit(written)
    assert found.clean, str(found)
    assert set(found.rules_checked) == {rule for rule, _ in BROKEN}


BROKEN: list[tuple[str, Mutation]] = [
    ("C1", entry(M + "certificate.json", "intervals", lambda n: n + 1)),
    ("C14", cell(M + "acceptances.csv", "accepted_kwh", "39.000", order_id="load", interval=2)),
    ("C16", cell(INPUT + "grid.csv", "import_price_per_mwh", 30, interval=2)),
    ("C16", cell(INPUT + "grid.csv", "export_price_per_mwh", 65, interval=2)),
    ("C17", cell(INPUT + "lines.csv", "forward_kwh", 1)),
    ("C17", cell(INPUT + "lines.csv", "forward_kwh", 50)),
    ("C18", cell(INPUT + "orders.csv", "quantity_kwh", 2, order_id="s")),
    ("C18", without(M + "acceptances.csv", order_id="s")),
    ("C20", entry(M + "certificate.json", "objective", lambda cost: cost - 0.1)),
    ("C21", entry(M + "certificate.json", "bound", lambda bound: bound + 0.1)),
    ("C22", entry(M + "certificate.json", "lost_opportunity_cost", lambda told: {**told, "total": told["total"] + 1})),
    ("C23", cell(M + "prices.csv", "price_per_mwh", 99, zone="A", interval=1)),
    ("C23", cell(M + "acceptances.csv", "surplus", 1, order_id="b")),
    ("C24", cell(M + "opportunity.csv", "missed", 9, order_id="k")),
    ("C25", cell(INPUT + "orders.csv", "quantity_kwh", 20, order_id="parent")),
    ("C26", both(*(cell(M + "acceptances.csv", "accepted_kwh", "4.000", order_id=name) for name in ("run2", "run3")))),
    ("C27", cell(INPUT + "orders.csv", "min_quantity_kwh", 9, order_id="plant", interval=2)),
    ("C28", both(*(cell(INPUT + "orders.csv", "price_per_mwh", 130, order_id="parent", interval=t) for t in (2, 3)))),
    ("S3", without(M + "settlement.csv", line="make_whole")),
    ("S4", cell(M + "settlement.csv", "amount", 9, account="order:b")),
    ("S5", cell(M + "flows.csv", "rent", 9, interval=2)),
    ("S6", cell(M + "acceptances.csv", "accepted_kwh", "7.000", order_id="b")),
]


@pytest.mark.parametrize(("rule", "mutation"), BROKEN, ids=[f"{rule}-{i}" for i, (rule, _) in enumerate(BROKEN)])
def test_one_changed_number_is_found(rule: str, mutation: Mutation, written: Path, tmp_path: Path) -> None:
    run = shutil.copytree(written, tmp_path / "run")
    mutation(run)
    found = audit(run)
    assert rule in found.rules_violated, str(found)


def test_rules_of_order_books_are_rules() -> None:
    assert {rule for rule, _ in BROKEN} <= set(RULES)
