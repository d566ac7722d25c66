"""Exact numbers in text: nano-currency, Wh and nano-currency per Wh as the decimals that files carry.

A file shows kWh, currency and currency per MWh; inside, all three are int64 in units of 10^-3, 10^-9 and 10^-3.
Every function works on whole columns and is exact both ways, so that a reader of a file can re-sum it in integers.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from planner.cleared import NANO, NANO_PER_WH_OF_PRICE_PER_MWH

Integers = npt.NDArray[np.int64]

ENERGY_DECIMALS = 3
PRICE_DECIMALS = 3
AMOUNT_DECIMALS = 9
SAFE = 2**62


def decimal_text(values: Integers, decimals: int, *, trim: bool, missing: npt.NDArray[np.bool_] | None = None) -> Any:
    """Write int64 ``values`` in units of 10^-decimals as decimal text, a pyarrow string array.

    ``trim`` drops trailing zeros (and the point, if nothing is left behind it); ``missing`` gives nulls.
    """
    values = np.asarray(values, dtype=np.int64)
    whole, part = np.divmod(np.abs(values), 10**decimals)
    digits = pc.utf8_lpad(pa.array(part).cast(pa.string()), decimals, padding="0")
    if trim:
        digits = pc.utf8_rtrim(digits, characters="0")
    sign = pa.array(["", "-"]).take(pa.array((values < 0).astype(np.int8)))
    point = pa.array([".", ""]).take(pc.equal(pc.utf8_length(digits), 0).cast(pa.int8()))
    text = pc.binary_join_element_wise(sign, pa.array(whole).cast(pa.string()), point, digits, "")
    return text if missing is None else pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text)


def energy_text(energy_wh: Integers, missing: npt.NDArray[np.bool_] | None = None) -> Any:
    """Wh as kWh with three decimals."""
    return _repeating_text(energy_wh, ENERGY_DECIMALS, trim=False, missing=missing)


def price_text(price_nano: Integers, missing: npt.NDArray[np.bool_] | None = None) -> Any:
    """Nano-currency per Wh as currency per MWh, exact."""
    return _repeating_text(price_nano, PRICE_DECIMALS, trim=True, missing=missing)


def _repeating_text(values: Integers, decimals: int, *, trim: bool, missing: npt.NDArray[np.bool_] | None) -> Any:
    """``decimal_text`` of numbers that come again and again: each is written once."""
    coded = pa.array(np.asarray(values, dtype=np.int64), mask=missing).dictionary_encode()
    return decimal_text(coded.dictionary.to_numpy(), decimals, trim=trim).take(coded.indices)


def amount_text(amount_nano: Integers, missing: npt.NDArray[np.bool_] | None = None) -> Any:
    """Nano-currency as currency, exact."""
    return decimal_text(amount_nano, AMOUNT_DECIMALS, trim=True, missing=missing)


def from_text(texts: Any, decimals: int) -> Integers:
    """Read decimal texts back as int64 in units of 10^-decimals; an empty or missing text counts as zero.

    Raises ValueError where a text is no number or has more decimals than the unit carries.
    """
    column = pa.array(texts, type=pa.string(), from_pandas=True)
    filled = pc.if_else(pc.equal(pc.fill_null(column, ""), ""), "0", pc.fill_null(column, ""))
    try:
        exact = filled.cast(pa.decimal128(28, decimals))
    except pa.ArrowInvalid as refusal:
        raise ValueError(f"not a number with at most {decimals} decimals: {refusal}") from refusal
    words = np.frombuffer(exact.buffers()[1], dtype=np.int64, count=2 * len(exact)).reshape(-1, 2)
    if np.any(words[:, 1] != words[:, 0] >> 63):
        raise ValueError(f"a number is beyond {SAFE} units of 10^-{decimals}")
    return words[:, 0].copy()


def price_nano(price_per_mwh: float) -> int:
    """Currency per MWh to the nearest nano-currency per Wh, halves to even."""
    return round(Fraction(str(float(price_per_mwh))) * NANO_PER_WH_OF_PRICE_PER_MWH)


def nano(currency: float) -> int:
    """Currency to the nearest nano-currency, halves to even."""
    return round(Fraction(float(currency)) * NANO)


def nano_up(currency: float | Fraction) -> int:
    """Currency to nano-currency, rounded up from exactly what the argument says."""
    return math.ceil(Fraction(currency) * NANO)


def product(energy_wh: Integers, price_nano_per_wh: Integers) -> Integers:
    """Wh times nano-currency per Wh, refused (OverflowError) rather than wrapped around."""
    energy, price = np.asarray(energy_wh, dtype=np.int64), np.asarray(price_nano_per_wh, dtype=np.int64)
    unsure = energy.size and price.size and _magnitude(energy) * _magnitude(price) >= SAFE
    if unsure and (np.abs(energy.astype(float) * price) >= SAFE).any():
        raise OverflowError("energy times price does not fit into 63 bits")
    return energy * price


def total(values: Integers) -> int:
    """The sum as a Python int: exact however many values there are."""
    values = np.asarray(values, dtype=np.int64)
    return (int(np.sum(values >> 32)) << 32) + int(np.sum(values & 0xFFFFFFFF))


def _magnitude(values: Integers) -> int:
    return max(abs(int(values.max())), abs(int(values.min())))
