"""The bridge: only what is allowed, verified, once, as plain files; and only answers come back."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nodes import Town, make_town
from security_world import NOW

from planner.security.acks import say
from planner.security.alertdesk import Acknowledged, AlertDesk
from planner.security.alerts import Answer
from planner.security.bridge import ALERT_COLUMNS, Bridge, Sheet, bridge_types
from planner.security.node import Node
from planner.security.opening import message_hash
from planner.security.refusal import Reason, Refused

FIRE = "alert.fire"
POINTS = [{"asset": "bat1", "begin": NOW, "seconds": 900, "power_w": [2500, -1250]}]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return make_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def nodes(made: Town, tmp_path: Path) -> Iterator[dict[str, Node]]:
    shutil.copytree(made.folder, tmp_path / "town")
    town = Town(tmp_path / "town", made.city, made.roots)
    found = {name: town.node(name) for name in ("b1", "smoke", "bridge")}
    yield found
    for node in found.values():
        node.close()


def setpoint(node: Node, points: Any = POINTS) -> bytes:
    return say(node, bridge_types()["setpoint"], "b1", ["bridge"], {"points": points}, NOW)


def refusal(bridge: Bridge, data: bytes) -> Reason:
    written: list[Sheet] = []
    with pytest.raises(Refused) as caught:
        bridge.hand_over(data, NOW, written.append)
    assert written == []
    return caught.value.reason


def test_an_alert_and_setpoints_become_tables(nodes: dict[str, Node]) -> None:
    bridge, written = Bridge(nodes["bridge"], [FIRE, "setpoint"]), []
    alert = AlertDesk(nodes["smoke"]).raise_alert(FIRE, "b1", NOW, trip=True)
    for data in (alert, setpoint(nodes["b1"])):
        assert bridge.hand_over(data, NOW, written.append) is written[-1]
    rows = [list(csv.DictReader(io.StringIO(sheet.csv.decode()))) for sheet in written]
    assert tuple(rows[0][0]) == ALERT_COLUMNS
    kept = {key: rows[0][0][key] for key in ("sender", "zone", "state", "trip", "drill")}
    assert kept == {"sender": "smoke", "zone": "b1", "state": "raised", "trip": "1", "drill": "0"}
    assert [(r["begin"], r["power_w"]) for r in rows[1]] == [(str(NOW), "2500"), (str(NOW + 900), "-1250")]


def test_each_message_once_and_after_a_crash_under_the_same_name(nodes: dict[str, Node]) -> None:
    bridge, names = Bridge(nodes["bridge"], ["setpoint"]), []

    def cut(sheet: Sheet) -> None:
        names.append(sheet.name)
        raise OSError("disk full")

    data = setpoint(nodes["b1"])
    with pytest.raises(OSError):
        bridge.hand_over(data, NOW, cut)
    sheet = bridge.hand_over(data, NOW, lambda s: names.append(s.name))
    assert sheet is not None
    assert names == [sheet.name, sheet.name]
    assert refusal(bridge, data) is Reason.REPLAY


def test_what_is_not_allowed_is_refused(nodes: dict[str, Node]) -> None:
    fire_only = Bridge(nodes["bridge"], [FIRE])
    assert refusal(fire_only, setpoint(nodes["b1"])) is Reason.UNAUTHORISED
    with pytest.raises(Refused):
        Bridge(nodes["bridge"], ["commit"])
    with pytest.raises(Refused):
        setpoint(nodes["smoke"])


def test_drills_and_heartbeats_stay_out(nodes: dict[str, Node]) -> None:
    desk, written = AlertDesk(nodes["smoke"]), []
    bridge = Bridge(nodes["bridge"], [FIRE])
    for data in (desk.heartbeat(FIRE, "b1", NOW), desk.raise_alert(FIRE, "b1", NOW, drill=True)):
        assert bridge.hand_over(data, NOW, written.append) is None
    assert written == []
    asked = Bridge(nodes["bridge"], [FIRE], drills=True)
    sheet = asked.hand_over(desk.raise_alert(FIRE, "b1", NOW + 9, drill=True), NOW, written.append)
    assert sheet is not None
    assert sheet.rows[0][ALERT_COLUMNS.index("drill")] == "1"


@pytest.mark.parametrize(
    "change",
    [
        {"asset": "=cmd()"},
        {"asset": "a,b"},
        {"begin": -1},
        {"seconds": 0},
        {"power_w": []},
        {"power_w": [1.5]},
        {"x": 1},
    ],
)
def test_no_value_can_break_a_table(nodes: dict[str, Node], change: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        setpoint(nodes["b1"], [POINTS[0] | change])


def test_what_comes_back_is_signed_and_goes_to_the_sender(nodes: dict[str, Node]) -> None:
    bridge, desk = Bridge(nodes["bridge"], [FIRE]), AlertDesk(nodes["smoke"])
    data = desk.raise_alert(FIRE, "b1", NOW)
    bridge.hand_over(data, NOW, lambda sheet: None)
    (told,) = desk.hear(bridge.answer(message_hash(data), "acting", NOW), NOW)[1]
    assert told == Acknowledged("bridge", "b1", False, message_hash(data), Answer.ACTING, NOW)
    for message, state in ((message_hash(data), "burning"), ("0" * 64, "done"), ("%", "done"), ("", "done")):
        with pytest.raises(Refused):
            bridge.answer(message, state, NOW)
