"""The log of one clear as a file: what the marketplace acted under and which envelopes it took, chained and signed.

It lies beside the outbox in ``market/log.jsonl``; its checkpoint, one per clear, bears the RFC 6962 root that parties
compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from planner.security.keys import Identity
from planner.security.log import Kind, Log, Record, checkpoints_of, privates_of
from planner.security.logcheck import LogVerdict, check_log, extract, read_extract
from planner.security.opening import message_hash
from planner.security.refusal import Reason, require
from planner.security.replay import ReplayStore
from planner.security.roster import Roster


def clear_log(
    me: Identity,
    roster: Roster,
    clear_id: str,
    sent: Mapping[str, Sequence[bytes]],
    at: int,
    report: bytes | None = None,
) -> bytes:
    """The log of clear ``clear_id``: roster, policy, and every envelope, group by group in the order they came.

    With the ``report`` on what was released come, where anything was, the last word of every group as a decision of
    the gate, and the report's hash: the signed chain is the signature under both.
    """
    store = ReplayStore()
    log = Log(store.connection, me.name, me.signer)
    log.append(Record(Kind.ROSTER, at, hashlib.sha256(roster.to_bytes()).hexdigest()))
    log.append(Record(Kind.POLICY, at, roster.policy))
    for group in sorted(sent):
        for envelope in sent[group]:
            log.append(Record(Kind.RECEIVED, at, message_hash(envelope)))
    if report is not None and sent:
        for group in sorted(sent):
            log.append(Record(Kind.DECISION, at, message_hash(sent[group][-1])))
        log.append(Record(Kind.REPORT, at, hashlib.sha256(report).hexdigest()))
    log.checkpoint(clear_id, at)
    lines = extract(log.entries(), checkpoints_of(store.connection), me.name, privates_of(store.connection))
    store.close()
    return lines


def check_clear_log(
    data: bytes, roster: Roster, envelopes: Iterable[bytes], report: bytes | None = None
) -> tuple[LogVerdict, tuple[str, ...]]:
    """What the log of a clear turned out to be, and what does not fit between it, roster, outbox and report.

    Raises Refused if it is not of the form, or if its owner is not in the roster.
    """
    read = read_extract(data)
    owner = roster.entity(read.owner)
    require(owner is not None, Reason.UNKNOWN_KEY)
    assert owner is not None
    keys = {record.key_id: record.public for record in owner.signing}
    verdict = check_log(read.owner, read.entries, read.checkpoints, keys, read.records)
    if not verdict.holds:
        return verdict, ()
    told = [Record.from_bytes(document) for _, document in read.records.values()]
    logged = {kind: {record.subject for record in told if record.kind is kind} for kind in Kind}
    outbox = {message_hash(envelope) for envelope in envelopes}
    differ = []
    if logged[Kind.ROSTER] != {hashlib.sha256(roster.to_bytes()).hexdigest()}:
        differ.append("logged under another roster")
    if logged[Kind.POLICY] != {roster.policy}:
        differ.append("logged under another policy")
    reports = {hashlib.sha256(report).hexdigest()} if report is not None and outbox else set()
    if logged[Kind.REPORT] != reports:
        differ.append("logged with another report on what was released, or without it")
    differ += [
        f"envelope {one[:16]} is in the outbox and not in the log" for one in sorted(outbox - logged[Kind.RECEIVED])
    ]
    differ += [
        f"envelope {one[:16]} is in the log and not in the outbox" for one in sorted(logged[Kind.RECEIVED] - outbox)
    ]
    return verdict, tuple(differ)
