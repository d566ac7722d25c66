"""A node's keys as a service needs them: opened, fresh, and under the roster's disclosure rules."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planner.commands.outcome import HINTS, refuse

if TYPE_CHECKING:
    from planner.case import Case
    from planner.security.journal import Journal
    from planner.security.keys import Identity
    from planner.security.node import Node
    from planner.security.roster import Roster


@dataclass(frozen=True)
class AtWork:
    """Who takes part in a clear, what it trusts, and the log of its node."""

    me: Identity
    roster: Roster
    journal: Journal


def taking_part(folder: Path, passphrase: bytes) -> Node:
    """The node in ``folder`` under a fresh roster, closed; raises InvalidInput where it may not send."""
    from planner.security.node import open_node
    from planner.security.refusal import Refused

    at = int(time.time())
    if not (folder / "identity.json").is_file():
        raise refuse("no node here", "planner keys new makes one; --node names its folder", str(folder))
    try:
        node = open_node(folder, passphrase, at)
    except Refused as refused:
        hint = HINTS.get(refused.reason, f"planner keys check {folder}")
        raise refuse(f"does not start: {refused.reason.value}", hint, folder.name) from None
    try:
        node.held.require_fresh(at)
    except Refused as refused:
        raise refuse(f"may not take part: {refused.reason.value}", HINTS[refused.reason], folder.name) from None
    finally:
        node.close()
    return node


def opened(folder: Path, passphrase: bytes, case: Case, clear_id: str) -> AtWork:
    """The node in ``folder`` for one clear; raises InvalidInput where it may not take part in it."""
    from planner.security.journal import Journal
    from planner.security.policy import PRESETS
    from planner.security.refusal import Refused
    from planner.security.trust import require_policy

    node, preset = taking_part(folder, passphrase), case.settings.privacy.preset
    try:
        require_policy(node.roster, PRESETS[preset].sha256)
    except Refused:
        hint = "put the preset back, or let the operator sign a roster with it (planner roster renew --policy)"
        raise refuse(f"may not take part: the roster was not signed for preset {preset}", hint, folder.name) from None
    journal = Journal(folder / "node.sqlite", node.identity, clear_id, lambda: int(time.time()))
    return AtWork(node.identity, node.roster, journal)


def require_role(folder: Path, roster: Roster, name: str, role: str) -> None:
    """Raises InvalidInput where the keys of a node are those of another role."""
    entity = roster.entity(name)
    if entity is None or entity.role != role:
        known = "nobody" if entity is None else f"a {entity.role}"
        what = f"these are the keys of {known} in the roster"
        raise refuse(what, f"--node names the folder of the {role}'s keys", str(folder))


def require_port(host: str, port: int) -> None:
    """Raises InvalidInput where nobody could listen at that address."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        hint = "end what listens there or take another --port; --host is an address of this machine"
        words = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
        raise refuse(f"cannot listen: {words.lower()}", hint, f"{host}:{port}") from None
