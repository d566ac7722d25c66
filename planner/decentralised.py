"""Mode decentralised: gateways answer, the marketplace finds prices, bound and dispatch (formulation 3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.answered import Answered, Prices
from planner.coordination import Agreement, Round, Rules, coordinate
from planner.fleet import Fleet, Kept
from planner.publication import from_multipliers, multipliers_of
from planner.quantise import Floats
from planner.questions import MICRO, Bound, BoundAt, Fault, Silence, Word
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
    start: Floats | None = None,
    pricing: str = "convex_hull",
) -> Answered:
    """Rounds, commitments, dispatch; then one more question, at the published prices, for the identity.

    ``start`` are zone prices (zones, n) to begin with, if there are any.
    """
    began = time.perf_counter()
    rules = Rules(
        gap=gap,
        max_rounds=max_rounds,
        lot_wh=lot_wh,
        seconds_left=seconds_left,
        strict=locality is Locality.STRICT,
        start=None if start is None else multipliers_of(master.market, _guessed(master, start)),
        fixed_integers=pricing == "fixed_integers",
    )
    agreed = coordinate(master, fleet, rules)
    agreed, prices, proven, bound = _certified(master, fleet, agreed, gap, tick, seconds_left)
    kept = {name: proven.kept[name] for g in agreed.commitments for name in fleet.groups[g].buildings if proven.kept}
    names = {g: fleet.groups[g].id for g in agreed.commitments}
    held = agreed.supported
    value, proof = (agreed.value, bound) if held is None else (held.cost, held.bound)
    closeness = (value - proof) / max(1.0, abs(value))
    return Answered(
        schedules={name: own.schedule for name, own in kept.items()},
        without_trade={name: own.without_trade for name, own in kept.items()},
        market_x=agreed.dispatch.x,
        prices=replace(prices, converged=closeness <= gap),
        bound=bound,
        no_trade=agreed.no_trade,
        proven=proven.by_building,
        status="answered",
        answer_from="rounds",
        information="aggregates",
        rounds=_log(agreed, fleet, lot_wh),
        refrained=tuple(agreed.refrained),
        mute={name: last.reason for name, last in agreed.mute.items()},
        faults={name: last.reason for name, last in agreed.mute.items() if isinstance(last, Fault)},
        solver_s=fleet.spent.solver_s + master.seconds,
        closed_form_s=fleet.spent.closed_form_s,
        build_s=time.perf_counter() - began,
        commitments={names[g]: made for g, made in agreed.commitments.items()},
        alone_micro={names[g]: agreed.rounds[0].replies[g].cost_micro for g in agreed.commitments},
        proven_sum=proven.total,
    )


def _guessed(master: Master, zone: Floats) -> Prices:
    """Zone prices without surcharges of feeders."""
    city = master.market.city
    feeder = np.zeros((len(city.feeders), master.market.n))
    return Prices(zone, zone, zone, np.zeros(zone.shape, dtype=bool), feeder, converged=False)


@dataclass(frozen=True)
class Proven:
    """v_b at the published node prices: of every building that is here, and their sum over all groups that trade.

    ``kept`` is what the buildings keep to themselves beside; nothing where gateways keep their own papers.
    """

    by_building: Mapping[str, float]
    total: float
    kept: Mapping[str, Kept]


def _certified(
    master: Master, fleet: Fleet, agreed: Agreement, gap: float, tick: float, seconds_left: Callable[[], float]
) -> tuple[Agreement, Prices, Proven, float]:
    """Published prices, v_b of every building at its node's, and what they prove together.

    A group that is lost here is taken out of the agreement, and the others are asked again: no proof leans on the
    words of a group that does not trade.
    """
    number, gives_way = len(agreed.rounds), agreed.supported is None
    while True:
        prices = _published(master, agreed, tick, gives_way)
        y = multipliers_of(master.market, prices)
        nodes = {g: master.node_price(y, g) for g in agreed.commitments}
        lost = _lost(fleet.ask({g: BoundAt(number, price) for g, price in nodes.items()}))
        proven = _proven(fleet, agreed, lost, number)
        at_prices = proven.total + master.market_value(y)
        bound, number = max(agreed.bound, at_prices), number + 1
        tolerance = gap * abs(agreed.cost) / 4
        if not lost and gives_way and agreed.bound - at_prices > tolerance:
            gives_way = False  # an end of the range that the answers leave open, and nobody's price
            continue
        if not lost and agreed.cost - bound > 4 * tolerance and seconds_left() > 0:
            each = tolerance / max(1, len(nodes))
            lost = _lost(fleet.ask({g: BoundAt(number, price, each) for g, price in nodes.items()}))
            proven = _proven(fleet, agreed, lost, number)
            bound, number = max(bound, proven.total + master.market_value(y)), number + 1
        if not lost:
            return agreed, prices, proven, bound
        agreed = agreed.without(lost)


def _published(master: Master, agreed: Agreement, tick: float, gives_way: bool) -> Prices:
    """The best multipliers as prices, with the range in which the answers promise as much."""
    held = agreed.supported
    at, of, bound = (
        (agreed.multipliers, master, agreed.bound) if held is None else (held.multipliers, held.master, held.bound)
    )
    low = high = at
    if np.isfinite(bound):
        low, high = of.multiplier_range(bound)
    return from_multipliers(master.market, at, low, high, tick, gives_way)


def _lost(words: Mapping[int, Word]) -> dict[int, Silence]:
    """Groups without a bound, and their last word."""
    silent = {g: word for g, word in words.items() if not isinstance(word, Bound)}
    return {g: word if isinstance(word, Silence) else Fault("answered another question") for g, word in silent.items()}


def _proven(fleet: Fleet, agreed: Agreement, lost: dict[int, Silence], round: int) -> Proven:
    """v_b of every building at its published node price; each stays in its building's folder.

    Where gateways keep their own papers only the sum is known, if enough of them speak for it to be said; where their
    papers are here, a group without all of them, or whose schedules are not what it committed to, is lost as well.
    """
    kept = fleet.kept()
    if kept is None:
        summed = fleet.summed_bound(round)
        return Proven({}, -np.inf if summed is None else summed / MICRO, {})
    for g, made in agreed.commitments.items():
        own = [kept[name] for name in fleet.groups[g].buildings if name in kept]
        if len(own) < len(fleet.groups[g].buildings):
            lost.setdefault(g, Fault("has lost its schedules"))
        elif (np.sum([k.schedule.position_wh for k in own], axis=0) != made.position_wh).any():
            lost.setdefault(g, Fault("does not keep its word"))
    there = [g for g in agreed.commitments if g not in lost]
    proven = {name: kept[name].proven for g in there for name in fleet.groups[g].buildings}
    return Proven(proven, sum(proven.values()), kept)


def _log(agreed: Agreement, fleet: Fleet, lot_wh: int) -> pd.DataFrame:
    """Rows of market/rounds.csv: what was asked, what was said, what was proven; a row a round, group and interval."""
    ids = np.array([group.id for group in fleet.groups], dtype=object)
    said = [_of_round(item, ids, lot_wh) for item in agreed.rounds if item.replies]
    return pd.concat(said, ignore_index=True) if said else pd.DataFrame()


def _of_round(item: Round, ids: npt.NDArray[np.object_], lot_wh: int) -> pd.DataFrame:
    replies = list(item.replies.items())
    lots = np.array([reply.lots for _, reply in replies])
    silence = np.full(lots.shape[1], np.nan)
    prices = np.array([item.prices.get(g, silence) for g, _ in replies], dtype=float)
    groups, n = lots.shape
    return pd.DataFrame(
        {
            "round": item.number,
            "kind": item.kind,
            "group": np.repeat(ids[[g for g, _ in replies]], n),
            "interval": np.tile(np.arange(1, n + 1), groups),
            "price_per_mwh": prices.ravel().round(6),
            "position_kwh": lots.ravel() * lot_wh / 1000,
            "cost": np.repeat([reply.cost_micro / MICRO for _, reply in replies], n),
            "bound": item.bound if np.isfinite(item.bound) else np.nan,
        }
    )
