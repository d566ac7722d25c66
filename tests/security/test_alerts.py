"""Alerts between whole nodes (T-A06 … T-A10, T-E25, T-K17, T-K20, T-K21)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nodes import Town, make_town
from security_world import NOW
from test_envelope import edit_header, payload_of, resign

from planner.security import strict
from planner.security.acks import say
from planner.security.alertdesk import TYPES, Acknowledged, AlertDesk
from planner.security.alerts import (
    MOST_IN_WINDOW,
    PERIOD_S,
    SILENT_AFTER,
    WINDOW_S,
    Answer,
    Notice,
    NoticeKind,
    State,
    Word,
)
from planner.security.log import Kind, Record, privates_of
from planner.security.opening import message_hash
from planner.security.outgoing import send_notice
from planner.security.refusal import Reason, Refused

DAY = 86400
FIRE, WATER = "alert.fire", "alert.water"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return make_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def desks(made: Town, tmp_path: Path) -> Iterator[dict[str, AlertDesk]]:
    """A desk for everybody, over a fresh copy of the nodes."""
    shutil.copytree(made.folder, tmp_path / "town")
    town = Town(tmp_path / "town", made.city, made.roots)
    found = {name: AlertDesk(town.node(name)) for name in ("market", "b1", "b2", "smoke", "flood", "fire", "water")}
    yield found
    for desk in found.values():
        desk.node.close()


def kinds(told: tuple[Notice | Acknowledged, ...]) -> list[NoticeKind]:
    return [one.kind for one in told if isinstance(one, Notice)]


def refusal(desk: AlertDesk, data: bytes, at: int = NOW) -> Reason:
    with pytest.raises(Refused) as caught:
        desk.hear(data, at)
    return caught.value.reason


def test_an_alert_reaches_its_subscribers_and_is_answered(desks: dict[str, AlertDesk]) -> None:
    data = desks["smoke"].raise_alert(FIRE, "b1", NOW, trip=True)
    for name in ("fire", "b1"):
        opened, told = desks[name].hear(data, NOW)
        assert kinds(told) == [NoticeKind.ALERT]
        assert Word.of(opened.body) == Word(State.RAISED, NOW, trip=True)
    answer = desks["fire"].answers.acknowledge(message_hash(data)[:12], Answer.ACTING, NOW + 5)
    (told,) = desks["smoke"].hear(answer, NOW + 5)[1]
    assert told == Acknowledged("fire", "b1", False, message_hash(data), Answer.ACTING, NOW + 5)
    assert refusal(desks["b1"], answer) is Reason.RECIPIENT
    over = desks["smoke"].clear(FIRE, "b1", NOW + 60)
    assert kinds(desks["fire"].hear(over, NOW + 60)[1]) == [NoticeKind.CLEARED]
    with pytest.raises(Refused):
        desks["smoke"].clear(FIRE, "b1", NOW + 61)
    with pytest.raises(Refused):
        desks["fire"].answers.acknowledge("0" * 64, Answer.DONE, NOW)


def test_T_E25_alert_and_heartbeat_look_alike(desks: dict[str, AlertDesk]) -> None:
    """One size, one type, one stream, one row of numbers: whoever sees only ciphertext cannot tell them apart."""
    quiet = desks["smoke"].heartbeat(FIRE, "b1", NOW)
    alert = desks["smoke"].raise_alert(FIRE, "b1", NOW + 1, trip=True)
    again = desks["smoke"].heartbeat(FIRE, "b1", NOW + 2)
    over = desks["smoke"].clear(FIRE, "b1", NOW + 3)
    assert len({len(data) for data in (quiet, alert, again, over)}) == 1
    headers = [strict.loads(strict.b64decode(payload_of(data)["hdr"])) for data in (quiet, alert, again, over)]
    rising = ("seq", "iat", "exp", "commit")
    assert len({strict.dumps({k: v for k, v in h.items() if k not in rising}) for h in headers}) == 1
    assert [h["seq"] for h in headers] == sorted({h["seq"] for h in headers})


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Anna Berg"},
        {"note": "3rd floor, ask for Anna"},
        {"state": "smoke seen by Anna Berg"},
        {"state": 1},
        {"event": "today"},
        {"trip": True},
        {"trip": 2},
        {"trip": None},
    ],
)
def test_T_A06_no_name_and_no_text_in_an_alert(desks: dict[str, AlertDesk], change: dict[str, Any]) -> None:
    """Neither sent by us nor accepted from somebody who sends it all the same."""
    body = Word(State.RAISED, NOW).body | change
    smoke = desks["smoke"].node
    with pytest.raises(Refused) as caught:
        say(smoke, TYPES[FIRE], "b1", ["fire"], body, NOW)
    assert caught.value.reason is Reason.SCHEMA
    lax = type(TYPES[FIRE])(FIRE, dict.fromkeys(body, lambda value: True), 900, urgent=True)
    assert refusal(desks["fire"], say(smoke, lax, "b1", ["fire"], body, NOW)) is Reason.SCHEMA
    with pytest.raises(Refused):
        say(smoke, TYPES[FIRE], "b1, 3rd floor", ["fire"], Word(State.RAISED, NOW).body, NOW)


def test_T_A07_yesterdays_alert(desks: dict[str, AlertDesk]) -> None:
    """Urgent messages survive a wrong clock, not a second time: neither at once, nor next day, nor after a restart."""
    data = desks["smoke"].raise_alert(FIRE, "b1", NOW)
    desks["fire"].hear(data, NOW)
    assert refusal(desks["fire"], data) is Reason.REPLAY
    assert refusal(desks["fire"], data, NOW + DAY) is Reason.REPLAY
    folder = desks["fire"].node.folder
    desks["fire"].node.close()
    desks["fire"] = AlertDesk(Town(folder.parent, None, ()).node("fire"))  # type: ignore[arg-type]
    assert refusal(desks["fire"], data, NOW + DAY) is Reason.REPLAY


def test_T_A07_repeated_words_are_told_once(desks: dict[str, AlertDesk]) -> None:
    told = desks["fire"].hear(desks["smoke"].raise_alert(FIRE, "b1", NOW), NOW)[1]
    for n in range(1, 4):
        told += desks["fire"].hear(desks["smoke"].heartbeat(FIRE, "b1", NOW + n), NOW + n)[1]
    assert kinds(told) == [NoticeKind.ALERT]


def test_a_lost_alert_is_made_good_by_the_next_heartbeat(desks: dict[str, AlertDesk]) -> None:
    desks["smoke"].raise_alert(FIRE, "b1", NOW)
    told = desks["fire"].hear(desks["smoke"].heartbeat(FIRE, "b1", NOW + PERIOD_S), NOW + PERIOD_S)[1]
    assert kinds(told) == [NoticeKind.ALERT]
    assert kinds(desks["fire"].hear(desks["smoke"].clear(FIRE, "b1", NOW + 99), NOW + 99)[1]) == [NoticeKind.CLEARED]


def test_T_A07_storm(made: Town) -> None:
    """10,000 events in a minute: the first ones and the storm are told, the rest counted; another zone is untouched."""
    from types import SimpleNamespace

    from planner.security.alerts import Source, heard

    opened: Any = SimpleNamespace(time_suspect=False, message_hash="0" * 64)
    one, other = Source("smoke", FIRE, "b1", False, NOW), Source("smoke", FIRE, "b2", False, NOW)
    told: list[NoticeKind] = []
    for n in range(10_000):
        one, notices = heard(one, Word(State.RAISED, NOW + n), opened, NOW + n * WINDOW_S // 10_000)
        told += kinds(notices)
    assert told == [NoticeKind.ALERT] * MOST_IN_WINDOW + [NoticeKind.STORM]
    assert one.in_window == 10_000
    assert kinds(heard(other, Word(State.RAISED, NOW), opened, NOW)[1]) == [NoticeKind.ALERT]
    one, notices = heard(one, Word(State.RAISED, NOW + 20_000), opened, NOW + WINDOW_S)
    assert kinds(notices) == [NoticeKind.ALERT]


def test_T_A08_a_stolen_detector_key_raises_nothing_elsewhere(desks: dict[str, AlertDesk]) -> None:
    """In another zone, of another kind, or as the marketplace: the roster gives the key no such right."""
    smoke, fire, water = desks["smoke"].node, desks["fire"], desks["water"]
    for kind, zone in ((FIRE, "b2"), (WATER, "b1")):
        with pytest.raises(Refused) as caught:
            desks["smoke"].raise_alert(kind, zone, NOW)
        assert caught.value.reason in (Reason.UNAUTHORISED, Reason.RECIPIENT)
    way: dict[str, Any] = {"round_id": FIRE, "sequence": NOW, "drill": False}
    body, me = Word(State.RAISED, NOW).body, smoke.identity
    forged = send_notice(TYPES[FIRE], body, me, ["fire"], smoke.roster, NOW, stream="b2", **way)
    assert refusal(fire, forged) is Reason.UNAUTHORISED
    forged = send_notice(TYPES[WATER], body, me, ["water"], smoke.roster, NOW, stream="b2", **way)
    assert refusal(water, forged) is Reason.UNAUTHORISED
    forged = send_notice(
        TYPES["ack"], {"message": "0" * 64, "state": "done"}, me, ["b1"], smoke.roster, NOW, stream="b1", **way
    )
    assert refusal(desks["b1"], forged) is Reason.UNAUTHORISED


def test_T_A09_silence_is_reported_and_is_no_all_clear(desks: dict[str, AlertDesk]) -> None:
    fire = desks["fire"]
    fire.hear(desks["smoke"].heartbeat(FIRE, "b1", NOW), NOW)
    assert fire.watch(NOW + SILENT_AFTER * PERIOD_S) == ()
    (notice,) = fire.watch(NOW + SILENT_AFTER * PERIOD_S + 1)
    assert (notice.kind, notice.source.sender, notice.source.zone) == (NoticeKind.SILENT, "smoke", "b1")
    assert fire.watch(NOW + 10 * PERIOD_S) == ()
    assert [s.silent for s in fire.sources() if s.sender == "smoke"] == [True]
    back = NOW + 11 * PERIOD_S
    assert kinds(fire.hear(desks["smoke"].heartbeat(FIRE, "b1", back), back)[1]) == [NoticeKind.HEARD_AGAIN]
    desks["smoke"].raise_alert(FIRE, "b1", back + 1)
    assert kinds(fire.watch(back + 4 * PERIOD_S)) == [NoticeKind.SILENT]


def test_T_A09_a_detector_that_was_never_heard_is_missed(desks: dict[str, AlertDesk]) -> None:
    assert desks["b1"].watch(NOW) == ()
    missed = desks["b1"].watch(NOW + SILENT_AFTER * PERIOD_S + 1)
    assert [(n.source.sender, n.source.type) for n in missed] == [("smoke", FIRE), ("flood", WATER)]


def test_T_A10_the_marketplace_subscribes_to_no_alert(desks: dict[str, AlertDesk]) -> None:
    """Not addressed, and if a sender addresses it all the same, it may not open."""
    market, smoke = desks["market"], desks["smoke"].node
    for zone in ("b1", "b2"):
        for kind in (FIRE, WATER):
            assert "market" not in [e.name for e in smoke.roster.readers(kind, zone, NOW)]
    assert refusal(market, desks["smoke"].raise_alert(FIRE, "b1", NOW)) is Reason.RECIPIENT
    leaked = say(smoke, TYPES[FIRE], "b1", ["market"], Word(State.RAISED, NOW).body, NOW)
    assert refusal(market, leaked) is Reason.UNAUTHORISED
    assert market.watch(NOW) == market.sources() == ()


def test_T_K20_a_fire_service_reads_no_water(desks: dict[str, AlertDesk]) -> None:
    """Its key is in no ciphertext of a water alert, nor is that of a service of another zone."""
    data = desks["b2"].raise_alert(WATER, "b2", NOW)
    assert refusal(desks["fire"], data) is Reason.RECIPIENT
    assert kinds(desks["water"].hear(data, NOW)[1]) == [NoticeKind.ALERT]
    elsewhere = desks["flood"].raise_alert(WATER, "b1", NOW)
    sealed = payload_of(data)["ct"].keys() | payload_of(elsewhere)["ct"].keys()
    assert desks["fire"].node.identity.sealing[0].public.key_id not in sealed
    assert desks["water"].node.identity.sealing[0].public.key_id not in payload_of(elsewhere)["ct"]
    leaked = say(desks["flood"].node, TYPES[WATER], "b1", ["fire"], Word(State.RAISED, NOW).body, NOW)
    assert refusal(desks["fire"], leaked) is Reason.UNAUTHORISED


def test_T_K21_a_drill_is_what_the_signed_header_says(desks: dict[str, AlertDesk]) -> None:
    exercise = desks["smoke"].raise_alert(FIRE, "b1", NOW, drill=True)
    opened, told = desks["fire"].hear(exercise, NOW)
    assert opened.header.drill
    assert [notice.source.drill for notice in told if isinstance(notice, Notice)] == [True]
    real = desks["smoke"].raise_alert(FIRE, "b1", NOW)
    opened, told = desks["fire"].hear(real, NOW)
    assert not opened.header.drill
    assert kinds(told) == [NoticeKind.ALERT]


def test_T_K21_a_drill_flag_elsewhere_is_refused(desks: dict[str, AlertDesk]) -> None:
    """Beside the header, in the body, or put into somebody else's header."""
    smoke, fire = desks["smoke"], desks["fire"]
    real = smoke.raise_alert(FIRE, "b1", NOW)
    outer = strict.loads(real) | {"drill": True}
    assert refusal(fire, strict.dumps(outer)) is Reason.FIELDS
    beside = resign(strict.dumps(payload_of(real) | {"drill": True}), smoke.node.identity)
    assert refusal(fire, beside) is Reason.FIELDS
    lax = type(TYPES[FIRE])(FIRE, dict.fromkeys(("state", "event", "trip", "drill"), lambda v: True), 900, urgent=True)
    inside = say(smoke.node, lax, "b1", ["fire"], Word(State.RAISED, NOW).body | {"drill": 1}, NOW)
    assert refusal(fire, inside) is Reason.SCHEMA
    softened = edit_header(real, desks["b1"].node.identity, drill=True)
    assert refusal(fire, softened) is Reason.SENDER
    calmed = edit_header(real, smoke.node.identity, drill=True)
    assert refusal(fire, calmed) is Reason.DECRYPT


