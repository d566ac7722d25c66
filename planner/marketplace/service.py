"""The marketplace as a process: sockets in the main thread, one clear in another, a store between them."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from planner.cleared import Cleared
from planner.marketplace.carrier import Carrier, StoppedError
from planner.marketplace.conductor import Market, conduct, speakers
from planner.marketplace.http import Server
from planner.marketplace.mail import now
from planner.marketplace.office import Office, idle
from planner.marketplace.payloads import FILE, payload_lines
from planner.marketplace.relay import Relay
from planner.marketplace.store import MessageStore
from planner.problems import InvalidInput, Problem
from planner.security.journal import Journal
from planner.security.keys import Identity
from planner.security.log import Kind
from planner.security.refusal import Reason, Refused
from planner.security.roster import Roster

LINGER_S = 10.0
"""How long a finished marketplace stays for gateways that have not fetched the end."""
ELSEWHERE = frozenset({Reason.ROUND, Reason.ROSTER, Reason.POLICY, Reason.TIME, Reason.FREEZE})
"""Why the clear's office refuses a ``fetch`` of alerts, which bears another round and is taken with its doubts."""
Listening = Callable[[int], None]


@dataclass
class Marketplace:
    """One clear of ``market``; ``state`` is its store, ``out`` the run folder it writes.

    ``listening`` is told the port; ``watch`` every step that a crash could follow; ``journal`` is the node's log;
    ``say`` is told what somebody should know.
    """

    market: Market
    me: Identity
    roster: Roster
    state: Path
    out: Path | None
    patience_s: float = 600.0
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    listening: Listening = lambda port: None
    watch: Callable[[str], None] = idle
    journal: Journal | None = None
    say: Callable[[str], None] = lambda words: None
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.store = MessageStore(self.state)
        intervals = len(self.market.city.grid)
        try:
            self.office = Office(
                self.me, self.roster, self.store, self.market.clear_id, intervals, now, self.watch, journal=self.journal
            )
        except Refused as refused:
            self.store.close()
            hint = "finish it with the keys, roster and --clear-id it began with, or begin another with a new RUN"
            what = f"holds messages that do not open: {refused.reason}"
            raise InvalidInput([Problem(self.state.name, 0, what, hint=hint)]) from None
        self.office.say = self.say
        self.relay = Relay(self.me, self.roster, now, lambda refused, envelope: self.office.refuse(refused, envelope))
        self.names = speakers(self.market, self.roster)
        self.cleared: Cleared | None = None
        self.failure: BaseException | None = None

    def serve(self) -> Cleared | None:
        """Serve until the day is settled and every speaker has heard so, or until ``stop``; gives what was cleared."""
        asyncio.run(self._serve())
        self.store.close()
        if self.failure is not None and not isinstance(self.failure, StoppedError):
            raise self.failure
        return self.cleared

    async def _serve(self) -> None:
        server = Server(self._receive, self.office.refuse, self.tls)
        self.listening(await server.start(self.host, self.port))
        await self.ready()
        work = threading.Thread(target=self._clear, name="clear", daemon=True)
        work.start()
        while work.is_alive() and not self.stop.is_set():
            await asyncio.sleep(0.02)
        ends = time.monotonic() + LINGER_S
        while not self.stop.is_set() and time.monotonic() < ends and not self._all_told():
            await asyncio.sleep(0.02)
        self.stop.set()
        work.join(timeout=LINGER_S)
        await server.stop()

    def _receive(self, body: bytes) -> bytes:
        """A post of the clear, or of the alerts, which travel beside it; nothing while a standby only copies."""
        try:
            return self.office.receive(body)
        except Refused as refused:
            if refused.reason not in ELSEWHERE:
                raise
            try:
                return self.relay.receive(body)
            except Refused:
                raise refused from None

    second: ClassVar[bool] = False

    async def ready(self) -> None:
        """Before the clear begins."""

    def _all_told(self) -> bool:
        """Every speaker, and whoever else was heard, has taken leave."""
        return {*self.names, *self.office.here} <= self.office.closed

    def _clear(self) -> None:
        office, stopped = self.office, self.stop.is_set
        carrier = Carrier(office, self.market.lit, self.names, self.patience_s, stopped=stopped, second=self.second)
        try:
            if self.journal is not None:
                self.journal.begin(self.roster)
            self.cleared = conduct(self.market, carrier, self.out, lambda done: {FILE: payload_lines(done)})
            self._log_result(carrier)
        except BaseException as failure:  # raised again by serve, in the thread that called it
            self.failure = failure

    def _log_result(self, carrier: Carrier) -> None:
        """The clear has ended: everything that was said, and the certificate, under one signed root."""
        if self.journal is None or self.out is None:
            return
        carrier.absorb()
        certificate = (self.out / "certificate.json").read_bytes()
        self.journal.end((Kind.RESULT, hashlib.sha256(certificate).hexdigest()))


async def serve_relay(
    relay: Relay, host: str, port: int, tls: ssl.SSLContext | None, listening: Listening, stop: threading.Event
) -> None:
    """Relay alerts, clear or no clear, until ``stop``."""
    server = Server(relay.receive, relay.on_refused, tls)
    listening(await server.start(host, port))
    try:
        while not stop.is_set():
            await asyncio.sleep(0.1)
    finally:
        await server.stop()
