"""The audit log: chain, tree and what stays inside (T-A04, T-A05)."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from security_world import NOW, World

from planner.security import strict
from planner.security.clearlog import check_clear_log, clear_log
from planner.security.documents import CHECKPOINT_TYPE, payload_of
from planner.security.keys import LocalSigner, signing_key_id
from planner.security.log import Kind, Log, Record, checkpoints_of, forget, leaf_of, privates_of
from planner.security.logcheck import LogVerdict, check_log, extract, read_extract
from planner.security.merkle import root_of
from planner.security.opening import message_hash
from planner.security.refusal import Reason, Refused
from planner.security.replay import ReplayStore


def subject(n: int) -> str:
    return hashlib.sha256(b"%d" % n).hexdigest()


def filled(entries: int, signer: LocalSigner | None = None) -> tuple[Log, sqlite3.Connection]:
    db = ReplayStore().connection
    log = Log(db, "market", signer or LocalSigner.generate())
    for n in range(entries):
        assert log.append(Record(Kind.RECEIVED, NOW + n, subject(n))) == n
    return log, db


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 21])
def test_the_root_of_a_checkpoint_is_that_of_rfc_6962(size: int) -> None:
    log, _ = filled(size)
    kept = strict.loads(payload_of(log.checkpoint("day-1", NOW), CHECKPOINT_TYPE))
    assert (kept["size"], kept["log"], kept["round"]) == (size, "market", "day-1")
    assert kept["root"] == root_of([entry.leaf for entry in log.entries()]).hex()
    assert len(log) == size


def test_an_entry_goes_with_what_it_tells_of(world: World, honest_answer: Any) -> None:
    """Effect, number and entry are one transaction; a failed one leaves no entry and the chain intact."""
    store = ReplayStore()
    log = Log(store.connection, "market", world.identities["market"].signer)
    opened = world.open(world.seal(honest_answer))
    log.append(Record(Kind.ROSTER, NOW, subject(0)))

    def fail(db: sqlite3.Connection) -> None:
        log.append(Record(Kind.RECEIVED, NOW, opened.message_hash))
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        store.act(opened, fail)
    assert len(log) == 1
    assert store.acted == 0
    store.act(opened, lambda db: log.append(Record(Kind.RECEIVED, NOW, opened.message_hash)))
    assert [entry.n for entry in log.entries()] == [0, 1]


@pytest.mark.parametrize(
    "record",
    [
        Record(Kind.RECEIVED, NOW, "Anna Berg"),
        Record(Kind.RECEIVED, NOW, "A" * 64),
        Record(Kind.RECEIVED, NOW, subject(0), "42 kWh"),
        Record(Kind.RECEIVED, -1, subject(0)),
        Record(Kind.RECEIVED, 1.5, subject(0)),  # type: ignore[arg-type]
    ],
)
def test_a_record_holds_no_text_of_its_own(record: Record) -> None:
    with pytest.raises(Refused) as caught:
        record.to_bytes()
    assert caught.value.reason is Reason.LOG


def test_T_A04_erasing_a_salt(world: World) -> None:
    """The tree stays; of the leaf nobody can tell any more what it stood for, even with a guess at hand."""
    log, db = filled(5)
    before = [entry.leaf for entry in log.entries()]
    record = Record(Kind.RECEIVED, NOW + 2, subject(2))
    salt, stored = privates_of(db)[2]
    assert stored == record.to_bytes()
    assert leaf_of(salt, stored) == before[2]
    forget(db, [2])
    assert 2 not in privates_of(db)
    assert [entry.leaf for entry in log.entries()] == before
    assert hashlib.sha256(record.to_bytes()).digest() != before[2] != leaf_of(bytes(32), record.to_bytes())
    assert log.append(Record(Kind.SENT, NOW, subject(9))) == 5


# -- checking


def kept(log: Log, db: sqlite3.Connection, signer: LocalSigner, **changes: Any) -> LogVerdict:
    """The verdict over a log, with something exchanged."""
    parts = {
        "entries": list(log.entries()),
        "checkpoints": list(checkpoints_of(db)),
        "keys": {signing_key_id(signer.public): signer.public},
        "records": privates_of(db),
    }
    return check_log("market", **(parts | changes))


@pytest.fixture
def month() -> tuple[Log, sqlite3.Connection, LocalSigner]:
    """Three clears of seven entries, and two more entries."""
    signer = LocalSigner.generate()
    log, db = filled(0, signer)
    for day in range(3):
        for n in range(5):
            log.append(Record(Kind.RECEIVED, NOW + day, subject(10 * day + n)))
        log.append(Record(Kind.DECISION, NOW + day, subject(day)))
        log.append(Record(Kind.REPORT, NOW + day, subject(100 + day)))
        log.checkpoint(f"day-{day}", NOW + day)
    log.append(Record(Kind.REFUSED, NOW, subject(7), Reason.REPLAY))
    log.append(Record(Kind.RECEIVED, NOW, subject(8)))
    return log, db, signer


def test_a_whole_log_holds(month: Any) -> None:
    verdict = kept(*month)
    assert verdict.holds
    assert (verdict.entries, verdict.records, verdict.unsigned) == (23, 23, 2)
    assert verdict.rounds == ("day-0", "day-1", "day-2")
    for records in ({}, privates_of(month[1])):
        read = read_extract(extract(month[0].entries(), checkpoints_of(month[1]), "market", records))
        assert (read.owner, read.entries, read.records) == ("market", list(month[0].entries()), records)
        assert tuple(read.checkpoints) == checkpoints_of(month[1])
        assert kept(*month, entries=read.entries, checkpoints=read.checkpoints, records=read.records).holds


@pytest.mark.parametrize("index", [0, 6, 7, 13, 22])
@pytest.mark.parametrize("how", ["leaf", "link", "signature", "key", "n"])
def test_the_first_broken_index_is_named(month: Any, index: int, how: str) -> None:
    entries = list(month[0].entries())
    other = {"leaf": bytes(32), "link": bytes(32), "signature": bytes(64), "key": "0" * 32, "n": 99}
    entries[index] = replace(entries[index], **{how: other[how]})
    for later in range(index + 3, 23, 5):
        entries[later] = replace(entries[later], signature=bytes(64))
    verdict = kept(*month, entries=entries)
    assert (verdict.holds, verdict.broken) == (False, index)


def test_a_chain_rewritten_by_somebody_without_the_key_breaks_where_it_begins(month: Any) -> None:
    """Every hash recomputed, every link signed by a thief: entry 9 is still the first that fails."""
    log, db, signer = month
    thief = LocalSigner.generate()
    forged, other = filled(0, thief)
    for n, (_, document) in sorted(privates_of(db).items()):
        told = Record.from_bytes(document)
        forged.append(replace(told, subject=subject(999)) if n == 9 else told)
    entries = [*list(log.entries())[:9], *list(forged.entries())[9:]]
    verdict = kept(log, db, signer, entries=entries, records={})
    assert verdict.broken == 9
    both = {signing_key_id(s.public): s.public for s in (signer, thief)}
    whole = kept(log, db, signer, entries=list(forged.entries()), records=privates_of(other), keys=both)
    assert whole.broken == 7
    assert whole.why == "a checkpoint of another chain"


def test_entries_removed_reordered_or_cut_off(month: Any) -> None:
    entries = list(month[0].entries())
    assert kept(*month, entries=entries[:4] + entries[5:]).broken == 4
    assert kept(*month, entries=[*entries[:4], entries[5], entries[4], *entries[6:]]).broken == 4
    cut = kept(*month, entries=entries[:15])
    assert (cut.broken, cut.why) == (15, "a checkpoint speaks of entries that are not there")
    assert kept(*month, entries=entries[:22]).holds, "what no checkpoint speaks of can be cut: hold the newest one"


def test_checkpoints_are_the_owners_and_in_order(month: Any) -> None:
    log, db, signer = month
    first, second, third = checkpoints_of(db)
    assert kept(log, db, signer, checkpoints=[second, first, third]).broken is not None
    thief, _ = filled(7)
    assert kept(log, db, signer, checkpoints=[thief.checkpoint("day-0", NOW), second, third]).broken == 7
    assert kept(log, db, signer, checkpoints=[b"{}", second]).broken == 0


def test_a_record_that_was_exchanged_is_found(month: Any) -> None:
    log, db, signer = month
    records = privates_of(db)
    salt, _ = records[11]
    records[11] = (salt, Record(Kind.RECEIVED, NOW, subject(12345)).to_bytes())
    verdict = kept(log, db, signer, records=records)
    assert (verdict.broken, verdict.why) == (11, "the record is not the one that was logged")


@pytest.mark.parametrize(
    ("kinds", "broken", "why"),
    [
        ((Kind.RECEIVED, Kind.DECISION), 1, "a release without a report of its clear"),
        ((Kind.RECEIVED, Kind.RECEIVED, Kind.REPORT), 2, "a report without a release in its clear"),
        ((Kind.DECISION, Kind.REPORT), None, ""),
    ],
)
def test_T_A05_release_and_report_come_together(kinds: Any, broken: int | None, why: str) -> None:
    signer = LocalSigner.generate()
    log, db = filled(0, signer)
    for n, kind in enumerate(kinds):
        log.append(Record(kind, NOW, subject(n)))
    log.checkpoint("day-1", NOW)
    verdict = kept(log, db, signer)
    assert (verdict.broken, verdict.why) == (broken, why)


def test_T_A04_the_log_holds_after_an_erasure(month: Any) -> None:
    forget(month[1], [3])
    verdict = kept(*month)
    assert verdict.holds
    assert verdict.records == 22


@pytest.mark.parametrize("data", [b"", b"{}\n", b'{"log":"Anna Berg"}\n', b'{"log":"m"}\n{"n":0}\n', b"nonsense"])
def test_damaged_extracts(data: bytes) -> None:
    with pytest.raises(Refused):
        read_extract(data)


def test_the_log_of_a_clear_fits_its_outbox(world: World, honest_answer: Any) -> None:
    sent = {"b1": [world.seal(honest_answer, sequence=n) for n in range(3)]}
    data = clear_log(world.identities["market"], world.roster, "day-1", sent, NOW)
    verdict, differ = check_clear_log(data, world.roster, sent["b1"])
    assert verdict.holds
    assert (verdict.entries, verdict.rounds, differ) == (5, ("day-1",), ())
    assert len(check_clear_log(data, world.roster, sent["b1"][1:])[1]) == 1
    assert len(check_clear_log(data, world.roster, sent["b1"], b"{}")[1]) == 1
    assert len(check_clear_log(data, world.roster, [*sent["b1"], world.seal(honest_answer, sequence=9)])[1]) == 1
    other = replace(world.roster, policy="6" * 64)
    assert check_clear_log(data, other, sent["b1"])[1][:2] == (
        "logged under another roster",
        "logged under another policy",
    )
    thief = clear_log(world.identities["gateway-2"], world.roster, "day-1", sent, NOW)
    renamed = thief.replace(b'{"log":"gateway-2"}', b'{"log":"market"}')
    assert check_clear_log(renamed, world.roster, sent["b1"])[0].broken == 0
    with pytest.raises(Refused):
        check_clear_log(data.replace(b'{"log":"market"}', b'{"log":"nobody"}'), world.roster, sent["b1"])


def test_the_log_of_a_clear_signs_its_report(world: World, honest_answer: Any) -> None:
    """T-A05: where anything was released the decision and the report's hash are entries; another report differs."""
    sent = {"b1": [world.seal(honest_answer, sequence=n) for n in range(3)]}
    data = clear_log(world.identities["market"], world.roster, "day-1", sent, NOW, b"report")
    verdict, differ = check_clear_log(data, world.roster, sent["b1"], b"report")
    assert (verdict.holds, verdict.entries, differ) == (True, 7, ())
    records = [Record.from_bytes(document) for _, document in read_extract(data).records.values()]
    assert {r.subject for r in records if r.kind is Kind.DECISION} == {message_hash(sent["b1"][-1])}
    for other in (None, b"another report"):
        assert len(check_clear_log(data, world.roster, sent["b1"], other)[1]) == 1
    nothing = clear_log(world.identities["market"], world.roster, "day-1", {}, NOW, b"report")
    assert check_clear_log(nothing, world.roster, [], b"report")[1] == ()
