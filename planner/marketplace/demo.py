"""A marketplace and its gateways as processes of one machine: made, started, watched, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planner.case import read_case
from planner.generate import generate
from planner.groups import GroupKind
from planner.hearing import MARKET
from planner.holders import split
from planner.marketplace.mail import within
from planner.marketplace.site import Told, read_told
from planner.security.authority import Authority
from planner.security.invites import request
from planner.security.keyfiles import load_identity, load_signer
from planner.security.keyring import new_keys
from planner.security.node import start_node
from planner.security.policy import PRESETS
from planner.security.roster import Root

ROSTER_S = 35 * 86_400
PATIENCE_S = 300.0
LISTENING = re.compile(r"listening at (\S+)")


class DemoFailedError(Exception):
    """A process ended badly, or not at all."""


@dataclass
class Demo:
    """A city of ``gateways`` buildings of ``units`` each below ``root``; ``say`` is told what happens."""

    root: Path
    gateways: int
    units: int
    slot_s: float
    say: Callable[[str], None] = lambda words: None
    secret: str = field(default_factory=lambda: secrets.token_hex(16))

    def run(self) -> dict[str, Any]:
        """The whole of it; gives what came out.  No process is left behind, whatever happens."""
        parts = self.prepare()
        self.say(f"starting a marketplace and {self.gateways} gateways")
        began = time.monotonic()
        with self.processes() as start:
            url, market = self.marketplace(start, parts)
            gateways = [self.gateway(start, folder, url) for folder in sorted((parts / "buildings").iterdir())]
            for name, process in (
                ("the marketplace", market),
                *((f"gateway {i}", g) for i, g in enumerate(gateways, 1)),
            ):
                self.wait(name, process)
        told = json.loads((self.root / "run" / "certificate.json").read_text("utf-8"))
        return {
            "seconds": round(time.monotonic() - began, 1),
            "gateways": self.gateways,
            "groups": told["groups_released"],
            "dark": told["groups_dark"],
            "objective": told["objective"],
            "savings": told["savings"],
            "rounds": told["rounds"],
            "run": str(self.root / "run"),
            "buildings": str(parts / "buildings"),
        }

    def in_words(self, told: dict[str, Any]) -> str:
        """What came out, for people."""
        lines = [
            f"{told['gateways']} gateways, {told['groups']} groups spoke, {told['dark']} stayed dark",
            f"cost {told['objective']:.2f}, saved by trading {told['savings']:.2f}",
            f"{told['rounds']} rounds in {told['seconds']} s between separate processes, all of them ended",
            f"run        {told['run']}",
            f"buildings  {told['buildings']}/*/runs",
        ]
        return "\n".join(lines)

    def prepare(self) -> Path:
        """City, holders' folders, keys and a signed roster."""
        total = self.gateways * self.units
        self.say(f"making a city of {total} units, and parting it among its holders")
        case = read_case(generate(self.root / "case", total, self.units, 60))
        split(case, self.root / "parts")
        self.say("making keys, inviting and enrolling everybody, signing the roster with two of three roots")
        self._enrol_all(PRESETS[case.settings.privacy.preset].sha256)
        return self.root / "parts"

    def node(self, name: str) -> Path:
        """The folder of a node's keys."""
        return self.root / "nodes" / name

    def _enrol_all(self, policy: str) -> None:
        at, secret = int(time.time()), self.secret.encode()
        roots = [new_keys(self.root / "roots" / name, f"root.{name}", secret, at, None) for name in ("a", "b", "c")]
        city = Authority(self.root / "city")
        root = Root(tuple(card.newest.public for card in roots), 2)
        city.begin("city", root, policy, at + ROSTER_S)
        told = [read_told(folder) for folder in sorted((self.root / "parts" / "buildings").iterdir())]
        lit = [t for t in told if t.group.kind is not GroupKind.DARK]
        for name, role, zones in ((MARKET, "marketplace", set()), *((t.gateway, "gateway", zones_of(t)) for t in lit)):
            invite = city.invite(name, role, sorted(zones), at)
            card = new_keys(self.node(name), name, secret, at)
            signer = load_identity(self.node(name), secret, at).signer
            city.enrol(request(card, invite, signer), at, at + ROSTER_S)
        for card, name in zip(roots[:2], ("a", "b"), strict=True):
            city.sign(load_signer(self.root / "roots" / name, card.newest, secret), at)
        signed = (self.root / "city" / "roster.json").read_bytes()
        for name in (MARKET, *(t.gateway for t in lit)):
            start_node(self.node(name), signed, root.fingerprint, secret, at)

    @contextlib.contextmanager
    def processes(self) -> Iterator[Callable[[str, list[str]], subprocess.Popen[str]]]:
        """A function that starts planner with arguments; all that were started are gone in the end."""
        started: list[subprocess.Popen[str]] = []
        words = self.root / "words"
        words.mkdir(exist_ok=True)

        def start(name: str, arguments: list[str]) -> subprocess.Popen[str]:
            with (words / f"{name}.txt").open("w") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", "planner.cli", *arguments],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env={**os.environ, "ALLOTMENT_PASSPHRASE": self.secret, "OMP_NUM_THREADS": "1"},
                )
            started.append(process)
            return process

        try:
            yield start
        finally:
            for process in started:
                if process.poll() is None:
                    process.kill()
                process.wait()

    def marketplace(
        self, start: Callable[[str, list[str]], subprocess.Popen[str]], parts: Path, *more: str, name: str = MARKET
    ) -> tuple[str, subprocess.Popen[str]]:
        """A marketplace at a port of the system's choice; its address and its process."""
        arguments = ["marketplace", "serve", str(parts / "market"), "--node", str(self.node(MARKET)), "--port", "0"]
        out = self.root / ("run" if name == MARKET else name)
        process = start(name, [*arguments, "-o", str(out), "--patience", str(PATIENCE_S), *more])
        return self.address(name, process), process

    def address(self, name: str, process: subprocess.Popen[str]) -> str:
        """Where a marketplace says that it listens."""
        path, ends = self.root / "words" / f"{name}.txt", time.monotonic() + 60
        while time.monotonic() < ends and process.poll() is None:
            found = LISTENING.search(path.read_text("utf-8"))
            if found:
                return found[1]
            time.sleep(0.05)
        raise DemoFailedError(f"{name} did not start")

    def gateway(
        self, start: Callable[[str, list[str]], subprocess.Popen[str]], folder: Path, *urls: str
    ) -> subprocess.Popen[str]:
        """One building's gateway."""
        told = read_told(folder)
        where = [word for url in urls for word in ("--marketplace", url)]
        node = ["--node", str(self.node(told.gateway)), "--slot", str(self.slot_s)]
        return start(folder.name, ["gateway", "run", str(folder), *where, *node])

    def wait(self, name: str, process: subprocess.Popen[str]) -> None:
        """Until a process ends well; raises DemoFailedError."""
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise DemoFailedError(f"{name} did not end") from None
        if code != 0:
            raise DemoFailedError(f"{name} ended with code {code}")


def zones_of(told: Told) -> set[str]:
    """The zones of a gateway in the roster: its building, the group it speaks for, and its cohort's own talk."""
    spoken = {told.group.id} if told.speaks else set()
    return {told.building} | spoken | ({within(told.group.id)} if told.group.kind is GroupKind.COHORT else set())
