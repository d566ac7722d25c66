"""Mode decentralised: gateways answer, the marketplace finds prices, bound and dispatch (formulation 3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from planner.answered import Answered
from planner.coordination import Agreement, Rules, coordinate
from planner.gateway import MICRO, Gateway, LocalGateway, solver_seconds
from planner.publication import from_multipliers, multipliers_of
from planner.quantise import Floats
from planner_models.master import Master
from planner_models.words import Locality


def clear_in_rounds(
    master: Master,
    gateways: Sequence[LocalGateway],
    voices: Sequence[Gateway],
    gap: float,
    max_rounds: int,
    locality: Locality,
    tick: float,
    seconds_left: Callable[[], float],
    summed_bound: Callable[[int], int | None] | None,
) -> Answered:
    """Rounds, commitments, dispatch; then one more question, at the published prices, for the identity."""
    began = time.perf_counter()
    rules = Rules(
        gap=gap,
        max_rounds=max_rounds,
        lot_wh=gateways[0].lot_wh if gateways else 1,
        seconds_left=seconds_left,
        summed_bound=summed_bound,
        strict=locality is Locality.STRICT,
    )
    agreed = coordinate(master, voices, rules)
    speaking = [g for g, gateway in enumerate(gateways) if gateway.group.id not in agreed.mute]
    low = high = agreed.multipliers
    if np.isfinite(agreed.bound):
        low, high = master.multiplier_range(agreed.bound)
    prices = from_multipliers(master.market, agreed.multipliers, low, high, tick)
    y = multipliers_of(master.market, prices)
    proven = _bounds(master, gateways, speaking, y)
    at_published = sum(proven.values()) + master.market_value(y)
    bound = at_published if agreed.mute else max(agreed.bound, at_published)
    tolerance = gap * abs(agreed.cost) / 4
    if agreed.cost - bound > 4 * tolerance and seconds_left() > 0:
        whole = _whole_bounds(master, gateways, speaking, y, tolerance / max(1, len(speaking)))
        proven = {name: max(value, whole[name]) for name, value in proven.items()}
        bound = max(bound, sum(proven.values()) + master.market_value(y))
    closeness = (agreed.value - bound) / max(1.0, abs(agreed.value))
    return Answered(
        schedules={s.building.id: s for g in speaking for s in gateways[g].schedules},
        without_trade={s.building.id: s for g in gateways for s in g.without_trade},
        market_x=agreed.dispatch.x,
        prices=replace(prices, converged=closeness <= gap),
        bound=bound,
        no_trade=agreed.no_trade,
        proven=proven,
        status="answered",
        answer_from="rounds",
        information="aggregates",
        rounds=tuple(_log(master, agreed, gateways)),
        refrained=tuple(agreed.refrained),
        mute=dict(agreed.mute),
        solver_s=solver_seconds(gateways) + agreed.dispatch.seconds,
        build_s=time.perf_counter() - began,
    )


def _bounds(master: Master, gateways: Sequence[LocalGateway], speaking: Sequence[int], y: Floats) -> dict[str, float]:
    """v_b of every building at its published node price; each stays in its building's folder."""
    proven: dict[str, float] = {}
    for g in speaking:
        gateway = gateways[g]
        for building, bound in zip(gateway.buildings, gateway.bounds_at(master.node_price(y, g)), strict=True):
            proven[building.id] = bound
    return proven


def _whole_bounds(
    master: Master, gateways: Sequence[LocalGateway], speaking: Sequence[int], y: Floats, tolerance: float
) -> dict[str, float]:
    """The same with whole runs, where the relaxation's bound is loose (formulation 3, commit)."""
    proven: dict[str, float] = {}
    for g in speaking:
        gateway = gateways[g]
        bounds = gateway.whole_bounds_at(master.node_price(y, g), tolerance)
        proven |= {building.id: bound for building, bound in zip(gateway.buildings, bounds, strict=True)}
    return proven


def _log(master: Master, agreed: Agreement, gateways: Sequence[LocalGateway]) -> list[Mapping[str, Any]]:
    """Rows of market/rounds.csv: what was asked, what was said, what was proven."""
    lot = gateways[0].lot_wh / 1000 if gateways else 0.001
    rows: list[Mapping[str, Any]] = []
    for item in agreed.rounds:
        for g, reply in item.replies.items():
            price = item.prices.get(g)
            for t, lots in enumerate(reply.lots):
                rows.append(
                    {
                        "round": item.number,
                        "kind": item.kind,
                        "group": gateways[g].group.id,
                        "interval": t + 1,
                        "price_per_mwh": None if price is None else round(float(price[t]), 6),
                        "position_kwh": round(int(lots) * lot, 3),
                        "cost": reply.cost_micro / MICRO,
                        "bound": None if not np.isfinite(item.bound) else item.bound,
                    }
                )
    return rows
