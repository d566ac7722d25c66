"""The options that every command has, added to its signature in one place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from planner.commands.console import Console
from planner.commands.outcome import ending

CasePath = Annotated[Path, typer.Argument(metavar="CASE", help="A folder with a case.toml.", show_default=False)]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]
Date = Annotated[
    str | None,
    typer.Option("--date", metavar="D", help="Delivery day, as 2026-10-25; wins over case.toml.", show_default=False),
]
ClearId = Annotated[
    str | None,
    typer.Option(
        "--clear-id",
        metavar="DAY.X",
        help="A clear anew of the day, as 2026-10-25.2: the same for all  [the day]",
        show_default=False,
    ),
]

COMMON: dict[str, tuple[Any, Any]] = {
    "json": (Annotated[bool, typer.Option("--json", help="The result as one JSON document on stdout.")], False),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress.")], False),
    "log": (
        Annotated[str, typer.Option("--log", metavar="text|json", help="Words on stderr as text or JSON lines.")],
        "text",
    ),
    "debug": (Annotated[bool, typer.Option("--debug", help="After a bug, print the whole traceback.")], False),
}
Command = Callable[..., int | None]


def command(function: Command) -> Callable[..., int]:
    """Give a command the common options; it gets them as its first argument, a Console, and ends in an exit code."""
    own = inspect.signature(function, eval_str=True)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in COMMON.items()
    ]

    @functools.wraps(function)
    def run(*args: Any, json: bool, quiet: bool, log: str, debug: bool, **options: Any) -> int:
        if log not in ("text", "json"):
            raise typer.BadParameter(f"'{log}' is neither text nor json.", param_hint="'--log'")
        console = Console(json, quiet, log == "json", debug)
        return ending(console, lambda: function(console, *args, **options))

    parameters = [*list(own.parameters.values())[1:], *common]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": int}
    return run
