"""Where a building's numbers came from: how its meters were read and how well yesterday's forecasts did.

Both stay in the building's own folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from planner import hierarchy
from planner.case import Case
from planner.forecast import Forecast, forecast
from planner.meters import Metered, read_meters
from planner_models.words import City

COUNTED = {
    "gaps": ("gap",),
    "duplicates": ("exact_duplicate", "conflicting_duplicate", "superseded"),
    "estimated": ("estimated", "substituted"),
    "missing": ("missing",),
}
"""Columns of readings.csv by what the readers find; a gap has no row, a missing reading has one without a value."""


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
    """(file in the run folder, content): forecast errors, counted readings and reading reports of each building."""
    if found.metered is None or found.tomorrow is None:
        return
    home = {asset.id: b.id for b in city.buildings for unit in b.units for asset in unit.assets}
    where = found.tomorrow.errors["asset"].map(home)
    for building, rows in found.tomorrow.errors.groupby(where, sort=True):
        yield f"buildings/{building}/forecast.csv", rows.round({"mae_kwh": 6, "wape": 6}).to_csv(index=False)
    of_meter = _homes(case)
    counted = _readings(found.metered)
    for building, rows in counted.groupby(counted["meter"].map(of_meter), sort=True):
        yield f"buildings/{building}/readings.csv", rows.to_csv(index=False)
    for building, lines in sorted(_reports(found.metered, of_meter).items()):
        yield f"buildings/{building}/meters.txt", "\n".join(lines) + "\n"


def _homes(case: Case) -> dict[str, str]:
    """Building of every meter that stands in one."""
    buildings = set(hierarchy.buildings(case.graph))
    nodes = zip(case.meters["meter"], case.meters["node"], strict=True)
    return {meter: node if node in buildings else hierarchy.building_of(case.graph, node) for meter, node in nodes}


def _reports(metered: Metered, home: dict[str, str]) -> dict[str, list[str]]:
    """The lines of each building, which names no meter of another one that shares a file with it."""
    out: dict[str, list[str]] = {}
    for report in metered.reports:
        met = {*report.meters, *(finding.meter for finding in report.findings)}
        for building in sorted({home[meter] for meter in met if meter in home}):
            own = replace(
                report,
                meters=tuple(m for m in report.meters if home.get(m) == building),
                clock_changes=tuple(c for c in report.clock_changes if home.get(c.meter) == building),
                findings=tuple(f for f in report.findings if home.get(f.meter) == building),
            )
            out.setdefault(building, []).extend(own.lines())
    return out


def _readings(metered: Metered) -> pd.DataFrame:
    """Per meter and channel: the readings there are, and what was counted on the way to them."""
    known = metered.table[metered.table["energy_kwh"].notna()]
    sizes = known.groupby(["meter", "channel"], observed=True).size().rename("readings").reset_index()
    rows = sizes.astype({"meter": str, "channel": str}).to_dict("records")
    for report in metered.reports:
        for finding in report.findings:
            for column, kinds in COUNTED.items():
                if finding.what in kinds:
                    rows.append({"meter": finding.meter, "channel": finding.channel, column: finding.count})
    columns = ["meter", "channel", "readings", *COUNTED]
    frame = pd.DataFrame(rows, columns=columns).fillna(dict.fromkeys(columns[2:], 0))
    return frame.groupby(["meter", "channel"], as_index=False, sort=True).sum().astype(dict.fromkeys(columns[2:], int))


def mean_error(found: Provenance) -> dict[str, float | int | None]:
    """Forecast error over all meters, for the certificate: absolute error over energy on held-back days."""
    if found.tomorrow is None or found.tomorrow.errors.empty:
        return {"meters": 0, "wape": None}
    errors: pd.DataFrame = found.tomorrow.errors.dropna(subset=["wape"])
    return {"meters": len(errors), "wape": round(float(errors["wape"].mean()), 6) if len(errors) else None}
