"""Published days of two real markets: prices and block decisions as they were published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import planner
from planner.orderbook import MarketRun
from planner.preparation.orderbook import read_book
from planner_models.orders.chooser import NO_LOSS, Chooser
from planner_models.orders.model import build_book
from planner_models.solve import Options

CASES = Path(__file__).parents[3] / "shared" / "cases"
REACH = 0.01

pytestmark = [pytest.mark.real, pytest.mark.skipif(not CASES.is_dir(), reason="no shared cases beside the repository")]


def days(pattern: str) -> list[str]:
    return sorted(path.name for path in CASES.glob(pattern))


def cleared(day: str, folder: Path) -> MarketRun:
    run = planner.market(planner.read_case(CASES / day), "no_pab", folder / "run")
    assert isinstance(run, MarketRun)
    assert run.audit["violations"] == []
    assert run.certificate["proven"]
    return run


def beside_published(day: str, run: MarketRun) -> pd.DataFrame:
    expected = pd.read_csv(CASES / day / "expected_prices.csv")
    both = expected.merge(run.prices, on=["zone", "interval"], suffixes=("_published", ""))
    assert len(both) == len(expected)
    return both


@pytest.mark.parametrize("day", [*days("iberia-*"), *days("italy-2025-*")])
def test_every_published_price(day: str, tmp_path: Path) -> None:
    both = beside_published(day, cleared(day, tmp_path))
    assert np.abs(both["price_per_mwh"] - both["price_per_mwh_published"]).max() <= REACH / 2


@pytest.mark.parametrize("day", days("italy-fixed-*"))
def test_published_prices_support_our_answer(day: str, tmp_path: Path) -> None:
    run = cleared(day, tmp_path)
    both, published = beside_published(day, run), decisions(day)
    price = both["price_per_mwh_published"]
    outside = (price < both["price_low"] - REACH) | (price > both["price_high"] + REACH)
    ours = run.acceptances.groupby("order_id")["accepted_kwh"].sum()
    differ = [name for name, taken in published.items() if (ours[name] > 0) != taken]
    if differ:
        refute(day, run, published, differ)
    else:
        assert not outside.any(), both[outside].to_string()


def refute(day: str, run: MarketRun, published: dict[str, bool], differ: list[str]) -> None:
    """The published decisions are worth less than ours, or no price in this book supports them without a loss."""
    book = read_book(planner.read_case(CASES / day))
    market = build_book(book)
    chooser = Chooser(market, Options())
    taken = np.array([published[name] for name in book.blocks.id], dtype=float)
    integers = np.zeros(len(chooser.integers))
    integers[np.searchsorted(chooser.integers, market.taken)] = taken
    theirs = chooser.answer(integers)
    assert theirs is not None
    lost, losers = chooser.loss(theirs)
    worth = -book.money(theirs.cost)
    names = [book.blocks.id[k] for k in losers]
    print(f"{day}: ours {run.certificate['welfare']:,.2f}, published {worth:,.2f}; they differ in {differ}")
    print(f"as published, {names} lose {book.money(lost):,.2f} at the best supporting prices")
    assert worth < run.certificate["welfare"] or lost > NO_LOSS


def decisions(day: str) -> dict[str, bool]:
    table = pd.read_csv(CASES / day / "expected_blocks.csv")
    return dict(zip(table["order_id"], table["published_status"] == "ACC", strict=True))
