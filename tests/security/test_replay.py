"""The replay store across crashes, deletions and backups (T-E05, T-E06)."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from security_world import NOW, World

from planner.security import strict
from planner.security.documents import MARK_TYPE, sign_document
from planner.security.marks import require_not_behind, resynchronise, sign_mark, sign_statement, writers
from planner.security.refusal import Reason, Refused
from planner.security.replay import ReplayStore

KILLED = """
import os, signal, sqlite3, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from planner.security.replay import ReplayStore
from types import SimpleNamespace
header = SimpleNamespace(sender="gateway-1", stream="b1", round="day-1", sequence=1)
store = ReplayStore(Path(sys.argv[1]))
def effect(db):
    db.execute("CREATE TABLE IF NOT EXISTS effects (n INTEGER)")
    db.execute("INSERT INTO effects VALUES (1)")
    if sys.argv[2] == "inside":
        os.kill(os.getpid(), signal.SIGKILL)
store.act(SimpleNamespace(header=header), effect)
os.kill(os.getpid(), signal.SIGKILL)
"""


def effects(store: ReplayStore) -> int:
    there = store.connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'effects'").fetchone()[0]
    return int(store.connection.execute("SELECT count(*) FROM effects").fetchone()[0]) if there else 0


@pytest.mark.parametrize(("where", "done"), [("inside", 0), ("after", 1)])
def test_T_E05_killed_around_the_store(world: World, honest_answer: Any, tmp_path: Path, where: str, done: int) -> None:
    """kill -9 between verifying and storing, and just after: the message comes again and acts exactly once."""
    path = tmp_path / "node.sqlite"
    code = subprocess.run([sys.executable, "-c", KILLED, str(path), where, *sys.path], check=False).returncode
    assert code == -signal.SIGKILL
    store, opened = ReplayStore(path), world.open(world.seal(honest_answer))
    assert effects(store) == done == store.acted

    def effect(db: Any) -> None:
        db.execute("CREATE TABLE IF NOT EXISTS effects (n INTEGER)")
        db.execute("INSERT INTO effects VALUES (1)")

    if done:
        with pytest.raises(Refused):
            store.act(opened, effect)
    else:
        store.act(opened, effect)
    assert effects(store) == 1 == store.acted
    store.close()


@pytest.fixture
def used(world: World, honest_answer: Any, tmp_path: Path) -> ReplayStore:
    """A store that acted on three messages."""
    store = ReplayStore(tmp_path / "node.sqlite")
    for sequence in (1, 2, 3):
        store.act(world.open(world.seal(honest_answer, sequence=sequence)), lambda db: None)
    return store


def behind(store: ReplayStore, mark: bytes, *publics: bytes) -> Reason:
    with pytest.raises(Refused) as caught:
        require_not_behind(store, mark, publics)
    return caught.value.reason


def test_T_E06_a_store_deleted_or_put_back_does_not_start(
    world: World, honest_answer: Any, used: ReplayStore, tmp_path: Path
) -> None:
    me = world.identities["market"].signer
    used.close()
    shutil.copy(tmp_path / "node.sqlite", tmp_path / "last-week.sqlite")
    store = ReplayStore(tmp_path / "node.sqlite")
    store.act(world.open(world.seal(honest_answer, sequence=4)), lambda db: None)
    mark = sign_mark(store, me)
    require_not_behind(store, mark, [me.public])
    store.close()
    assert behind(ReplayStore(tmp_path / "last-week.sqlite"), mark, me.public) is Reason.STORE
    assert behind(ReplayStore(None), mark, me.public) is Reason.STORE


def test_T_E06_a_mark_by_somebody_else_is_no_mark(world: World, used: ReplayStore) -> None:
    me, thief = world.identities["market"].signer, world.identities["gateway-2"].signer
    assert behind(used, sign_mark(used, thief), me.public) is Reason.THRESHOLD
    forged = sign_document(MARK_TYPE, strict.dumps({"store": used.id, "acted": -1}), [me])
    assert behind(used, forged, me.public) is Reason.FIELDS


def test_T_E06_it_starts_again_from_what_its_writers_signed(world: World, honest_answer: Any) -> None:
    senders, empty = {name: ReplayStore() for name in ("gateway-1", "gateway-2")}, ReplayStore()
    for _ in range(5):
        last = senders["gateway-1"].next_sequence("b1", "day-1", NOW)
    assert last == 4
    said = [sign_statement(store, name, world.identities[name].signer, NOW) for name, store in senders.items()]
    assert writers(world.roster, "market", NOW) == {"gateway-1", "gateway-2"}
    with pytest.raises(Refused) as caught:
        resynchronise(empty, said[:1], world.roster, "market", NOW)
    assert caught.value.reason is Reason.STORE
    resynchronise(empty, said, world.roster, "market", NOW)
    old, new = (world.open(world.seal(honest_answer, sequence=n)) for n in (4, 5))
    with pytest.raises(Refused) as caught:
        empty.act(old, lambda db: None)
    assert caught.value.reason is Reason.REPLAY
    empty.act(new, lambda db: None)


def test_T_E06_statements_are_verified(world: World) -> None:
    store = ReplayStore()
    forged = sign_statement(store, "gateway-1", world.identities["gateway-2"].signer, NOW)
    stale = sign_statement(store, "gateway-1", world.identities["gateway-1"].signer, NOW - 10 * 86400)
    stranger = sign_statement(store, "nobody", world.identities["gateway-1"].signer, NOW)
    for data, reason in ((forged, Reason.SIGNATURE), (stale, Reason.TIME), (stranger, Reason.SENDER)):
        with pytest.raises(Refused) as caught:
            resynchronise(ReplayStore(), [data], world.roster, "market", NOW)
        assert caught.value.reason is reason


def test_own_numbers_are_given_once(tmp_path: Path) -> None:
    store = ReplayStore(tmp_path / "s.sqlite")
    assert [store.next_sequence("b1", "r", NOW) for _ in range(3)] == [0, 1, 2]
    store.close()
    store = ReplayStore(tmp_path / "s.sqlite")
    assert store.next_sequence("b1", "r", NOW + 9) == 3
    assert store.next_sequence("b2", "r", NOW) == 0
    assert store.sent_since(NOW + 1) == [("b1", "r", 3)]
