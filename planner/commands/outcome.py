"""How a command ends: the exit codes of contract 3, and what every failure says on its way out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum

from planner.commands.console import Console
from planner.problems import InvalidInput, Problem


class Exit(IntEnum):
    """The exit codes of contract 3 that can happen today, and the shell's own for Ctrl-C and a closed pipe."""

    DONE = 0
    NOT_CLEAN = 1
    INVALID = 2
    INFEASIBLE = 3
    WIDE_GAP = 4
    BUG = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141


def ending(console: Console, command: Callable[[], int | None]) -> int:
    """Run a command to its exit code; a failure becomes words, a traceback only with --debug."""
    try:
        return int(command() or Exit.DONE)
    except InvalidInput as invalid:
        return _refused(console, invalid)
    except KeyboardInterrupt:
        console.error("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains on its way out
        return Exit.CLOSED_PIPE
    except OSError as error:
        console.error(f"{error.filename or 'this machine'}: {error.strerror or error}")
        return Exit.INVALID
    except Exception as bug:
        if (refusal := getattr(bug, "refusal", None)) is not None:  # by its attribute: its class loads the models
            for line in str(refusal).splitlines():
                console.error(line)
            return Exit.INFEASIBLE
        if console.debug:
            traceback.print_exc()
        console.error(
            f"a bug in planner: {type(bug).__name__}: {' '.join(str(bug).split())[:300]}", _how_to_report(console)
        )
        return Exit.BUG


def refuse(what: str, hint: str = "", place: str = "command line") -> InvalidInput:
    """The refusal of something asked for on the command line, to be raised."""
    return InvalidInput([Problem(place, 0, what, hint=hint)])


def _refused(console: Console, invalid: InvalidInput) -> int:
    if console.json:
        rows = [
            {"file": p.file, "line": p.line, "what": p.what, "value": p.value, "hint": p.hint} for p in invalid.errors
        ]
        console.result("", {"valid": False, "problems": rows})
    console.problems(invalid.errors)
    return Exit.INVALID


def _how_to_report(console: Console) -> str:
    if console.debug:
        return "report it with the lines above, the command, and if you may share it the case"
    return "the same command with --debug prints the lines that a report of it needs"
