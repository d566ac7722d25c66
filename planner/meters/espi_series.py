"""Series of a Green Button document: blocks joined to their meter and ReadingType by links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from planner.meters.espi_xml import Resource, XmlReading

FLOWS = {"1": "import", "19": "export", "4": "net", "0": "import", "": "import"}
INTERVAL = ("4", "0", "")
WATT_HOURS = "72"


@dataclass(frozen=True, slots=True)
class Series:
    """One MeterReading: its meter and ReadingType, with the blocks linked to it."""

    meter: str
    kind: Resource | None
    blocks: tuple[Resource, ...]

    def code(self, name: str, default: str = "") -> str:
        return self.kind.leaves.get(name, default) if self.kind else default

    @property
    def channel(self) -> str | None:
        return FLOWS.get(self.code("flowDirection"))

    def readings(self) -> Iterator[XmlReading]:
        for block in self.blocks:
            yield from block.readings


def linked(resources: list[Resource]) -> list[Series]:
    """Blocks joined to their MeterReading by links; blocks without one make a series per parent link."""
    kinds = {resource.self_href: resource for resource in resources if resource.kind == "ReadingType"}
    blocks = [resource for resource in resources if resource.kind == "IntervalBlock"]
    series: list[Series] = []
    taken: set[int] = set()
    shared = set(kinds) | {resource.self_href for resource in resources if resource.kind == "UsagePoint"}
    for reading in (resource for resource in resources if resource.kind == "MeterReading"):
        own = (
            {reading.self_href, f"{reading.self_href}/IntervalBlock", *reading.related()}
            - shared
            - {"", "/IntervalBlock"}
        )
        mine = [b for b in blocks if id(b) not in taken and (set(b.up()) | set(b.related()) | {b.self_href}) & own]
        taken.update(id(block) for block in mine)
        kind = next((kinds[href] for href in reading.related() if href in kinds), None)
        series.append(Series(_meter(reading.self_href), kind or _only(kinds), tuple(mine)))
    orphans: dict[str, list[Resource]] = {}
    for block in blocks:
        if id(block) not in taken:
            orphans.setdefault(next(iter(block.up()), ""), []).append(block)
    return series + [Series(_meter(up), _only(kinds), tuple(left)) for up, left in orphans.items()]


def _only(kinds: dict[str, Resource]) -> Resource | None:
    """The ReadingType of a series without a link to one: clear only if the file has just one."""
    return next(iter(kinds.values())) if len(kinds) == 1 else None


def _meter(href: str) -> str:
    """The usage point's id out of a link, shortened to what an id may hold."""
    found = re.search(r"UsagePoint/([^/]+)", href) or re.search(r"MeterReading/([^/]+)", href)
    return re.sub(r"[^A-Za-z0-9._-]", "-", found.group(1))[:64] if found else "meter"


def ignored(series: Series) -> str:
    """Why a series is not used, empty if it is."""
    unit, behaviour = series.code("uom"), series.code("accumulationBehaviour")
    if series.kind is None:
        return "its ReadingType cannot be told"
    if unit != WATT_HOURS:
        return f"uom {unit or 'missing'} is not energy in Wh (72)"
    if series.code("commodity", "1") not in ("0", "1", "2", ""):
        return f"commodity {series.code('commodity')} is not electricity"
    if behaviour not in INTERVAL:
        return f"accumulationBehaviour {behaviour}: a register that runs on, not interval energy"
    if series.channel is None:
        return f"flowDirection {series.code('flowDirection')} is not import, export or net"
    if not re.fullmatch(r"[+-]?\d{1,2}|", series.code("powerOfTenMultiplier")):
        return f"powerOfTenMultiplier {series.code('powerOfTenMultiplier')[:20]} is not a whole number"
    return ""
