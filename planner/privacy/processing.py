"""What an assessment of data protection asks of a run first: why, what, who reads it, and how long it is kept.

It describes what the program does; on what legal basis, and whether it is needed, is for the site to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PURPOSES = (
    "to plan tomorrow's electricity inside a building: from metered use, stays of vehicles, appliances and limits",
    "to agree prices and quantities with other buildings: from sums over release groups alone",
    "to bill every unit for what it was allotted and traded, and to let holders and auditors check that",
)
DATA = (
    "inside a building: metered and planned use by interval, occupants as pseudonyms, positions and bills of units",
    "outside: position and cost of a release group, signed; alerts; nothing of a unit",
)
RETENTION = (
    "nothing is deleted by itself: a run folder, its outbox and the log stay until the site removes them",
    "the release ledger (salted hashes, no amounts) is needed as long as days of its months may be cleared again: "
    "whoever removes it before that must not clear those months anew",
    "a marketplace keeps sealed envelopes and opened messages in its store; what it has received cannot be called back",
)
TO_DECIDE = "legal basis, necessity, periods of retention and the rights of those concerned are for the site to settle"


def processing(readers: Sequence[str]) -> dict[str, Any]:
    """Purposes, data, recipients and retention; ``readers`` are those to whom releases are sealed."""
    recipients = [
        "a unit: its own rows and public prices",
        "the building's gateway, and in a cohort the named gateway: positions of the units, occupants as numbers",
        *(f"{reader}: sums of release groups" for reader in readers),
        "an auditor: certificate, published reports, sealed envelopes",
    ]
    kept = {"purposes": PURPOSES, "data": DATA, "recipients": recipients, "retention": RETENTION}
    return {name: list(lines) for name, lines in kept.items()} | {"to_decide": TO_DECIDE}


def in_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The same for the page."""
    for name in ("purposes", "data", "recipients", "retention"):
        yield from (f"{name}: {line}" for line in told[name])
    yield f"open: {told['to_decide']}"
