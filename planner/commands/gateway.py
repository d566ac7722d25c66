"""A building's gateway as a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planner.commands.common import Date
from planner.commands.console import Console
from planner.commands.outcome import Exit, refuse
from planner.commands.passphrases import PassphraseFile, passphrase


def run(
    console: Console,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A building's folder of a split.", show_default=False)
    ],
    marketplace: Annotated[
        list[str] | None,
        typer.Option("--marketplace", metavar="URL", help="Where it is; again for its standby.", show_default=False),
    ] = None,
    node: Annotated[
        Path | None,
        typer.Option("--node", metavar="NODE", help="Its keys and roster  [FOLDER/node]", show_default=False),
    ] = None,
    slot: Annotated[float, typer.Option(metavar="S", help="Seconds between two messages.", min=0.001)] = 0.5,
    patience: Annotated[float, typer.Option(metavar="S", help="Seconds to go on without a marketplace.")] = 600.0,
    date: Date = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Take part in one clear from the building's own folder, and write its part of the run into FOLDER/runs.

    Every message has the same size and its own time, whether there is anything to say or not.  A dark building sends
    none.  Without a marketplace for too long the building goes its own way, at the default tariff.

    \b
    Example: planner gateway run gateways/buildings/b01 --marketplace https://market.example:8470
    """
    from planner.commands.nodes import opened
    from planner.groups import GroupKind
    from planner.ledger import refuse_taken
    from planner.marketplace.client import Link
    from planner.marketplace.gateway import GatewayLoop, LeftAloneError
    from planner.marketplace.mail import Mail, within
    from planner.marketplace.site import Site

    site = Site(folder, date)
    refuse_taken(site.out)
    if site.told.group.kind is GroupKind.DARK:
        site.alone()
        console.result(f"{site.told.building}: dark, nothing was sent\nrun      {site.out}", {"run": str(site.out)})
        return Exit.DONE
    if not marketplace:
        raise refuse("no marketplace", "give --marketplace URL")
    me, roster = opened(node or folder / "node", passphrase(passphrase_file), site.case)
    if me.name != site.told.gateway:
        raise refuse("these are the keys of another gateway", f"gateway.toml names {site.told.gateway}", me.name)
    loop = GatewayLoop(
        site, Mail(me, roster, site.clear_id, within(site.told.group.id)), Link(marketplace), slot, patience
    )
    try:
        loop.run()
    except LeftAloneError:
        site.alone()
        console.error("no marketplace was to be reached: the day is settled at the default tariff")
        return Exit.NOT_CLEAN
    told = {"run": str(site.out), "messages": loop.link.posts, "bytes": loop.link.sent_bytes, "refused": loop.refused}
    size = f"{loop.link.posts} messages of {loop.blocks * 16} KiB"
    console.result(f"{site.told.building}: settled, {size}\nrun      {site.out}", told)
    return Exit.DONE


COMMANDS = {"run": run}
