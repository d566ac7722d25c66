"""report.html of a run: one page that tells what was decided, in plain words, with charts and tables.

The page is whole in itself: no network, no scripts, no times of its own; the same folder gives the same bytes.  It is
written from whatever part of a run folder is there, so that every holder can have one of its own part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from planner.ledger import add_file
from planner.report.page import render
from planner.report.papers import Papers

__all__ = ["write_report"]


def write_report(run: Any) -> Path:
    """Write ``report.html`` into the run folder and give its path; ``run`` is a Run, or a path."""
    folder = Path(getattr(run, "folder", run))
    return add_file(folder, "report.html", render(Papers(folder)))
