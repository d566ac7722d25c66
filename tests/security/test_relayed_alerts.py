"""Alerts over a marketplace that relays and cannot read: who gets what, and what somebody on the way sees."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nodes import Town, make_town
from security_world import NOW
from test_alerts import FIRE, kinds

from planner.marketplace.client import SLOT_BYTES, Link
from planner.marketplace.line import Line, blocks_of
from planner.marketplace.messages import TYPES as OF_THE_CLEAR
from planner.marketplace.relay import MOST_HELD, Relay
from planner.marketplace.service import serve_relay
from planner.security.acks import say
from planner.security.alertdesk import TYPES, Acknowledged, AlertDesk
from planner.security.alerts import LIFE_S, PERIOD_S, SILENT_AFTER, Answer, Notice, NoticeKind, State, Word
from planner.security.node import Node
from planner.security.outgoing import send_notice
from planner.security.post import Box
from planner.security.refusal import Reason, Refused
from planner.security.station import OUTGOING, Station

CAST = {
    "marketplace": ("marketplace", ()),
    "b1": ("gateway", ("b1",)),
    "smoke": ("fire-detector", ("b1",)),
    "fire": ("fire-service", ("b1", "b2")),
    "water": ("water-service", ("b2",)),
}


class Wire(Link):
    """A function call to a relay, and what somebody who listens to the wire sees of it."""

    def __init__(self, hall: Hall) -> None:
        super().__init__(["http://127.0.0.1:1"])
        self.hall, self.lengths, self.down = hall, [], False

    def _post(self, body: bytes) -> tuple[int, bytes]:
        if self.down:
            raise ConnectionRefusedError("nobody there")
        try:
            reply = self.hall.relay.receive(body)
        except Refused as refused:
            self.hall.refused.append(refused.reason)
            return 403, b""
        self.lengths.append((len(body), len(reply)))
        return 200, reply


class Hall:
    """A relay, a station for everybody of the cast, and the time."""

    def __init__(self, town: Town) -> None:
        self.at, self.refused = NOW, []
        self.nodes: dict[str, Node] = {name: town.node(name) for name in CAST}
        self.wires = {name: Wire(self) for name in CAST}
        self.start_relay()
        self.stations = {name: self.station(name, name == "smoke") for name in CAST if name != "marketplace"}

    def start_relay(self) -> None:
        market = self.nodes["marketplace"]
        self.relay = Relay(market.identity, market.roster, lambda: self.at, lambda r, _: self.refused.append(r.reason))

    def station(self, name: str, beats: bool = False) -> Station:
        node = self.nodes[name]
        blocks = blocks_of(node.roster, name, NOW, 5.0)
        line = Line(node.identity, node.roster, self.wires[name], blocks, lambda: self.at)
        return Station(AlertDesk(node), line, line, beats, lambda name, reason: self.refused.append(reason))

    def desk(self, name: str) -> AlertDesk:
        return self.stations[name].desk

    def leave(self, name: str, data: bytes) -> None:
        """As a command of that node does, for its station to carry."""
        Box(self.nodes[name].folder / OUTGOING).send(data)

    def turn(self, *names: str) -> dict[str, tuple[Any, ...]]:
        """A slot of everybody, five seconds after the last; what each was told."""
        self.at += 5
        return {name: tuple(self.stations[name].turn(self.at)) for name in names or self.stations}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return make_town(tmp_path_factory.mktemp("town"), CAST)


@pytest.fixture
def hall(made: Town, tmp_path: Path) -> Iterator[Hall]:
    shutil.copytree(made.folder, tmp_path / "town")
    hall = Hall(Town(tmp_path / "town", made.city, made.roots))
    yield hall
    for node in hall.nodes.values():
        node.close()


def test_an_alert_is_heard_acknowledged_and_the_sender_knows_by_whom(hall: Hall) -> None:
    hall.leave("smoke", hall.desk("smoke").raise_alert(FIRE, "b1", NOW, trip=True))
    hall.turn("smoke")
    assert {d.reader: d.answer for d in hall.desk("smoke").deliveries()} == {"b1": None, "fire": None}
    told = hall.turn("fire")
    assert kinds(told["fire"]) == [NoticeKind.ALERT]
    told = hall.turn("fire", "smoke")
    (answer,) = told["smoke"]
    assert isinstance(answer, Acknowledged)
    assert (answer.sender, answer.answer) == ("fire", Answer.RECEIVED)
    assert {d.reader: d.answer for d in hall.desk("smoke").deliveries()} == {"b1": None, "fire": Answer.RECEIVED}
    assert kinds(hall.turn("b1")["b1"]) == [NoticeKind.ALERT]
    assert [s.tripped for s in hall.desk("b1").sources() if s.sender == "smoke" and s.type == FIRE] == [True]
    assert all(told == () for told in hall.turn("water", "fire").values())
    assert hall.refused == []


def test_a_drill_is_one_on_the_line_as_well(hall: Hall) -> None:
    hall.leave("smoke", hall.desk("smoke").raise_alert(FIRE, "b1", NOW, trip=True, drill=True))
    told = hall.turn("smoke", "fire")["fire"]
    assert [one.source.drill for one in told if isinstance(one, Notice)] == [True]
    hall.turn("fire")
    assert [one.drill for one in hall.turn("smoke")["smoke"] if isinstance(one, Acknowledged)] == [True]
    assert not any(source.tripped for source in hall.desk("fire").sources())


def test_T_E25_the_wire_looks_the_same_with_an_alert_and_without(hall: Hall) -> None:
    """Number and length of messages either way; an hour of slots would be as long."""

    def seen(alert: bool) -> dict[str, list[tuple[int, int]]]:
        for wire in hall.wires.values():
            wire.lengths.clear()
        for slot in range(6):
            if alert and slot == 2:
                hall.leave("smoke", hall.desk("smoke").raise_alert(FIRE, "b1", hall.at, trip=True))
            told = hall.turn()
            if slot == 2:
                assert bool(told["fire"]) == alert
        return {name: list(wire.lengths) for name, wire in hall.wires.items()}

    quiet = seen(alert=False)
    assert seen(alert=True) == quiet
    for name in hall.stations:
        (only,) = set(quiet[name])
        assert only[0] == only[1]
        assert only[0] % SLOT_BYTES == 0


def test_T_A10_the_relay_holds_what_it_cannot_read(hall: Hall) -> None:
    """It is in nobody's readers; an alert sealed to it, or to somebody who may not read it, is not taken."""
    market, smoke = hall.nodes["marketplace"], hall.nodes["smoke"]
    word, hall.stations["smoke"].beats = Word(State.RAISED, NOW).body, False
    for reader in ("marketplace", "water"):
        hall.leave("smoke", say(smoke, TYPES[FIRE], "b1", [reader], word, NOW))
        hall.turn("smoke")
    assert hall.refused == [Reason.UNAUTHORISED] * 2
    assert hall.relay.relayed == 0
    envelope = hall.desk("smoke").raise_alert(FIRE, "b1", NOW)
    with pytest.raises(Refused) as caught:
        AlertDesk(market).hear(envelope, NOW)
    assert caught.value.reason is Reason.RECIPIENT


