"""Every order family inside a city's clear: the same answer as the order book's, in both modes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parent / "audit"))
from test_book import book

import planner
from planner.case import Case
from planner.settings import Fees, Horizon, Privacy, Solver


def city(mode: str, pricing: str) -> Case:
    """The order book with a tree above it."""
    case = book()
    nodes = pd.DataFrame([
        {"node": "city", "kind": "city"},
        {"node": "A", "parent": "city", "kind": "district"},
        {"node": "B", "parent": "city", "kind": "district"},
    ])  # fmt: skip
    settings = replace(
        case.settings, synthetic=True, horizon=Horizon(0.0), fees=Fees(0.0, 0.0), privacy=Privacy(preset="lab"),
        solver=Solver(mode=mode, gap_relative=1e-6), market=replace(case.settings.market, pricing=pricing),
    )  # fmt: skip
    return replace(case, settings=settings).with_(nodes=nodes)


@pytest.mark.parametrize(("mode", "pricing"), [("monolith", "fixed_integers"), ("decentralised", "convex_hull")])
def test_as_the_order_book(mode: str, pricing: str, tmp_path: Path) -> None:
    run = planner.clear(city(mode, pricing), tmp_path / "city")
    alone = planner.market(book(), "fixed_integers", tmp_path / "book")
    assert run.audit["violations"] == []
    assert run.certificate["objective"] == pytest.approx(alone.certificate["objective"], abs=1e-6)
    ours, theirs = (r.acceptances.set_index("row")["accepted_kwh"] for r in (run, alone))
    assert ours.to_dict() == pytest.approx(theirs.to_dict(), abs=1e-3)
    words = run.acceptances.set_index(["order_id", "interval"])["reason"]
    assert words["run3", 3] in ("group_taken", "out_of_the_money")
    assert words["plant", 2] == "accepted"
