"""The clear once more, from the opened messages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planner.commands.console import Console, counted
from planner.commands.outcome import Exit


def recompute(
    console: Console,
    outbox: Annotated[
        Path,
        typer.Argument(
            metavar="OUTBOX", help="The marketplace's part of a run, a folder or a zip.", show_default=False
        ),
    ],
) -> int:
    """Re-derive a clear from its verified messages, and compare.

    Every envelope's signature and every body's commitment is checked first; no key is needed.

    \b
    Example: planner recompute runs/market
    """
    from planner.commands.runs import unpacked
    from planner.marketplace.recomputing import recompute as again

    with unpacked(outbox) as folder:
        found = again(folder)
    told = {"same": found.same, "messages": found.messages, "compared": list(found.compared)}
    told |= {"differing": list(found.differing), "broken": found.broken}
    if not found.same:
        console.error(found.broken or f"{', '.join(found.differing)}: not what the messages lead to")
    words = f"{counted(found.messages, 'message')} verified, {counted(len(found.compared), 'table')} compared"
    console.result(f"{words}: {'the same' if found.same else 'not the same'}", told)
    return Exit.DONE if found.same else Exit.NOT_CLEAN


COMMANDS = {"recompute": recompute}
