"""Names that point at other tables: every one of them is there, and of the right kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.problems import Problem, suggest
from planner.tables import ASSETS
from planner.validation.common import MOST, distinct, each, of, rows_where

if TYPE_CHECKING:
    from planner.case import Case

REFERENCES = (
    ("limits", "node", "nodes", "node"),
    *((table, "node", "nodes", "node") for table in ASSETS),
    ("allocations", "node", "nodes", "node"),
    ("meters", "node", "nodes", "node"),
    ("listings", "node", "nodes", "node"),
    ("nodes", "tariff", "tariffs", "tariff"),
    *((table, column, column + "s", column) for table in ("loads", "solar", "wind") for column in ("meter", "profile")),
    ("meters", "part_of", "meters", "meter"),
    ("listings", "resource", "resources", "resource"),
    ("vehicles", "spot", "listings", "listing"),
    ("orders", "parent_order_id", "orders", "order_id"),
)
ZONED = (
    ("supply", "zone"),
    ("grid_prices", "zone"),
    ("orders", "zone"),
    ("lines", "from_zone"),
    ("lines", "to_zone"),
)
BUILT_IN = {"resources": {"electricity"}}


def known_names(case: Case) -> Iterator[Problem]:
    """Every reference finds its row."""
    for table, column, target, key in REFERENCES:
        if target in case.broken or not any(distinct(case.tables[table][column])):
            continue
        known = set(distinct(case.tables[target][key])) | BUILT_IN.get(target, set())
        yield from _unknown(case, table, column, known, key if target == "nodes" else column)


def _unknown(case: Case, table: str, column: str, known: set[str], word: str) -> Iterator[Problem]:
    used = case.tables[table][column]
    missing = [name for name in distinct(used) if name and name not in known]
    for name in missing[:MOST]:
        row = rows_where(used == name)[0]
        yield case.problem(table, row, f"unknown {word}", name, suggest(name, known))


def known_zones(case: Case) -> Iterator[Problem]:
    """In a city a zone is a node above the buildings; in an order book it is whatever orders and lines name."""
    nodes = case.nodes
    if "nodes" in case.broken:
        return
    if not len(nodes):
        yield from _one_spelling(case)
        return
    known = set(nodes.loc[~nodes["kind"].isin(["building", "unit"]), "node"])
    for table, column in ZONED:
        yield from _unknown(case, table, column, known, "zone")


def _one_spelling(case: Case) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for table, column in ZONED:
        for name in distinct(case.tables[table][column]):
            other = seen.setdefault(name.casefold(), name)
            if other != name:
                row = rows_where(case.tables[table][column] == name)[0]
                yield case.problem(table, row, f"zone differs from '{other}' only in case", name, "spell it alike")


def assets_in_buildings(case: Case) -> Iterator[Problem]:
    """Assets stand on units, or on a building for what its units share."""
    nodes = case.nodes
    above = set(nodes.loc[~nodes["kind"].isin(["building", "unit", ""]), "node"])
    for table in ASSETS:
        frame = case.tables[table]
        if not len(frame):
            continue
        hint = "put it on a unit, or on the building for what its units share"
        yield from each(case, table, frame["node"].isin(above), "an asset outside a building", frame["node"], hint)


@of("flexible")
def one_node_each(case: Case) -> Iterator[Problem]:
    """An asset that has several rows stays at one node in all of them."""
    for table, key in (("flexible", "load"),):
        frame = case.tables[table]
        first = frame.groupby(key)["node"].transform("first")
        yield from each(case, table, frame["node"] != first, f"{key} stands at two nodes", frame[key])


CHECKS = (known_names, known_zones, assets_in_buildings, one_node_each)
