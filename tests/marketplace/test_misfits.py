"""Two of what should be one, or one that is not what it was: seen, named, and nothing wrong is written."""

from __future__ import annotations

import contextlib
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from same_day import differing
from services_world import Reference, Running, World

from planner import cli
from planner.marketplace.carrier import Carrier, DesertedError
from planner.marketplace.client import Link
from planner.marketplace.conductor import read_market
from planner.marketplace.gateway import LeftAloneError
from planner.marketplace.office import Office
from planner.marketplace.service import Marketplace
from planner.marketplace.standby import Standby
from planner.problems import InvalidInput
from planner.security.roster import Roster


def newer(world: World) -> Roster:
    return replace(world.roster, version=world.roster.version + 1)


def test_a_marketplace_that_nobody_comes_to_writes_nothing(houses: Reference, tmp_path: Path) -> None:
    """Cut off from everybody, it must not settle a day on which the others may be trading elsewhere."""
    market = houses.world.marketplace(tmp_path / "messages", tmp_path / "run", patience_s=0.2)
    with pytest.raises(DesertedError):
        Running(market).wait()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("names", "here", "second", "decides"),
    [("ab", "a", False, True), ("ab", "a", True, False), ("abc", "ab", True, True), ("abc", "a", False, False)],
)
def test_of_two_marketplaces_at_most_one_gives_anybody_up(
    names: str, here: str, second: bool, decides: bool, houses: Reference, tmp_path: Path
) -> None:
    office: Office = houses.world.marketplace(tmp_path / "messages", None).office
    office.here.update(dict.fromkeys(here, float("inf")))
    carrier = Carrier(office, (), list(names), 0.0, second=second)
    given_up: list[str] = []
    carrier._decide = lambda number, name, value: given_up.append(name)  # type: ignore[method-assign]
    carrier._given_up = lambda name: name in given_up or name in here  # type: ignore[method-assign]
    if decides:
        carrier._wait(names)
        assert sorted(given_up) == sorted(set(names) - set(here))
    else:
        with pytest.raises(DesertedError):
            carrier._wait(names)


def test_a_standby_under_another_roster_takes_nothing_over(houses: Reference, tmp_path: Path) -> None:
    world = houses.world
    first = Running(world.marketplace(tmp_path / "first", None, patience_s=120.0))
    market, me = first.market.market, first.market.me
    late = Standby(market, me, newer(world), tmp_path / "second", tmp_path / "run", 120.0, primary=first.url)
    late.tail_s, late.takeover_s = 0.01, 0.05
    with pytest.raises(InvalidInput, match="refuses this standby"):
        Running(late).wait()
    first.market.stop.set()
    first.thread.join(60)
    assert not (tmp_path / "run").exists()


def test_a_clear_is_not_finished_under_another_roster(houses: Reference, tmp_path: Path) -> None:
    world = houses.world
    world.forget()
    running = Running(world.marketplace(tmp_path / "messages", tmp_path / "run", patience_s=120.0))
    with world.gateways(lambda: Link([running.url])):
        running.wait()
    with pytest.raises(InvalidInput, match="do not open: roster version"):
        Marketplace(
            read_market(world.parts / "market"),
            running.market.me,
            newer(world),
            tmp_path / "messages",
            tmp_path / "run",
        )


def test_one_gateway_a_folder(houses: Reference) -> None:
    folder = houses.world.buildings[0]
    first = houses.world.gateway(folder, Link(["http://127.0.0.1:1"]))
    first.memory.lock()
    with pytest.raises(InvalidInput, match="a gateway is at work"):
        houses.world.gateway(folder, Link(["http://127.0.0.1:1"])).run()
    first.memory.unlock()


def test_two_gateways_with_one_name_settle_one_day(houses: Reference, tmp_path: Path) -> None:
    """The keys were copied: whoever answers first is heard, the other one is refused and may end alone.

    Which of them that is, is for the scheduler; the day is the same, and one of them has settled it.
    """
    world = houses.world
    world.forget()
    twin = Path(shutil.copytree(world.buildings[-1], tmp_path / "twin"))
    running = Running(world.marketplace(tmp_path / "messages", tmp_path / "run", patience_s=120.0))
    second = world.gateway(twin, Link([running.url]))

    def run() -> None:
        with contextlib.suppress(LeftAloneError):
            second.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with world.gateways(lambda: Link([running.url]), forgiven=(LeftAloneError,)):
        running.wait()
    thread.join(120)
    assert not thread.is_alive()
    papers = world.papers(world.buildings[-1])
    if not papers.exists():
        shutil.copytree(world.papers(twin), papers)
    assert differing(world, houses.run, tmp_path / "run") == []


def test_the_command_says_it_in_words(houses: Reference, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, market = houses.world.buildings[0], str(houses.world.parts / "market")
    for words in (
        ["gateway", "run", str(folder), "--marketplace", "ftp://x"],
        ["gateway", "run", str(folder), "--marketplace", "http://127.0.0.1:1", "--node", str(tmp_path)],
        ["gateway", "run", str(tmp_path)],
        ["marketplace", "serve", str(tmp_path), "--node", str(tmp_path), "-o", str(tmp_path / "run")],
        [
            "marketplace",
            "serve",
            str(houses.world.parts / "market"),
            "--node",
            str(tmp_path),
            "-o",
            str(tmp_path / "r"),
        ],
        ["recompute", str(tmp_path)],
        ["clear", market, "--fleet", "http://127.0.0.1:8470"],
    ):
        assert cli.run(words) == 2, words
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert "hint:" in said, (words, said)
