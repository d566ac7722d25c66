"""Alerts to those who must know: fire and water, drills, heartbeats, acknowledgements."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.console import Console, table_in_words
from planner.commands.keys import NodePath
from planner.commands.outcome import Exit, refuse
from planner.commands.passphrases import PassphraseFile, passphrase
from planner.commands.posts import Targets, hand_over, is_address, post_of

if TYPE_CHECKING:
    from planner.security.alertdesk import Acknowledged
    from planner.security.alerts import Notice
    from planner.security.node import Node
    from planner.security.refusal import Reason
    from planner.security.station import Station

Hazard = Annotated[str, typer.Argument(metavar="fire|water", help="What kind of alert.", show_default=False)]
Zone = Annotated[str, typer.Argument(metavar="ZONE", help="Where, as the roster names it.", show_default=False)]
Heard = Annotated[
    list[str],
    typer.Argument(
        metavar="BOX|URL",
        help="The folder in which envelopes arrive, or the marketplace; after it its standby.",
        show_default=False,
    ),
]


def send(
    console: Console,
    node: NodePath,
    hazard: Hazard,
    zone: Zone,
    to: Targets = None,
    trip: Annotated[bool, typer.Option("--trip", help="The building of this zone is without electricity.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="The event that was raised is over.")] = False,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Raise an alert, or end it: one envelope to every subscriber of that hazard in that zone.

    While planner alert listen runs on this node the envelope goes with its next slot, and nobody on the network sees
    that there was one; else at once.  planner alert status shows who has acknowledged it.

    \b
    Example: planner alert send nodes/detector fire b01 --to boxes/fire
    Example: planner alert send nodes/detector fire b01 --to https://market.example:8470
    """
    return _send(console, node, hazard, zone, to, trip, clear, False, passphrase_file)


def drill(
    console: Console,
    node: NodePath,
    hazard: Hazard,
    zone: Zone,
    to: Targets = None,
    clear: Annotated[bool, typer.Option("--clear", help="The drill is over.")] = False,
    passphrase_file: PassphraseFile = None,
) -> int:
    """The same as an exercise: the signed header says so, and everybody who hears it is told so.

    \b
    Example: planner alert drill nodes/detector fire b01 --to boxes/fire
    """
    return _send(console, node, hazard, zone, to, False, clear, True, passphrase_file)


