"""certificate.json: what was decided, how good it provably is, and fingerprints of what went in and came out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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


def certificate(
    root: Path, cleared: Cleared, case: Any, totals: Mapping[str, int], known: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """All fields of the contract: those the clear gave, those that follow from the folder, null for the rest.

    ``known`` is as in ``output_sha256``.
    """
    settings = case.settings
    groups = {building.group: building.dark for building in cleared.buildings}
    output = output_sha256(root, known)
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


def output_sha256(root: Path, known: Mapping[str, str] | None = None) -> str:
    """SHA-256 over the payload tables of a run: every csv and parquet of market/ and buildings/, by path.

    Left out: the case folders (they are input), rounds.csv, readings.csv and forecast.csv (how the answer was found),
    roster.csv (who was enrolled), the outbox, and all documents.  ``known`` are the fingerprints of the buildings'
    tables where they were taken before.
    """
    digest = hashlib.sha256()
    for prints in (fingerprints(root, "market"), fingerprints(root, "buildings") if known is None else known):
        for name in sorted(prints):
            digest.update(f"{name} {prints[name]}\n".encode())
    return digest.hexdigest()


def fingerprints(root: Path, part: str) -> dict[str, str]:
    """SHA-256 of what each payload table below ``part`` of a run folder says, sorted by its path in the run."""
    found = {}
    for path in sorted((root / part).rglob("*"), key=lambda path: path.as_posix()):
        inner = path.relative_to(root).parts
        if path.suffix in (".csv", ".parquet") and "case" not in inner[:-1] and inner[-1] not in NOT_DECIDED:
            found["/".join(inner)] = fingerprint(path)
    return found


def fingerprint(path: Path) -> str:
    """SHA-256 of what a table says."""
    return hashlib.sha256(content_bytes(path)).hexdigest()
