"""How a command ends: the exit codes of contract 3, and what every failure says on its way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import IntEnum

from planner.commands.console import Console
from planner.problems import InvalidInput, Problem, place_of, trace_of
from planner.security.refusal import Reason, Refused

HINTS = {
    Reason.KEY_FILE: "planner keys show names the keys that should be there; try the passphrase once more",
    Reason.KEY_MODE: "chmod 700 the folder and chmod 600 the key files, and find out who could read them",
    Reason.KEY_PLACE: "keep keys outside of everything that has a .git",
    Reason.INVITE: "an invite serves one request, for its own name, within 24 hours; make a new one",
    Reason.ROOT: "the fingerprint told is not that of this roster's root",
    Reason.ROLLBACK: "a roster is never exchanged for an older one; ask the operator for the next",
    Reason.GAP: "accept the versions in between first; the operator keeps them in rosters/",
    Reason.FREEZE: "fetch the roster again with planner roster accept; if it has expired, the operator signs the next",
    Reason.THRESHOLD: "two roots or more must sign, and a change of root needs the old and the new ones",
    Reason.UNKNOWN_KEY: "this key is not in the roster",
    Reason.UNAUTHORISED: "planner roster show --rights prints who may send and read what",
    Reason.DUPLICATE: "one name, one key: neither may come twice",
    Reason.STORE: "the node's database is missing or older than its mark; see planner keys recover --help",
}


NO_ROOM = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")


class Exit(IntEnum):
    """The exit codes of contract 3 that can happen today, and the shell's own for Ctrl-C and a closed pipe."""

    DONE = 0
    NOT_CLEAN = 1
    INVALID = 2
    INFEASIBLE = 3
    WIDE_GAP = 4
    NO_ANSWER = 5
    BUG = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141


def ending(console: Console, command: Callable[[], int | None]) -> int:
    """Run a command to its exit code; a failure becomes words, a traceback only with --debug."""
    try:
        return int(command() or Exit.DONE)
    except InvalidInput as invalid:
        return _refused(console, invalid)
    except Refused as refused:
        if console.json:
            console.result("", {"refused": str(refused.reason)})
        console.error(f"refused: {refused.reason}", HINTS.get(refused.reason, ""))
        return Exit.NOT_CLEAN
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
        if getattr(bug, "sqlite_errorname", "").startswith(NO_ROOM):
            console.error(
                f"a ledger or a node's database: {bug}", "is there room on the disk, and may it be written to?"
            )
            return Exit.INVALID
        if console.debug:
            sys.stderr.write(trace_of(bug))
        console.error(f"a bug in planner: {place_of(bug)}", _how_to_report(console))
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
        return "report it with the lines above, which quote nothing of the case, and the command"
    return "the same command with --debug prints the lines that a report of it needs"
