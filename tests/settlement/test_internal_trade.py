"""Trade inside a building (S1)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from planner.settlement.internal_trade import pair_up, trade_inside

POSITIONS = arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=st.integers(-9000, 9000))


@pytest.mark.parametrize(
    ("position", "bought", "market_buy", "market_sell"),
    [
        ([-4000, 4000, 2000], [0, 2667, 1333], [0, 1333, 667], [0, 0, 0]),
        ([-6000, 3000, 1000], [0, 3000, 1000], [0, 0, 0], [2000, 0, 0]),
        ([-5000, 3000, 2000], [0, 3000, 2000], [0, 0, 0], [0, 0, 0]),
    ],
)
def test_k15(position: list[int], bought: list[int], market_buy: list[int], market_sell: list[int]) -> None:
    trade = trade_inside(np.array(position)[:, None])
    assert trade.bought[:, 0].tolist() == bought
    assert trade.market_buy[:, 0].tolist() == market_buy
    assert trade.market_sell[:, 0].tolist() == market_sell


@given(POSITIONS)
def test_positions_split_into_neighbours_and_one_market_side(position: np.ndarray) -> None:
    trade = trade_inside(position)
    assert np.array_equal(trade.bought + trade.market_buy - trade.sold - trade.market_sell, position)
    volume = np.minimum(np.maximum(position, 0).sum(axis=0), np.maximum(-position, 0).sum(axis=0))
    assert np.array_equal(trade.bought.sum(axis=0), volume)
    assert np.array_equal(trade.sold.sum(axis=0), volume)
    assert not np.any(trade.market_buy.any(axis=0) & trade.market_sell.any(axis=0))
    assert min(part.min() for part in (trade.bought, trade.sold, trade.market_buy, trade.market_sell)) >= 0


@given(POSITIONS)
def test_pairs_meet_every_row_and_column_sum(position: np.ndarray) -> None:
    trade = trade_inside(position)
    pairs = pair_up(trade)
    bought, sold = np.zeros_like(position), np.zeros_like(position)
    np.add.at(bought, (pairs.buyer, pairs.interval), pairs.energy_wh)
    np.add.at(sold, (pairs.seller, pairs.interval), pairs.energy_wh)
    assert np.array_equal(bought, trade.bought)
    assert np.array_equal(sold, trade.sold)
    assert np.all(pairs.energy_wh > 0)
    assert np.all(pairs.seller != pairs.buyer)
    active = ((trade.bought > 0).sum() + (trade.sold > 0).sum()) if pairs.energy_wh.size else 0
    assert pairs.energy_wh.size <= active
