"""certificate.json: what was decided, how good it provably is, and fingerprints of what went in and came out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from planner.cleared import Cleared
from planner.ledger.tables import content_bytes

# What only the clear can say; null where it did not.
FROM_THE_CLEAR = (
    *(
        "supersedes",
        "status",
        "mode",
        "information",
        "answer_from",
        "objective",
        "bound",
        "gap_absolute",
        "gap_relative",
    ),
    *("savings", "gap_of_savings", "converged", "rounds", "pieces", "lost_opportunity_cost", "price_of_locality"),
    *("price_of_privacy", "wall_s", "build_s", "solver_s", "closed_form_s", "peak_rss_mb", "versions"),
)


NOT_DECIDED = ("rounds.csv", "forecast.csv", "readings.csv", "roster.csv")
"""Tables that tell how an answer came about, or who was enrolled for it, and are no part of it."""


def certificate(root: Path, cleared: Cleared, case: Any, totals: Mapping[str, int]) -> dict[str, Any]:
    """All fields of the contract: those the clear gave, those that follow from the folder, null for the rest."""
    settings = case.settings
    groups = {building.group: building.dark for building in cleared.buildings}
    output = output_sha256(root)
    found = {
        "run_id": hashlib.sha256(f"{case.sha256}{output}".encode()).hexdigest()[:16],
        "delivery_date": cleared.starts[0].astimezone(ZoneInfo(settings.timezone)).date().isoformat(),
        "version": 1,
        "case_sha256": case.sha256,
        "output_sha256": output,
        "intervals": cleared.settled,
        "units": sum(len(building.units) for building in cleared.buildings),
        "buildings": len(cleared.buildings),
        "groups_released": sum(not dark for dark in groups.values()),
        "groups_dark": sum(groups.values()),
        "pricing": settings.market.pricing,
        "seed": settings.solver.seed,
        "settlement": dict(totals),
    }
    return dict.fromkeys(FROM_THE_CLEAR) | found | dict(cleared.certificate) | _fixed(found)


def _fixed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Fingerprints and counts are the folder's own, whatever the clear believed."""
    own = ("case_sha256", "output_sha256", "intervals", "units", "buildings", "groups_released", "groups_dark")
    return {name: found[name] for name in own}


def output_sha256(root: Path) -> str:
    """SHA-256 over the payload tables of a run: every csv and parquet of market/ and buildings/, by path.

    Left out: the case folders (they are input), rounds.csv, readings.csv and forecast.csv (how the answer was found),
    roster.csv (who was enrolled), the outbox, and all documents.
    """
    digest = hashlib.sha256()
    for path in payload(root):
        name = path.relative_to(root).as_posix()
        content = hashlib.sha256(content_bytes(path)).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


def payload(root: Path) -> Iterator[Path]:
    """The payload tables of a run folder, sorted by path."""
    for part in ("market", "buildings"):
        for path in sorted((root / part).rglob("*"), key=lambda path: path.as_posix()):
            inner = path.relative_to(root).parts
            if path.suffix in (".csv", ".parquet") and "case" not in inner[:-1] and inner[-1] not in NOT_DECIDED:
                yield path
