"""What the meters said and how far their forecasts were off, from the files of the buildings that are here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from planner.report.papers import Papers

COUNTS = ("readings", "gaps", "duplicates", "estimated", "missing")
MOST_METERS = 200


@dataclass(frozen=True)
class Metered:
    """A building's meters: how many, the sums of ``COUNTS``, and the mean error of its forecasts (None if unknown)."""

    building: str
    meters: int
    counts: tuple[int, ...]
    error: float | None


@dataclass(frozen=True)
class Readings:
    """A row a building, and the forecasts of all of them with the largest error first."""

    buildings: tuple[Metered, ...] = ()
    forecasts: tuple[Mapping[Any, Any], ...] = ()

    @property
    def totals(self) -> tuple[int, ...]:
        return tuple(sum(row.counts[i] for row in self.buildings) for i in range(len(COUNTS)))


def read_readings(papers: Papers) -> Readings:
    """Empty where no building that is here has a meter."""
    rows: list[Metered] = []
    errors: list[pd.DataFrame] = []
    for building in papers.buildings:
        counted = papers.table(f"buildings/{building}/readings.csv")
        if counted.empty:
            continue
        told = papers.table(f"buildings/{building}/forecast.csv")
        error = float(told["wape"].mean()) if len(told) and told["wape"].notna().any() else None
        counts = tuple(int(counted[name].sum()) for name in COUNTS)
        rows.append(Metered(building, counted["meter"].nunique(), counts, error))
        errors.append(told)
    if not rows:
        return Readings()
    every = pd.concat(errors).sort_values(["wape", "asset"], ascending=[False, True], na_position="last")
    return Readings(tuple(rows), tuple(every.to_dict("records")))
