"""Where a building's numbers came from: how its meters were read and how well yesterday's forecasts did.

Both stay in the building's own folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from planner import hierarchy
from planner.case import Case
from planner.forecast import Forecast, forecast
from planner.meters import Metered, read_meters
from planner_models.words import City


@dataclass(frozen=True)
class Provenance:
    """What was read and what it says of tomorrow; both None in a case without meters."""

    metered: Metered | None = None
    tomorrow: Forecast | None = None


def look_back(case: Case) -> Provenance:
    """Read the case's meters and forecast its delivery day; raises InvalidInput."""
    if not len(case.meters):
        return Provenance()
    metered = read_meters(case)
    return Provenance(metered, forecast(case, metered))


def building_files(case: Case, city: City, found: Provenance) -> Iterator[tuple[str, str]]:
    """(file in the run folder, content): forecast errors and reading reports of each building."""
    if found.metered is None or found.tomorrow is None:
        return
    home = {asset.id: b.id for b in city.buildings for unit in b.units for asset in unit.assets}
    where = found.tomorrow.errors["asset"].map(home)
    for building, rows in found.tomorrow.errors.groupby(where, sort=True):
        yield f"buildings/{building}/forecast.csv", rows.round({"mae_kwh": 6, "wape": 6}).to_csv(index=False)
    for building, lines in sorted(_reports(case, found.metered).items()):
        yield f"buildings/{building}/meters.txt", "\n".join(lines) + "\n"


def _reports(case: Case, metered: Metered) -> dict[str, list[str]]:
    node_of = dict(zip(case.meters["meter"], case.meters["node"], strict=True))
    buildings = set(hierarchy.buildings(case.graph))
    out: dict[str, list[str]] = {}
    for report in metered.reports:
        nodes = {str(node_of[m]) for m in report.meters if m in node_of}
        for building in sorted({n if n in buildings else hierarchy.building_of(case.graph, n) for n in nodes}):
            out.setdefault(building, []).extend(report.lines())
    return out


def mean_error(found: Provenance) -> dict[str, float | int | None]:
    """Forecast error over all meters, for the certificate: absolute error over energy on held-back days."""
    if found.tomorrow is None or found.tomorrow.errors.empty:
        return {"meters": 0, "wape": None}
    errors: pd.DataFrame = found.tomorrow.errors.dropna(subset=["wape"])
    return {"meters": len(errors), "wape": round(float(errors["wape"].mean()), 6) if len(errors) else None}
