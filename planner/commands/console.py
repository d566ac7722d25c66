"""What a command says: results on stdout, words on stderr, progress only where somebody watches."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planner.problems import Problem

MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Console:
    """How this call wants to be told things; ``log_json`` makes every word on stderr a line of JSON."""

    json: bool = False
    quiet: bool = False
    log_json: bool = False
    debug: bool = False

    def result(self, text: str, data: Any) -> None:
        """The answer: text for people, or with --json one JSON document."""
        if self.json:
            text = json.dumps(_plain(data), indent=1, ensure_ascii=False, default=str, allow_nan=False)
        print(text, flush=True)

    def error(self, words: str, hint: str = "") -> None:
        self._say("error", words)
        if hint:
            self._say("hint", hint)

    def problems(self, problems: Iterable[Problem], level: str = "error") -> None:
        """Every problem on a line of its own, and of several how many there are and in how many files."""
        found = tuple(problems)
        if len(found) == 1:
            self._one(found[0], level)
            return
        for problem in found[:MOST_LINES]:
            self._say(level, str(problem))
        files = len({problem.file for problem in found})
        more = f", the first {MOST_LINES} shown" if len(found) > MOST_LINES else ""
        self._say(level, f"{counted(len(found), 'problem')} in {counted(files, 'file')}{more}")

    def _one(self, problem: Problem, level: str) -> None:
        self._say(level, str(replace(problem, hint="")))
        if problem.hint:
            self._say("hint", problem.hint)

    def notes(self, notes: Iterable[str], most: int = 5) -> None:
        """What was assumed and should be known: the first few, and how many more."""
        said = list(notes)
        for note in said[:most]:
            self.note(note)
        if len(said) > most:
            self.note(f"and {counted(len(said) - most, 'more note')}")

    def note(self, words: str) -> None:
        if not self.quiet:
            self._say("note", words)

    def progress(self, words: str) -> None:
        """A step of a long job: for a watching person, or for a log."""
        if not self.quiet and (self.log_json or sys.stderr.isatty()):
            self._say("progress", words)

    def _say(self, level: str, words: str) -> None:
        if self.log_json:
            line = json.dumps({"level": level, "words": words}, ensure_ascii=False)
        else:
            line = f"planner: {words}" if level == "progress" else f"planner: {level}: {words}"
        print(line, file=sys.stderr, flush=True)


def _plain(data: Any) -> Any:
    """The same without numbers that JSON does not have: NaN and infinity become null."""
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def table_in_words(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines with aligned columns, the first row their names."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``, ``2 batteries``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("ry") else f"{number:,} {noun}s"
