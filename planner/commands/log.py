"""The audit log of a node: check it, hand its public part to an auditor, prove an entry, forget what one tells of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.commands.console import Console, counted
from planner.commands.keys import NodePath
from planner.commands.outcome import Exit, refuse

if TYPE_CHECKING:
    from planner.security.log import Entry

RUN_LOG = Path("market") / "log.jsonl"
Opened = tuple[str, "list[Entry]", tuple[bytes, ...], dict[int, tuple[bytes, bytes]]]


def verify(
    console: Console,
    place: Annotated[
        Path,
        typer.Argument(metavar="LOG", help="A node's folder, a run, or what extract wrote.", show_default=False),
    ],
    rosters: Annotated[
        list[Path] | None,
        typer.Option(
            "--roster", metavar="F", help="A roster with the owner's keys; repeat  [the node's own]", show_default=False
        ),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            metavar="F", help="A checkpoint held from earlier: the log must only have grown.", show_default=False
        ),
    ] = None,
) -> int:
    """Check chain, signatures, checkpoints and records of a log; the first broken entry is named.

    Of a run, outbox and roster are compared with it.  Exit code 1 if anything fails.

    \b
    Example: planner log verify nodes/market
    """
    from planner.security.logcheck import check_log

    if (place / RUN_LOG).is_file():
        return _verify_run(console, place)
    owner, entries, checkpoints, records = _read(place)
    keys = _keys(owner, place, rosters or ())
    verdict = check_log(owner, entries, checkpoints, keys, records)
    grew = since is None or _only_grew(entries, since.read_bytes().strip(), keys)
    told = {"log": owner, "entries": verdict.entries, "clears": list(verdict.rounds), "records": verdict.records}
    told |= {"after_last_checkpoint": verdict.unsigned, "first_broken": verdict.broken, "why": verdict.why}
    told |= {"root": verdict.root, "only_grew": grew}
    if verdict.broken is not None:
        console.result(f"{owner}: entry {verdict.broken} is broken: {verdict.why}", told)
        return Exit.NOT_CLEAN
    if not grew:
        console.result(f"{owner}: the log is not a continuation of {since}", told)
        return Exit.NOT_CLEAN
    clears = counted(verdict.checkpoints, "checkpoint")
    words = f"{owner}: {verdict.entries} entries hold, {clears}, {counted(verdict.records, 'record')} compared"
    console.result(f"{words}, {verdict.unsigned} entries after the last checkpoint\nroot {verdict.root}", told)
    return Exit.DONE


def extract(
    console: Console,
    node: NodePath,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="F", help="Where to write it.", show_default=False)],
) -> int:
    """Write the public part of a log for an auditor: leaves, links, signatures, checkpoints; no record.

    \b
    Example: planner log extract nodes/market -o market-log.jsonl
    """
    from planner.security.logcheck import extract as extract_log

    owner, entries, checkpoints, _ = _read(node)
    out.write_bytes(extract_log(entries, checkpoints, owner))
    console.result(f"wrote {out}: {len(entries)} entries", {"file": str(out), "entries": len(entries)})
    return Exit.DONE


def prove(
    console: Console,
    node: NodePath,
    message: Annotated[
        str, typer.Argument(metavar="HASH", help="SHA-256 of an envelope, roster or report.", show_default=False)
    ],
) -> int:
    """Show that a message is in the log: its entries, each with salt, record and proof up to the root.

    \b
    Example: planner log prove nodes/market 6e340b9cffb37a98
    """
    from planner.security.log import Record
    from planner.security.merkle import inclusion_proof, is_included, root_of

    owner, entries, _, records = _read(node)
    leaves = [entry.leaf for entry in entries]
    found = []
    for n, (salt, document) in sorted(records.items()):
        if len(message) >= 8 and Record.from_bytes(document).subject.startswith(message.lower()):
            proof = inclusion_proof(leaves, n)
            assert is_included(leaves[n], n, len(leaves), proof, root_of(leaves))
            row = {"entry": n, "salt": salt.hex(), "record": document.decode(), "proof": [h.hex() for h in proof]}
            found.append(row)
    root = root_of(leaves).hex()
    lines = [f"entry {row['entry']} of {len(leaves)}: {row['record']}" for row in found]
    told = {"log": owner, "size": len(leaves), "root": root, "entries": found}
    console.result("\n".join([*lines, f"root {root}"]) if found else "no entry tells of it", told)
    return Exit.DONE if found else Exit.NOT_CLEAN


def erase(
    console: Console,
    node: NodePath,
    message: Annotated[
        str, typer.Argument(metavar="HASH", help="SHA-256 of an envelope, roster or report.", show_default=False)
    ],
) -> int:
    """Forget what a message's entries tell of, for good: the chain still holds, and its leaves say nothing any more.

    \b
    Example: planner log erase nodes/market 6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
    """
    from planner.security.log import Record, forget

    _, _, _, records = _read(node)
    found = [n for n, (_, told) in sorted(records.items()) if Record.from_bytes(told).subject == message.lower()]
    if not found:
        raise refuse("no entry tells of it", "give the whole hash; planner log prove finds it", message[:64])
    db = sqlite3.connect(node / "node.sqlite", isolation_level=None, timeout=30)
    forget(db, found)
    db.close()
    console.result(f"forgot {counted(len(found), 'record')}", {"erased": found})
    return Exit.DONE


def _verify_run(console: Console, run: Path) -> int:
    from planner.security.clearlog import check_clear_log
    from planner.security.roster import Roster

    roster = Roster.from_bytes((run / "market" / "roster.json").read_bytes().strip())
    envelopes = [line for path in sorted((run / "outbox").glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    report = run / "market" / "privacy.json"
    told_outside = report.read_bytes() if report.is_file() else None
    verdict, differ = check_clear_log((run / RUN_LOG).read_bytes(), roster, envelopes, told_outside)
    told = {"log": verdict.owner, "entries": verdict.entries, "clears": list(verdict.rounds), "root": verdict.root}
    told |= {"first_broken": verdict.broken, "why": verdict.why, "differs": list(differ)}
    if verdict.broken is not None:
        console.result(f"{verdict.owner}: entry {verdict.broken} is broken: {verdict.why}", told)
        return Exit.NOT_CLEAN
    head = f"{verdict.owner}: {verdict.entries} entries hold, clear {', '.join(verdict.rounds)}\nroot {verdict.root}"
    console.result("\n".join([head, *differ]), told)
    return Exit.NOT_CLEAN if differ or not verdict.rounds else Exit.DONE


def _read(place: Path) -> Opened:
    from planner.security.keyfiles import read_card
    from planner.security.log import checkpoints_of, entries_of, privates_of
    from planner.security.logcheck import read_extract

    if place.is_file():
        read = read_extract(place.read_bytes())
        return read.owner, read.entries, tuple(read.checkpoints), read.records
    database = place / "node.sqlite"
    if not database.is_file():
        raise refuse("no log here", "give a node's folder or what planner log extract wrote", str(place))
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return read_card(place).name, list(entries_of(db)), checkpoints_of(db), privates_of(db)
    except sqlite3.Error as error:
        raise refuse(f"is no database of a node ({error})", place=str(database)) from None
    finally:
        db.close()


def _keys(owner: str, place: Path, rosters: Iterable[Path]) -> dict[str, bytes]:
    """Every key the owner ever had: from the rosters given, or from all that the node trusted."""
    from planner.security.documents import ROSTER_TYPE, payload_of
    from planner.security.roster import Roster
    from planner.security.rosterstore import RosterStore

    found = [Roster.from_bytes(payload_of(path.read_bytes(), ROSTER_TYPE)) for path in rosters]
    if not found and place.is_dir():
        store = RosterStore(place / "roster")
        found = [store.version(number) for number in store.versions()]
    entities = [entity for roster in found if (entity := roster.entity(owner)) is not None]
    if not entities:
        raise refuse(f"no roster with the keys of {owner}", "give one with --roster", str(place))
    return {record.key_id: record.public for entity in entities for record in entity.signing}


def _only_grew(entries: list[Entry], data: bytes, keys: dict[str, bytes]) -> bool:
    from planner.security.logcheck import Checkpoint
    from planner.security.merkle import consistency_proof, is_consistent, root_of

    told = Checkpoint.of(data, keys)
    leaves = [entry.leaf for entry in entries]
    if told.size > len(leaves):
        return False
    if told.size == 0:
        return True
    proof = consistency_proof(leaves, told.size)
    return is_consistent(told.size, bytes.fromhex(told.root), len(leaves), root_of(leaves), proof)


COMMANDS = {"verify": verify, "extract": extract, "prove": prove, "erase": erase}
