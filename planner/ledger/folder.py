"""A run folder appears whole or not at all: it is written as RUN.partial and renamed when everything is on disk."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planner.problems import InvalidInput, Problem

MARKER = ".allotment"
CERTIFICATE = "certificate.json"
LOG = "rounds.jsonl"
"""What a clear keeps of its rounds while it runs (planner/roundlog.py)."""
PRIVATE = 0o700
"""Mode of a folder that nobody but its owner may open."""
PRIVATE_FILE = 0o600
AT_ONCE = 16
"""Files that are waited for at a time until they are on disk."""


def begin(run: Path, *, force: bool = False) -> Path:
    """RUN.partial as it is or new, to keep a log in.  Raises InvalidInput where it is not ours to touch."""
    refuse_taken(run, force)
    partial = run.with_name(run.name + ".partial")
    if partial.exists() and not (partial / MARKER).exists() and any(partial.iterdir()):
        raise _invalid(partial, "is in the way and was not begun by planner", "move it, or use -o with another folder")
    partial.mkdir(parents=True, exist_ok=True)
    (partial / MARKER).write_text("an unfinished run; planner may replace it\n", encoding="utf-8")
    return partial


def open_partial(run: Path, *, force: bool = False) -> Path:
    """RUN.partial to write into, with nothing in it but a log of rounds.  Raises InvalidInput as ``begin`` does."""
    partial = begin(run, force=force)
    for path in partial.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (MARKER, LOG):
            path.unlink()
    return partial


def publish(partial: Path, run: Path, *, force: bool = False) -> Path:
    """Make ``partial`` the run folder, in one rename after everything has reached the disk."""
    refuse_taken(run, force)
    (partial / MARKER).unlink()
    (partial / LOG).unlink(missing_ok=True)
    _close(partial)
    _sync(partial)
    replaced = run.with_name(run.name + ".replaced")
    if run.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        run.rename(replaced)
    partial.rename(run)
    _sync_folder(run.parent)
    shutil.rmtree(replaced, ignore_errors=True)
    return run


def add_file(run: Path, name: str, content: str | bytes) -> Path:
    """Put one more file (an audit, a report) into a finished run, whole or not at all."""
    path = run / name
    fresh = path.with_name(path.name + ".partial")
    fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    if _private(path.parent):
        fresh.chmod(PRIVATE_FILE)
    _sync_file(fresh)
    fresh.replace(path)
    _sync_folder(run)
    return path


def refuse_taken(run: Path, force: bool = False) -> None:
    """Raise InvalidInput if ``run`` may not be written: worth asking before a clear, not after it."""
    if not run.exists():
        return
    if not run.is_dir():
        raise _invalid(run, "is a file", "use -o with another folder")
    if any(run.iterdir()) and not (force and (run / CERTIFICATE).exists()):
        hint = "use -o with another folder, or --force to replace it"
        raise _invalid(run, "is not empty", hint if (run / CERTIFICATE).exists() else "use -o with another folder")


def _invalid(path: Path, what: str, hint: str) -> InvalidInput:
    return InvalidInput([Problem(path.name, 0, what, hint=hint)])


def _close(root: Path) -> None:
    """Leave what lies below a folder that its owner alone may open to him alone, wherever it is copied to."""
    for folder, folders, files in os.walk(root):  # from above: what is closed here is found closed below
        if _private(Path(folder)):
            for name in files:
                Path(folder, name).chmod(PRIVATE_FILE)
            for name in folders:
                Path(folder, name).chmod(PRIVATE)


def _private(folder: Path) -> bool:
    return os.name == "posix" and folder.stat().st_mode & 0o077 == 0


def _sync(root: Path) -> None:
    """Wait for every file and folder to reach the disk, many at a time: a disk takes them together."""
    tree = [(Path(folder), [Path(folder, name) for name in files]) for folder, _, files in os.walk(root)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(_sync_file, (path for _, files in tree for path in files)):
            pass
        for _ in pool.map(_sync_folder, (folder for folder, _ in tree)):
            pass


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
