"""A gateway that dies in the middle of a clear and comes back: nothing is said twice or lost, the day is the same."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path

import pytest
from same_day import differing
from services_world import CrashError, Reference, Running, World, world_of

from planner.clearing import clear
from planner.hearing import MARKET
from planner.marketplace.client import Link
from planner.marketplace.gateway import BROKEN
from planner.marketplace.memory import BrokenWordError, Memory, Said
from planner.marketplace.recomputing import recompute
from planner.marketplace.site import read_told
from planner.marketplace.store import MessageStore
from planner.problems import InvalidInput
from planner.security.log import Kind


class Fragile(Link):
    """Loses power with the ``nth`` message that carries something, before or after it has left."""

    def __init__(self, url: str, when: str, nth: int) -> None:
        super().__init__([url])
        self.when, self.left = when, nth

    def _post(self, body: bytes) -> tuple[int, bytes]:
        carries = body.rstrip(b"\n").count(b"\n") > 0
        self.left -= carries
        if carries and self.left == 0 and self.when == "before":
            raise CrashError
        reply = super()._post(body)
        if carries and self.left == 0:
            raise CrashError
        return reply


LIVES = [("after", 1), ("before", 1), ("after", 2), ("before", 3)]


def live(world: World, folder: Path, url: str, deaths: list[tuple[str, int]], lived: Counter[str]) -> None:
    """One gateway, started again after every death, from what lies in its folder."""
    for when, nth in deaths:
        try:
            world.gateway(folder, Fragile(url, when, nth)).run()
            return
        except CrashError:
            lived[folder.name] += 1
    world.gateway(folder, Link([url])).run()


def clear_with_deaths(world: World, root: Path, mortal: Path) -> Counter[str]:
    world.forget()
    lived: Counter[str] = Counter()
    running = Running(world.marketplace(root / "messages", root / "run", patience_s=120.0))
    threads = [
        threading.Thread(target=live, args=(world, f, running.url, LIVES if f == mortal else [], lived), daemon=True)
        for f in world.buildings
    ]
    for thread in threads:
        thread.start()
    running.wait()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert running.market.office.refused == 0, "a gateway that came back said something that was refused"
    return lived


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """One building large enough to speak for itself."""
    root = tmp_path_factory.mktemp("tower")
    world = world_of(root, units=30, units_per_building=30, rounds=5)
    return Reference(world, clear(world.case, root / "run").folder)


@pytest.mark.parametrize("role", ["alone", "speaker", "member"])
def test_it_goes_on_where_it_stopped(role: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    reference: Reference = request.getfixturevalue("tower" if role == "alone" else "houses")
    world = reference.world
    mortal = next(f for f in world.buildings if bool(read_told(f).members) == (role == "speaker"))
    lived = clear_with_deaths(world, tmp_path, mortal)
    assert lived == {mortal.name: len(LIVES)}, "it died as often as it was to"
    assert differing(world, reference.run, tmp_path / "run") == []
    assert recompute(tmp_path / "run").same
    rows = list(MessageStore(tmp_path / "messages").rows())
    answers = Counter((r.sender, r.type) for r in rows if r.type in ("answer", "commit", "slot", "part"))
    assert max(Counter(r.hash for r in rows).values()) == 1
    questions = Counter(r.reader for r in rows if r.type == "question")
    assert all(answers[name, "slot"] == count - 1 for name, count in questions.items()), "each was answered once"
    parts = Counter(r.reader for r in rows if r.type == "inquiry")
    sent = Counter(r.sender for r in rows if r.type == "part")
    assert role != "member" or sent[read_told(mortal).gateway] <= parts[read_told(mortal).gateway]
    log = world.logged(read_told(mortal).gateway)
    assert log.verdict.holds, log.verdict
    assert max(Counter(log.subjects(Kind.SENT)).values()) == 1
    assert not (mortal / "runs" / f"{world.papers(mortal).name}.said").exists(), "over is over"


def test_one_that_comes_back_with_other_plans_is_silent(tower: Reference, tmp_path: Path) -> None:
    """What it cannot repeat it does not stand for: the group is named and its day is one without trade."""
    world, (folder,) = tower.world, tower.world.buildings
    world.forget()
    running = Running(world.marketplace(tmp_path / "messages", tmp_path / "run", patience_s=120.0))
    with pytest.raises(CrashError):
        world.gateway(folder, Fragile(running.url, "after", 2)).run()
    memory = Path(f"{world.papers(folder)}.said")
    lines = [json.loads(line) for line in memory.read_bytes().splitlines()]
    lines[1]["mark"] = "0" * 64
    memory.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    world.gateway(folder, Link([running.url])).run()
    running.wait()
    certificate = json.loads((tmp_path / "run/certificate.json").read_text())
    assert (certificate["groups_released"], certificate["groups_dark"]) == (0, 1)
    privacy = json.loads((world.papers(folder) / "privacy.json").read_text())
    assert privacy["groups"][0]["spoke"] is False
    assert world.logged(MARKET).verdict.holds
    assert len(BROKEN) <= 128


def test_what_was_said_is_kept_to_the_byte_and_privately(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "day.said"
    said = Said((b"envelope",), {"word": "said", "value": [1, -2]}, "mark")
    assert Memory(path).keep(3, "asked", said) == ("asked", said)
    with path.open("ab") as file:
        file.write(b'{"number": 4, "asked": "x", "li')  # the power went in the middle of a line
    again = Memory(path)
    assert not again.is_empty
    assert again.keep(3, "asked", Said((b"another envelope",), {}, "mark")) == ("asked", said)
    assert again.keep(3, "asked otherwise", Said(mark="another"))[0] == "asked", "the question is what changed"
    with pytest.raises(BrokenWordError):
        again.keep(3, "asked", Said(mark="another"))
    again.keep(4, "y", said)
    assert Memory(path).keep(4, "y", said) == ("y", said)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with path.open("ab") as file:
        file.write(b"[]\n")
    with pytest.raises(InvalidInput):
        Memory(path)
    again.forget()
    assert Memory(path).is_empty
