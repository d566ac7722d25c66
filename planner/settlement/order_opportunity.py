"""What orders forgo at the published prices: every row, family and exclusive group has a best answer in closed form.

With one limit price per block and one ratio, the best is all or nothing; a child needs its parent; of an exclusive
group at most one is taken whole; a complex order delivers its minimum in every interval or nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from planner.cleared import NANO, Acceptance, Cleared
from planner.money import price_nano

PER_NANO = 1 / NANO


def lost_by_orders(cleared: Cleared, table: pd.DataFrame) -> float:
    """Best response less what was won, over all orders; families and exclusive groups answer together."""
    price = {zone.zone: zone.price_nano for zone in cleared.zones}
    margin = [_margin(row, int(price[row.zone][row.interval - 1])) * PER_NANO for row in cleared.acceptances]
    won = sum(m * row.accepted_wh for m, row in zip(margin, cleared.acceptances, strict=True))
    best = sum(
        max(m, 0.0) * r.quantity_wh for m, r in zip(margin, cleared.acceptances, strict=True) if r.kind == "step"
    )
    rows: dict[str, list[tuple[float, Acceptance]]] = {}
    for m, row in zip(margin, cleared.acceptances, strict=True):
        if row.kind != "step":
            rows.setdefault(row.order_id, []).append((m, row))
    facts = (
        {}
        if table.empty
        else {str(k): v for k, v in table.drop_duplicates("order_id").set_index("order_id").iterrows()}
    )
    alone, spent = {}, 0.0
    for name, answers in sorted(rows.items()):
        if answers[0][1].kind == "complex":
            alone[name] = _complex(answers, table[table["order_id"] == name]) - _fact(facts, name, "fixed_cost")
            spent += _fact(facts, name, "fixed_cost") * any(row.accepted_wh for _, row in answers)
        else:
            alone[name] = sum(m * row.quantity_wh for m, row in answers)
    return best + _families(alone, facts) - (won - spent)


def _families(alone: Mapping[str, float], facts: Mapping[str, pd.Series]) -> float:
    """The best of every family and exclusive group: a child needs its parent, of a group at most one is taken whole."""
    children: dict[str, list[str]] = {}
    for name in alone:
        children.setdefault(_text(facts, name, "parent_order_id"), []).append(name)

    def whole(name: str) -> float:
        return max(0.0, alone[name] + sum(whole(child) for child in children.get(name, ())))

    groups: dict[str, float] = {}
    single = 0.0
    for name in children.get("", []):
        group = _text(facts, name, "exclusive_group")
        if group:
            groups[group] = max(groups.get(group, 0.0), whole(name))
        else:
            single += whole(name)
    return single + sum(groups.values())


def _complex(answers: Sequence[tuple[float, Acceptance]], rows: pd.DataFrame) -> float:
    """The best an active complex order can win before its fixed cost: steps in the money, and its minimum."""
    at_least = rows.groupby("interval")["min_quantity_kwh"].max().fillna(0.0) * 1000
    best = 0.0
    for interval in sorted({row.interval for _, row in answers}):
        missing = float(at_least.get(interval, 0.0))
        for margin, row in sorted(((m, r) for m, r in answers if r.interval == interval), key=lambda a: -a[0]):
            taken = row.quantity_wh if margin > 0 else min(row.quantity_wh, max(missing, 0.0))
            best += margin * taken
            missing -= taken
    return best


def _margin(row: Acceptance, price: int) -> int:
    """What an order row wins per Wh, nano-currency."""
    limit = price_nano(row.price_per_mwh)
    return price - limit if row.side == "sell" else limit - price


def _text(facts: Mapping[str, pd.Series], name: str, column: str) -> str:
    value = facts[name].get(column) if name in facts else None
    return value if isinstance(value, str) else ""


def _fact(facts: Mapping[str, pd.Series], name: str, column: str) -> float:
    value = facts[name].get(column, 0.0) if name in facts else 0.0
    return float(value) if value == value and value is not None else 0.0