def test_a_drill_hides_no_alert(desks: dict[str, AlertDesk]) -> None:
    """A drill that overtakes an alert on its way does not make it a replay."""
    real = desks["smoke"].raise_alert(FIRE, "b1", NOW)
    exercise = desks["smoke"].raise_alert(FIRE, "b1", NOW + 1, drill=True)
    assert kinds(desks["fire"].hear(exercise, NOW + 1)[1]) == [NoticeKind.ALERT]
    assert kinds(desks["fire"].hear(real, NOW + 1)[1]) == [NoticeKind.ALERT]


@pytest.mark.parametrize("jump", [-2 * DAY, 2 * DAY])
def test_T_K17_a_clock_that_jumped(desks: dict[str, AlertDesk], jump: int) -> None:
    """The alert is delivered with its doubt and logged; it is still acted on once."""
    data = desks["smoke"].raise_alert(FIRE, "b1", NOW)
    opened, told = desks["fire"].hear(data, NOW + jump)
    assert opened.time_suspect
    assert [notice.suspect for notice in told if isinstance(notice, Notice)] == [True]
    assert refusal(desks["fire"], data, NOW + jump) is Reason.REPLAY
    records = [Record.from_bytes(r) for _, r in privates_of(desks["fire"].node.store.connection).values()]
    assert [(r.kind, r.reason) for r in records] == [(Kind.RECEIVED, Reason.TIME), (Kind.REFUSED, Reason.REPLAY)]


def test_an_alert_under_another_roster_is_delivered_with_its_doubt(made: Town, desks: dict[str, AlertDesk]) -> None:
    from dataclasses import replace

    newer = replace(desks["fire"].node.roster, version=2)
    held = replace(desks["fire"].node.held, roster=newer)
    ahead = AlertDesk(replace(desks["fire"].node, held=held))
    opened, told = ahead.hear(desks["smoke"].raise_alert(FIRE, "b1", NOW), NOW)
    assert opened.doubts == (Reason.ROSTER,)
    assert kinds(told) == [NoticeKind.ALERT]
