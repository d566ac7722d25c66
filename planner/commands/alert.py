"""Alerts to those who must know: fire and water, drills, heartbeats, acknowledgements."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.console import Console, table_in_words
from planner.commands.keys import NodePath
from planner.commands.outcome import Exit, refuse
from planner.commands.passphrases import PassphraseFile, passphrase

if TYPE_CHECKING:
    from planner.security.alertdesk import Acknowledged
    from planner.security.alerts import Notice
    from planner.security.node import Node

Hazard = Annotated[str, typer.Argument(metavar="fire|water", help="What kind of alert.", show_default=False)]
Zone = Annotated[str, typer.Argument(metavar="ZONE", help="Where, as the roster names it.", show_default=False)]
Boxes = Annotated[
    list[Path],
    typer.Option("--to", metavar="BOX", help="A folder that is carried to subscribers; repeat.", show_default=False),
]
Box = Annotated[Path, typer.Argument(metavar="BOX", help="The folder in which envelopes arrive.", show_default=False)]


def send(
    console: Console,
    node: NodePath,
    hazard: Hazard,
    zone: Zone,
    to: Boxes,
    trip: Annotated[bool, typer.Option("--trip", help="The building of this zone is without electricity.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="The event that was raised is over.")] = False,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Raise an alert, or end it: one envelope to every subscriber of that hazard in that zone.

    \b
    Example: planner alert send nodes/detector fire b01 --to boxes/fire
    """
    return _send(console, node, hazard, zone, to, trip, clear, False, passphrase_file)


def drill(
    console: Console,
    node: NodePath,
    hazard: Hazard,
    zone: Zone,
    to: Boxes,
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
    to: Boxes,
    every: Annotated[
        int | None, typer.Option(metavar="S", help="Again every S seconds  [once]", min=1, max=600, show_default=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Say the state of every zone again; a node that does not do so every minute is reported silent.

    A heartbeat looks like an alert to everybody but its readers.

    \b
    Example: planner alert beat nodes/detector --to boxes/fire
    """
    from planner.security.alertdesk import AlertDesk

    opened = opened_node(node, passphrase_file)
    desk, count = AlertDesk(opened), 0
    try:
        while True:
            at = int(time.time())
            for kind, zone in desk.own_streams(at):
                _drop(to, desk.heartbeat(kind, zone, at))
                count += 1
            if every is None:
                break
            time.sleep(every)
    finally:
        opened.close()
    console.result(f"{count} heartbeats", {"sent": count})
    return Exit.DONE


def listen(
    console: Console,
    node: NodePath,
    box: Box,
    every: Annotated[
        int | None,
        typer.Option(metavar="S", help="Look again every S seconds  [once]", min=1, max=600, show_default=False),
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Read what arrived: alerts, drills, acknowledgements, and who has fallen silent.

    What was read moves to BOX/read, what was refused to BOX/refused.

    \b
    Example: planner alert listen nodes/fire boxes/fire
    """
    from planner.security.alertdesk import AlertDesk

    opened = opened_node(node, passphrase_file)
    desk = AlertDesk(opened)
    try:
        while True:
            told = _read_box(console, desk, box)
            if told or every is None:
                console.result("\n".join(map(_in_words, told)) or "nothing new", [_plain(one) for one in told])
                opened.mark()
            if every is None:
                break
            time.sleep(every)
    finally:
        opened.close()
    return Exit.DONE


def ack(
    console: Console,
    node: NodePath,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="As listen printed it.", show_default=False)],
    to: Boxes,
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
        _drop(to, AlertDesk(opened).answers.acknowledge(message, Answer(state), int(time.time())))
    finally:
        opened.close()
    console.result(f"{state}: {message[:16]}", {"message": message, "state": state})
    return Exit.DONE


def status(console: Console, node: NodePath, passphrase_file: PassphraseFile = None) -> int:
    """Show every source this node listens to: what it last said, when, and whether it is silent.

    \b
    Example: planner alert status nodes/fire
    """
    from planner.security.alertdesk import AlertDesk

    opened = opened_node(node, passphrase_file)
    try:
        sources = AlertDesk(opened).sources()
    finally:
        opened.close()
    rows = [["zone", "alert", "from", "said", "last heard", ""]]
    for s in sources:
        name = s.type + (" (drill)" if s.drill else "")
        rows.append([s.zone, name, s.sender, s.state.value, _time(s.heard_at), "SILENT" if s.silent else ""])
    told = [
        {"zone": s.zone, "type": s.type, "sender": s.sender, "drill": s.drill, "state": s.state.value} for s in sources
    ]
    console.result(table_in_words(rows) if sources else "nobody was heard yet", told)
    return Exit.DONE


def _send(
    console: Console,
    node: Path,
    hazard: str,
    zone: str,
    to: list[Path],
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
    finally:
        opened.close()
    _drop(to, data)
    what = "drill" if drill else "alert"
    words = f"{hazard} {what} {'over' if clear else 'raised'} in {zone}, to {', '.join(readers)}"
    console.result(words, {"type": kind, "zone": zone, "drill": drill, "cleared": clear, "readers": readers})
    return Exit.DONE


def opened_node(node: Path, passphrase_file: Path | None) -> Node:
    """The node in a folder, ready to act now; refused in words where there is none."""
    from planner.security.node import open_node

    if not (node / "identity.json").is_file():
        raise refuse("no node here", "planner keys new makes one", str(node))
    return open_node(node, passphrase(passphrase_file), int(time.time()))


def _drop(boxes: Sequence[Path], data: bytes) -> None:
    from planner.security.post import drop

    for box in boxes:
        drop(box, data)


def _read_box(console: Console, desk: Any, box: Path) -> list[Notice | Acknowledged]:
    from planner.security.post import settle, waiting
    from planner.security.refusal import Refused

    told: list[Notice | Acknowledged] = []
    for path, data in waiting(box):
        try:
            told.extend(desk.hear(data, int(time.time()))[1])
        except Refused as refused:
            console.note(f"{path.name[:16]} refused: {refused.reason}")
            settle(path, accepted=False)
        else:
            settle(path, accepted=True)
    told.extend(desk.watch(int(time.time())))
    return told


def _in_words(told: Notice | Acknowledged) -> str:
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
