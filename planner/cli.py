"""The command line: nothing else sees argv.  Every command is a few lines in planner/commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from planner import __version__
from planner.commands import (
    alert,
    bridge,
    cases,
    gateway,
    holders,
    keys,
    log,
    market,
    marketplace,
    meters,
    privacy,
    recompute,
    roster,
    runs,
    scenarios,
)
from planner.commands.common import command
from planner.commands.console import Console
from planner.commands.outcome import Exit
from planner.commands.streams import results_apart

app = typer.Typer(
    name="planner",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done and audited clean; 1 an audit failed; 2 invalid input, nothing written; "
    "3 infeasible, the rules in conflict named; 4 an answer with a gap above the one asked for; "
    "5 no answer in time (order books); 70 a bug.  "
    "Start with: planner validate data/riverside -v",
)
MODULES = (bridge, cases, holders, recompute, meters, runs, market, scenarios)
GROUPS = {
    "alert": alert,
    "gateway": gateway,
    "keys": keys,
    "log": log,
    "marketplace": marketplace,
    "privacy": privacy,
    "roster": roster,
}
for module in MODULES:
    for name, function in module.COMMANDS.items():
        app.command(name)(command(function))
for title, module in GROUPS.items():
    group = typer.Typer(help=module.__doc__, no_args_is_help=True, rich_markup_mode=None)
    for name, function in module.COMMANDS.items():
        group.command(name)(command(function))
    app.add_typer(group, name=title)


def _version(asked: bool) -> None:
    if asked:
        print(f"planner {__version__}")
        raise typer.Exit


@app.callback()
def planner(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Who may use how much electricity in a city, when and at what price."""


# typer brings its own copy of click or uses click itself, by its version: the base of BadParameter is the right one.
ClickException = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; without ``arguments`` that of this process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    console = Console(
        log_json="--log=json" in given or ["--log", "json"] in [given[i : i + 2] for i in range(len(given))]
    )
    try:
        return int(app(args=given, prog_name="planner", standalone_mode=False) or Exit.DONE)
    except ClickException as wrong:  # type: ignore[misc]
        context = getattr(wrong, "ctx", None)
        if not given and context is not None:
            print(context.get_help())
        else:
            path = context.command_path if context is not None else "planner"
            console.error(wrong.format_message(), f"{path} --help")
        return Exit.INVALID
    except (KeyboardInterrupt, typer.Abort):
        console.error("interrupted")
        return Exit.INTERRUPTED


def main() -> None:
    """Entry point of the console script."""
    with results_apart():
        code = run()
    sys.exit(code)


if __name__ == "__main__":
    main()
