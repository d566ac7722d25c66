"""The log of a clear's rounds in RUN.partial: append-only, one line a question, each on disk before the next one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from planner.ledger.folder import LOG

FORMAT = 1


class RoundLog:
    """The log of one clear in ``folder``; ``clear`` fingerprints what is cleared.

    A log of another clear, or none, is begun afresh; a last line that was cut short is cut off.
    """

    def __init__(self, folder: Path, clear: str) -> None:
        self.path = folder / LOG
        self._heard = _read(self.path, clear)
        self._next = 0
        if not self._heard:
            self._write([{"log": FORMAT, "clear": clear}])
        else:
            self._write([{"log": FORMAT, "clear": clear}, *self._heard])
        self.found = len(self._heard)

    @property
    def replaying(self) -> bool:
        """Whether there is something left to take up."""
        return self._next < len(self._heard)

    def recall(self, asked: str) -> dict[str, Any] | None:
        """What came back when this was asked before; None, and no more to recall, where something else was asked."""
        if not self.replaying:
            return None
        line = self._heard[self._next]
        if line["asked"] != asked:
            self.cut()
            return None
        self._next += 1
        return line

    def cut(self) -> None:
        """Nothing after the last line recalled holds."""
        first = json.loads(self.path.read_bytes().splitlines()[0])
        del self._heard[self._next :]
        self._write([first, *self._heard])

    def unrecall(self) -> None:
        """The line last recalled does not hold either."""
        self._next -= 1
        self.cut()

    def append(self, line: Mapping[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(_line(line))
            file.flush()
            os.fsync(file.fileno())

    def _write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        fresh = self.path.with_name(self.path.name + ".fresh")
        fresh.write_bytes(b"".join(map(_line, lines)))
        fresh.replace(self.path)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _read(path: Path, clear: str) -> list[dict[str, Any]]:
    """The lines after the first, up to one that was cut short; none where another clear was logged."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
        first = json.loads(lines[0]) if lines else {}
    except (OSError, ValueError):
        return []
    if first != {"log": FORMAT, "clear": clear}:
        return []
    found = []
    for line in lines[1:]:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
