"""A pool of processes on this machine: a place is a process that keeps its models to itself."""

from __future__ import annotations

import math
import signal
import subprocess
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from planner.beside import fresh_interpreter
from planner.fitting import EVER
from planner.fleet import Kept
from planner.gateway import Plan
from planner.schedule import Parts, Schedule
from planner.spread import Bench, GoneError, LateError, Order, Recipe, Told
from planner_models.words import Building

CLOSING_S = 2.0
KEPT_S = 600.0


class Standby:
    """Processes begun before there is anything to do: they import while the city is still being prepared.

    Who is not taken ends when this does, with its pipe.
    """

    def __init__(self, processes: int) -> None:
        self._ready = [fresh_interpreter(__name__) for _ in range(processes)]

    def take(self) -> tuple[subprocess.Popen[bytes], Connection]:
        """One of them, or a new one where all are taken."""
        return self._ready.pop() if self._ready else fresh_interpreter(__name__)


class ProcessPlace:
    """A process that answers until its pipe is closed; it goes when this process goes."""

    def __init__(
        self, recipes: Mapping[int, Recipe], gated: bool, most: int = EVER, standby: Standby | None = None
    ) -> None:
        self.process, self.pipe = fresh_interpreter(__name__) if standby is None else standby.take()
        self.buildings = _buildings(recipes)
        self._send((dict(recipes), gated, most))

    def tell(self, orders: Sequence[tuple[int, Order]]) -> None:
        """All at once: who still has something to say is not sent anything, or both would wait for the other."""
        self._send(list(orders))

    def hear(self, timeout_s: float) -> Told:
        found = self._receive(timeout_s)
        if not isinstance(found, Told):
            raise GoneError
        return found

    def kept(self) -> Mapping[str, Kept]:
        self._send(None)
        return {name: self._whole(name, *kept) for name, kept in self._receive(KEPT_S).items()}

    def _whole(self, name: str, schedule: Parts | Schedule, alone: float, proven: float) -> Kept:
        made = schedule.made(self.buildings[name]) if isinstance(schedule, Parts) else schedule
        return Kept(made, alone, proven)

    def close(self) -> None:
        self.pipe.close()
        try:
            self.process.wait(CLOSING_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _send(self, message: object) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            raise GoneError from None

    def _receive(self, timeout_s: float) -> Any:
        try:
            if not self.pipe.poll(None if math.isinf(timeout_s) else timeout_s):
                raise LateError
            return self.pipe.recv()
        except (EOFError, OSError):
            raise GoneError from None


def work(descriptor: int) -> None:
    """In the process: recipes first, then until the pipe closes orders of groups, or None for what buildings keep."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that owns the pool
    pipe = Connection(descriptor)
    try:
        bench = Bench(*pipe.recv())
        while True:
            orders = pipe.recv()
            if orders is None:
                pipe.send(_slim(bench))
                continue
            bench.expect(orders)
            for g, order in orders:
                if (told := bench.work(g, order)) is not None:
                    pipe.send(told)
    except (EOFError, OSError):
        return


def _slim(bench: Bench) -> dict[str, tuple[Parts | Schedule, float, float]]:
    """What buildings keep, less what whoever asks knows of them: half of it, and most of the objects."""
    known = _buildings(bench.recipes)
    return {
        name: (Parts.of(own.schedule) if name in known else own.schedule, own.without_trade, own.proven)
        for name, own in bench.kept().items()
    }


def _buildings(recipes: Mapping[int, Recipe]) -> dict[str, Building]:
    """The buildings that recipes name, which are known at both ends of a pipe."""
    return {b.id: b for recipe in recipes.values() if isinstance(recipe, Plan) for b in recipe.buildings}
