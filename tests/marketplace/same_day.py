"""Whether a clear between gateways came to what a clear in one process comes to."""

from __future__ import annotations

from pathlib import Path

from services_world import World

OF_MARKET = ("prices", "positions", "exchange", "flows", "acceptances", "offers", "groups", "rounds", "settlement")
OF_BUILDING = (
    *("units.csv", "position.csv", "dispatch.parquet", "trades.csv", "settlement.csv", "statements.csv"),
    "answer.json",
)


def differing(world: World, run: Path, market: Path) -> list[str]:
    """Tables that differ by a byte: all of the market's, all of every building, the cohort's book with its keeper."""
    found = [f"market/{n}" for n in OF_MARKET if not _same(run / f"market/{n}.csv", market / f"market/{n}.csv")]
    for folder in world.buildings:
        theirs, ours = run / "buildings" / folder.name, world.papers(folder)
        kept = ("cohort.csv",) if (theirs / "cohort.csv").exists() or (ours / "cohort.csv").exists() else ()
        found += [f"{folder.name}/{n}" for n in (*OF_BUILDING, *kept) if not _same(theirs / n, ours / n)]
    return found


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
