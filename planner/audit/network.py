"""The tree as far as one folder shows it: limits of nodes, losses and feeders between building and zone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.audit.evidence import Building
from planner.audit.grid import Grid
from planner.audit.series import case_series
from planner.audit.table import MissingFileError, Numbers, Table


def limit_wh(nodes: Table, limits: Table | None, grid: Grid, names: Sequence[str], side: str) -> Numbers:
    """Import or export limit (``side``) of nodes, whole Wh per interval; infinite where there is none."""
    stated = dict(zip(nodes.text("node"), nodes.numbers(f"{side}_limit_kw", np.inf), strict=True))
    power = np.repeat(np.array([[stated.get(name, np.inf)] for name in names]).reshape(-1, 1), len(grid), axis=1)
    override = case_series(limits, grid, "node", names, f"{side}_kw")
    return np.rint(np.where(np.isnan(override), power, override) * grid.hours * 1000)


def path(b: Building) -> tuple[str, ...]:
    """The building and its ancestors up to, not including, its zone."""
    if b.path is None:
        parents = dict(zip(b.nodes.text("node"), b.nodes.text("parent"), strict=True))
        zone, found, node = zone_of(b), [], b.id
        while node and node != zone and node not in found:
            found.append(node)
            node = parents.get(node, "")
        b.path = tuple(found)
    return b.path


def zone_of(b: Building) -> str:
    """As its answer says; else its group's; else the root of its path."""
    if "zone" in b.answer:
        return str(b.answer["zone"])
    try:
        groups = b.run.table("market/groups")
        return dict(zip(groups.text("group"), groups.text("zone"), strict=True)).get(b.group) or root(b)
    except MissingFileError:
        return root(b)


def root(b: Building) -> str:
    nodes = zip(b.nodes.text("node"), b.nodes.text("parent"), strict=True)
    return next((node for node, parent in nodes if not parent), "")


def loss_ratio(b: Building) -> float:
    """Of the whole path: one minus the product of what each node on it lets through."""
    ratios = dict(zip(b.nodes.text("node"), b.nodes.numbers("loss_ratio", 0.0), strict=True))
    return 1 - float(np.prod([1 - ratios.get(node, 0.0) for node in path(b)]))


def feeders_of(b: Building, limited: frozenset[str]) -> tuple[str, ...]:
    """Limited nodes strictly between building and zone, nearest first."""
    return tuple(node for node in path(b)[1:] if node in limited)


def limited_nodes(nodes: Table, limits: Table | None) -> frozenset[str]:
    """Nodes with any limit, in nodes.csv or limits.csv."""
    bounded = np.isfinite(nodes.numbers("import_limit_kw", np.inf)) | np.isfinite(
        nodes.numbers("export_limit_kw", np.inf)
    )
    named = {node for node, has in zip(nodes.text("node"), bounded, strict=True) if has}
    return frozenset(named | (set(limits.text("node")) if limits is not None else set()))
