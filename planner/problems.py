"""What is wrong with an input: a value with a place and a hint, collected and never raised one by one."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error: the ``file`` as a user knows it, its ``line`` (from 1; 0 when no line is meant), words, a hint."""

    file: str
    line: int
    what: str
    value: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        value = f" ({self.value})" if self.value else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}: {self.what}{value}{hint}"


class InvalidInput(ValueError):  # noqa: N818 - the name is part of the public API
    """All that is wrong with an input, at once; ``str`` prints one problem a line."""

    def __init__(self, errors: Iterable[Problem]) -> None:
        self.errors: tuple[Problem, ...] = tuple(errors)
        super().__init__(self.errors)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.errors)


def place_of(fault: BaseException) -> str:
    """Kind and line of an exception, without its words: they may quote whatever was at work."""
    frames = traceback.extract_tb(fault.__traceback__)
    return type(fault).__name__ + (f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "")


def trace_of(fault: BaseException) -> str:
    """The whole traceback, causes first, and of every exception in it the kind alone."""
    above = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    lines = "".join(traceback.format_tb(fault.__traceback__))
    before = "" if above is None else trace_of(above) + "\nDuring which came:\n"
    return f"{before}Traceback (most recent call last):\n{lines}{type(fault).__name__}\n"


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that a misspelt ``word`` is nearest to, or an empty string."""
    folded = {name.casefold(): name for name in sorted(known)}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else ""


def suggest(word: str, known: Iterable[str], limit: int = 12) -> str:
    """A hint for an unknown ``word``: the closest known one, or the first known ones."""
    names = sorted(known)
    near = closest(word, names)
    if near:
        return f"did you mean '{near}'?"
    if not names:
        return ""
    return "known: " + ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


def shown(value: object, width: int = 60) -> str:
    """A value as an error message prints it: one line, printable, not longer than ``width``."""
    text = f"{value:.12g}" if isinstance(value, float) else str(value)
    text = "".join(c if c.isprintable() else "�" for c in text)
    return text if len(text) <= width else text[: width - 1] + "…"
