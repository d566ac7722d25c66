"""Old systems: verified messages as plain files, and plain answers as signed messages."""

from __future__ import annotations

import csv
import io
import itertools
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.alert import Zone, opened_node
from planner.commands.console import Console, counted
from planner.commands.keys import NodePath
from planner.commands.outcome import Exit, refuse
from planner.commands.passphrases import PassphraseFile
from planner.commands.posts import Targets, hand_over, is_address, post_of
from planner.problems import InvalidInput, Problem, shown

if TYPE_CHECKING:
    from planner.security.bridge import Bridge, Sheet
    from planner.security.post import Post

ANSWER_COLUMNS = ["message", "state"]
MAX_ANSWER_BYTES = 1 << 20
SETPOINT_COLUMNS = ["asset", "start", "power_kw"]


def bridge(
    console: Console,
    node: NodePath,
    listen: Annotated[
        str, typer.Option(metavar="BOX|URL", help="Where envelopes arrive: a folder, or a relay.", show_default=False)
    ],
    allow: Annotated[
        str,
        typer.Option(metavar="T,T", help="Types to hand over: alert.fire, alert.water, setpoint.", show_default=False),
    ],
    to: Annotated[str, typer.Option(metavar="csv:FOLDER", help="Where plain files go.", show_default=False)],
    reply: Annotated[
        str | None,
        typer.Option(
            metavar="BOX|URL",
            help="Where signed answers go  [answers stay; over a relay the same]",
            show_default=False,
        ),
    ] = None,
    drills: Annotated[bool, typer.Option("--drills", help="Hand over drills too; column drill says which.")] = False,
    every: Annotated[
        int | None, typer.Option(metavar="S", help="Again every S seconds  [once]", min=1, max=600, show_default=False)
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Hand verified messages to an old system as CSV files, and sign what it answers.

    One file a message, written whole, named alike if a message comes again after a crash.  An answer is a CSV file
    with columns message and state (received, acting, done, cannot) in FOLDER/answers; write it under another name and
    rename it.  What was signed moves to answers/read, what was refused to answers/refused; exit code 0 either way.

    \b
    Example: planner bridge nodes/house --listen boxes/house --allow alert.fire,setpoint --to csv:legacy
    Example: planner bridge nodes/house --listen in --allow alert.fire --to csv:legacy --reply out --every 5
    Example: planner bridge nodes/house --listen http://127.0.0.1:8470 --allow alert.fire --to csv:legacy --every 5
    """
    from planner.marketplace.line import Line
    from planner.security.bridge import Bridge, bridge_types

    scheme, _, folder = to.partition(":")
    if scheme != "csv" or not folder:
        raise refuse(f"cannot write to '{to}'", "say csv:FOLDER", "--to")
    allowed = [name.strip() for name in allow.split(",")]
    if unknown := sorted(set(allowed) - bridge_types().keys()):
        raise refuse(f"cannot hand over '{unknown[0]}'", "known: " + ", ".join(sorted(bridge_types())), "--allow")
    if not is_address(listen) and not Path(listen).is_dir():
        console.note(f"{listen} is not there yet; it is looked for again")
    out, opened = Path(folder), opened_node(node, passphrase_file)
    try:
        made, post = Bridge(opened, allowed, drills), post_of([listen], opened, every or 1)
        back = post if is_address(listen) else None if reply is None else post_of([reply], opened, every or 1)
        while True:
            told = [*_hand_over(console, made, post, out), *_answer(console, made, out / "answers", back)]
            if told or every is None:
                console.result("\n".join(told) or "nothing new", told)
                opened.mark()
            if trouble := getattr(post, "trouble", ""):
                console.note(f"no marketplace is heard: {trouble}")
            if every is None:
                break
            time.sleep(every)
        if back is not None and isinstance(back, Line) and back.pending:
            back.flush()
    finally:
        opened.close()
    return Exit.NOT_CLEAN if trouble else Exit.DONE


def setpoint(
    console: Console,
    node: NodePath,
    zone: Zone,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="setpoints.csv as planner export writes it.", show_default=False)
    ],
    to: Targets = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Send setpoints to the bridges of a zone: signed, sealed, in whole watts.

    \b
    Example: planner setpoint nodes/gateway b01 out/setpoints.csv --to boxes/house
    """
    from planner.security.acks import say
    from planner.security.bridge import bridge_types
    from planner.security.refusal import Reason, Refused

    if not to or any(map(is_address, to)):
        raise refuse("setpoints travel in folders", "give --to BOX: they stay inside the building", "--to")
    body, at = {"points": _points(file)}, int(time.time())
    opened = opened_node(node, passphrase_file)
    try:
        readers = [entity.name for entity in opened.roster.readers("setpoint", zone, at)]
        if not readers:
            raise Refused(Reason.RECIPIENT)
        data = say(opened, bridge_types()["setpoint"], zone, readers, body, at)
        hand_over(console, opened, to, [data])
    finally:
        opened.close()
    assets = counted(len({point["asset"] for point in body["points"]}), "asset")
    console.result(f"setpoints of {assets} to {', '.join(readers)}", {"zone": zone, "readers": readers})
    return Exit.DONE


def _hand_over(console: Console, made: Bridge, post: Post, out: Path) -> Iterator[str]:
    from planner.security.files import write_atomically
    from planner.security.refusal import Refused

    def write(sheet: Sheet) -> None:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / sheet.name, sheet.csv)

    for letter in post.letters():
        try:
            sheet = made.hand_over(letter.data, int(time.time()), write)
        except Refused as refused:
            console.note(f"{letter.name[:16]} refused: {refused.reason}")
            letter.settle(False)
            continue
        letter.settle(True)
        if sheet is not None:
            yield f"wrote {out / sheet.name}: {counted(len(sheet.rows), 'row')}"


def _answer(console: Console, made: Bridge, folder: Path, reply: Post | None) -> Iterator[str]:
    """Sign what the old system wrote; a file with a bad line is set aside as a whole.

    Whatever is no file of its own, such as a link or a folder, is left alone; so is a file that is still growing.
    """
    from planner.security.post import settle
    from planner.security.refusal import Reason, Refused

    if reply is None:
        return
    for path in sorted(folder.glob("*.csv")):
        if path.is_symlink() or not path.is_file():
            continue
        try:
            if path.stat().st_size > MAX_ANSWER_BYTES:
                raise Refused(Reason.SIZE)
            if not path.read_bytes().endswith(b"\n"):
                console.note(f"{path.name} waits: its last line has no end")
                continue
            rows = _rows(path, ANSWER_COLUMNS)
            envelopes = [made.answer(row["message"], row["state"], int(time.time())) for _, row in rows]
        except (Refused, InvalidInput, PermissionError) as wrong:
            console.note(f"{path.name} refused: {wrong}")
            settle(path, accepted=False)
            continue
        for data in envelopes:
            reply.send(data)
        settle(path, accepted=True)
        yield f"signed {counted(len(envelopes), 'answer')} of {path.name}"


def _points(file: Path) -> list[dict[str, Any]]:
    """The points of a setpoint message: per asset the first start, the step in seconds, and whole watts."""
    series: dict[str, list[tuple[int, int]]] = {}
    for line, row in _rows(file, SETPOINT_COLUMNS):
        series.setdefault(row["asset"], []).append(
            (_epoch(file, line, row["start"]), _watts(file, line, row["power_kw"]))
        )
    if not series:
        raise refuse("no setpoints", place=str(file))
    return [_point(file, asset, sorted(values)) for asset, values in sorted(series.items())]


def _point(file: Path, asset: str, values: list[tuple[int, int]]) -> dict[str, Any]:
    starts = [start for start, _ in values]
    steps = {after - before for before, after in itertools.pairwise(starts)} or {3600}
    if len(steps) != 1 or 0 in steps:
        raise refuse(f"the starts of {asset} are not evenly spaced", place=str(file))
    return {"asset": asset, "begin": starts[0], "seconds": steps.pop(), "power_w": [power for _, power in values]}


def _epoch(file: Path, line: int, text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        raise InvalidInput([Problem(str(file), line, "start is no time with an offset", shown(text))])
    return int(at.timestamp())


def _watts(file: Path, line: int, text: str) -> int:
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        raise InvalidInput([Problem(str(file), line, "power_kw is no number", shown(text))]) from None


def _rows(file: Path, columns: list[str]) -> list[tuple[int, dict[str, str]]]:
    """(line, row) of a CSV with exactly these columns, in any order."""
    try:
        reader = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""))
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error):
        raise refuse("is no CSV in UTF-8", place=str(file)) from None
    if sorted(reader.fieldnames or []) != sorted(columns):
        raise refuse("has other columns", "needed: " + ", ".join(columns), str(file))
    for line, row in rows:
        if None in row or None in row.values():
            raise InvalidInput([Problem(str(file), line, "has too few or too many values")])
    return rows


COMMANDS = {"bridge": bridge, "setpoint": setpoint}
