"""A case parted by building once, so that no building's own case needs a search of the whole city's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.ledger.case_rows import INSIDE
from planner.stretches import Rows
from planner_models.words import Building, City

OWNED = ("loads", "solar", "wind", "batteries", "vehicles", "appliances", "flexible", "generators", "listings")
OF_ALL = ("tariffs", "resources")
NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class CaseOfBlock:
    """What the own cases of some buildings are made of, and nothing of any other building.

    ``owner`` is the building of each of these buildings and their units; ``owned`` are the rows of each table that has
    an owner, ``of_all`` the tables that are the same in every case.
    """

    names: tuple[str, ...]
    settings: Any
    words: Mapping[str, Building]
    owner: Mapping[str, str]
    nodes: Rows
    owned: Mapping[str, Rows]
    of_all: Mapping[str, pd.DataFrame]


class CaseByBuilding:
    """The rows of a case that concern some buildings: their own, and of nodes.csv the path above each."""

    def __init__(self, case: Any, city: City) -> None:
        self.case = case
        nodes = {name: case.nodes[name].tolist() for name in ("node", "parent", "kind")}
        self.words: Mapping[str, Building] = {b.id: b for b in city.buildings}
        self._parent = dict(zip(nodes["node"], nodes["parent"], strict=True))
        self._row = {name: i for i, name in enumerate(nodes["node"])}
        kinds = zip(nodes["node"], nodes["kind"], nodes["parent"], strict=True)
        self.owner: Mapping[str, str] = {
            name: name if kind == "building" else parent for name, kind, parent in kinds if kind in INSIDE
        }
        """The building of every building and unit."""
        self._inside = _places(nodes["node"], self.owner)
        self._owned = {name: _places(getattr(case, name)["node"].tolist(), self.owner) for name in OWNED}

    def block(self, buildings: Sequence[str]) -> CaseOfBlock:
        """What concerns some buildings, apart from the city."""
        nodes = self.case.nodes["node"]
        return CaseOfBlock(
            names=tuple(buildings),
            settings=self.case.settings,
            words={name: self.words[name] for name in buildings if name in self.words},
            owner={node: name for name in buildings for node in nodes.take(self._inside.get(name, NONE))},
            nodes=self.nodes(buildings),
            owned={name: self.rows(name, buildings) for name in OWNED},
            of_all={name: getattr(self.case, name) for name in OF_ALL},
        )

    def rows(self, name: str, buildings: Sequence[str]) -> Rows:
        """Each building's own rows of a table, in the order of the case."""
        places = [self._owned[name].get(building, NONE) for building in buildings]
        return _taken(getattr(self.case, name), places)

    def nodes(self, buildings: Sequence[str]) -> Rows:
        """City to building, then its units; what lies above carries losses and tariffs but not its limits."""
        above = [self._above(building) for building in buildings]
        inside = [self._inside.get(building, NONE) for building in buildings]
        places = [np.sort(np.concatenate(both)) for both in zip(inside, above, strict=True)]
        taken = _taken(self.case.nodes, places)
        outside = np.concatenate([np.isin(at, over) for at, over in zip(places, above, strict=True)])
        taken.frame.loc[outside, ["import_limit_kw", "export_limit_kw"]] = np.nan
        return taken

    def _above(self, building: str) -> npt.NDArray[np.int64]:
        path: list[int] = []
        at = self._parent.get(building, "")
        while isinstance(at, str) and at in self._row and self._row[at] not in path:
            path.append(self._row[at])
            at = self._parent.get(at, "")
        return np.array(path, dtype=np.int64)


def _taken(frame: pd.DataFrame, places: Sequence[npt.NDArray[np.int64]]) -> Rows:
    return Rows(frame.take(np.concatenate(places)).reset_index(drop=True), np.array([len(at) for at in places]))


def _places(nodes: Sequence[str], owner: Mapping[str, str]) -> dict[str, npt.NDArray[np.int64]]:
    """Row numbers by the building that owns the node."""
    found: dict[str, list[int]] = {}
    for i, name in enumerate(nodes):
        if name in owner:
            found.setdefault(owner[name], []).append(i)
    return {name: np.array(rows, dtype=np.int64) for name, rows in found.items()}
