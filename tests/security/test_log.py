"""The audit log: chain, tree and what stays inside (T-A04)."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import pytest
from security_world import NOW, World

from planner.security import strict
from planner.security.documents import CHECKPOINT_TYPE, payload_of
from planner.security.keys import LocalSigner
from planner.security.log import Kind, Log, Record, leaf_of, privates_of
from planner.security.merkle import root_of
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
    log.erase(2)
    assert 2 not in privates_of(db)
    assert [entry.leaf for entry in log.entries()] == before
    assert hashlib.sha256(record.to_bytes()).digest() != before[2] != leaf_of(bytes(32), record.to_bytes())
    assert log.append(Record(Kind.SENT, NOW, subject(9))) == 5
