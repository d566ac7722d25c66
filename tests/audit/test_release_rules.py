"""R1 to R6 on a run of two large buildings: clean as sent, and each rule names what was changed."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from factory import town
from mutations import cell
from outbox import Post, released_town

from planner.audit import RULES, Audit, audit
from planner.security.policy import STRICT

Change = Callable[[Post], None]


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return released_town(tmp_path / "run")


def audited(post: Post) -> Audit:
    return audit(post.town.root, reader=post.reader)


def test_clean_run_is_clean_in_every_rule(post: Post) -> None:
    result = audited(post)
    assert result.clean, str(result)
    assert set(result.rules_not_checkable) == {"C29"}  # there is a line
    assert set(result.rules_checked) == set(RULES) - {"C29", *result.rules_without_subject}


def test_without_keys_the_bodies_are_not_checkable(post: Post) -> None:
    result = audit(post.town.root)
    assert result.clean, str(result)
    assert set(result.rules_not_checkable) == {"R2", "C29"}


def forge(post: Post) -> None:
    line = post.commit("b1").replace(b'"keyid":"', b'"keyid":"0', 1)
    post.send("b1", post.answer("b1"), line)


def occupants(post: Post, count: int, *, first: int = 0) -> None:
    """One occupant for ``count`` units of the crowd of b1."""
    path = post.town.root / "buildings/b1/case/nodes.csv"
    rows = list(csv.reader(path.open()))
    for row in rows:
        if row[0] in {f"b1.u{i:02d}" for i in range(first, first + count)}:
            row[4] = "somebody"
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def quiet(post: Post) -> None:
    """In interval 5 only four units of b1 have a position."""
    path = post.town.root / "buildings/b1/units.csv"
    rows = list(csv.reader(path.open()))
    for row in rows:
        if row[1] == "5" and row[0] not in ("a1", "a2", "b1.u00", "b1.u01"):
            row[6] = row[7] = "0.000"
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def five_busy(post: Post) -> None:
    """In interval 5 only five units of b1 have a position: four besides any of them."""
    quiet(post)
    cell("buildings/b1/units.csv", "offered_kwh", "0.050", unit="b1.u02", interval=5)(post.town.root)


def told(post: Post, **changes: object) -> None:
    path = post.town.root / "market/privacy.json"
    document = json.loads(path.read_text())
    document["groups"][0] |= changes
    path.write_text(json.dumps(document))


def ledger(post: Post) -> sqlite3.Connection:
    return sqlite3.connect(post.town.root.parent / "town.releases.sqlite", isolation_level=None)


def another_roster(post: Post, clear: str) -> None:
    """The ledger knows a release of the same hours for everybody of b1 but one."""
    db = ledger(post)
    row = list(db.execute("SELECT * FROM release WHERE grp = 'b1'").fetchone())
    places = json.loads(db.execute("SELECT places FROM roster WHERE sha256 = ?", (row[-1],)).fetchone()[0])
    db.execute("INSERT INTO roster VALUES ('less', ?)", (json.dumps(places[1:]),))
    if clear == row[1]:
        db.execute("UPDATE release SET roster = 'less' WHERE grp = 'b1'")
    else:
        row[1], row[-1] = clear, "less"
        db.execute(f"INSERT INTO release VALUES ({', '.join('?' * len(row))})", row)
    db.close()


def another_answer(post: Post, changed: int) -> None:
    """The ledger knows an answer of b1 of another clear, in which a few occupants did otherwise."""
    db = ledger(post)
    for table in ("release", "said"):
        row = list(db.execute(f"SELECT * FROM {table} WHERE grp = 'b1'").fetchone())
        row[1] = "clear-0"
        if table == "said":
            digests = json.loads(row[-1])
            row[-1] = json.dumps([[b, o, "f" * 32 if n < changed else v] for n, (b, o, v) in enumerate(digests)])
        db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    db.close()


def earlier_month(post: Post, without: int) -> None:
    """The ledger knows a release of b1 a month ago, about a few occupants fewer."""
    db = ledger(post)
    row = list(db.execute("SELECT * FROM release WHERE grp = 'b1'").fetchone())
    places = json.loads(db.execute("SELECT places FROM roster WHERE sha256 = ?", (row[-1],)).fetchone()[0])
    db.execute("INSERT INTO roster VALUES ('less', ?)", (json.dumps(places[without:]),))
    row[1], row[-1] = "clear-0", "less"
    row[3:7] = ["2026-01-21", *(instant - 40 * 86_400 for instant in row[4:7])]
    db.execute(f"INSERT INTO release VALUES ({', '.join('?' * len(row))})", row)
    db.close()


def turns(post: Post) -> None:
    """The ledger knows of days on which b1 spoke, kept silent, spoke, before the one that it spoke of."""
    db = ledger(post)
    for number, spoke in ((3, 1), (4, 0), (5, 1)):
        db.execute("INSERT INTO day VALUES ('b1', '2026-03', ?, ?)", (f"2026-03-{number:02}", spoke))
    db.execute("UPDATE release SET day = '2026-03-06' WHERE grp = 'b1'")
    db.close()


def longer(post: Post) -> None:
    """The ledger knows a release of b1 of the day with another look-ahead."""
    db = ledger(post)
    row = list(db.execute("SELECT * FROM release WHERE grp = 'b1'").fetchone())
    row[1], row[6] = "clear-0", row[6] + 3600
    db.execute(f"INSERT INTO release VALUES ({', '.join('?' * len(row))})", row)
    db.close()


BROKEN: list[tuple[str, Change]] = [
    ("R1", forge),
    ("R1", lambda post: post.send("b1", post.commit("b1", 1), post.answer("b1", 0))),
    ("R1", lambda post: post.send("b1", post.answer("b2", 0), post.commit("b1"))),
    ("R1", lambda post: post.send("b1", post.envelope("b1", "answer", 0, {}, STRICT.sha256), post.commit("b1"))),
    ("R1", lambda post: post.send("b1", b"{}", post.commit("b1"))),
    ("R2", lambda post: post.send("b1", post.answer("b1", office=3), post.commit("b1"))),
    ("R2", lambda post: post.send("b1", post.answer("b1", lots=["1"] * 24), post.commit("b1"))),
    ("R2", lambda post: post.send("b1", post.envelope("b1", "price", 0, {}), post.commit("b1"))),
    ("R3", lambda post: occupants(post, 10)),
    ("R4", lambda post: occupants(post, 5)),
    ("R4", lambda post: cell("buildings/b1/units.csv", "offered_kwh", "500", unit="a2", interval=5)(post.town.root)),
    ("R5", quiet),
    ("R6", lambda post: post.send("b1", post.answer("b1"))),
    ("R6", lambda post: post.send("b3", post.commit("b1"))),
    ("R6", lambda post: cell("market/groups.csv", "dark", "true", group="b1")(post.town.root)),
    ("R6", lambda post: post.send("b1", post.answer("b1"), post.commit("b1", extra_wh=1))),
    ("R7", five_busy),
    ("R8", lambda post: another_roster(post, "clear-0")),
    ("R8", lambda post: another_answer(post, 4)),
    ("R9", lambda post: another_roster(post, "clear-0")),
    ("R9", lambda post: another_roster(post, "clear-1")),
    ("R9", lambda post: earlier_month(post, 4)),
    ("R9", turns),
    ("R9", longer),
    ("R9", lambda post: ledger(post).execute("DELETE FROM release WHERE grp = 'b1'").close()),
    ("R9", lambda post: ledger(post).execute("DELETE FROM member WHERE building = 'b1'").close()),
    ("R10", lambda post: told(post, occupants=20)),
    ("R10", lambda post: told(post, envelopes=3)),
    ("R10", lambda post: told(post, bytes="many")),
]


NOT_BROKEN: list[Change] = [lambda post: another_answer(post, 5), lambda post: earlier_month(post, 5)]


@pytest.mark.parametrize("change", NOT_BROKEN, ids=["answer", "month"])
def test_enough_changed_at_once_is_allowed(post: Post, change: Change) -> None:
    change(post)
    assert audited(post).clean


@pytest.mark.parametrize(("rule", "change"), BROKEN, ids=[f"{rule}-{i}" for i, (rule, _) in enumerate(BROKEN)])
def test_broken_rule_is_named(rule: str, change: Change, post: Post) -> None:
    change(post)
    result = audited(post)
    assert rule in result.rules_violated, str(result)


def test_nothing_may_leave_under_lab(tmp_path: Path) -> None:
    run = town(tmp_path / "run")
    (run / "outbox").mkdir()
    (run / "outbox/b1.jsonl").write_text("{}\n")
    assert audit(run).rules_violated == ("R6",)


def test_every_release_rule_has_a_mutation() -> None:
    assert {rule for rule, _ in BROKEN} == {rule for rule in RULES if rule[0] == "R"}
