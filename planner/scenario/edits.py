"""Edits of a case's tables as data: scale, set, drop, append."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from planner.case import Case
from planner.problems import InvalidInput, Problem, shown
from planner.tables import BY_NAME

# Kind -> keys that must be there, keys that may.  They apply in this order.
EDITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "scale": (("table", "column", "by"), ("where",)),
    "set": (("table", "column", "value"), ("where",)),
    "drop": (("table",), ("where",)),
    "append": (("table", "rows"), ()),
}


@dataclass(frozen=True)
class Place:
    """Where a scenario begins in its file."""

    file: str
    line: int

    def problem(self, what: str, value: str = "", hint: str = "") -> Problem:
        return Problem(self.file, self.line, what, shown(value), hint)


@dataclass(frozen=True)
class Edit:
    """One change of one table; ``item`` holds the keys of its kind."""

    kind: str
    table: str
    item: Mapping[str, Any] = field(hash=False)

    def rows(self, frame: pd.DataFrame) -> np.ndarray:
        """Which rows are meant."""
        meant = np.ones(len(frame), dtype=bool)
        for column, value in self.item.get("where", {}).items():
            wanted = value if isinstance(value, list) else [value]
            meant &= frame[column].isin(wanted).to_numpy()
        return meant

    def apply(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A changed copy of the frame."""
        if self.kind == "append":
            added = pd.DataFrame(list(self.item["rows"]))
            return pd.concat([frame, added.astype(object)], ignore_index=True) if len(frame) else added
        meant = self.rows(frame)
        if self.kind == "drop":
            return frame[~meant].reset_index(drop=True)
        column = self.item["column"]
        value = frame[column] * self.item["by"] if self.kind == "scale" else self.item["value"]
        return frame.assign(**{column: frame[column].astype(object).mask(meant, value)})


@dataclass(frozen=True)
class Edits:
    """A change of a case: tables in the order of the edits, then settings by section."""

    edits: tuple[Edit, ...]
    settings: Mapping[str, Mapping[str, Any]] = field(hash=False)
    place: Place

    def __call__(self, case: Case) -> Case:
        """The changed case.  Raises InvalidInput where an edit meets no row, or a value that its column refuses."""
        frames: dict[str, pd.DataFrame] = {}
        problems: list[Problem] = []
        for edit in self.edits:
            frame = frames.get(edit.table, case.tables[edit.table])
            if edit.kind != "append" and not edit.rows(frame).any():
                stem = BY_NAME[edit.table].stem
                what = f"'{edit.kind}' meets no row of {stem}"
                problems.append(self.place.problem(what, str(edit.item.get("where", "")), "check its 'where'"))
                continue
            frames[edit.table] = edit.apply(frame)
        changed = case
        try:
            changed = case.with_(**frames, **{name: dict(values) for name, values in self.settings.items()})
        except InvalidInput as error:
            problems += error.errors
        if problems:
            raise InvalidInput(problems)
        return changed
