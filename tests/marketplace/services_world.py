"""A small city parted among gateways, with keys and a roster, and services that run it over real sockets."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from planner.case import Case, read_case
from planner.generate import generate
from planner.hearing import MARKET
from planner.holders import split
from planner.marketplace.client import Link
from planner.marketplace.conductor import read_market
from planner.marketplace.gateway import GatewayLoop
from planner.marketplace.mail import Mail, within
from planner.marketplace.service import Marketplace
from planner.marketplace.site import Site, read_told
from planner.security.entities import Entity
from planner.security.keys import Identity
from planner.security.policy import PRESETS
from planner.security.roster import Roster

LIFE_S = 36 * 3600
SLOT_S = 0.01


@dataclass
class World:
    """The folders of a parted case, and everybody's keys."""

    parts: Path
    case: Case
    roster: Roster
    identities: dict[str, Identity]

    @property
    def buildings(self) -> list[Path]:
        return sorted((self.parts / "buildings").iterdir())

    def gateway(self, folder: Path, *urls: str, slot_s: float = SLOT_S, patience_s: float = 60.0) -> GatewayLoop:
        site = Site(folder)
        mail = Mail(self.identities[site.told.gateway], self.roster, site.clear_id, within(site.told.group.id))
        return GatewayLoop(site, mail, Link(urls), slot_s, patience_s)

    def marketplace(self, state: Path, out: Path | None, **options: object) -> Marketplace:
        market = read_market(self.parts / "market")
        return Marketplace(market, self.identities[MARKET], self.roster, state, out, **options)  # type: ignore[arg-type]


def world_of(folder: Path, units: int, units_per_building: int, interval_minutes: int = 60, seed: int = 3) -> World:
    """A generated city, parted, with a roster that knows every gateway."""
    case = read_case(generate(folder / "case", units, units_per_building, interval_minutes, seed=seed)).with_(
        privacy={"max_rounds": 6}, horizon={"look_ahead_hours": 0.0}
    )
    return parted_world(case, folder / "parts")


def parted_world(case: Case, parts: Path) -> World:
    split(case, parts)
    at = int(time.time())
    market = Identity.ephemeral(MARKET)
    identities = {MARKET: market}
    entities = [Entity.of(market, "marketplace", at - LIFE_S, at + LIFE_S)]
    for folder in sorted((parts / "buildings").iterdir()):
        told = read_told(folder)
        me = identities[told.gateway] = Identity.ephemeral(told.gateway)
        zones = {within(told.group.id)} | ({told.group.id} if told.speaks else set())
        entities.append(Entity.of(me, "gateway", at - LIFE_S, at + LIFE_S, frozenset(zones)))
    roster = Roster(1, PRESETS[case.settings.privacy.preset].sha256, tuple(entities))
    return World(parts, case, roster, identities)


class Running:
    """A marketplace in a thread of its own, and the port it listens at."""

    def __init__(self, market: Marketplace) -> None:
        self.market, self.port = market, 0
        self._listening = threading.Event()
        market.listening = self._listens
        self.result: object = None
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        assert self._listening.wait(20)

    def _listens(self, port: int) -> None:
        self.port = port
        self._listening.set()

    def _serve(self) -> None:
        try:
            self.result = self.market.serve()
        except BaseException as failure:
            self.result = failure

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self, seconds: float) -> object:
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the marketplace did not end"
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result
