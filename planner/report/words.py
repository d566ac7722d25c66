"""Numbers as people read them: thousands apart, few digits, always a unit."""

from __future__ import annotations

import math
from typing import Any

MINUS = "\u2212"
NO_BREAK = "\u00a0"


def number(value: Any, digits: int = 2) -> str:
    """``-1234.5`` as ``−1,234.50``; a dash for what is unknown."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    text = f"{abs(float(value)):,.{digits}f}"
    negative = float(value) < 0 and any(c in "123456789" for c in text)
    return MINUS + text if negative else text


def with_unit(value: Any, unit: str, digits: int = 2) -> str:
    return f"{number(value, digits)}{NO_BREAK}{unit}"


def energy(kwh: float) -> str:
    """kWh, without decimals from a hundred on."""
    return with_unit(kwh, "kWh", 0 if abs(kwh) >= 100 else 1)


def percent(ratio: Any) -> str:
    """A ratio in percent with two significant digits where it is small."""
    if ratio is None or not math.isfinite(float(ratio)):
        return "–"
    value = 100 * float(ratio)
    size = abs(value)
    digits = 0 if size >= 10 or size == 0 else 1 if size >= 1 else 2
    if 0 < size < 0.01:
        return f"below{NO_BREAK}0.01{NO_BREAK}%"
    return f"{number(value, digits)}{NO_BREAK}%"


def counted(n: int, one: str, many: str = "") -> str:
    """``1 building``, ``2 buildings``."""
    return f"{n:,}{NO_BREAK}{one if n == 1 else many or one + 's'}"
