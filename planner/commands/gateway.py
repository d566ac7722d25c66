"""A building's gateway as a service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.commands.alert import in_words
from planner.commands.common import ClearId, Date
from planner.commands.console import Console
from planner.commands.outcome import Exit, refuse
from planner.commands.passphrases import PassphraseFile, passphrase

if TYPE_CHECKING:
    from planner.marketplace.gateway import LeftAloneError
    from planner.marketplace.site import Site
    from planner.marketplace.watch import Told


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
    clear_id: ClearId = None,
    passphrase_file: PassphraseFile = None,
) -> int:
    """Take part in one clear from the building's own folder, and write its part of the run into FOLDER/runs.

    Every message has the same size and its own time, whether there is anything to say or not.  A dark building sends
    none.  On a line of its own it hears the alerts of its building, acknowledges them, says them and writes them to
    FOLDER/alerts.csv; one that trips the building takes it, and its cohort, out of this clear.
    Without a marketplace for too long the building goes its own way, at the default tariff.  Killed and started
    again it goes on where it stopped: what it had said is kept beside the run, and is said again in the same words.

    \b
    Example: planner gateway run gateways/buildings/b01 --marketplace https://market.example:8470
    """
    import pyarrow as pa

    from planner.commands.nodes import opened
    from planner.groups import GroupKind
    from planner.marketplace.client import Link
    from planner.marketplace.gateway import GatewayLoop, LeftAloneError
    from planner.marketplace.line import SLOT_S
    from planner.marketplace.mail import Mail, now, within
    from planner.marketplace.memory import BrokenWordError
    from planner.marketplace.site import Site
    from planner.marketplace.watch import FILE, Watch
    from planner.security.node import open_node

    # On a small machine memory goes back when a table is gone: arrow's own pool would keep some 40 MB of it.
    pa.set_memory_pool(pa.system_memory_pool())
    site = Site(folder, date, clear_id=clear_id)
    if site.told.group.kind is GroupKind.DARK:
        _refuse_settled(site)
        site.alone()
        console.result(f"{site.told.building}: dark, nothing was sent\nrun      {site.out}", {"run": str(site.out)})
        return Exit.DONE
    if not marketplace:
        raise refuse("no marketplace", "give --marketplace URL")
    keys, secret = node or folder / "node", passphrase(passphrase_file)
    at = opened(keys, secret, site.case, site.clear_id)
    if at.me.name != site.told.gateway:
        raise refuse("these are the keys of another gateway", f"gateway.toml names {site.told.gateway}", at.me.name)
    mail = Mail(at.me, at.roster, site.clear_id, within(site.told.group.id))
    loop = GatewayLoop(site, mail, Link(marketplace), slot, patience, at.journal)
    if loop.memory.is_empty:
        _refuse_settled(site)
    else:
        console.note("going on where this gateway was cut off: what it said then stands")

    def tell(one: Told) -> None:
        console.note(in_words(one))

    link, building = Link(marketplace), site.told.building
    watch = Watch(lambda: open_node(keys, secret, now()), link, SLOT_S, building, folder / FILE, tell, console.note)
    loop.say = console.note
    loop.tripped = lambda: watch.tripped
    try:
        with watch:
            loop.run()
    except LeftAloneError as alone:
        loop.go_alone()
        console.error(
            f"no marketplace took its messages ({alone}): the day is settled at the default tariff", _why(alone)
        )
        return Exit.NOT_CLEAN
    except BrokenWordError:
        hint = "the marketplace settles by what it told; find out what changed in this folder since"
        console.error("came back with other plans than it had told, after its word was taken", hint)
        return Exit.NOT_CLEAN
    finally:
        at.journal.close()
    if watch.tripped:
        hint = "what it committed stands; the rest is cleared without it by a clear anew" if loop.taken else ""
        console.error(f"{building} is without electricity: it took {'' if loop.taken else 'no '}part", hint)
    told = {"run": str(site.out), "messages": loop.link.posts, "bytes": loop.link.sent_bytes, "refused": loop.refused}
    size = f"{loop.link.posts} messages of {loop.blocks * 16} KiB"
    console.result(f"{site.told.building}: settled, {size}\nrun      {site.out}", told)
    return Exit.NOT_CLEAN if watch.tripped else Exit.DONE


def _why(alone: LeftAloneError) -> str:
    if alone.refused:
        return (
            "it is there and says no more: compare day and --clear-id, the clocks (two minutes), and the roster "
            "(planner roster accept) with the marketplace's; planner keys check NODE says which key is out of its time"
        )
    return "is it up, and is this its address and port?  a standby's may be named with a second --marketplace"


def _refuse_settled(site: Site) -> None:
    """Raises InvalidInput where this clear was settled already."""
    if site.out.exists():
        day = site.case.settings.delivery_date
        hint = f"to clear the day anew everybody says --clear-id {day}.2 or the like; --date is for another day"
        raise refuse("this clear is settled already", hint, str(site.out))


COMMANDS = {"run": run}
