"""The commands of keys, roster, alerts, bridge and log, from an empty folder to a checked log."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from planner import cli

CAST = {"market": ("marketplace", ""), "b1": ("gateway", "b1"), "smoke": ("fire-detector", "b1")}
CAST |= {"fire": ("fire-service", "b1"), "house": ("bridge", "b1")}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Said]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("ALLOTMENT_PASSPHRASE", "correct horse")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Said:
        code = cli.run([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return run


def enrol(call: Call, name: str, role: str, zone: str) -> None:
    zones = ["--zone", zone] if zone else []
    invite = call("roster", "invite", "city", "--role", role, "--name", name, *zones, "--json").told["invite"]
    made = call("keys", "new", name, "--invite", invite, "--json").told
    done = call("roster", "enrol", "city", f"{name}/request.json", "--fingerprint", made["fingerprint"])
    assert done.code == 0, done.err


@pytest.fixture
def town(call: Call) -> Call:
    """Everybody of the cast enrolled under a roster that two of three roots signed."""
    for root in "abc":
        assert call("keys", "new", f"root.{root}", "--name", f"root.{root}", "--root").code == 0
    roots = [part for root in "abc" for part in ("--root", f"root.{root}")]
    assert call("roster", "init", "city", "--operator", "city", *roots).code == 0
    for name, (role, zone) in CAST.items():
        enrol(call, name, role, zone)
    assert "1 more signature" in call("roster", "sign", "city", "--key", "root.a").out
    assert call("roster", "sign", "city", "--key", "root.c", "--json").told["complete"]
    for name in CAST:
        assert call("roster", "accept", name, "city/roster.json").code == 0
    return call


def test_from_an_empty_folder_to_a_revocation(town: Call) -> None:
    shown = town("roster", "show", "city", "--json").told
    assert [entity["name"] for entity in shown["entities"]] == sorted(CAST)
    assert shown["alerts"]["b1"]["alert.fire"] == ["b1", "fire", "house"]
    root = next(line.split()[1] for line in town("roster", "show", "city").out.splitlines() if line.startswith("root"))
    assert town("roster", "verify", "city/roster.json", "--root", root).code == 0
    assert town("roster", "verify", "city/roster.json", "--root", "0" * 64).code == 1
    assert town("keys", "check", "b1").code == 0
    assert town("roster", "revoke", "city", "b1").code == 0
    for key in ("root.a", "root.b"):
        town("roster", "sign", "city", "--key", key)
    assert town("roster", "accept", "b1", "city/roster.json").code == 0
    refused = town("keys", "check", "b1")
    assert refused.code == 1
    assert "not in the roster" in refused.err


def test_rotation_by_request(town: Call) -> None:
    assert town("keys", "rotate", "b1").code == 2
    made = town("keys", "rotate", "b1", "--signing", "--sealing", "--json").told
    assert [key["kind"] for key in made["keys"]] == ["signing", "signing", "sealing", "sealing"]
    wrong = town("roster", "enrol", "city", "b1/request.json", "--fingerprint", "0000 1111")
    assert (wrong.code, "exchanged on its way" in wrong.err) == (2, True)
    assert town("roster", "enrol", "city", "b1/request.json", "--fingerprint", made["fingerprint"]).code == 0
    for key in ("root.a", "root.b"):
        town("roster", "sign", "city", "--key", key)
    assert town("roster", "accept", "b1", "city/roster.json").code == 0
    assert town("keys", "check", "b1").code == 0


def test_an_alert_from_detector_to_legacy_system_and_back(town: Call) -> None:
    town("alert", "beat", "smoke", "--to", "box/fire", "--to", "box/house")
    sent = town(
        "alert", "send", "smoke", "fire", "b1", "--trip", "--to", "box/fire", "--to", "box/house", "--json"
    ).told
    assert sent["readers"] == ["b1", "fire", "house"]
    (heard,) = town("alert", "listen", "fire", "box/fire", "--json").told
    assert (heard["kind"], heard["zone"], heard["trip"], heard["drill"]) == ("alert", "b1", True, False)
    assert town("alert", "ack", "fire", heard["message"][:12], "--state", "acting", "--to", "box/smoke").code == 0
    bridge = ("bridge", "house", "--listen", "box/house", "--allow", "alert.fire", "--to", "csv:legacy")
    assert town(*bridge).code == 0
    (sheet,) = Path("legacy").glob("*.csv")
    message = sheet.read_text().splitlines()[1].split(",")[0]
    assert message == heard["message"]
    Path("legacy/answers").mkdir()
    Path("legacy/answers/a.csv").write_text(f"message,state\n{message},done\n")
    assert town(*bridge, "--reply", "box/smoke").code == 0
    answers = town("alert", "listen", "smoke", "box/smoke", "--json").told
    assert [(a["sender"], a["answer"]) for a in answers] == [("fire", "acting"), ("house", "done")]
    assert "without electricity" not in town("alert", "listen", "fire", "box/fire").out
    assert town("alert", "send", "market", "fire", "b1", "--to", "box/fire").code == 1
    assert "raised" in town("alert", "status", "fire").out


def test_what_an_old_system_may_put_before_the_bridge(town: Call) -> None:
    """Nothing it writes stops the bridge or goes unread for ever; a link or a folder is left alone."""
    town("alert", "send", "smoke", "fire", "b1", "--to", "box")
    bridge = ("bridge", "house", "--listen", "box", "--allow", "alert.fire", "--to", "csv:legacy", "--reply", "out")
    assert town(*bridge).code == 0
    (sheet,) = Path("legacy").glob("*.csv")
    message = sheet.read_text().splitlines()[1].split(",")[0]
    answers = Path("legacy/answers")
    (answers / "folder.csv").mkdir(parents=True)
    (answers / "link.csv").symlink_to(Path("city/roster.json").absolute())
    refused = {
        "path": f"message,state\n../../{message},done\n",
        "formula": "message,state\n=cmd(),done\n",
        "state": f"message,state\n{message},=1+1\n",
        "columns": f"message;state\n{message};done\n",
        "quote": f'message,state\n"{message},done\n',
        "size": "message,state\n" + "x" * (1 << 20) + "\n",
    }
    for name, text in refused.items():
        (answers / f"{name}.csv").write_text(text)
    (answers / "half.csv").write_text(f"message,state\n{message},don")
    (answers / "whole.csv").write_text(f"message,state\n{message},done\n")
    assert town(*bridge).code == 0
    assert {path.stem for path in (answers / "refused").iterdir()} == set(refused)
    assert [path.name for path in (answers / "read").iterdir()] == ["whole.csv"]
    assert {path.name for path in answers.glob("*.csv")} == {"folder.csv", "link.csv", "half.csv"}
    assert len(list(Path("out").glob("*.envelope"))) == 1
    (answers / "half.csv").write_text(f"message,state\n{message},done\n")
    assert "signed 1 answer of half.csv" in town(*bridge).out


def test_an_alert_that_no_marketplace_takes_waits_and_is_not_lost(town: Call) -> None:
    """It lies in the node's outgoing box; nobody has acknowledged it, and the sender can see so."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    sent = town("alert", "send", "smoke", "fire", "b1", "--to", nobody)
    assert (sent.code, "refused" in sent.err, "smoke/outgoing" in sent.err) == (1, True, True)
    assert len(list(Path("smoke/outgoing").iterdir())) == 1
    answers = [(row["to"], row["answer"]) for row in town("alert", "status", "smoke", "--json").told["sent"]]
    assert answers == [("b1", None), ("fire", None), ("house", None)]
    assert "NONE YET" in town("alert", "status", "smoke").out
    assert town("alert", "send", "smoke", "fire", "b1").code == 0, "without --to it waits for the node's station"
    assert town("alert", "listen", "fire", nobody).code == 1
    assert town("alert", "listen", "fire", nobody, "box").code == 2
    assert town("setpoint", "b1", "b1", "x.csv", "--to", nobody).code == 2


