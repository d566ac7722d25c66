"""A clear over sockets comes to the same day as one in this process, and can be derived again by who holds it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
from same_day import differing
from services_world import Direct, Hall, Reference, Running, World

from planner import cli
from planner.audit import audit
from planner.hearing import MARKET
from planner.marketplace.client import SLOT_BYTES, Link
from planner.marketplace.recomputing import recompute
from planner.marketplace.site import read_told
from planner.marketplace.standby import Standby
from planner.marketplace.store import MessageStore
from planner.security.log import Kind
from planner.security.opening import message_hash


class Scales(Link):
    """A link that notes how large every message was."""

    sizes: ClassVar[dict[int, set[int]]] = {}

    def __init__(self, url: str) -> None:
        super().__init__([url])

    def _post(self, body: bytes) -> tuple[int, bytes]:
        self.sizes.setdefault(id(self), set()).add(len(body))
        return super()._post(body)


@pytest.fixture(scope="module")
def served(houses: Reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The marketplace's part of a clear over real sockets; the buildings' parts lie in their own folders."""
    root = tmp_path_factory.mktemp("served")
    houses.world.forget()
    running = Running(houses.world.marketplace(root / "messages", root / "run", patience_s=120.0))
    with houses.world.gateways(lambda: Scales(running.url)) as loops:
        running.wait()
    assert {loop.refused for loop in loops} == {0}
    assert running.market.office.refused == 0
    return root / "run"


def test_it_is_the_same_day(houses: Reference, served: Path) -> None:
    assert differing(houses.world, houses.run, served) == []
    assert len(houses.world.buildings) == 5
    positions = (served / "market/positions.csv").read_text()
    assert len(positions.splitlines()) == 25, "one cohort, 24 hours"


def test_each_part_is_audited_by_its_holder(houses: Reference, served: Path) -> None:
    found = audit(served)
    assert not found.violations, str(found)
    assert {"C16", "C19", "C23", "R1", "R6", "R10", "S4"} <= set(found.rules_checked)
    for folder in houses.world.buildings:
        own = audit(houses.world.papers(folder))
        assert not own.violations, str(own)
        assert {"C2", "C10", "C12", "S1"} <= set(own.rules_checked)


def test_all_parts_together_are_one_run(houses: Reference, served: Path, tmp_path: Path) -> None:
    """Whoever were to hold everything finds that the parts agree: a cohort's ledger with its buildings', for one."""
    whole = Path(shutil.copytree(served, tmp_path / "whole"))
    for folder in houses.world.buildings:
        shutil.copytree(houses.world.papers(folder), whole / "buildings" / folder.name)
    found = audit(whole)
    assert set(found.rules_violated) <= {"C21", "C24"}, f"a marketplace's certificate counts no units; {found}"
    assert not {"C14", "C20", "S3", "S5", "S6"} & set(found.rules_not_checkable)
    told = pd.read_csv(whole / "market/settlement.csv")
    fees = -told[told["account"].str.startswith("group:") & told["line"].eq("fee")]["amount"].sum()
    requested = pd.read_csv(whole / "market/positions.csv")["requested_kwh"].sum()
    assert fees * 1000 == pytest.approx(8.0 * requested), "on what the cohort bought, and on nothing else"
    own = pd.read_csv(houses.world.papers(houses.world.buildings[0]) / "cohort.csv").set_index("account")["amount"]
    assert own["marketplace"] == pytest.approx(fees)
    assert own["cohort"] > 0.001, "they sold to each other"


def test_everything_that_counted_is_in_everybodys_log(houses: Reference, served: Path) -> None:
    world = houses.world
    logs, day = {name: world.logged(name) for name in world.identities}, str(world.case.settings.delivery_date)
    assert all(log.verdict.holds for log in logs.values()), logs
    assert all(log.verdict.rounds == (day,) for log in logs.values()), logs
    assert {log.verdict.unsigned for log in logs.values()} == {0}
    outbox = [message_hash(line) for path in (served / "outbox").iterdir() for line in path.read_bytes().splitlines()]
    market, speaker = logs[MARKET], logs[_speaker(world)]
    assert set(outbox) <= set(market.subjects(Kind.RECEIVED))
    assert sorted(outbox) == sorted(speaker.subjects(Kind.DECISION)), "what the gate let out"
    assert set(outbox) <= set(speaker.subjects(Kind.SENT))
    assert market.subjects(Kind.RESULT) == [message_hash((served / "certificate.json").read_bytes())]
    assert cli.run(["log", "verify", str(served)]) == 0
    papers = world.papers(next(f for f in world.buildings if read_told(f).gateway == _speaker(world)))
    assert speaker.subjects(Kind.REPORT) == [message_hash((papers / "privacy.json").read_bytes())]
    everywhere = {subject for log in logs.values() for subject in log.subjects(Kind.SENT)}
    assert set(market.subjects(Kind.RECEIVED)) <= everywhere, "what one has received another one has sent"


