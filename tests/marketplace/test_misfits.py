"""Two of what should be one, or one that is not what it was: seen, named, and nothing wrong is written."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from same_day import differing
from services_world import Reference, Running, World

from planner import cli
from planner.audit import audit
from planner.groups import GroupKind
from planner.hearing import MARKET
from planner.history import ledger_beside
from planner.marketplace.carrier import Carrier, DesertedError
from planner.marketplace.client import Link
from planner.marketplace.conductor import read_market
from planner.marketplace.gateway import LeftAloneError
from planner.marketplace.line import Line, blocks_of
from planner.marketplace.mail import now
from planner.marketplace.office import Office
from planner.marketplace.recomputing import recompute
from planner.marketplace.service import Marketplace
from planner.marketplace.standby import Standby
from planner.marketplace.voices import speaking_alone
from planner.problems import InvalidInput
from planner.security.refusal import Refused
from planner.security.releases import ReleaseLedger
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


OK = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b"
ODD_ANSWERS = {
    "no HTTP": (b"\x00\xff\x16\x03 garbage\r\n\r\n", "no marketplace"),
    "a web server": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "no marketplace"),
    "a page": (OK % (20, b"<html>welcome</html>"), "no marketplace"),
    "no envelope": (OK % (8, b"1 {" + b"}" * 5), "do not hold"),
    "a number too large": (OK % (24, b"9" * 21 + b" {}"), "do not hold"),
    "half an answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n1 ", "does not answer"),
    "nothing": (b"", "does not answer"),
    "a refusal after it had answered": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "refuses this standby"),
}


@pytest.mark.parametrize("name", ODD_ANSWERS)
def test_nothing_that_the_first_one_says_stops_its_standby(name: str, houses: Reference, tmp_path: Path) -> None:
    """It copies, then hears nothing but rubbish, says so, and goes on in its place."""
    world, (answer, why) = houses.world, ODD_ANSWERS[name]
    answers = [OK % (0, b"")]
    said: list[str] = []
    with odd_primary(answers, answer) as url:
        me = world.identities[MARKET]
        market, store = read_market(world.parts / "market"), tmp_path / "second"
        second = Standby(market, me, world.roster, store, None, 120.0, primary=url, say=said.append)
        second.link, second.tail_s, second.takeover_s = Link([url], limit_s=0.2), 0.01, 0.5
        standby = Running(second)
        while not second.office.open:
            assert standby.thread.is_alive(), standby.result
            time.sleep(0.01)
        second.stop.set()
        standby.thread.join(30)
    assert not isinstance(standby.result, BaseException), standby.result
    assert said[0] == f"copying {url}"
    assert why in said[1], said
    assert why in said[-1], said
    assert "going on in its place" in said[-1]


@contextlib.contextmanager
def odd_primary(first: list[bytes], then: bytes) -> Iterator[str]:
    """A server that answers the first requests with ``first`` and all others with ``then``, and holds the lines."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as held:

        def serve() -> None:
            while True:
                with contextlib.suppress(ConnectionError):
                    peer = held.enter_context(server.accept()[0])
                    with peer.makefile("rb") as asked:
                        head = b"".join(iter(asked.readline, b"\r\n"))
                        asked.read(int(head.partition(b"Content-Length: ")[2].split()[0]))
                    peer.sendall(first.pop() if first else then)

        threading.Thread(target=_until_closed, args=(serve,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _until_closed(serve: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        serve()


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


def test_a_day_is_cleared_anew_under_another_name(houses: Reference, tmp_path: Path) -> None:
    """Beside the papers of the first clear, and held against it: the same people say the same, or many change."""
    world = houses.world
    world.forget()
    day = str(world.case.settings.delivery_date)
    for name in (day, f"{day}.2"):
        again = replace(world, clear_id=name)
        running = Running(again.marketplace(tmp_path / f"{name}.messages", tmp_path / name, patience_s=120.0))
        with again.gateways(lambda at=running: Link([at.url])):  # type: ignore[misc]
            running.wait()
        assert differing(again, houses.run, tmp_path / name) == []
        assert recompute(tmp_path / name).same
        assert not audit(tmp_path / name).violations
    speaker = next(
        folder for folder in world.buildings if world.gateway(folder, Link(["http://x:1"])).site.told.members
    )
    with closing(ReleaseLedger(ledger_beside(world.papers(speaker), world.case.settings.name))) as ledger:
        assert [(s.slot.day, s.clear_id) for s in ledger.all()] == [(day, day), (day, f"{day}.2")]
        rosters = {spoken.roster for spoken in ledger.all()}
    assert len(rosters) == 1


def test_what_is_no_name_of_a_clear(houses: Reference) -> None:
    market = houses.world.parts / "market"
    for name in ("2", "2020-01-01.2", str(houses.world.case.settings.delivery_date) + "."):
        with pytest.raises(InvalidInput, match="no name of a clear of this day"):
            read_market(market, clear_id=name)
    with pytest.raises(InvalidInput, match="no group"):
        read_market(market, without=["b99"])
    assert [group.kind for group in read_market(market, without=["cohort-city-d01"]).groups] == [GroupKind.DARK]


@pytest.mark.parametrize("ahead", [0, 1])
def test_alerts_pass_through_a_marketplace_that_serves_a_clear(houses: Reference, tmp_path: Path, ahead: int) -> None:
    """Also under another roster than its own, and none while it only stands by."""
    world, link = houses.world, Link(["http://127.0.0.1:1"])
    market = world.marketplace(tmp_path / "messages", None)
    link._post = lambda body: (200, market._receive(body))  # type: ignore[method-assign]
    roster = replace(world.roster, version=world.roster.version + ahead)
    me = world.identities[world.gateway(world.buildings[0], link).site.told.gateway]
    line = Line(me, roster, link, blocks_of(roster, me.name, now(), 5.0))
    assert list(line.letters()) == []
    assert line.trouble == ""
    market.office.open = False
    with pytest.raises(Refused):
        list(line.letters())


def test_one_gateway_a_folder(houses: Reference) -> None:
    folder = houses.world.buildings[0]
    first = houses.world.gateway(folder, Link(["http://127.0.0.1:1"]))
    first.memory.lock()
    with pytest.raises(InvalidInput, match="a gateway is at work"):
        houses.world.gateway(folder, Link(["http://127.0.0.1:1"])).run()
    first.memory.unlock()


def test_left_alone_a_gateway_settles_its_building_by_itself(houses: Reference) -> None:
    """Its named gateway too, which had the gate open: what it remembers is closed, and no log stays beside the file."""
    world = houses.world
    world.forget()
    loop = world.gateway(world.buildings[0], Link(["http://127.0.0.1:1"]), patience_s=0.5)

    def speak() -> None:
        loop._speaking = speaking_alone(loop.site, loop.mail)

    elsewhere = threading.Thread(target=speak)  # as answers are worked out beside the slots
    elsewhere.start()
    elsewhere.join()
    with pytest.raises(LeftAloneError):
        loop.run()
    loop.go_alone()
    papers = world.papers(world.buildings[0])
    assert (papers / "settlement.csv").is_file()
    assert (papers / "privacy.json").is_file()
    assert not list(papers.parent.glob("*-wal"))


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
