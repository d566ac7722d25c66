"""Work in parts on every core: processes beside this one take parts, and so does this one; results keep their order."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")
LARGE = 100_000
"""Units times intervals from which a process beside this one earns back what its start costs."""
PARTS_EACH = 4
"""Parts a process: few enough that each is worth its start, enough that none waits long for the last one."""


LOST = "a process beside this one ended before its work was done; is there memory enough?"


class LostProcessError(ChildProcessError):
    """A process ended before its work was done: the machine's failure, not the planner's."""


def fresh_interpreter(module: str) -> tuple[subprocess.Popen[bytes], Connection]:
    """A process that runs ``module.work(descriptor)``, and the pipe whose other end that is.

    What called the planner is not run a second time, and no thread or solver is copied.
    """
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {module} import work; work({theirs.fileno()})"],
        pass_fds=(theirs.fileno(),),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    return process, Connection(ours.detach())


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def kept() -> Iterator[None]:
    """Inside the outermost of these, who has done his work waits for other work: imports are paid once."""
    outermost = not _KEPT
    if outermost:
        _KEPT.append([])
    try:
        yield
    finally:
        if outermost:
            for process in _KEPT.pop():
                process.end()


def part_size(things: int, processes: int, most: int) -> int:
    """Things a part, at most ``most``, so that every process has some."""
    return most if processes < 2 else max(1, min(most, -(-things // (PARTS_EACH * processes))))


def in_order(do: Callable[[Part], Result], parts: Sequence[Part], processes: int) -> Generator[Result]:
    """``do`` of each part, in their order, in ``processes`` processes of which this is one.

    A part is looked up when its turn comes.  ``do``, parts and results are pickled where they go beside; what ``do``
    raises there is raised here.  Processes end with the last result (but see ``kept``), or when the generator is
    closed.  Raises LostProcessError if one ends before.
    """
    beside: list[_Process[Part, Result]] = []
    done: dict[int, Result] = {}
    waiting = list(range(len(parts)))[::-1]
    told = 0
    try:
        for _ in range(min(processes, len(parts)) - 1):
            beside.append(_KEPT[-1].pop() if _KEPT and _KEPT[-1] else _Process())
            beside[-1].begin(do)
        while told < len(parts):
            for process in _idle(beside, done, bool(waiting)):
                if waiting:
                    place = waiting.pop()
                    process.give(place, parts[place])
            if waiting:
                place = waiting.pop()
                done[place] = do(parts[place])
            while told in done:
                yield done.pop(told)
                told += 1
        if _KEPT:
            _KEPT[-1] += beside
            beside = []
    finally:
        for process in beside:
            process.end()


def _idle(
    beside: Sequence[_Process[Any, Result]], done: dict[int, Result], more: bool
) -> Sequence[_Process[Any, Result]]:
    """Whoever has nothing to do, after results were taken; waits for one where there is nothing else to do here."""
    busy = {process.pipe: process for process in beside if process.place is not None}
    for pipe in wait(list(busy), 0 if more else None) if busy else ():
        process = busy[pipe]  # type: ignore[index]
        place, result = process.take()
        done[place] = result
    return [process for process in beside if process.place is None]


@dataclass(frozen=True)
class _Work:
    """What is to be done with the parts that follow."""

    do: Callable[[Any], Any]


class _Process(Generic[Part, Result]):
    """It has one part at a time: who still has a result to tell is sent nothing, or both would wait for the other."""

    def __init__(self) -> None:
        self.process, self.pipe = fresh_interpreter(__name__)
        self.place: int | None = None

    def begin(self, do: Callable[[Part], Result]) -> None:
        self._send(_Work(do))

    def give(self, place: int, part: Part) -> None:
        self.place = place
        self._send(part)

    def take(self) -> tuple[int, Result]:
        assert self.place is not None
        try:
            succeeded, result = self.pipe.recv()
        except (EOFError, OSError):
            raise LostProcessError(LOST) from None
        if not succeeded:
            raise result
        place, self.place = self.place, None
        return place, result

    def end(self) -> None:
        """At once: whoever is still at work works for nobody."""
        self.pipe.close()
        self.process.kill()
        self.process.wait()

    def _send(self, message: object) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            raise LostProcessError(LOST) from None


_KEPT: list[list[_Process[Any, Any]]] = []
"""The processes that have nothing to do, while ``kept`` is open."""


def work(descriptor: int) -> None:
    """In the process: what is to be done first, then parts until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that began this one
    pipe = Connection(descriptor)
    try:
        begun = pipe.recv()
        while True:
            message = pipe.recv()
            if isinstance(message, _Work):
                begun = message
            else:
                pipe.send_bytes(_told(begun.do, message))
    except (EOFError, OSError):
        return


def _told(do: Callable[[Any], Any], part: Any) -> bytes:
    """(True, the result) or (False, what was raised), pickled."""
    try:
        return pickle.dumps((True, do(part)), pickle.HIGHEST_PROTOCOL)
    except Exception as failure:
        return _pickled(failure)


def _pickled(failure: Exception) -> bytes:
    """A failure that comes out of its pickle as itself; else its words."""
    try:
        content = pickle.dumps((False, failure), pickle.HIGHEST_PROTOCOL)
        pickle.loads(content)
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(failure).__name__}: {failure}")))
    return content
