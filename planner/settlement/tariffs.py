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
from planner.settlement.journal import BlockJournal
from planner.settlement.terms import Terms
from planner.timegrid import clock_mask

OPERATOR = "network_operator"
LEVELS = ("unit", "building", "district", "city")


@dataclass(frozen=True)
class Use:
    """What a tariff looks at, of B buildings with at most N participants, a column being one interval of one building.

    Wh (N, B x T) of net use and of internal trade, and the buildings' net use (B x T); accounts (N, B) of ``units``
    (by building) and of the network ``operators`` (1, B).
    """

    buildings: tuple[str, ...]
    units: tuple[tuple[str, ...], ...]
    accounts: Wh
    operators: Wh
    use_wh: Wh
    bought_wh: Wh
    sold_wh: Wh
    building_use_wh: Wh
    starts: Sequence[datetime]
    hours: float

    def charged(self, level: str, direction: str, internal_ratio: float) -> Wh:
        """Wh (N, B x T) on which a component of a level is charged, all >= 0."""
        sign = 1 if direction == "import" else -1
        own = np.maximum(sign * self.use_wh, 0)
        inside = self.bought_wh if direction == "import" else self.sold_wh
        charged_inside = np.rint(inside * internal_ratio).astype(np.int64)
        if level == "unit":
            return np.maximum(own - inside + charged_inside, 0)
        return apportion(np.maximum(sign * self.building_use_wh, 0), own) + charged_inside

    def by_building(self, energy_wh: Wh) -> Wh:
        """Columns as (N, B, T)."""
        return energy_wh.reshape(len(energy_wh), len(self.buildings), len(self.starts))


def charge(journal: BlockJournal, use: Use, terms: Terms) -> None:
    """Book every component that holds for a unit of a building, and the same sum for the network operator."""
    if terms.tariffs.empty:
        return
    named = _named(use, terms)
    for component in terms.components:
        holds = named[component["level"]] == component["tariff"]
        if holds.any():
            _charge(journal, use, component, holds, terms.timezone)


def _charge(
    journal: BlockJournal, use: Use, row: Mapping[str, Any], holds: npt.NDArray[np.bool_], zone: ZoneInfo
) -> None:
    name, vat = str(row["component"]), 1 + _number(row.get("vat_ratio"))
    when = [_text(row.get(column)) for column in ("from_time", "to_time", "days", "months")]
    open_now = clock_mask(use.starts, zone, *when)
    if row["basis"] == "per_day":
        if open_now.any():
            _book(journal, use, name, _per_day(use, row, nano(row["rate"] * vat)), holds)
        return
    charged = use.charged(row["level"], row["direction"], _number(row.get("applies_to_internal")))
    charged = np.where(np.tile(open_now, len(use.buildings)), charged, 0)
    if row["basis"] == "per_kw_month":
        _book(journal, use, name, _per_peak(use, row, use.by_building(charged), row["rate"] * vat), holds)
        return
    held = _above_step(use.by_building(charged), _number(row.get("step_from_kwh"))) * holds[:, :, None]
    charged = held.reshape(use.use_wh.shape)
    price = np.full(len(use.building_use_wh), price_nano(row["rate"] * vat), dtype=np.int64)
    journal.energy(use.accounts, name, charged, price, OPERATOR)
    journal.energy(use.operators, name, -charged.sum(axis=0, keepdims=True), price, "unit")


def _per_day(use: Use, row: Mapping[str, Any], rate_nano: int) -> list[tuple[int, ...]]:
    if row["level"] == "unit":
        return [(rate_nano,) * len(units) for units in use.units]
    return [share_out(rate_nano, [1] * len(units)) for units in use.units]


def _per_peak(use: Use, row: Mapping[str, Any], charged_wh: Wh, rate: float) -> list[tuple[int, ...]]:
    """What the day adds to the month's highest power; a building's peak is shared by use in that interval."""
    before = _number(row.get("peak_so_far_kw"))
    due = []
    for b, units in enumerate(use.units):
        charged = charged_wh[: len(units), b]
        if row["level"] == "unit":
            added = np.maximum(charged.max(axis=1, initial=0) / 1000 / use.hours - before, 0)
            due.append(tuple(nano(rate * float(kw)) for kw in added))
            continue
        together = charged.sum(axis=0)
        at = int(together.argmax())
        added_kw = max(float(together[at]) / 1000 / use.hours - before, 0.0)
        due.append(share_out(nano(rate * added_kw), [int(w) for w in charged[:, at]]))
    return due


def _book(
    journal: BlockJournal,
    use: Use,
    name: str,
    amounts: Sequence[Sequence[int]],
    holds: npt.NDArray[np.bool_],
) -> None:
    for b, (units, of_building) in enumerate(zip(use.units, amounts, strict=True)):
        held = holds[: len(units), b]
        due = [amount if has else 0 for amount, has in zip(of_building, held, strict=True)]
        journal.money(use.accounts[: len(units), b], name, [-amount for amount in due], OPERATOR)
        journal.money(use.operators[:, b], name, (sum(due),), "unit")


def _above_step(energy_wh: Wh, step_from_kwh: float) -> Wh:
    """The part of each row's energy that lies above the step of the day's running sum."""
    step = round(step_from_kwh * 1000)
    reached = np.maximum(np.cumsum(energy_wh, axis=-1) - step, 0)
    return np.diff(reached, axis=-1, prepend=0)


def _named(use: Use, terms: Terms) -> dict[str, npt.NDArray[np.object_]]:
    """The tariff that holds for each participant (N, B) at each level; empty where none does."""
    out = {level: np.full(use.accounts.shape, "", dtype=object) for level in LEVELS}
    for b, (building, units) in enumerate(zip(use.buildings, use.units, strict=True)):
        above = [terms.tariff.get(node, "") for node in _path(terms, building)]
        known: dict[str, dict[str, str]] = {}
        for i, unit in enumerate(units):
            own = terms.tariff.get(unit, "")
            if own not in known:
                known[own] = {level: _tariff([own, *above], level) for level in LEVELS}
            for level, name in known[own].items():
                out[level][i, b] = name
    return out


def _path(terms: Terms, building: str) -> list[str]:
    """From a building up to the city."""
    path = [building]
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
