"""The known answers that are order books: their folders, and what each expects under each rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Expected = dict[str, Any]
CASES = Path(__file__).parents[2] / "data" / "cases"


def order_books() -> list[Path]:
    """Every case of data/cases without nodes, that is orders alone."""
    return sorted(path.parent for path in CASES.glob("*/orders.csv") if not (path.parent / "nodes.csv").exists())


def expectations(folder: Path) -> dict[str, Expected]:
    """Rule -> what is expected under it; ``every`` holds for all rules."""
    document = json.loads((folder / "expected.json").read_text())
    return {rule: {**document.get("every", {}), **own} for rule, own in document["rules"].items()}
