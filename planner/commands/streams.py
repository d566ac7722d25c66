"""A stdout of their own for results: libraries that print from C would otherwise end up between them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import TextIO

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def results_apart() -> Iterator[None]:
    """``sys.stdout`` alone leads where the process was told to print; file descriptor 1 leads to stderr.

    Where there is nothing to take apart (stdout or stderr is closed, or stdout is no descriptor 1 but what a
    test or a notebook put in its place) nothing is changed.
    """
    before = sys.stdout
    try:
        apart = _apart()
    except (OSError, AttributeError):  # io.UnsupportedOperation is an OSError
        yield
        return
    sys.stdout = apart
    try:
        yield
    finally:
        sys.stdout = before
        with contextlib.suppress(OSError):  # a closed pipe has been dealt with by the command
            apart.flush()
        if _printed():
            os.dup2(apart.fileno(), STDOUT)
        with contextlib.suppress(OSError):
            apart.close()


def _apart() -> TextIO:
    """Where descriptor 1 leads to, under another number; descriptor 1 leads to stderr from now on."""
    own = sys.stdout
    if own.fileno() != STDOUT:
        raise OSError("stdout is not descriptor 1")
    os.fstat(STDERR)  # or a closed stderr would be found out too late
    own.flush()
    apart = os.fdopen(os.dup(STDOUT), "w", 1 if own.line_buffering else -1, own.encoding, own.errors)
    os.dup2(STDERR, STDOUT)
    return apart


def _printed() -> bool:
    """Have C print what it holds back, which it does at exit at the latest; False where there is no asking it."""
    try:
        return ctypes.CDLL(None).fflush(None) == 0
    except (OSError, TypeError, AttributeError):
        return False
