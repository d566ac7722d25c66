"""Whatever is wrong, a peer sees one refusal: the same status, the same size, the same path; and limits hold."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from services_world import LIFE_S

from planner.hearing import MARKET
from planner.marketplace import http
from planner.marketplace.mail import NOBODY, Mail, now, within
from planner.marketplace.messages import TYPES
from planner.marketplace.office import Office
from planner.marketplace.store import MessageStore
from planner.security import strict
from planner.security.entities import Entity
from planner.security.keys import Identity
from planner.security.outgoing import send_notice
from planner.security.policy import EXCHANGE
from planner.security.refusal import Reason
from planner.security.roster import Roster

DAY = "2026-10-25"
SLOT = {"number": 0, "group": "b01", "word": "nothing", "about": NOBODY, "reason": NOBODY, "value": [], "seen": 0}
MARKETPLACE, GATEWAY, STRANGER = (Identity.ephemeral(name) for name in (MARKET, "gw-1", "gw-9"))


def roster(version: int = 1, policy: str = EXCHANGE.sha256, role: str = "gateway") -> Roster:
    at = now()
    span = at - LIFE_S, at + LIFE_S
    market = Entity.of(MARKETPLACE, "marketplace", *span)
    zones = frozenset({"b01", within("b01")})
    return Roster(version, policy, (market, Entity.of(GATEWAY, role, *span, zones)))


ROSTER = roster()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    store = MessageStore(tmp_path / "messages")
    yield Office(MARKETPLACE, ROSTER, store, DAY, 24, now)
    store.close()


def slot(
    me: Identity = GATEWAY,
    known: Roster = ROSTER,
    round_id: str = DAY,
    late: int = 0,
    sequence: int = 1,
    stream: str = "slots",
    **said: object,
) -> bytes:
    body = {**SLOT, **said}
    where = {"stream": stream, "round_id": round_id}
    return send_notice(TYPES["slot"], body, me, [MARKET], known, now() + late, sequence=sequence, **where)  # type: ignore[arg-type]


def stranger() -> bytes:
    at = now()
    span = at - LIFE_S, at + LIFE_S
    market = Entity.of(MARKETPLACE, "marketplace", *span)
    return slot(STRANGER, Roster(1, EXCHANGE.sha256, (market, Entity.of(STRANGER, "gateway", *span))))


CAUSES = {
    "nothing": b"",
    "no envelope": b"hello",
    "not utf-8": b"\xff\xfe\n",
    "deep": b"[" * 5000,
    "a stranger": stranger(),
    "altered": slot().replace(b"A", b"B", 1),
    "too old": slot(late=-900),
    "from the future": slot(late=900),
    "another day": slot(round_id="2026-10-26"),
    "another roster": slot(known=roster(version=2)),
    "another policy": slot(known=roster(policy="0" * 64)),
    "another stream": slot(stream="b01"),
    "two slots": slot() + b"\n" + slot(sequence=2),
    "a part of nobody": b"{}\n" + slot(),
    "a thousand parts": b"{}\n" * 1000 + slot(),
    "large": b" " * (strict.MAX_BYTES + 1),
}


class Serving:
    """The socket side over an office, in a thread."""

    def __init__(self, office: Office) -> None:
        self.server = http.Server(office.receive, office.refuse)
        self.loop = asyncio.new_event_loop()
        self.port = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        while not self.port:
            time.sleep(0.001)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.port = self.loop.run_until_complete(self.server.start("127.0.0.1", 0))
        self.loop.run_forever()
        self.loop.run_until_complete(self.server.stop())
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    def say(self, data: bytes, wait_s: float = 3.0) -> bytes:
        """What comes back for raw bytes, until the other side is silent or gone."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait_s) as peer:
            with contextlib.suppress(OSError):
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
            got = b""
            with contextlib.suppress(OSError):
                while part := peer.recv(65536):
                    got += part
            return got


@pytest.fixture
def serving(office: Office) -> Iterator[Serving]:
    made = Serving(office)
    yield made
    made.stop()


def request(body: bytes, head: bytes = b"POST /v1/messages HTTP/1.1") -> bytes:
    return head + b"\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def shape(reply: bytes) -> tuple[bytes, int]:
    """Head and size of a reply: all that must not tell one cause from another."""
    head, _, body = reply.partition(b"\r\n\r\n")
    return head, len(body)