def test_a_relay_starts_with_its_own_keys_at_a_free_port(town: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for node, words in (("b1", "keys of a gateway"), ("none", "no node here"), ("market", "already in use")):
            said = town("marketplace", "relay", "--node", node, "--port", port)
            assert (said.code, words in said.err, "hint:" in said.err) == (2, True, True), said.err


def test_a_folder_without_a_node_is_said_to_be_none(town: Call) -> None:
    for arguments in (
        ("bridge", "none", "--listen", "box", "--allow", "alert.fire", "--to", "csv:x"),
        ("alert", "status", "none"),
    ):
        missing = town(*arguments)
        assert (missing.code, "no node" in missing.err) == (2, True)


def test_a_log_from_writing_to_the_first_broken_entry(town: Call) -> None:
    for _ in range(3):
        town("alert", "beat", "smoke", "--to", "box")
    assert town("log", "verify", "smoke", "--json").told["first_broken"] is None
    assert town("log", "extract", "smoke", "-o", "public.jsonl").code == 0
    assert town("log", "verify", "public.jsonl").code == 2
    assert town("log", "verify", "public.jsonl", "--roster", "city/roster.json").code == 0
    (path, *_) = sorted(Path("box").glob("*.envelope"))
    assert town("log", "prove", "smoke", path.stem).code == 0
    assert town("log", "prove", "smoke", "0" * 64).code == 1
    assert town("log", "erase", "smoke", path.stem[:16]).code == 2, "only a whole hash is forgotten"
    assert town("log", "erase", "smoke", path.stem).code == 0
    assert town("log", "prove", "smoke", path.stem).code == 1
    assert town("log", "verify", "smoke", "--json").told["first_broken"] is None
    db = sqlite3.connect("smoke/node.sqlite")
    db.execute("UPDATE log_entry SET leaf = zeroblob(32) WHERE n = 1")
    db.commit()
    db.close()
    broken = town("log", "verify", "smoke", "--json")
    assert (broken.code, broken.told["first_broken"]) == (1, 1)


def test_a_database_put_back_does_not_start_until_its_writers_vouch(town: Call) -> None:
    town("alert", "beat", "smoke", "--to", "box")
    shutil.copy("fire/node.sqlite", "old.sqlite")
    town("alert", "listen", "fire", "box")
    shutil.copy("old.sqlite", "fire/node.sqlite")
    refused = town("keys", "check", "fire")
    assert (refused.code, "keys recover" in refused.err) == (1, True)
    assert town("keys", "vouch", "smoke", "-o", "smoke.vouch").code == 0
    assert town("keys", "recover", "fire", "smoke.vouch").code == 1
    assert town("keys", "vouch", "b1", "-o", "b1.vouch").code == 0
    assert town("keys", "recover", "fire", "smoke.vouch", "b1.vouch").code == 0
    assert town("keys", "check", "fire").code == 0
    for path in Path("box/read").iterdir():
        path.replace(Path("box") / path.name)
    assert "replay" in town("alert", "listen", "fire", "box").err


def test_passphrases_come_from_file_or_environment_and_never_from_the_line(
    town: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALLOTMENT_PASSPHRASE")
    assert town("keys", "check", "b1").code == 2
    Path("pass.txt").write_text("correct horse\n")
    assert town("keys", "check", "b1", "--passphrase-file", "pass.txt").code == 0
    Path("pass.txt").write_text("\n")
    assert town("keys", "check", "b1", "--passphrase-file", "pass.txt").code == 2
    monkeypatch.setenv("ALLOTMENT_PASSPHRASE", "wrong horse")
    assert town("keys", "check", "b1").code == 1
    assert "--passphrase " not in town("keys", "check", "--help").out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("asset,start,power_kw\nbat,2026-11-26T00:00:00,1\n", ":2: start is no time with an offset"),
        ("asset,start,power_kw\nbat,2026-11-26T00:00:00Z,much\n", ":2: power_kw is no number (much)"),
        ("asset,start\n", "other columns"),
        ("asset,start,power_kw\n", "no setpoints"),
    ],
)
def test_setpoints_that_cannot_be_read(call: Call, text: str, words: str) -> None:
    Path("s.csv").write_text(text)
    refused = call("setpoint", "b1", "b1", "s.csv", "--to", "box")
    assert (refused.code, words in refused.err) == (2, True), refused.err


def test_the_officers_page_names_commands_that_exist_and_claims_nothing_it_may_not() -> None:
    text = (Path(__file__).parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`planner ([a-z]+(?: [a-z]+)?)", " ".join(text.split())))
    known = {name for module in cli.MODULES for name in module.COMMANDS}
    known |= {f"{title} {name}" for title, module in cli.GROUPS.items() for name in module.COMMANDS}
    assert len(named) >= 8
    assert {one for one in named if one not in known and one.split()[0] not in known} == set()
    assert not [word for word in ("anonym", "cannot be identified", "gdpr compliant") if word in text.lower()]
