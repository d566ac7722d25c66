"""A folder as a letter box: one envelope a file, named by its hash, whole or not there at all.

Whatever carries files carries envelopes: they need no protection on their way.  A box has one reader, who moves what
was read to ``read/`` and what was refused to ``refused/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from planner.security import strict
from planner.security.files import PUBLIC, write_atomically
from planner.security.opening import message_hash

SUFFIX = ".envelope"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


def drop(box: Path, data: bytes) -> Path:
    """Put an envelope into a box; the same one twice is one file."""
    box.mkdir(parents=True, exist_ok=True)
    path = box / f"{message_hash(data)}{SUFFIX}"
    write_atomically(path, data, PUBLIC)
    return path


def waiting(box: Path) -> Iterator[tuple[Path, bytes]]:
    """The envelopes in a box, the oldest first; of a file that is too large only as much as shows that it is."""
    found = [path for path in box.glob(f"*{SUFFIX}") if path.is_file() and not path.is_symlink()]
    for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)):
        if _NAME.fullmatch(path.name):
            with path.open("rb") as file:
                yield path, file.read(strict.MAX_BYTES + 1)


def settle(path: Path, accepted: bool) -> None:
    """Take a file out of the box."""
    folder = path.parent / ("read" if accepted else "refused")
    folder.mkdir(exist_ok=True)
    path.replace(folder / path.name)
