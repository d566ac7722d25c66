"""T-P12: what was planted in private fields is in nothing that leaves, however it is packed."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from canaries import QUANTITY, found_in, planted

import planner
import planner.hearing
from planner import clearing, cli
from planner.audit.evidence import Evidence
from planner.ledger import Run, read_run
from planner.ledger.sharing import share
from planner.marketplace import http
from planner.privacy import page
from planner.report import write_report
from planner.security.refusal import Reason, Refused


@dataclass
class Seen:
    """A run, the bodies that the marketplace opened, and the words said meanwhile."""

    run: Run
    bodies: list[Any]
    words: list[str]
    case: Path


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    root = tmp_path_factory.mktemp("canaries")
    case = planted(root / "case")
    bodies: list[Any] = []
    words: list[str] = []
    honest = planner.hearing.open_envelope

    def listening(*args: Any) -> Any:
        opened = honest(*args)
        bodies.append((opened.header, opened.body))
        return opened

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner.hearing, "open_envelope", listening)
        read = planner.read_case(case).with_(privacy={"max_rounds": 4})
        run = planner.clear(read, root / "run", gap=0.05, tell=words.append)
    return Seen(run, bodies, words, case)


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def nothing_in(things: dict[str, bytes]) -> None:
    assert things
    assert [hit for name, data in things.items() for hit in found_in(name, data)] == []


def test_the_city_is_worth_searching(seen: Seen) -> None:
    """Groups spoke, and inside the canaries are everywhere."""
    assert seen.run.certificate["groups_released"] >= 1
    assert len(seen.bodies) >= 3
    inside = files(seen.run.folder / "buildings")
    assert len([name for name, data in inside.items() if found_in(name, data)]) > 10
    assert any(QUANTITY in data.decode("utf-8", "replace") for data in inside.values())
    assert (seen.case / "meters" / "canaryxq-meters.csv").is_file()


def test_T_P12_outbox_and_market(seen: Seen) -> None:  # noqa: N802
    nothing_in(files(seen.run.folder / "outbox"))
    nothing_in(files(seen.run.folder / "market"))
    nothing_in({"certificate.json": (seen.run.folder / "certificate.json").read_bytes()})


def test_T_P12_what_the_marketplace_opened(seen: Seen) -> None:  # noqa: N802
    nothing_in({"bodies": repr(seen.bodies).encode()})
    assert all(type(number) is int for _, body in seen.bodies for number in (body.get("lots") or body["position_wh"]))


def test_T_P14_what_is_committed_is_what_the_units_do(seen: Seen) -> None:  # noqa: N802
    """T-P14: no more and no less, to the Wh: positions of all units and losses of all buildings of the group."""
    done: dict[str, Any] = {}
    for house in Evidence(seen.run.folder).complete():
        done[house.group] = done.get(house.group, 0) + house.delta.sum(axis=0) + house.loss
    last = {body["group"]: body["position_wh"] for _, body in seen.bodies if "position_wh" in body}
    assert last
    for group, position in last.items():
        assert position == done[group].tolist()


def test_T_P12_privacy_reports_of_both_kinds(seen: Seen) -> None:  # noqa: N802
    nothing_in({"privacy.json": (seen.run.folder / "privacy.json").read_bytes()})
    for outside in (False, True):
        document = page.report(seen.run, for_outside=outside)
        nothing_in({"document": json.dumps(document).encode(), "page": page.page(document).encode()})


@pytest.mark.parametrize("party", ["market", "auditor"])
def test_T_P12_shares(seen: Seen, party: str, tmp_path: Path) -> None:  # noqa: N802
    """What is handed to others, and the report that they can make of it."""
    share(seen.run, party, tmp_path / "part.zip")
    nothing_in({"part.zip": (tmp_path / "part.zip").read_bytes()})
    with zipfile.ZipFile(tmp_path / "part.zip") as archive:
        archive.extractall(tmp_path / "part")
    certificate = read_run(tmp_path / "part").certificate
    assert certificate["groups_released"] < 5
    assert certificate["bound"] is certificate["gap_absolute"] is certificate["lost_opportunity_cost"] is None
    assert planner.audit(tmp_path / "part").clean
    handed_on = page.report(read_run(tmp_path / "part"), for_outside=True)
    assert handed_on["groups"] == page.report(seen.run, for_outside=True)["groups"]
    report = write_report(read_run(tmp_path / "part"))
    nothing_in({report.name: report.read_bytes()})


def test_T_P12_words_and_notebook(seen: Seen) -> None:  # noqa: N802
    case = planner.read_case(seen.case)
    said = [*seen.words, repr(seen.run), seen.run._repr_html_(), repr(case), case._repr_html_()]
    nothing_in({"words": "\n".join(said).encode()})


@pytest.mark.parametrize("fault", [KeyError("canaryxq-b01-u01"), Refused(Reason.SCHEMA), None])
def test_T_P12_what_a_service_answers_and_notes(fault: Exception | None) -> None:  # noqa: N802
    """A refusal, a fault that quotes a unit, a refusal that cannot be logged, and a request of another form."""
    noted: list[str] = []

    def receive(body: bytes) -> bytes:
        raise Refused(Reason.SIZE) if fault is None else fault

    def on_refused(refused: Refused, body: bytes) -> None:
        noted.append(str(refused))
        if fault is None:
            raise OSError(f"no room for {body!r}")

    async def talk() -> list[bytes]:
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: noted.append(str(told)))
        server = http.Server(receive, on_refused)
        port = await server.start("127.0.0.1", 0)
        replies = []
        for head in (b"POST /v1/messages HTTP/1.1", b"GET /canaryxq HTTP/1.1"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = b'{"note":"canaryxq on holiday","kwh":3137.731}'
            writer.write(head + b"\r\nX-Owner: canaryxq\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            reply = await reader.readuntil(b"\r\n\r\n")
            replies.append(reply + await reader.readexactly(int(reply.split(b"Content-Length: ")[1].split(b"\r\n")[0])))
            writer.close()
        await server.stop()
        return replies

    replies = asyncio.run(talk())
    assert all(reply.startswith(b"HTTP/1.1 403 ") for reply in replies)
    assert noted
    nothing_in({"replies": b"".join(replies), "notes": repr(noted).encode()})


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_T_P12_a_bug_is_reported_without_the_case(  # noqa: N802
    seen: Seen, debug: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes into a report of a bug: the kind and the lines of it and of its causes, none of their words."""

    def broken(case: Any, *_: Any, **__: Any) -> None:
        try:
            case.nodes.set_index("node").loc[case.nodes["label"].iloc[-1]]
        except KeyError as unknown:
            raise ValueError(f"{case.nodes['node'].iloc[-1]} has no label") from unknown

    monkeypatch.setattr(clearing, "clear", broken)
    assert cli.run(["clear", str(seen.case), *debug]) == 70
    said = capsys.readouterr()
    assert "ValueError at test_canaries.py:" in said.err
    assert ("KeyError\n" in said.err) is bool(debug), "its cause as well"
    nothing_in({"words": (said.out + said.err).replace(str(seen.case), "").encode()})


def test_T_P12_what_commands_say_of_a_run(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: N802
    run = str(seen.run.folder)
    commands = [["audit", run], ["privacy", "report", run], ["privacy", "check", run], ["log", "verify", run]]
    assert [cli.run(command) for command in commands] == [0] * len(commands)
    said = capsys.readouterr()
    nothing_in({"words": (said.out + said.err).encode()})


def test_the_search_finds_what_is_hidden(tmp_path: Path) -> None:
    """In gzip, parquet, a zip and base64, and in one inside the other."""
    table = io.BytesIO()
    pq.write_table(pa.table({"a": ["canaryxq"]}), table)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.gz", gzip.compress(base64.b64encode(b"some words around a canaryxq bird")))
    for data in (table.getvalue(), archive.getvalue(), gzip.compress(b"3137.731")):
        assert found_in("x", data)
    assert not found_in("x", b"nothing to see")
