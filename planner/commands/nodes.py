"""A node's keys as a service needs them: opened, fresh, and under the roster's disclosure rules."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planner.commands.outcome import refuse

if TYPE_CHECKING:
    from planner.case import Case
    from planner.security.journal import Journal
    from planner.security.keys import Identity
    from planner.security.roster import Roster


@dataclass(frozen=True)
class AtWork:
    """Who takes part in a clear, what it trusts, and the log of its node."""

    me: Identity
    roster: Roster
    journal: Journal


def opened(folder: Path, passphrase: bytes, case: Case, clear_id: str) -> AtWork:
    """The node in ``folder`` for one clear; raises InvalidInput where it may not take part in it."""
    from planner.security.journal import Journal
    from planner.security.node import open_node
    from planner.security.policy import PRESETS
    from planner.security.refusal import Refused
    from planner.security.trust import require_policy

    at = int(time.time())
    try:
        node = open_node(folder, passphrase, at)
    except Refused as refused:
        raise refuse(f"does not start: {refused.reason.value}", f"planner keys check {folder}", folder.name) from None
    try:
        node.held.require_fresh(at)
        require_policy(node.roster, PRESETS[case.settings.privacy.preset].sha256)
    except Refused as refused:
        hint = "accept the newest roster, and keep the preset that it was signed for"
        raise refuse(f"may not take part: {refused.reason.value}", hint, folder.name) from None
    finally:
        node.close()
    journal = Journal(folder / "node.sqlite", node.identity, clear_id, lambda: int(time.time()))
    return AtWork(node.identity, node.roster, journal)
