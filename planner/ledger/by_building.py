"""A case parted by building once, so that writing every building's own case does not search the whole city's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from planner_models.words import City

OWNED = ("loads", "solar", "wind", "batteries", "vehicles", "appliances", "flexible", "generators", "listings")


class CaseByBuilding:
    """The rows of a case that concern one building: its own, and of nodes.csv the path above it."""

    def __init__(self, case: Any, city: City) -> None:
        self.case, self.city = case, city
        nodes = case.nodes
        self.words = {b.id: b for b in city.buildings}
        self.parent = dict(zip(nodes["node"], nodes["parent"], strict=True))
        self.row = {name: i for i, name in enumerate(nodes["node"])}
        self.owner = {
            name: name if kind == "building" else parent
            for name, kind, parent in zip(nodes["node"], nodes["kind"], nodes["parent"], strict=True)
            if kind in ("building", "unit")
        }
        self.inside = _rows(nodes["node"], self.owner)
        self.rows = {name: _rows(getattr(case, name)["node"], self.owner) for name in OWNED}

    def of(self, building: str) -> SimpleNamespace:
        """Settings and tables, as a case has them, with nobody else's rows in those that units own."""
        case = self.case
        none = np.empty(0, dtype=np.int64)
        own = {name: getattr(case, name).iloc[rows.get(building, none)] for name, rows in self.rows.items()}
        at = np.concatenate([self.inside.get(building, none), self._above(building)])
        return SimpleNamespace(
            settings=case.settings,
            nodes=case.nodes.iloc[np.sort(at)],
            tariffs=case.tariffs,
            resources=case.resources,
            **own,
        )

    def city_of(self, building: str) -> City:
        """The city with this building alone."""
        words = self.words.get(building)
        return replace(self.city, buildings=() if words is None else (words,))

    def _above(self, building: str) -> np.ndarray:
        path: list[int] = []
        at = self.parent.get(building, "")
        while isinstance(at, str) and at in self.row and self.row[at] not in path:
            path.append(self.row[at])
            at = self.parent.get(at, "")
        return np.array(path, dtype=np.int64)


def _rows(nodes: pd.Series, owner: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Row numbers by the building that owns the node."""
    found: dict[str, list[int]] = {}
    for i, name in enumerate(nodes):
        if name in owner:
            found.setdefault(owner[name], []).append(i)
    return {name: np.array(rows, dtype=np.int64) for name, rows in found.items()}
