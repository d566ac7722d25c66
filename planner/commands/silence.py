"""Which groups said nothing today, and why: in words for the person who cleared."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from planner.commands.console import counted

if TYPE_CHECKING:
    from planner.ledger import Run

SHOWN = 5


def quiet_groups(run: Run, ledger: Path) -> Iterator[str]:
    """A note for every reason for which groups are silent or dark, and what to do where an earlier clear is one."""
    path = run.folder / "privacy.json"
    groups = json.loads(path.read_text("utf-8")).get("groups", ()) if path.is_file() else ()
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    for group in groups:
        if reason := group.get("silent_because"):
            reasons[reason].append(group["group"])
    for reason, names in sorted(reasons.items()):
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"{counted(len(names), 'group')} at the default tariff ({', '.join(names[:SHOWN])}{more}): {reason}"
    if any(group.get("because_of_the_past") for group in groups):
        yield (
            f"{ledger.name} remembers what this site said before; "
            "if nothing of that has left this machine, clear with --ledger and a new file, or with preset internal"
        )
