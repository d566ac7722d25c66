"""What a gateway has said in a clear, on disk before it leaves: one that is killed and comes back says it again.

It is asked everything again from the beginning, works it out again so that its models stand where they stood, and
posts the bytes that it had kept.  ``mark`` is a hash of what was said in clear; a plan that comes out otherwise than it
was told is no plan to go on with.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planner.problems import InvalidInput, Problem
from planner.security.files import PRIVATE, private_folder


class BrokenWordError(Exception):
    """What was worked out again is not what was said."""


@dataclass(frozen=True)
class Said:
    """What answers a question: the envelopes that carry it, the slot's fields, and the mark of what they say."""

    lines: tuple[bytes, ...] = ()
    slot: Mapping[str, Any] = field(default_factory=dict)
    mark: str = ""


class Memory:
    """A private file of what was said, by number; ``asked`` is the hash of the question."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1
        self._kept: dict[int, tuple[str, Said]] = {}
        if path.is_file():
            self._cut()
            self._read()

    def lock(self) -> None:
        """Raises InvalidInput where another gateway is at work in this folder."""
        private_folder(self.path.parent)
        self._lock = os.open(self.path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, PRIVATE)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "one gateway a folder: end the other one first"
            raise InvalidInput([Problem(self.path.parent.parent.name, 0, "a gateway is at work", hint=hint)]) from None

    def unlock(self) -> None:
        """Let the next one in."""
        os.close(self._lock)

    def _cut(self) -> None:
        """A last line without its end was cut off, and what it told of was never posted."""
        data = self.path.read_bytes()
        if not data.endswith(b"\n"):
            os.truncate(self.path, data.rfind(b"\n") + 1)

    def _read(self) -> None:
        for number, line in enumerate(self.path.read_bytes().splitlines(), 1):
            try:
                told = json.loads(line)
                said = Said(tuple(one.encode() for one in told["lines"]), dict(told["slot"]), str(told["mark"]))
                self._kept.setdefault(int(told["number"]), (str(told["asked"]), said))
            except (ValueError, KeyError, TypeError, AttributeError):
                hint = "it is what this gateway said; without it, wait for the next day"
                raise InvalidInput([Problem(self.path.name, number, "is damaged", hint=hint)]) from None

    @property
    def is_empty(self) -> bool:
        return not self._kept

    def mark_of(self, number: int) -> str | None:
        """The mark of what was said to that number, None where nothing was."""
        return self._kept[number][1].mark if number in self._kept else None

    def keep(self, number: int, asked: str, said: Said) -> tuple[str, Said]:
        """Question and answer of that number as they were first; raises BrokenWordError if ``said`` is another."""
        if number in self._kept:
            first, before = self._kept[number]
            if first == asked and before.mark != said.mark:
                raise BrokenWordError
            return first, before
        lines = [line.decode() for line in said.lines]
        told = {"number": number, "asked": asked, "lines": lines, "slot": dict(said.slot), "mark": said.mark}
        private_folder(self.path.parent)
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
        with os.fdopen(handle, "ab") as file:
            file.write(json.dumps(told).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._kept[number] = asked, said
        return asked, said

    def forget(self) -> None:
        """The clear is over."""
        self.path.unlink(missing_ok=True)
        self._kept.clear()
