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
from planner.spread import Bench, GoneError, LateError, Order, Recipe, Told

CLOSING_S = 2.0
KEPT_S = 600.0


class ProcessPlace:
    """A process that answers until its pipe is closed; it goes when this process goes."""

    def __init__(self, recipes: Mapping[int, Recipe], gated: bool, most: int = EVER) -> None:
        self.process, self.pipe = fresh_interpreter(__name__)
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
        return dict(self._receive(KEPT_S))

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
                pipe.send(bench.kept())
                continue
            bench.expect(orders)
            for g, order in orders:
                if (told := bench.work(g, order)) is not None:
                    pipe.send(told)
    except (EOFError, OSError):
        return