def test_what_may_not_be_relayed(hall: Hall) -> None:
    """Another's envelope, a replay, another type, a stolen detector's alert elsewhere (T-A08); the rest goes on."""
    smoke = hall.nodes["smoke"]
    alert = hall.desk("smoke").raise_alert(FIRE, "b1", NOW)
    hall.leave("smoke", alert)
    hall.turn("smoke", "fire")
    for name, envelope in (("b1", alert), ("smoke", alert)):
        hall.leave(name, envelope)
        hall.turn(name)
    assert hall.refused == [Reason.SENDER, Reason.REPLAY]
    hall.leave("b1", b"{}")
    hall.turn("b1")
    slot: dict[str, Any] = {"number": 0, "group": "b1", "word": "nothing", "about": "x", "reason": "x", "value": []}
    b1, way = hall.nodes["b1"], {"stream": "slots", "round_id": "2026-10-25", "sequence": 1}
    body = slot | {"seen": 0}
    hall.leave("b1", send_notice(OF_THE_CLEAR["slot"], body, b1.identity, ["marketplace"], b1.roster, NOW, **way))
    hall.turn("b1")
    hall.leave("smoke", _forged(smoke, "b2"))
    hall.turn("smoke")
    assert hall.refused[2:] == [Reason.FIELDS, Reason.TYPE, Reason.UNAUTHORISED]
    assert hall.turn("fire")["fire"] == ()


def _forged(smoke: Node, zone: str) -> bytes:
    way: dict[str, Any] = {"stream": zone, "round_id": FIRE, "sequence": NOW + 99, "drill": False}
    body = Word(State.RAISED, NOW).body
    return send_notice(TYPES[FIRE], body, smoke.identity, ["fire"], smoke.roster, NOW, **way)


