"""Where a passphrase comes from: a file, the environment, or somebody who types it; never the command line."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from planner.commands.outcome import refuse

VARIABLE = "ALLOTMENT_PASSPHRASE"
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="F",
        help=f"Its first line unlocks the keys; otherwise ${VARIABLE}, otherwise you are asked.",
        show_default=False,
    ),
]


def passphrase(file: Path | None, new: bool = False) -> bytes:
    """The passphrase as bytes; a ``new`` one is typed twice.  Raises InvalidInput where there is none."""
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        return _sound(lines[0] if lines else "", str(file))
    if VARIABLE in os.environ:
        return _sound(os.environ[VARIABLE], f"${VARIABLE}")
    if not sys.stdin.isatty():
        raise refuse("no passphrase and nobody to ask", f"give --passphrase-file or set ${VARIABLE}")
    typed = getpass.getpass("Passphrase: ")
    if new and getpass.getpass("Once more: ") != typed:
        raise refuse("the two passphrases differ")
    return _sound(typed, "passphrase")


def _sound(text: str, place: str) -> bytes:
    if not text:
        raise refuse("is empty", "keys on disk are always encrypted", place)
    return text.encode()
