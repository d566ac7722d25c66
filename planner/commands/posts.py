"""Where envelopes go and come from on a command line: a folder that is carried, or the address of a marketplace."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.commands.console import Console
from planner.commands.outcome import Exit, refuse

if TYPE_CHECKING:
    from planner.security.node import Node
    from planner.security.post import Post

Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        metavar="BOX|URL",
        help="A folder that is carried, or a marketplace that relays; repeat  [NODE/outgoing]",
        show_default=False,
    ),
]
HINT = "it waits in {box} and goes out when planner alert listen {node} URL runs, or is sent again"


def is_address(where: str) -> bool:
    """Whether it names a marketplace rather than a folder."""
    return "://" in where


def post_of(places: Sequence[str], node: Node, slot_s: float) -> Post:
    """One folder, or one line to a marketplace (and its standby); raises InvalidInput."""
    from planner.marketplace.client import Link
    from planner.marketplace.line import Line, blocks_of, relays_of
    from planner.security.post import Box

    if not any(map(is_address, places)):
        if len(places) != 1:
            raise refuse("one folder, or the addresses of a marketplace and its standby", "run it twice for two boxes")
        return Box(Path(places[0]))
    if not all(map(is_address, places)):
        raise refuse("a folder beside an address", "run it once for each", places[0])
    if not relays_of(node.roster, int(time.time())):
        hint = "the operator signs the next one: planner roster renew; until then alerts travel in folders"
        raise refuse("the roster knows no relay", hint, places[0])
    blocks = blocks_of(node.roster, node.identity.name, int(time.time()), slot_s)
    return Line(node.identity, node.roster, Link(places), blocks)


def hand_over(console: Console, node: Node, to: Sequence[str] | None, envelopes: Sequence[bytes]) -> int:
    """Put envelopes into every folder, and on a line to the marketplace; without either into the node's outgoing box.

    Where a station of this node is at work they go with its slots, which hide them; else at once, since an alert that
    is seen is better than one that is late.
    """
    from planner.marketplace.line import SLOT_S, Line
    from planner.security.post import Box
    from planner.security.station import OUTGOING, Manned

    places, outgoing = list(to or ()), Box(node.folder / OUTGOING)
    for where in (one for one in places if not is_address(one)):
        for data in envelopes:
            Box(Path(where)).send(data)
    addresses = [one for one in places if is_address(one)]
    if places and not addresses:
        return Exit.DONE
    line = post_of(addresses, node, SLOT_S) if addresses else None
    manned = Manned(node.folder)
    try:
        alone = manned.take()
    finally:
        manned.leave()
    if alone and isinstance(line, Line):
        for data in envelopes:
            line.send(data)
        while line.pending and line.flush():
            pass
        if not line.trouble:
            return Exit.DONE
        console.error(f"no marketplace took it: {line.trouble}", HINT.format(box=outgoing.folder, node=node.folder))
    elif alone:
        console.note(HINT.format(box=outgoing.folder, node=node.folder))
    for data in envelopes:
        outgoing.send(data)
    return Exit.NOT_CLEAN if alone and addresses else Exit.DONE