def test_every_refusal_looks_the_same(serving: Serving) -> None:
    shapes = {cause: shape(serving.say(request(body))) for cause, body in CAUSES.items()}
    assert len(set(shapes.values())) == 1, shapes
    head, size = next(iter(shapes.values()))
    assert head.startswith(b"HTTP/1.1 403 ")
    assert size > 64


@pytest.mark.parametrize("also_the_log", [False, True])
def test_a_fault_of_this_side_looks_the_same(
    serving: Serving, caplog: pytest.LogCaptureFixture, also_the_log: bool
) -> None:
    """A full disk or a mistake of ours: refused, told to the operator without what was sent, and serving goes on."""

    def broken(*_: object) -> bytes:
        raise sqlite3.OperationalError("disk full while keeping 417 kWh")

    usual, receive, told = shape(serving.say(request(b"hello"))), serving.server.receive, serving.server.on_refused
    reasons: list[str] = []
    serving.server.receive = broken
    serving.server.on_refused = broken if also_the_log else lambda refused, _: reasons.append(refused.reason)
    assert shape(serving.say(request(slot()))) == usual
    assert reasons == ([] if also_the_log else [Reason.FAULT])
    assert "OperationalError at test_refusals.py:" in caplog.text
    assert "417" not in caplog.text
    serving.server.receive, serving.server.on_refused = receive, told
    assert serving.say(request(slot())).startswith(b"HTTP/1.1 200 OK")


CROOKED = {
    "another path": b"POST /v1/meters HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "another method": b"GET /v1/messages HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"POST /v1/messages HTTP/2.0\r\nContent-Length: 0\r\n\r\n",
    "no length": b"POST /v1/messages HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /v1/messages HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "a signed length": b"POST /v1/messages HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
    "chunks": b"POST /v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx",
    "a head too long": b"POST /v1/messages HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "no http": b"\x16\x03\x01hello\r\n\r\n",
    "a body too short": b"POST /v1/messages HTTP/1.1\r\nContent-Length: 9\r\n\r\nx",
}


@pytest.mark.parametrize("name", CROOKED)
def test_crooked_requests_get_the_same_refusal(serving: Serving, name: str) -> None:
    assert shape(serving.say(CROOKED[name])) == shape(serving.say(request(b"hello")))


def test_a_good_message_passes_and_its_repetition_does_not(serving: Serving, office: Office) -> None:
    good = request(slot(sequence=7) + b"\n" * 1000)
    assert serving.say(good).startswith(b"HTTP/1.1 200 OK")
    assert serving.say(good).startswith(b"HTTP/1.1 403 ")
    assert office.refused == 1
    assert office.present(["gw-1", "gw-9"], 60.0) == 1
    assert len(office.store) == 0, "a slot that says nothing leaves no row"


def test_who_is_slow_is_not_waited_for(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.2)
    monkeypatch.setattr(http, "BODY_S", 0.2)
    for began in (b"POST /v1/mess", b"POST /v1/messages HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"):
        with socket.create_connection(("127.0.0.1", serving.port), timeout=3) as peer:
            peer.sendall(began)
            at = time.monotonic()
            assert peer.recv(4096).startswith(b"HTTP/1.1 403 ")
            assert peer.recv(4096) == b"", "and then it hangs up"
            assert time.monotonic() - at < 2


def test_a_gateway_may_not_speak_for_a_group_that_is_not_its_own(office: Office) -> None:
    mail = Mail(GATEWAY, ROSTER, DAY, within("b02"))
    with pytest.raises(Exception, match="not authorised"):
        office.receive(mail.letter("inquiry", {**_ASKED, "group": "b02"}, "gw-1") + b"\n" + mail.slot(SLOT))
    own = Mail(GATEWAY, ROSTER, DAY, within("b01"))
    letter = own.letter("inquiry", _ASKED, "gw-1")
    waiting = office.receive(letter + b"\n" + own.slot(SLOT))
    assert waiting == b"1 " + letter, "what is addressed to it is what it gets"
    assert office.receive(letter + b"\n" + own.slot({**SLOT, "seen": 1})) == b"", "posted twice, kept once"


_ASKED = {"number": 1, "group": "b01", "ask": "revert", "whole": [], "exact": ""}


def test_a_standby_that_only_copies_takes_nothing(office: Office) -> None:
    office.open = False
    with pytest.raises(Exception, match="not authorised"):
        office.receive(slot())
