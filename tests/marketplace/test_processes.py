"""Separate processes: ten gateways and a marketplace, kill -9 at every step, a standby for one killed in round 7."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from case_folders import ROOT
from same_day import differing
from services_world import World

from planner import cli
from planner.case import Case, read_case
from planner.clearing import clear
from planner.generate import generate
from planner.hearing import MARKET
from planner.holders import split
from planner.marketplace.demo import PATIENCE_S, Demo
from planner.marketplace.recomputing import recompute
from planner.marketplace.store import MessageStore
from planner.security.policy import PRESETS
from planner.security.roster import Roster

STEPS = ("sent", "asked", "opened", "kept", "noted", "answered", "settled")


class City(Demo):
    """The demo's processes and keys over a case of the test's own."""

    def part(self, case: Case) -> Path:
        split(case, self.root / "parts")
        self._enrol_all(PRESETS[case.settings.privacy.preset].sha256)
        (self.root / "secret").write_text(self.secret)
        return self.root / "parts"


def check(city: City, case: Case, reference: Path) -> None:
    """The same day, to the byte, and derived again from the messages."""
    world = World(city.root / "parts", case, Roster(1, "x", ()), {})
    assert differing(world, reference, city.root / "run") == []
    assert recompute(city.root / "run").same


def cohort_case(tmp_path: Path) -> Case:
    return read_case(generate(tmp_path / "case", 20, 4, 60, seed=3)).with_(privacy={"max_rounds": 12})


def test_two_gateways_in_folders_of_their_own(tmp_path: Path) -> None:
    """Nothing is on the machine but the marketplace's folder and each building's; one gateway dies on the way."""
    case = read_case(generate(tmp_path / "case", 60, 30, 60, seed=3))
    case = case.with_(privacy={"max_rounds": 2}, horizon={"look_ahead_hours": 0.0})
    run = clear(case, tmp_path / "reference")
    city = City(tmp_path / "city", 2, 30, 0.1)
    parts = city.part(case)
    homes = [folder.rename(tmp_path / f"home-{folder.name}") for folder in sorted((parts / "buildings").iterdir())]
    shutil.rmtree(tmp_path / "case")
    with city.processes() as start:
        url, market = city.marketplace(start, parts)
        gateways = [city.gateway(start, home, url) for home in homes]
        remembered = homes[0] / "runs" / f"{case.settings.delivery_date}.said"
        while not remembered.exists():
            assert market.poll() is None
            time.sleep(0.02)
        gateways[0].kill()
        gateways[0].wait()
        gateways[0] = city.gateway(start, homes[0], url)
        for process in (market, *gateways):
            city.wait("a process", process)
    for home in homes:
        home.rename(parts / "buildings" / home.name.removeprefix("home-"))
    check(city, case, run.folder)
    for folder in city.root.glob("nodes/*"):
        assert cli.run(["log", "verify", str(folder)]) == 0
        assert {path.stat().st_mode & 0o077 for path in folder.glob("*") if path.suffix != ".json"} == {0}
    papers = parts.glob("buildings/*/runs/**/*")
    assert {path.stat().st_mode & 0o077 for path in papers} == {0}


@pytest.mark.slow
def test_ten_gateways_one_marketplace(tmp_path: Path) -> None:
    """What `planner marketplace demo` does; eleven processes, none of them left."""
    demo = Demo(tmp_path / "demo", 10, 30, 0.25)
    told = demo.run()
    assert told["gateways"] == 10
    assert told["groups"] + told["dark"] == 10
    case = read_case(tmp_path / "demo" / "case")
    run = clear(case, tmp_path / "reference")
    world = World(tmp_path / "demo" / "parts", case, Roster(1, "x", ()), {})
    assert differing(world, run.folder, tmp_path / "demo" / "run") == []
    assert recompute(tmp_path / "demo" / "run").same


@pytest.mark.slow
def test_riverside(tmp_path: Path) -> None:
    """Four buildings that speak for themselves, a cohort of six, meters, feeders, a day of 25 hours."""
    case = read_case(ROOT / "data" / "riverside")
    run = clear(case, tmp_path / "reference")
    city = City(tmp_path / "city", 10, 0, 0.25)
    parts = city.part(case)
    with city.processes() as start:
        url, market = city.marketplace(start, parts)
        gateways = [city.gateway(start, folder, url) for folder in sorted((parts / "buildings").iterdir())]
        for process in (market, *gateways):
            city.wait("a process", process)
    check(city, case, run.folder)


@pytest.mark.slow
def test_killed_at_every_step(tmp_path: Path) -> None:
    case = cohort_case(tmp_path)
    run = clear(case, tmp_path / "reference")
    city = City(tmp_path / "city", 5, 4, 0.1)
    parts = city.part(case)
    script = Path(__file__).with_name("dying_marketplace.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")])}
    killed = []
    with city.processes() as start:
        gateways: list[subprocess.Popen[str]] = []
        for step in (*STEPS, "never"):
            arguments = [sys.executable, str(script), str(city.root), step, "4"]
            process = subprocess.Popen(arguments, env=environment)
            if not gateways:
                while not (city.root / "port").exists():
                    time.sleep(0.05)
                url = f"http://127.0.0.1:{(city.root / 'port').read_text()}"
                gateways = [city.gateway(start, folder, url) for folder in sorted((parts / "buildings").iterdir())]
            try:
                killed.append(process.wait(PATIENCE_S))
            finally:
                process.kill()
                process.wait()
        for gateway in gateways:
            city.wait("a gateway", gateway)
    assert killed == [-signal.SIGKILL] * len(STEPS) + [0]
    rows = list(MessageStore(city.root / "messages").rows())
    answered = Counter((row.sender, row.hash) for row in rows if row.type == "slot")
    assert max(answered.values()) == 1
    check(city, case, run.folder)


@pytest.mark.slow
def test_the_first_is_killed_in_round_seven(tmp_path: Path) -> None:
    case = cohort_case(tmp_path)
    run = clear(case, tmp_path / "reference")
    city = City(tmp_path / "city", 5, 4, 0.1)
    parts = city.part(case)
    with city.processes() as start:
        first_url, first = city.marketplace(start, parts, name="first")
        second_url, second = city.marketplace(start, parts, "--standby-of", first_url)
        urls = (first_url, second_url)
        gateways = [city.gateway(start, folder, *urls) for folder in sorted((parts / "buildings").iterdir())]
        store = MessageStore(city.root / "first.messages")
        while sum(row.type == "question" for row in store.rows()) < 8:  # the first question is round 0
            assert first.poll() is None
            time.sleep(0.02)
        first.kill()
        for process in (second, *gateways):
            city.wait("a process", process)
    assert first.returncode == -signal.SIGKILL
    assert not (city.root / "first").exists()
    check(city, case, run.folder)


@pytest.mark.slow
def test_no_process_is_left(tmp_path: Path) -> None:
    """A demo whose marketplace cannot start ends with an error and without gateways."""
    from planner.marketplace.demo import DemoFailedError

    demo = Demo(tmp_path / "demo", 5, 4, 0.1)
    demo.prepare()
    (demo.node(MARKET) / "identity.json").unlink()
    with demo.processes() as start, pytest.raises(DemoFailedError):
        demo.marketplace(start, tmp_path / "demo" / "parts")
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed
