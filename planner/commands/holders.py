"""Commands about holders: who has which part of a case before a clear, and of a run after it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planner.commands.common import CasePath, Date, RunPath
from planner.commands.console import Console, counted


def split(
    console: Console,
    case: CasePath,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="GATEWAYS", help="A new folder.", show_default=False)],
    date: Date = None,
) -> None:
    """Part a case among its holders.

    Writes a public folder for the marketplace and a private one for every building, each a case of its own.  A cohort
    speaks through the gateway of one of its buildings, named in gateway.toml, which sees what its members need.

    \b
    Example: planner split data/riverside -o gateways
    """
    from planner.case import read_case
    from planner.groups import GroupKind
    from planner.holders import split as split_case
    from planner.ledger import refuse_taken

    refuse_taken(out)
    read = read_case(case, date)
    console.notes(read.notes)
    groups = split_case(read, out)
    members = {kind: [b for g in groups if g.kind is kind for b in g.buildings] for kind in GroupKind}
    rows = {
        "buildings": sum(len(names) for names in members.values()),
        "speak alone": len(members[GroupKind.BUILDING]),
        "in a cohort": len(members[GroupKind.COHORT]),
        "dark": len(members[GroupKind.DARK]),
    }
    text = "\n".join(f"{name:<12}{count}" for name, count in rows.items())
    console.result(f"{text}\nmarket      {out / 'market'}\nprivate     {out / 'buildings'}", {"out": str(out), **rows})


def share(
    console: Console,
    run: RunPath,
    party: Annotated[
        str, typer.Option("--for", metavar="PARTY", help="market, building:ID, unit:ID or auditor.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="X.zip", help="The zip to write.", show_default=False)],
) -> None:
    """Write one party's part of a run, and nothing of the others.

    The same run gives the same bytes.  `planner audit X.zip` checks what that part allows and lists the rest.

    \b
    Example: planner share runs/riverside --for building:b01 -o b01.zip
    """
    from planner.ledger import read_run
    from planner.ledger import share as share_run

    names = share_run(read_run(run), party, out)
    console.result(f"{out}: {counted(len(names), 'file')} for {party}", {"written": str(out), "files": list(names)})


COMMANDS = {"split": split, "share": share}
