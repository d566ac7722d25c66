"""A small city parted among gateways, with keys and a roster, and a marketplace for it over sockets or without them."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from planner.case import Case, read_case
from planner.generate import generate
from planner.hearing import MARKET
from planner.holders import split
from planner.marketplace.carrier import Carrier
from planner.marketplace.client import Link, UnreachableError
from planner.marketplace.conductor import conduct, read_market, speakers
from planner.marketplace.demo import zones_of
from planner.marketplace.gateway import GatewayLoop
from planner.marketplace.mail import Mail, now, within
from planner.marketplace.office import Office
from planner.marketplace.payloads import FILE, payload_lines
from planner.marketplace.service import Marketplace
from planner.marketplace.site import Site, read_told
from planner.marketplace.store import MessageStore
from planner.security.entities import Entity
from planner.security.journal import Journal
from planner.security.keys import Identity, signing_key_id
from planner.security.log import Kind, Record, checkpoints_of, entries_of, privates_of
from planner.security.logcheck import LogVerdict, check_log
from planner.security.policy import PRESETS
from planner.security.refusal import Refused
from planner.security.roster import Roster

LIFE_S = 36 * 3600
SLOT_S = 0.02


@dataclass(frozen=True)
class Logged:
    """A verdict over a log, and its records in order."""

    verdict: LogVerdict
    records: list[Record]

    def subjects(self, kind: Kind) -> list[str]:
        return [record.subject for record in self.records if record.kind is kind]


@dataclass
class World:
    """The folders of a parted case, and everybody's keys."""

    parts: Path
    case: Case
    roster: Roster
    identities: dict[str, Identity]
    clear_id: str | None = None

    @property
    def buildings(self) -> list[Path]:
        return sorted((self.parts / "buildings").iterdir())

    def gateway(self, folder: Path, link: Link, slot_s: float = SLOT_S, patience_s: float = 60.0) -> GatewayLoop:
        site = Site(folder, clear_id=self.clear_id)
        mail = Mail(self.identities[site.told.gateway], self.roster, site.clear_id, within(site.told.group.id))
        return GatewayLoop(site, mail, link, slot_s, patience_s, self.journal(site.told.gateway))

    def marketplace(self, state: Path, out: Path | None, **options: object) -> Marketplace:
        market = read_market(self.parts / "market", clear_id=self.clear_id)
        options.setdefault("journal", self.journal(MARKET))
        return Marketplace(market, self.identities[MARKET], self.roster, state, out, **options)  # type: ignore[arg-type]

    def journal(self, name: str) -> Journal:
        """The log of somebody's node, in a database of its own."""
        path = self.parts.parent / "logs" / f"{name}.sqlite"
        path.parent.mkdir(exist_ok=True)
        return Journal(path, self.identities[name], self.clear_id or str(self.case.settings.delivery_date), now)

    def logged(self, name: str) -> Logged:
        """What that log holds, checked."""
        me, db = self.identities[name], sqlite3.connect(self.parts.parent / "logs" / f"{name}.sqlite")
        keys = {signing_key_id(me.signer.public): me.signer.public}
        verdict = check_log(name, entries_of(db), checkpoints_of(db), keys, privates_of(db))
        records = [Record.from_bytes(record) for _, (_, record) in sorted(privates_of(db).items())]
        db.close()
        return Logged(verdict, records)

    def papers(self, folder: Path) -> Path:
        """Where a building's gateway wrote its part."""
        return folder / "runs" / (self.clear_id or str(self.case.settings.delivery_date))

    def forget(self) -> None:
        """As if no service had ever run."""
        shutil.rmtree(self.parts.parent / "logs", ignore_errors=True)
        for folder in self.buildings:
            shutil.rmtree(folder / "runs", ignore_errors=True)

    @contextmanager
    def gateways(
        self, link: Callable[[], Link], forgiven: tuple[type[Exception], ...] = ()
    ) -> Iterator[list[GatewayLoop]]:
        """All gateways at work, each in a thread; ended when the block is."""
        loops = [self.gateway(folder, link()) for folder in self.buildings]
        failures: list[BaseException] = []
        threads = [threading.Thread(target=_run, args=(loop, failures), daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        try:
            yield loops
            for thread in threads:
                thread.join(60)
        finally:
            for loop in loops:
                loop.stop.set()
            for thread in threads:
                thread.join(60)
        failures = [failure for failure in failures if not isinstance(failure, forgiven)]
        assert not failures, failures
        assert not any(thread.is_alive() for thread in threads)


@dataclass
class Reference:
    """A parted city and its run in one process."""

    world: World
    run: Path


def _run(loop: GatewayLoop, failures: list[BaseException]) -> None:
    try:
        loop.run()
    except BaseException as failure:
        failures.append(failure)


def world_of(folder: Path, units: int, units_per_building: int, rounds: int = 6, seed: int = 3) -> World:
    """A generated city without look-ahead, parted."""
    case = read_case(generate(folder / "case", units, units_per_building, 60, seed=seed))
    case = case.with_(privacy={"max_rounds": rounds}, horizon={"look_ahead_hours": 0.0})
    return parted_world(case, folder / "parts")


def parted_world(case: Case, parts: Path) -> World:
    """The holders' folders of a case, and a roster that knows every gateway."""
    split(case, parts)
    at = int(time.time())
    market = Identity.ephemeral(MARKET)
    identities = {MARKET: market}
    entities = [Entity.of(market, "marketplace", at - LIFE_S, at + LIFE_S)]
    for folder in sorted((parts / "buildings").iterdir()):
        told = read_told(folder)
        me = identities[told.gateway] = Identity.ephemeral(told.gateway)
        entities.append(Entity.of(me, "gateway", at - LIFE_S, at + LIFE_S, frozenset(zones_of(told))))
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

    def wait(self, seconds: float = 300.0) -> object:
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the marketplace did not end"
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


class CrashError(BaseException):
    """The power is gone."""


class Hall:
    """A marketplace without sockets that loses power at given steps and starts again from its store."""

    def __init__(self, world: World, state: Path, out: Path, crashes: list[tuple[str, int]]) -> None:
        self.world, self.state, self.out, self.crashes = world, state, out, list(crashes)
        self.starts = 0
        self.office: Office | None = None
        self.carrier: Carrier | None = None
        self._down = threading.Event()
        self.happened: list[str] = []

    def watch(self, step: str) -> None:
        """Lose power at the step that is next in the list, once its question has been reached."""
        if self._down.is_set():
            raise CrashError
        if self.crashes and self.carrier is not None:
            wanted, number = self.crashes[0]
            if step == wanted and self.carrier.number >= number:
                self.happened.append(self.crashes.pop(0)[0])
                self._down.set()
                raise CrashError

    def run(self) -> None:
        """Start, and start again after every crash, until the day is settled."""
        market = read_market(self.world.parts / "market")
        while True:
            self.starts += 1
            self._down.clear()
            store = MessageStore(self.state)
            me = self.world.identities[MARKET]
            intervals = len(market.city.grid)
            journal = self.world.journal(MARKET)
            office = Office(me, self.world.roster, store, market.clear_id, intervals, now, self.watch, journal=journal)
            carrier = Carrier(office, market.lit, speakers(market, self.world.roster), 60.0, stopped=self._down.is_set)
            self.office, self.carrier = office, carrier
            try:
                conduct(market, carrier, self.out, lambda done: {FILE: payload_lines(done)})
                return
            except BaseException:
                if not self._down.is_set():
                    raise
            self.office = None


class Direct(Link):
    """The way to a hall: a function call."""

    def __init__(self, hall: Hall) -> None:
        super().__init__(["http://127.0.0.1:1"])
        self.hall = hall

    def _post(self, body: bytes) -> tuple[int, bytes]:
        office = self.hall.office
        if office is None:
            raise ConnectionRefusedError
        try:
            return 200, office.receive(body)
        except Refused:
            return 403, b""
        except CrashError:
            raise ConnectionResetError from None


__all__ = ["Direct", "Hall", "Running", "UnreachableError", "World", "parted_world", "world_of"]
