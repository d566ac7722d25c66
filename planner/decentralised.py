"""Mode decentralised: gateways answer, the marketplace finds prices, bound and dispatch (formulation 3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from planner.answered import Answered
from planner.coordination import Agreement, Rules, coordinate
from planner.fleet import Fleet, Kept
from planner.publication import from_multipliers, multipliers_of
from planner.questions import MICRO, BoundAt
from planner_models.master import Master
from planner_models.words import Locality


def clear_in_rounds(
    master: Master,
    fleet: Fleet,
    lot_wh: int,
    gap: float,
    max_rounds: int,
    locality: Locality,
    tick: float,
    seconds_left: Callable[[], float],
) -> Answered:
    """Rounds, commitments, dispatch; then one more question, at the published prices, for the identity."""
    began = time.perf_counter()
    rules = Rules(
        gap=gap,
        max_rounds=max_rounds,
        lot_wh=lot_wh,
        seconds_left=seconds_left,
        strict=locality is Locality.STRICT,
    )
    agreed = coordinate(master, fleet, rules)
    speaking = [g for g, group in enumerate(fleet.groups) if group.id not in agreed.mute]
    low = high = agreed.multipliers
    if np.isfinite(agreed.bound):
        low, high = master.multiplier_range(agreed.bound)
    prices = from_multipliers(master.market, agreed.multipliers, low, high, tick)
    y = multipliers_of(master.market, prices)
    nodes = {g: master.node_price(y, g) for g in speaking}
    number = len(agreed.rounds)
    proven = _proven(fleet, speaking, {g: BoundAt(number, price) for g, price in nodes.items()})
    at_published = sum(proven.values()) + master.market_value(y)
    bound = at_published if agreed.mute else max(agreed.bound, at_published)
    tolerance = gap * abs(agreed.cost) / 4
    if agreed.cost - bound > 4 * tolerance and seconds_left() > 0:
        each = tolerance / max(1, len(speaking))
        proven = _proven(fleet, speaking, {g: BoundAt(number + 1, price, each) for g, price in nodes.items()})
        bound = max(bound, sum(proven.values()) + master.market_value(y))
    closeness = (agreed.value - bound) / max(1.0, abs(agreed.value))
    kept = _kept(fleet, speaking)
    return Answered(
        schedules={name: own.schedule for name, own in kept.items()},
        without_trade={name: own.without_trade for name, own in kept.items()},
        market_x=agreed.dispatch.x,
        prices=replace(prices, converged=closeness <= gap),
        bound=bound,
        no_trade=agreed.no_trade,
        proven=proven,
        status="answered",
        answer_from="rounds",
        information="aggregates",
        rounds=tuple(_log(agreed, fleet, lot_wh)),
        refrained=tuple(agreed.refrained),
        mute=dict(agreed.mute),
        solver_s=fleet.solver_s + agreed.dispatch.seconds,
        build_s=time.perf_counter() - began,
    )


def _proven(fleet: Fleet, speaking: Sequence[int], questions: Mapping[int, BoundAt]) -> dict[str, float]:
    """v_b of every building at its published node price; each stays in its building's folder."""
    fleet.ask(questions)
    return {name: own.proven for name, own in _kept(fleet, speaking).items()}


def _kept(fleet: Fleet, speaking: Sequence[int]) -> dict[str, Kept]:
    """What the buildings of the groups that take part keep to themselves, group by group."""
    kept = fleet.kept()
    return {name: kept[name] for g in speaking for name in fleet.groups[g].buildings}


def _log(agreed: Agreement, fleet: Fleet, lot_wh: int) -> list[Mapping[str, Any]]:
    """Rows of market/rounds.csv: what was asked, what was said, what was proven."""
    lot = lot_wh / 1000
    rows: list[Mapping[str, Any]] = []
    for item in agreed.rounds:
        for g, reply in item.replies.items():
            price = item.prices.get(g)
            for t, lots in enumerate(reply.lots):
                rows.append(
                    {
                        "round": item.number,
                        "kind": item.kind,
                        "group": fleet.groups[g].id,
                        "interval": t + 1,
                        "price_per_mwh": None if price is None else round(float(price[t]), 6),
                        "position_kwh": round(int(lots) * lot, 3),
                        "cost": reply.cost_micro / MICRO,
                        "bound": None if not np.isfinite(item.bound) else item.bound,
                    }
                )
    return rows
