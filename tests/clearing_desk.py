"""Both modes of the clear on a city given as words, without a case folder, a gate or a wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.answered import Answered
from planner.cleared import Cleared
from planner.closing import close, market_cost
from planner.decentralised import clear_in_rounds
from planner.fleet import Frank
from planner.gateway import LocalGateway
from planner.groups import Group, GroupKind
from planner.monolith import clear_in_one
from planner_models.marketplace import build_marketplace
from planner_models.master import Master
from planner_models.solve import Options
from planner_models.words import City, Locality

PRECISE = Options(gap=1e-7, time_limit_s=60.0)


@dataclass(frozen=True)
class Outcome:
    """What a mode answered, the same in whole numbers, and its cost in currency."""

    answered: Answered
    cleared: Cleared
    objective: float

    @property
    def bound(self) -> float:
        return self.answered.bound


@dataclass
class Desk:
    """A master and one gateway a building."""

    city: City
    lot_wh: int = 1
    cohorts: bool = False

    def __post_init__(self) -> None:
        houses = {b.id: b for b in self.city.buildings}
        self.groups = self._groups()
        self.market = build_marketplace(self.city)
        self.master = Master(self.market, [(g.zone, g.feeders) for g in self.groups], PRECISE)
        self.gateways = [
            LocalGateway(
                g,
                tuple(houses[b] for b in g.buildings),
                self.city.grid,
                self.city.fees,
                PRECISE,
                self.lot_wh,
                commit_gap=1e-6,
            )
            for g in self.groups
        ]

    def _groups(self) -> list[Group]:
        """Every building alone, or all of one place together."""
        if not self.cohorts:
            ordered = sorted(self.city.buildings, key=lambda b: b.id)
            return [Group(b.id, GroupKind.BUILDING, (b.id,), b.zone, tuple(sorted(b.feeders))) for b in ordered]
        places = sorted({(b.zone, tuple(sorted(b.feeders))) for b in self.city.buildings})
        return [
            Group(
                f"cohort-{i}",
                GroupKind.COHORT,
                tuple(b.id for b in self.city.buildings if (b.zone, tuple(sorted(b.feeders))) == (zone, feeders)),
                zone,
                feeders,
            )
            for i, (zone, feeders) in enumerate(places)
        ]

    def outcome(self, answered: Answered) -> Outcome:
        cleared = close(self.city, self.market, answered, self.groups, {}, {}, (300.0, 20.0))
        return Outcome(answered, cleared, sum(b.cost for b in cleared.buildings) + market_cost(cleared, self.city))


def in_one(city: City, locality: Locality = Locality.NETTING, pricing: str = "fixed_integers") -> Outcome:
    desk = Desk(city)
    return desk.outcome(clear_in_one(city, desk.master, desk.gateways, PRECISE, locality, pricing, 0.01))


def in_rounds(
    city: City,
    locality: Locality = Locality.NETTING,
    max_rounds: int = 15,
    lot_wh: int = 1,
    cohorts: bool = False,
    pricing: str = "convex_hull",
) -> Outcome:
    """``lot_wh`` above 1 hides what is smaller, as on the wire; every gateway says its own bound."""
    desk = Desk(city, lot_wh, cohorts)
    return desk.outcome(
        clear_in_rounds(
            desk.master,
            Frank(desk.gateways),
            lot_wh,
            gap=1e-3,
            max_rounds=max_rounds,
            locality=locality,
            tick=0.01,
            seconds_left=lambda: 60.0,
            pricing=pricing,
        )
    )


def rounding(city: City) -> float:
    """What rounding to whole Wh may cost: two Wh at the price cap in every zone and interval, and half a Wh at a
    value of 900 per MWh for every asset and interval."""
    assets = sum(len(u.assets) + 1 for b in city.buildings for u in b.units)
    return len(city.grid) * (2 * len(city.zones) * city.price_cap + assets / 2 * 900.0) / 1e6


def whole_wh(values_kwh: object) -> np.ndarray:
    return np.rint(np.asarray(values_kwh, dtype=float) * 1000).astype(np.int64)
