"""What a run folder holds, or the part of it that one holder has: what is absent is empty, never an error."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from planner.ledger import read_table


class Papers:
    """The files of a run folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def certificate(self) -> dict[str, Any]:
        return self._json("certificate.json")

    @cached_property
    def audit(self) -> dict[str, Any]:
        return self._json("audit.json")

    @cached_property
    def privacy(self) -> dict[str, Any]:
        return self._json("privacy.json")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """case.toml of the first case folder that is here."""
        for holder in ("market", *(f"buildings/{name}" for name in self.buildings)):
            path = self.folder / holder / "case" / "case.toml"
            if path.is_file():
                return tomllib.loads(path.read_text("utf-8"))
        return {}

    def setting(self, section: str, name: str, default: Any = None) -> Any:
        return self.settings.get(section, {}).get(name, default)

    @property
    def currency(self) -> str:
        return str(self.settings.get("currency", "currency"))

    @property
    def timezone(self) -> ZoneInfo:
        return ZoneInfo(str(self.settings.get("timezone", "UTC")))

    @property
    def minutes(self) -> int:
        return int(self.settings.get("interval_minutes", 60))

    @property
    def has_market(self) -> bool:
        return (self.folder / "market").is_dir()

    @cached_property
    def buildings(self) -> tuple[str, ...]:
        root = self.folder / "buildings"
        return tuple(sorted(p.name for p in root.iterdir() if p.is_dir())) if root.is_dir() else ()

    @property
    def is_whole(self) -> bool:
        """Whether the marketplace's part and every building's are here."""
        return self.has_market and len(self.buildings) == self.certificate.get("buildings")

    def market(self, name: str) -> pd.DataFrame:
        return self.table(f"market/{name}.csv")

    def table(self, name: str) -> pd.DataFrame:
        """A table by its path; an empty frame where it is not here or has no rows."""
        path = self.folder / name
        return read_table(path) if path.is_file() else pd.DataFrame()

    def answers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """answer.json of every building that is here."""
        for building in self.buildings:
            found = self._json(f"buildings/{building}/answer.json")
            if found:
                yield building, found

    @cached_property
    def starts(self) -> tuple[datetime, ...]:
        """Start of every interval of the delivery day, in local time."""
        for name in ("market/exchange.csv", *(f"buildings/{b}/position.csv" for b in self.buildings)):
            frame = self.table(name)
            if len(frame):
                days = frame.drop_duplicates("interval").sort_values("interval")["start"]
                return tuple(start.to_pydatetime().astimezone(self.timezone) for start in days)
        return ()

    @property
    def seconds(self) -> tuple[int, ...]:
        """The same in seconds since 1970 UTC."""
        return tuple(int(start.timestamp()) for start in self.starts)

    @property
    def horizon_hours(self) -> float:
        """Length of what was planned: the delivery day and its look-ahead."""
        return len(self.starts) * self.minutes / 60 + float(self.setting("horizon", "look_ahead_hours", 0))

    def envelopes(self) -> dict[str, int]:
        """Number of envelopes sent, by group."""
        root = self.folder / "outbox"
        files = sorted(root.glob("*.jsonl")) if root.is_dir() else []
        return {path.stem: path.read_bytes().count(b"\n") for path in files}

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