def _speaker(world: World) -> str:
    return read_told(world.buildings[0]).speaker


def test_the_marketplace_holds_nothing_of_a_unit(houses: Reference, served: Path) -> None:
    units = [row.split(",")[0] for row in (houses.world.parts / "buildings/b01/nodes.csv").read_text().splitlines()[1:]]
    everything = b"".join(path.read_bytes() for path in served.rglob("*") if path.is_file())
    inside = [unit for unit in units if unit not in ("city", "d01", "b01") and unit.encode() in everything]
    assert len(units) > 4
    assert inside == []


def test_anybody_who_holds_it_derives_it_again(served: Path) -> None:
    found = recompute(served)
    assert found.same
    assert found.messages > 20
    assert {"market/prices.csv", "market/positions.csv", "market/settlement.csv"} <= set(found.compared)
    assert cli.run(["recompute", str(served)]) == 0


@pytest.mark.parametrize("damage", ["body", "envelope", "table", "missing"])
def test_what_was_tampered_with_is_found(served: Path, tmp_path: Path, damage: str) -> None:
    copy = Path(shutil.copytree(served, tmp_path / "copy"))
    path = copy / "market/payloads.jsonl"
    lines = path.read_bytes().splitlines()
    at = next(i for i, line in enumerate(lines) if b'"lots"' in line and i > 4)
    if damage == "body":
        said = json.loads(lines[at])
        said["body"]["lots"][3] += 1
        lines[at] = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    elif damage == "envelope":
        lines[at] = lines[at].replace(b'"sig\\":\\"', b'"sig\\":\\"A', 1)
    elif damage == "missing":
        del lines[at]
    else:
        prices = copy / "market/prices.csv"
        text = prices.read_text().splitlines()
        cells = text[5].split(",")
        cells[4] = f"{float(cells[4]) + 0.01:.2f}"
        prices.write_text("\n".join([*text[:5], ",".join(cells), *text[6:], ""]))
    path.write_bytes(b"\n".join(lines) + b"\n")
    found = recompute(copy)
    assert not found.same
    assert found.differing == ("market/prices.csv",) if damage == "table" else found.broken


def clear_through(world: World, root: Path, crashes: list[tuple[str, int]]) -> Hall:
    hall = Hall(world, root / "messages", root / "run", crashes)
    world.forget()
    with world.gateways(lambda: Direct(hall)):
        hall.run()
    return hall


STEPS = ("sent", "asked", "opened", "kept", "noted", "answered", "settled")


def test_power_lost_at_every_step_of_a_round(houses: Reference, tmp_path: Path) -> None:
    """Nothing is lost and nothing is done twice: the day is the same, and so is the number of every message."""
    hall = clear_through(houses.world, tmp_path, [(step, 4) for step in STEPS])
    assert hall.happened == list(STEPS), "every step was crashed at"
    assert hall.starts == len(STEPS) + 1
    assert differing(houses.world, houses.run, tmp_path / "run") == []
    rows = list(MessageStore(tmp_path / "messages").rows())
    assert max(Counter((r.type, r.sender, r.reader, r.hash) for r in rows).values()) == 1
    asked = Counter(r.reader for r in rows if r.type == "question")
    answered = Counter(r.sender for r in rows if r.type == "slot")
    assert set(asked) == set(answered)
    assert all(asked[name] == answered[name] + 1 for name in asked), "one answer to each but the farewell"
    assert recompute(tmp_path / "run").same


def test_a_standby_goes_on_where_the_first_one_stopped(houses: Reference, tmp_path: Path) -> None:
    world = houses.world
    world.forget()
    first = Running(world.marketplace(tmp_path / "first", None, patience_s=120.0))
    market = first.market.market
    second = Standby(
        market, first.market.me, world.roster, tmp_path / "second", tmp_path / "run", 120.0, primary=first.url
    )
    second.tail_s, second.takeover_s = 0.02, 0.4
    standby = Running(second)
    with world.gateways(lambda: Link([first.url, standby.url])) as loops:
        while first.market.store.last_id < 12:
            loops[0].stop.wait(0.01)
        first.market.stop.set()
        first.thread.join(60)
        assert first.market.cleared is None, "the first one was stopped in the middle"
        standby.wait()
    assert differing(world, houses.run, tmp_path / "run") == []
    assert recompute(tmp_path / "run").same


@pytest.mark.usefixtures("served")
def test_all_messages_of_a_gateway_have_one_size() -> None:
    """Whether it says something or nothing, asks its members or answers: nobody on the way can tell."""
    assert len(Scales.sizes) == 5
    assert all(len(found) == 1 and min(found) % SLOT_BYTES == 0 for found in Scales.sizes.values()), Scales.sizes
