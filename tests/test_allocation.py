"""Every policy hands out the supply to the Wh, and what it promises holds."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.allocation import POLICIES, Recipient, allocate, allocation_table, largest_remainder


def units(*needs: float, **fields: list[float]) -> list[Recipient]:
    return [
        Recipient(f"u{i}", need_kwh=(need,), **{name: values[i] for name, values in fields.items()})
        for i, need in enumerate(needs)
    ]


def share(policy: str, supply_wh: int, recipients: list[Recipient]) -> list[int]:
    shares = allocate(policy, np.array([supply_wh]), recipients)
    return [int(shares[recipient.node][0]) for recipient in recipients]


def test_largest_remainder_splits_four_kwh_two_to_one() -> None:
    """Known answer: 4 kWh over shortages 6 and 3 are 8/3 and 4/3 kWh."""
    assert largest_remainder(np.array([4000]), np.array([[6.0, 3.0]])).tolist() == [[2667, 1333]]


def test_equal_remainders_go_to_the_smaller_id_whatever_the_order() -> None:
    recipients = units(1, 1, 1)
    assert share("equal", 1000, recipients) == [334, 333, 333]
    assert share("equal", 1000, recipients[::-1]) == [333, 333, 334]


def test_by_area() -> None:
    assert share("by_area", 1000, units(0, 0, 0, floor_area_m2=[60.0, 40.0, 0.0])) == [600, 400, 0]


def test_by_history_keeps_one_share_in_all_intervals() -> None:
    one, other = Recipient("a", need_kwh=(3.0, 0.0)), Recipient("b", need_kwh=(0.0, 1.0))
    shares = allocate("by_history", np.array([400, 800]), [one, other])
    assert shares["a"].tolist() == [300, 600]
    assert shares["b"].tolist() == [100, 200]


def test_minimum_first_then_equal_parts() -> None:
    assert share("minimum_plus_share", 1000, units(0, 0, guaranteed_kwh=[0.5, 0.1])) == [700, 300]


def test_short_minimum_follows_priority_then_proportion() -> None:
    recipients = units(0, 0, 0, guaranteed_kwh=[0.4, 0.6, 0.3], priority=[2.0, 2.0, 1.0])
    assert share("minimum_plus_share", 800, recipients) == [200, 300, 300]


def test_max_min_fair_fills_small_needs_first() -> None:
    assert share("max_min_fair", 900, units(0.1, 0.5, 0.9)) == [100, 400, 400]


def test_max_min_fair_shares_what_nobody_needs() -> None:
    assert share("max_min_fair", 900, units(0.1, 0.2, 0.3)) == [200, 300, 400]


@given(
    policy=st.sampled_from(sorted(POLICIES)),
    supply=st.lists(st.integers(0, 10**7), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    count=st.integers(1, 7),
)
@settings(max_examples=150, deadline=None)
def test_every_policy_adds_up_and_forgets_the_order(policy: str, supply: list[int], seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    recipients = [
        Recipient(
            f"u{i}",
            tuple(random.integers(0, 5000, len(supply)) / 1000),
            float(random.integers(0, 3)),
            float(random.integers(0, 4000)) / 1000,
            float(random.integers(0, 3)),
        )
        for i in range(count)
    ]
    shares = allocate(policy, np.array(supply), recipients)
    again = allocate(policy, np.array(supply), [recipients[i] for i in random.permutation(count)])
    assert sum(shares.values()).tolist() == supply
    assert all((share >= 0).all() for share in shares.values())
    assert all((shares[node] == again[node]).all() for node in shares)


def test_max_min_fair_envies_nobody_with_less_need_met() -> None:
    random = np.random.default_rng(3)
    need = random.integers(0, 3000, (20, 9))
    supply = (need.sum(axis=1) * 0.6).astype(int)
    recipients = [Recipient(f"u{j}", tuple((need[:, j] / 1000).tolist())) for j in range(9)]
    shares = allocate("max_min_fair", supply, recipients)
    got = np.array([shares[f"u{j}"] for j in range(9)]).T
    for row, wanted in zip(got, need, strict=True):
        short = row < wanted
        assert (row <= wanted).all()
        assert row[short].min() >= row.max() - 1


def test_nobody_receives_where_nobody_is() -> None:
    assert allocate("equal", np.array([5]), []) == {}


def test_an_unknown_policy_is_an_error() -> None:
    with pytest.raises(KeyError):
        allocate("given", np.array([5]), units(1))


def test_the_table_has_the_shape_of_allocations_csv() -> None:
    starts = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC))
    table = allocation_table({"b": np.array([1, 2]), "a": np.array([1500, 0])}, starts)
    assert list(table.columns) == ["node", "interval", "start", "energy_kwh", "resource", "reserve_per_mwh"]
    assert table["node"].tolist() == ["a", "a", "b", "b"]
    assert table["energy_kwh"].tolist() == [1.5, 0.0, 0.001, 0.002]
    assert table["start"].iloc[1] == starts[1]
