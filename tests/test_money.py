"""Exact decimals both ways."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import money

WORDS = st.integers(-(2**62), 2**62)


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0"), (1, "0.000000001"), (-12_345_600_001, "-12.345600001"), (5_000_000_000, "5"), (-10, "-0.00000001")],
)
def test_amounts_are_written_exactly_and_trimmed(nano: int, text: str) -> None:
    assert money.amount_text(np.array([nano])).to_pylist() == [text]
    assert money.from_text([text], 9).tolist() == [nano]


def test_energy_keeps_three_decimals_and_prices_what_they_need() -> None:
    assert money.energy_text(np.array([2667, -1000, 0])).to_pylist() == ["2.667", "-1.000", "0.000"]
    assert money.price_text(np.array([22000, -5, 1250])).to_pylist() == ["22", "-0.005", "1.25"]


@given(st.lists(WORDS, max_size=20), st.sampled_from([3, 9]), st.booleans())
def test_text_and_integers_are_one_another(values: list[int], decimals: int, trim: bool) -> None:
    texts = money.decimal_text(np.array(values, dtype=np.int64), decimals, trim=trim).to_pylist()
    assert [Decimal(text) * 10**decimals for text in texts] == values
    assert money.from_text(texts, decimals).tolist() == values


def test_missing_cells_are_null_and_read_as_zero() -> None:
    texts = money.price_text(np.array([1, 2]), missing=np.array([True, False]))
    assert texts.to_pylist() == [None, "0.002"]
    assert money.from_text(texts, 3).tolist() == [0, 2]


@pytest.mark.parametrize("text", ["1.0000000001", "one", "99999999999.0"])
def test_what_is_no_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimals|beyond"):
        money.from_text([text], 9)


def test_products_never_wrap_around() -> None:
    assert money.product(np.array([3]), np.array([-7])).tolist() == [-21]
    with pytest.raises(OverflowError):
        money.product(np.array([2**40]), np.array([2**30]))


@given(st.lists(WORDS, max_size=50))
def test_a_total_is_exact_beyond_63_bits(values: list[int]) -> None:
    assert money.total(np.array(values, dtype=np.int64)) == sum(values)


def test_prices_and_amounts_from_floats() -> None:
    assert money.price_nano(0.1) == 100
    assert money.price_nano(-18.5) == -18500
    assert money.nano_up(Fraction(1, 3)) == 333_333_334
    assert money.nano(2.5) == 2_500_000_000
