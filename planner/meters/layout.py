"""Table formats described as data: ``formats/*.toml`` say where meter, time, value and quality stand.

A layout has one of two shapes: ``long``, a row per reading, and ``days``, a row per day with a column
per interval.  Its keys are the fields of ``Layout``; everything a file leaves unsaid (zone, whether a
stamp is the start or the end) stands in the layout and is reported as coming from it.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from planner.meters import layout_rows
from planner.meters.layout_cells import grid
from planner.meters.reader import Options, Rows
from planner.meters.source import Source


@dataclass(frozen=True, slots=True)
class Layout:
    """A table format.

    ``header`` are column names a file must have; ``date`` and ``time`` columns are joined by a blank and
    parsed by one of ``stamp_formats``; ``stamp`` is start or end; ``units`` give the factor to kWh by the
    text of the unit column, or the one factor for ``""``; ``power`` marks factors of mean kW;
    ``channels`` give the channel by the beginning of the channel column's text; ``qualities`` the
    quality; an empty value counts as 0 where the quality text is in ``zero_when``.
    """

    name: str
    title: str
    shape: str
    header: tuple[str, ...]
    evidence: str = ""
    timezone: str = ""
    stamp: str = "start"
    minutes: int = 0
    decimal: str = "."
    date: str = ""
    time: str = ""
    end_date: str = ""
    end_time: str = ""
    stamp_formats: tuple[str, ...] = ("ISO8601",)
    meter: str = ""
    value: str = ""
    value_columns: str = ""
    columns_say: str = "clock"
    unit: str = ""
    units: Mapping[str, float] = field(default_factory=lambda: {"": 1.0})
    power: tuple[str, ...] = ()
    channel: str = ""
    channels: Mapping[str, str] = field(default_factory=lambda: {"": "import"})
    alternating: bool = False
    quality: str = ""
    qualities: Mapping[str, str] = field(default_factory=dict)
    zero_when: tuple[str, ...] = ()

    def recognise(self, source: Source, head: str) -> bool:
        """Whether the first rows hold this layout's header."""
        return grid(head, self.header) is not None

    def read(self, source: Source, options: Options) -> Rows:
        """Rows of the table."""
        return layout_rows.read(self, source, options)


@functools.cache
def layouts() -> tuple[Layout, ...]:
    """Every layout of the package, by name."""
    folder = files("planner.meters") / "formats"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return tuple(_layout(entry.read_text(encoding="utf-8")) for entry in sorted(found, key=lambda e: e.name))


def _layout(text: str) -> Layout:
    told: dict[str, Any] = tomllib.loads(text)
    known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
    return Layout(**known)
