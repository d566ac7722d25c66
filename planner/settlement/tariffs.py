"""Network tariffs by level, on physical use, shown apart from energy (contract, tariffs.csv).

Which tariff holds for a unit at a level: that of the node of this level above it, or of the nearest node above
that; if none of them names one, the nearest from the unit upwards.  What a component charges:

* level ``unit``: the unit's own net use less what it traded inside the building, of which ``applies_to_internal``
  is charged all the same; higher levels: what the building as a whole draws (or feeds in), shared among units by
  their own use, plus ``applies_to_internal`` of what they traded inside.
* ``per_mwh`` on Wh inside its windows, above ``step_from_kwh`` of the day; ``per_kw_month`` on what the day's
  highest average power adds to ``peak_so_far_kw``; ``per_day`` per unit, or per building and then shared equally.
* Rates include value added tax and are rounded to a nano-currency per Wh before they are applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from planner.cleared import Wh
from planner.money import nano, price_nano
from planner.settlement.apportion import apportion, share_out
from planner.settlement.journal import Journal
from planner.settlement.terms import Terms
from planner.timegrid import clock_mask

OPERATOR = "network_operator"


@dataclass(frozen=True)
class Use:
    """What a tariff looks at: units by id, Wh (N, T) of net use and of internal trade, and the building's net use."""

    building: str
    units: tuple[str, ...]
    use_wh: Wh
    bought_wh: Wh
    sold_wh: Wh
    building_use_wh: Wh
    starts: Sequence[datetime]
    hours: float

    def charged(self, level: str, direction: str, internal_ratio: float) -> Wh:
        """Wh (N, T) on which a component of a level is charged, all >= 0."""
        sign = 1 if direction == "import" else -1
        own = np.maximum(sign * self.use_wh, 0)
        inside = self.bought_wh if direction == "import" else self.sold_wh
        charged_inside = np.rint(inside * internal_ratio).astype(np.int64)
        if level == "unit":
            return np.maximum(own - inside + charged_inside, 0)
        return apportion(np.maximum(sign * self.building_use_wh, 0), own) + charged_inside


def charge(journal: Journal, use: Use, terms: Terms) -> None:
    """Book every component that holds for a unit of the building, and the same sum for the network operator."""
    if terms.tariffs.empty:
        return
    paths = [_path(terms, unit, use.building) for unit in use.units]
    named = [[terms.tariff.get(node, "") for node in path] for path in paths]
    for component in terms.components:
        holds = [_tariff(names, component["level"]) == component["tariff"] for names in named]
        if any(holds):
            _charge(journal, use, component, np.array(holds), terms.timezone)


def _charge(journal: Journal, use: Use, row: Mapping[str, Any], holds: npt.NDArray[np.bool_], zone: ZoneInfo) -> None:
    name, vat = str(row["component"]), 1 + _number(row.get("vat_ratio"))
    when = [_text(row.get(column)) for column in ("from_time", "to_time", "days", "months")]
    open_now = clock_mask(use.starts, zone, *when)
    if row["basis"] == "per_day":
        if open_now.any():
            _book(journal, use, name, _per_day(use, row, nano(row["rate"] * vat)), holds)
        return
    charged = use.charged(row["level"], row["direction"], _number(row.get("applies_to_internal")))
    charged = np.where(open_now, charged, 0)
    if row["basis"] == "per_kw_month":
        _book(journal, use, name, _per_peak(use, row, charged, row["rate"] * vat), holds)
        return
    charged = _above_step(charged, _number(row.get("step_from_kwh"))) * holds[:, None]
    price = np.full(len(use.starts), price_nano(row["rate"] * vat), dtype=np.int64)
    journal.energy(use.units, name, charged, price, OPERATOR)
    journal.energy((OPERATOR,), name, -charged.sum(axis=0, keepdims=True), price, "unit")


def _per_day(use: Use, row: Mapping[str, Any], rate_nano: int) -> tuple[int, ...]:
    if row["level"] == "unit":
        return (rate_nano,) * len(use.units)
    return share_out(rate_nano, [1] * len(use.units))


def _per_peak(use: Use, row: Mapping[str, Any], charged_wh: Wh, rate: float) -> tuple[int, ...]:
    """What the day adds to the month's highest power; a building's peak is shared by use in that interval."""
    before = _number(row.get("peak_so_far_kw"))
    if row["level"] == "unit":
        added = np.maximum(charged_wh.max(axis=1, initial=0) / 1000 / use.hours - before, 0)
        return tuple(nano(rate * float(kw)) for kw in added)
    together = charged_wh.sum(axis=0)
    at = int(together.argmax())
    added_kw = max(float(together[at]) / 1000 / use.hours - before, 0.0)
    return share_out(nano(rate * added_kw), [int(w) for w in charged_wh[:, at]])


def _book(journal: Journal, use: Use, name: str, amounts: Sequence[int], holds: npt.NDArray[np.bool_]) -> None:
    due = [amount if held else 0 for amount, held in zip(amounts, holds, strict=True)]
    journal.money(use.units, name, [-amount for amount in due], OPERATOR)
    journal.money((OPERATOR,), name, (sum(due),), "unit")


def _above_step(energy_wh: Wh, step_from_kwh: float) -> Wh:
    """The part of each row's energy that lies above the step of the day's running sum."""
    step = round(step_from_kwh * 1000)
    reached = np.maximum(np.cumsum(energy_wh, axis=1) - step, 0)
    return np.diff(reached, axis=1, prepend=0)


def _path(terms: Terms, unit: str, building: str) -> list[str]:
    """From a unit up to the city."""
    path = [unit, building]
    while (parent := terms.parent.get(path[-1], "")) and parent not in path:
        path.append(parent)
    return path


def _tariff(named: Sequence[str], level: str) -> str:
    """The tariff that holds at a level where nodes from the unit up name these (see above); empty if none does."""
    from_level = {"unit": 0, "building": 1, "district": 2, "city": len(named) - 1}[level]
    return next((name for name in [*named[from_level:], *named] if name), "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float:
    """A cell as a number; an empty one is 0."""
    return 0.0 if value is None or value != value or value == "" else float(value)
