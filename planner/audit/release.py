"""R1, R2 and R6: what left the buildings, checked from the outbox and the roster.

Envelopes are sealed to the marketplace.  Without its keys an audit sees signature, sender, reader, policy and type;
with them (``reader``) it also sees the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from planner.audit.disclosure import policy_of
from planner.audit.evidence import Evidence
from planner.audit.findings import Findings
from planner.audit.market import Market
from planner.audit.table import DamagedFileError, MissingFileError
from planner.security.keys import Identity
from planner.security.messages import RELEASE_TYPES, release_types
from planner.security.opening import Reader, Verified, open_envelope, verify_envelope
from planner.security.policy import PRESETS
from planner.security.refusal import Refused
from planner.security.roster import Roster

ROSTER = "market/roster.json"


def roster_of(run: Evidence) -> Roster:
    path = run.path(ROSTER)
    if not path.is_file():
        raise MissingFileError(f"{ROSTER} is missing")
    try:
        return Roster.from_bytes(path.read_bytes().strip())
    except (Refused, OSError) as refused:
        raise DamagedFileError(ROSTER, f"is no roster: {refused}") from None


def outbox(run: Evidence) -> tuple[Path, ...]:
    folder = run.root / "outbox"
    if not folder.is_dir():
        raise MissingFileError("outbox/ is missing")
    return tuple(sorted(folder.glob("*.jsonl")))


def envelopes(run: Evidence, found: Findings | None = None) -> Iterator[tuple[str, int, bytes, Verified]]:
    """(file, line from 1, bytes, what holds) of every envelope that verifies; the others are named under R1."""
    roster = roster_of(run)
    for path in outbox(run):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                yield f"outbox/{path.name}", number, line, verify_envelope(line, roster)
            except Refused as refused:
                if found is not None:
                    what = f"line {number} does not verify: {refused}"
                    found.add("R1", f"outbox/{path.name}", what, name=path.stem)


def check_envelopes(run: Evidence, found: Findings) -> None:
    """R1: signature, key, reader, stream, and sequence numbers that rise."""
    policy, roster = policy_of(run), roster_of(run)
    last: dict[tuple[str, str, str], int] = {}
    for file, line, _, seen in envelopes(run, found):
        header, group = seen.header, Path(file).stem
        for name in header.recipients:
            if roster.entity(name) is None:
                found.add("R1", file, f"line {line}: a reader the roster does not know", name, name=group)
        if header.stream != group:
            found.add("R1", file, f"line {line}: the stream of another group", header.stream, group, name=group)
        if header.policy != policy.sha256 or header.policy != roster.policy:
            found.add("R1", file, f"line {line}: under another policy", header.policy, policy.sha256, name=group)
        key = (header.sender, header.stream, header.round)
        if header.sequence <= last.get(key, -1):
            found.add("R1", file, f"line {line}: sequence does not rise", header.sequence, last[key] + 1, name=group)
        last[key] = header.sequence


def check_bodies(run: Evidence, found: Findings, reader: Identity | None) -> None:
    """R2: types that may be sent; with the reader's keys, fields and numbers too."""
    policy_of(run)
    roster, types = roster_of(run), release_types(None)
    for file, line, data, seen in envelopes(run):
        if seen.header.type not in RELEASE_TYPES:
            found.add(
                "R2", file, f"line {line}: a type that may not leave a building", seen.header.type, "answer, commit"
            )
        elif reader is not None and reader.name in seen.header.recipients:
            try:
                open_envelope(data, Reader(reader, roster, types), seen.header.issued_at, lambda *_: -1)
            except Refused as refused:
                found.add("R2", file, f"line {line}: the body is refused: {refused}", name=Path(file).stem)
    if reader is None:
        raise MissingFileError("bodies are sealed to the marketplace; their fields need its keys")


def check_silence(run: Evidence, found: Findings, reader: Identity | None) -> None:
    """R6: a group that trades has committed, a dark one has not; what was sent is what was cleared.

    One that failed after it had committed is dark, and the certificate names it.
    """
    if not PRESETS[run.terms.preset].gated if run.terms.preset in PRESETS else False:
        if (run.part or (run.root / "outbox").is_dir()) and outbox(run):
            found.add("R6", "outbox/", f"envelopes under preset {run.terms.preset}", len(outbox(run)), 0)
        return
    m = run.market
    sent: dict[str, tuple[str, bytes, Verified]] = {}
    for file, _, data, seen in envelopes(run):
        if seen.header.type == "commit":
            sent[Path(file).stem] = (file, data, seen)
    dark = dict(zip(m.groups.text("group"), m.groups.flags("dark", False), strict=True))
    for name, is_dark in sorted(dark.items()):
        if is_dark and name in sent and name not in (run.certificate.get("faults") or {}):
            found.add("R6", sent[name][0], "a dark group spoke", name=name)
        if not is_dark and name not in sent:
            found.add("R6", f"outbox/{name}.jsonl", "a group trades without having committed", name=name)
    for name in sorted(set(sent) - set(dark)):
        found.add("R6", sent[name][0], "a group that groups.csv does not name", name=name)
    if reader is not None:
        _compare(m, {name: last for name, last in sent.items() if not dark.get(name)}, reader, found)


def _compare(m: Market, sent: dict[str, tuple[str, bytes, Verified]], reader: Identity, found: Findings) -> None:
    names, positions = m.group_positions
    roster, types = roster_of(m.run), release_types(None)
    for name, (file, data, seen) in sorted(sent.items()):
        try:
            opened = open_envelope(data, Reader(reader, roster, types), seen.header.issued_at, lambda *_: -1)
        except Refused:
            continue  # named under R2
        said = np.array(opened.body["position_wh"])
        held = positions[names.index(name)] if name in names else np.zeros(0, dtype=np.int64)
        if len(said) < m.grid.settled or (said != held[: len(said)]).any():
            found.add(
                "R6", file, "what was sent is not what was cleared (Wh)", int(said.sum()), int(held.sum()), name=name
            )