def test_T_A07_of_a_storm_the_first_and_the_last_are_held(hall: Hall) -> None:
    """A thousand events between two slots of a reader: it hears the first, that it is a storm, and how it stands."""
    desk, smoke = hall.desk("smoke"), hall.nodes["smoke"]
    events = [desk.raise_alert(FIRE, "b1", NOW) for _ in range(200)]
    line = hall.stations["smoke"].post
    for envelope in events:
        line.send(envelope)
    while line.pending:  # type: ignore[attr-defined]
        assert line.flush()  # type: ignore[attr-defined]
    assert hall.relay.relayed == len(events)
    told = [one for _ in range(20) for one in hall.turn("fire")["fire"]]
    assert kinds(tuple(told)) == [NoticeKind.ALERT] * (MOST_HELD - 1) + [NoticeKind.STORM]
    (source,) = (s for s in hall.desk("fire").sources() if s.sender == smoke.identity.name)
    assert (source.in_window, source.event) == (MOST_HELD, NOW + len(events) - 1)


def test_T_A09_a_relay_that_is_gone_is_told_as_silence_and_one_that_is_back_learns_what_it_missed(hall: Hall) -> None:
    hall.turn()
    hall.wires["smoke"].down = True
    hall.leave("smoke", hall.desk("smoke").raise_alert(FIRE, "b1", hall.at))
    told: tuple[Any, ...] = ()
    for _ in range(0, (SILENT_AFTER + 1) * PERIOD_S, 5):
        told += hall.turn("smoke", "fire")["fire"]
    assert NoticeKind.SILENT in kinds(told)
    assert "nobody there" in hall.stations["smoke"].post.trouble  # type: ignore[attr-defined]
    hall.wires["smoke"].down = False
    told = ()
    for _ in range(12):
        told += hall.turn("smoke", "fire")["fire"]
    assert kinds(told) == [NoticeKind.HEARD_AGAIN, NoticeKind.ALERT]


def test_what_a_lost_relay_held_is_handed_in_again_and_heard_once(hall: Hall) -> None:
    hall.leave("smoke", hall.desk("smoke").raise_alert(FIRE, "b1", NOW))
    assert kinds(hall.turn("smoke", "fire")["fire"]) == [NoticeKind.ALERT]
    hall.start_relay()
    hall.wires["smoke"].down = True
    hall.turn("smoke")
    hall.wires["smoke"].down = False
    hall.turn("smoke")
    assert kinds(hall.turn("b1")["b1"]) == [NoticeKind.ALERT], "it had not fetched it before the relay was lost"
    assert hall.turn("fire")["fire"] == ()


@pytest.mark.parametrize(("version", "jump"), [(2, 0), (1, 3600), (1, -3600)])
def test_a_wrong_clock_or_roster_stops_no_alert_on_its_way(hall: Hall, version: int, jump: int) -> None:
    market = hall.nodes["marketplace"]
    other = replace(market.roster, version=version)
    hall.relay = Relay(market.identity, other, lambda: hall.at + jump, lambda r, _: hall.refused.append(r.reason))
    hall.leave("smoke", hall.desk("smoke").raise_alert(FIRE, "b1", NOW))
    assert kinds(hall.turn("smoke", "fire")["fire"]) == [NoticeKind.ALERT]
    assert hall.refused == []


def test_what_nobody_fetched_in_its_life_is_let_go(hall: Hall) -> None:
    hall.stations["smoke"].beats = False
    hall.turn("fire")
    hall.leave("smoke", hall.desk("smoke").raise_alert(FIRE, "b1", NOW))
    hall.turn("smoke")
    hall.at += LIFE_S + 10
    assert kinds(hall.turn("fire")["fire"]) == [NoticeKind.SILENT], "the detector, and not an alert"
    assert not hall.relay._held


def test_over_real_sockets(hall: Hall) -> None:
    """From detector to fire service and back; a water service that polls gets nothing."""
    market, ports, stop, there = hall.nodes["marketplace"], [], threading.Event(), threading.Event()
    relay = Relay(market.identity, market.roster, lambda: hall.at)

    def listening(port: int) -> None:
        ports.append(port)
        there.set()

    way = (relay, "127.0.0.1", 0, None, listening, stop)
    thread = threading.Thread(target=lambda: asyncio.run(serve_relay(*way)), daemon=True)
    thread.start()
    assert there.wait(20)
    try:
        for station in hall.stations.values():
            station.post.link = Link([f"http://127.0.0.1:{ports[0]}"])  # type: ignore[attr-defined]
        hall.leave("smoke", hall.desk("smoke").raise_alert(FIRE, "b1", NOW))
        told = hall.turn("smoke", "fire", "water")
        assert kinds(told["fire"]) == [NoticeKind.ALERT]
        assert told["water"] == ()
        hall.turn("fire")
        assert len(hall.turn("smoke")["smoke"]) == 1
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
