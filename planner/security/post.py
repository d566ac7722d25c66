"""The post: what carries envelopes from one node to others.

It has two carriers: a folder that somebody carries (``Box``), and a line to a marketplace that relays
(planner/marketplace/line.py).  Envelopes need no protection on their way.

A folder is a letter box: one envelope a file, named by its hash, whole or not there at all.  It has one reader, who
moves what was read to ``read/`` and what was refused to ``refused/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from planner.security import strict
from planner.security.files import PUBLIC, write_atomically
from planner.security.opening import message_hash

SUFFIX = ".envelope"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True)
class Letter:
    """An envelope that came; ``settle`` is told whether it was accepted, once it was acted on."""

    name: str
    data: bytes
    settle: Callable[[bool], None] = lambda accepted: None


class Post(Protocol):
    """A carrier, seen from one node."""

    def send(self, data: bytes) -> None:
        """Hand over an envelope."""

    def letters(self) -> Iterator[Letter]:
        """What has come since, the oldest first."""


@dataclass(frozen=True)
class Box:
    """A folder as a carrier."""

    folder: Path

    def send(self, data: bytes) -> None:
        """Put an envelope into the box; the same one twice is one file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / f"{message_hash(data)}{SUFFIX}", data, PUBLIC)

    def letters(self) -> Iterator[Letter]:
        """The envelopes in the box; of a file that is too large only as much as shows that it is."""
        found = [path for path in self.folder.glob(f"*{SUFFIX}") if path.is_file() and not path.is_symlink()]
        for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)):
            if _NAME.fullmatch(path.name):
                with path.open("rb") as file:
                    data = file.read(strict.MAX_BYTES + 1)
                yield Letter(path.name, data, lambda accepted, path=path: settle(path, accepted))  # type: ignore[misc]


def settle(path: Path, accepted: bool) -> None:
    """Take a file out of the box."""
    folder = path.parent / ("read" if accepted else "refused")
    folder.mkdir(exist_ok=True)
    path.replace(folder / path.name)
