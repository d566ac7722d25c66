"""Largest remainder, against its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from planner.settlement.apportion import apportion, share_out, share_out_capped

WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=6)


def test_k15_thirds() -> None:
    assert apportion(np.array([4000]), np.array([[4000], [2000]]))[:, 0].tolist() == [2667, 1333]


def test_equal_remainders_go_to_the_earlier_row() -> None:
    assert apportion(np.array([5]), np.array([[3], [3], [3]]))[:, 0].tolist() == [2, 2, 1]
    assert share_out(-5, [3, 3, 3]) == (-2, -2, -1)


def test_beyond_63_bits_it_is_still_exact() -> None:
    big = 4 * 10**18
    shares = apportion(np.array([big]), np.array([[10**18], [3 * 10**18], [7]]))
    assert shares[:, 0].tolist() == list(share_out(big, [10**18, 3 * 10**18, 7]))
    assert int(shares.sum()) == big


@given(WEIGHTS, st.integers(0, 20_000))
def test_shares_sum_and_stay_within_one_of_the_exact_share(weights: list[int], amount: int) -> None:
    amount = min(amount, sum(weights))
    shares = apportion(np.array([amount]), np.array(weights)[:, None])[:, 0]
    assert shares.sum() == amount
    assert np.all(shares <= weights)
    exact = np.array(weights) * amount / max(sum(weights), 1)
    assert np.all(np.abs(shares - exact) < 1)
    if any(weights):
        assert tuple(shares.tolist()) == share_out(amount, weights)


@given(WEIGHTS, st.integers(0, 50_000), st.data())
def test_nobody_pays_beyond_his_cap_and_all_is_funded_that_can_be(
    weights: list[int], amount: int, data: object
) -> None:
    caps = data.draw(st.lists(st.integers(0, 20_000), min_size=len(weights), max_size=len(weights)))  # type: ignore[attr-defined]
    shares = share_out_capped(amount, weights, caps)
    able = sum(cap for cap, weight in zip(caps, weights, strict=True) if weight)
    assert sum(shares) == min(amount, able)
    assert all(0 <= share <= cap for share, cap in zip(shares, caps, strict=True))


def test_what_a_cap_turns_away_is_shared_by_weight() -> None:
    assert share_out_capped(90, [1, 1, 1], [10, 100, 100]) == (10, 40, 40)