def beat(
    console: Console,
    node: NodePath,
    to: Targets = None,
    every: Annotated[
        int | None, typer.Option(metavar="S", help="Again every S seconds  [once]", min=1, max=600, show_default=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Say the state of every zone again; a node that does not do so every minute is reported silent.

    Over a marketplace planner alert listen --beat does this, in the slots in which it listens.

    A heartbeat looks like an alert to everybody but its readers.

    \b
    Example: planner alert beat nodes/detector --to boxes/fire
    """
    from planner.security.alertdesk import AlertDesk

    opened = opened_node(node, passphrase_file)
    desk, count, code = AlertDesk(opened), 0, Exit.DONE
    try:
        while True:
            at = int(time.time())
            beats = [desk.heartbeat(kind, zone, at) for kind, zone in desk.own_streams(at)]
            code = Exit(hand_over(console, opened, to, beats))
            count += len(beats)
            if every is None:
                break
            time.sleep(every)
    finally:
        opened.close()
    console.result(f"{count} heartbeats", {"sent": count})
    return code


def listen(
    console: Console,
    node: NodePath,
    box: Heard,
    every: Annotated[
        int | None,
        typer.Option(metavar="S", help="Look again every S seconds  [once]", min=1, max=600, show_default=False),
    ] = None,
    beats: Annotated[
        bool, typer.Option("--beat", help="Say the state of every own zone each minute too, over a marketplace.")
    ] = False,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Hear what arrived: alerts, drills, acknowledgements, and who has fallen silent.

    From a folder: what was read moves to BOX/read, what was refused to BOX/refused.  From a marketplace: one message a
    slot of --every seconds, all of one size; what other commands of this node say goes with it, and every alert is
    acknowledged as received.

    \b
    Example: planner alert listen nodes/fire boxes/fire
    Example: planner alert listen nodes/fire https://market.example:8470 --every 5
    """
    from planner.security.alertdesk import AlertDesk
    from planner.security.station import Manned, Station

    opened = opened_node(node, passphrase_file)
    manned = Manned(node)
    try:
        post = post_of(box, opened, every or 1)
        line = post if is_address(box[0]) else None
        if line is not None and not manned.take():
            raise refuse("a station is at work on this node", "one is enough; end the other one first", str(node))

        def refused(name: str, reason: Reason) -> None:
            console.note(f"{name[:16]} refused: {reason}")

        station = Station(AlertDesk(opened), post, line, beats, refused)
        return _listen(console, station, every)
    finally:
        manned.leave()
        opened.close()


def _listen(console: Console, station: Station, every: int | None) -> int:
    """A turn every so many seconds, or one; what there is to tell, as it comes."""
    said = ""
    while True:
        told = station.turn(int(time.time()))
        trouble = getattr(station.answers, "trouble", "")
        if told or (every is None and not trouble):
            console.result("\n".join(map(in_words, told)) or "nothing new", [_plain(one) for one in told])
            station.desk.node.mark()
        if trouble != said:
            said = trouble
            console.note(f"no marketplace is heard: {trouble}" if trouble else "the marketplace is heard again")
        if every is None:
            break
        time.sleep(every)
    if getattr(station.answers, "pending", False) and not trouble:
        station.answers.flush()  # type: ignore[union-attr]
    if trouble:
        console.error(f"no marketplace was heard: {trouble}", "is it up, and is this its address and port?")
    return Exit.NOT_CLEAN if trouble else Exit.DONE


def ack(
    console: Console,
    node: NodePath,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="As listen printed it.", show_default=False)],
    to: Targets = None,
    state: Annotated[str, typer.Option(metavar="S", help="received, acting, done or cannot.")] = "received",
    passphrase_file: PassphraseFile = None,
) -> int:
    """Answer an alert that this node heard; the answer goes to its sender alone.

    \b
    Example: planner alert ack nodes/fire 6e340b9c --state acting --to boxes/detector
    """
    from planner.security.alertdesk import AlertDesk
    from planner.security.alerts import Answer

    if state not in set(Answer):
        raise refuse(f"'{state}' is no answer", "say one of " + ", ".join(Answer))
    opened = opened_node(node, passphrase_file)
    try:
        data = AlertDesk(opened).answers.acknowledge(message, Answer(state), int(time.time()))
        code = hand_over(console, opened, to, [data])
    finally:
        opened.close()
    console.result(f"{state}: {message[:16]}", {"message": message, "state": state})
    return code


def status(console: Console, node: NodePath, passphrase_file: PassphraseFile = None) -> int:
    """Show what every source this node listens to said last, and who acknowledged this node's own alerts.

    \b
    Example: planner alert status nodes/fire
    """
    from planner.security.alertdesk import AlertDesk

    opened = opened_node(node, passphrase_file)
    try:
        desk = AlertDesk(opened)
        sources, deliveries = desk.sources(), desk.deliveries()
    finally:
        opened.close()
    heard, sent = [["zone", "alert", "from", "said", "last heard", ""]], [["zone", "alert", "raised", "to", "answer"]]
    for s in sources:
        row = [s.zone, _name(s.type, s.drill), s.sender, s.state.value, _time(s.heard_at)]
        heard.append([*row, "SILENT" if s.silent else ""])
    for d in deliveries:
        answer = "NONE YET" if d.answer is None else f"{d.answer} {_time(d.at)}"
        sent.append([d.zone, _name(d.type, d.drill), _time(d.event), d.reader, answer])
    tables = [table_in_words(rows) for rows in (heard, sent) if len(rows) > 1]
    told = {
        "heard": [
            {"zone": s.zone, "type": s.type, "sender": s.sender, "drill": s.drill, "state": s.state.value}
            | {"silent": s.silent, "tripped": s.tripped}
            for s in sources
        ],
        "sent": [
            {"zone": d.zone, "type": d.type, "drill": d.drill, "event": d.event, "to": d.reader, "answer": d.answer}
            for d in deliveries
        ],
    }
    console.result("\n\n".join(tables) or "nobody was heard yet", told)
    return Exit.DONE


def _name(kind: str, drill: bool) -> str:
    return kind + (" (drill)" if drill else "")


def _send(
    console: Console,
    node: Path,
    hazard: str,
    zone: str,
    to: list[str] | None,
    trip: bool,
    clear: bool,
    drill: bool,
    passphrase_file: Path | None,
) -> int:
    from planner.security.alertdesk import AlertDesk
    from planner.security.rights import ALERTS

    kind, at = f"alert.{hazard}", int(time.time())
    if kind not in ALERTS:
        raise refuse(f"'{hazard}' is no hazard", "say fire or water")
    opened = opened_node(node, passphrase_file)
    try:
        desk = AlertDesk(opened)
        data = desk.clear(kind, zone, at, drill) if clear else desk.raise_alert(kind, zone, at, trip, drill)
        readers = [e.name for e in opened.roster.readers(kind, zone, at) if e.name != opened.identity.name]
        code = hand_over(console, opened, to, [data])
    finally:
        opened.close()
    what = "drill" if drill else "alert"
    words = f"{hazard} {what} {'over' if clear else 'raised'} in {zone}, to {', '.join(readers)}"
    console.result(words, {"type": kind, "zone": zone, "drill": drill, "cleared": clear, "readers": readers})
    return code


def opened_node(node: Path, passphrase_file: Path | None) -> Node:
    """The node in a folder, ready to act now; refused in words where there is none."""
    from planner.security.node import open_node

    if not (node / "identity.json").is_file():
        raise refuse("no node here", "planner keys new makes one", str(node))
    return open_node(node, passphrase(passphrase_file), int(time.time()))


def in_words(told: Notice | Acknowledged) -> str:
    from planner.security.alertdesk import Acknowledged
    from planner.security.alerts import NoticeKind

    if isinstance(told, Acknowledged):
        return f"{_time(told.at)} {told.zone}: {told.sender} answers {told.answer} to {told.message}"
    source = told.source
    hazard = source.type.removeprefix("alert.").upper() + (" (DRILL)" if source.drill else "")
    head = f"{_time(told.at)} {source.zone}: "
    if told.kind is NoticeKind.SILENT:
        return f"{head}SILENT, nothing of {source.type} heard from {source.sender} since {_time(source.heard_at)}"
    if told.kind is NoticeKind.HEARD_AGAIN:
        return f"{head}heard again, {source.sender} on {source.type}"
    if told.kind is NoticeKind.STORM:
        return f"{head}{hazard} STORM from {source.sender}: further events of this minute are only counted"
    words = f"{head}{hazard} {'over' if told.kind is NoticeKind.CLEARED else 'ALERT'} from {source.sender}"
    words += ", clocks disagree" if told.suspect else ""
    words += f"\n    message {told.message}"
    if told.word is not None and told.word.trip and told.kind is NoticeKind.ALERT and not source.drill:
        words += f"\n    {source.zone} is without electricity: planner clear CASE --without {source.zone}"
    return words


def _plain(told: Notice | Acknowledged) -> dict[str, Any]:
    from planner.security.alertdesk import Acknowledged

    if isinstance(told, Acknowledged):
        kept: dict[str, Any] = {"kind": "acknowledged", "zone": told.zone, "sender": told.sender, "drill": told.drill}
        return kept | {"message": told.message, "answer": told.answer.value, "at": told.at}
    source = told.source
    kept = {"kind": told.kind.value, "type": source.type, "zone": source.zone, "sender": source.sender}
    kept |= {"drill": source.drill, "at": told.at, "time_suspect": told.suspect, "message": told.message}
    return kept | {"trip": told.word is not None and told.word.trip}


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


COMMANDS = {"send": send, "drill": drill, "beat": beat, "listen": listen, "ack": ack, "status": status}
