"""Whose part of a run a folder is: one holder's folder may be audited alone, wherever it has been copied to."""

from __future__ import annotations

from pathlib import Path

from planner.audit.reading import read_table
from planner.audit.table import DamagedFileError, MissingFileError

MARKET = "market"
OF_BUILDING = ("answer.json", "units.csv", "position.csv", "dispatch.parquet")
OF_MARKET = ("prices.csv", "positions.csv", "groups.csv", "exchange.csv")


def part_of(root: Path) -> str:
    """``market`` or ``buildings/<id>`` for that holder's own folder, '' for a whole run and for anything else."""
    if (root / "market").exists() or (root / "buildings").exists() or not (root / "case").is_dir():
        return ""
    if any((root / name).is_file() for name in OF_BUILDING):
        return f"buildings/{_building(root)}"
    return MARKET if any((root / name).is_file() for name in OF_MARKET) else ""


def _building(root: Path) -> str:
    """The building whose case it is, since a copy may have another name; the folder's name where no case says it."""
    try:
        nodes = read_table(root / "case" / "nodes", "case/nodes")
    except (MissingFileError, DamagedFileError):
        return root.resolve().name
    kinds = zip(nodes.text("node"), nodes.text("kind"), strict=True)
    found = [node for node, kind in kinds if kind == "building" and node]
    return found[0] if len(found) == 1 else root.resolve().name
