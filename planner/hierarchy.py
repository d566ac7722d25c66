"""The tree city > district > building > unit, of any depth: the only module that imports networkx.

Edges run from parent to child and carry the child's ``import_limit_kw``, ``export_limit_kw`` (infinite when
none) and ``loss_ratio``; nodes carry ``kind``, ``use``, ``label``, ``occupant``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import networkx as nx

Tables = Mapping[str, pd.DataFrame]
BELOW_ZONES = ("building", "unit")


def tree(tables: Tables) -> nx.DiGraph:
    """The nodes as a networkx tree; ``graph.graph`` holds ``zones`` and ``root``."""
    import networkx as nx

    graph: nx.DiGraph = nx.DiGraph(zones=zones(tables), root="")
    nodes = tables["nodes"]
    for row in nodes.to_dict("records"):
        graph.add_node(row["node"], **{name: row[name] for name in ("kind", "use", "label", "occupant")})
        if not row["parent"]:
            graph.graph["root"] = row["node"]
    for row in nodes[nodes["parent"] != ""].to_dict("records"):
        graph.add_edge(
            row["parent"],
            row["node"],
            import_limit_kw=_unlimited(row["import_limit_kw"]),
            export_limit_kw=_unlimited(row["export_limit_kw"]),
            loss_ratio=row["loss_ratio"],
        )
    return graph


def _unlimited(limit: float) -> float:
    return math.inf if math.isnan(limit) else float(limit)


def zones(tables: Tables) -> tuple[str, ...]:
    """The nodes that grid prices, supply, orders or lines name, else the root; sorted."""
    named: set[str] = set()
    for table, column in (
        ("grid_prices", "zone"),
        ("supply", "zone"),
        ("orders", "zone"),
        ("lines", "from_zone"),
        ("lines", "to_zone"),
    ):
        named.update(tables[table][column].unique())
    nodes = tables["nodes"]
    return tuple(sorted(named - {""})) or tuple(sorted(nodes.loc[nodes["parent"] == "", "node"]))


def parents(nodes: pd.DataFrame) -> dict[str, str]:
    """The parent of every node that has one."""
    pairs = zip(nodes["node"].to_numpy(dtype=object), nodes["parent"].to_numpy(dtype=object), strict=True)
    return {node: parent for node, parent in pairs if parent}


def upwards(node: str, parent: Mapping[str, str]) -> Iterator[str]:
    """``node`` and its ancestors up to the root; stops at a cycle."""
    seen: set[str] = set()
    while node and node not in seen:
        seen.add(node)
        yield node
        node = parent.get(node, "")


def ancestors(graph: nx.DiGraph, node: str) -> tuple[str, ...]:
    """The ancestors of a node, nearest first; the node itself is not among them."""
    above = {child: parent for parent, child in graph.edges}
    return tuple(upwards(node, above))[1:]


def zone_of(graph: nx.DiGraph, node: str) -> str:
    """The nearest zone at or above a node; an empty string if there is none."""
    path = (node, *ancestors(graph, node))
    return next((name for name in path if name in graph.graph["zones"]), "")


def building_of(graph: nx.DiGraph, node: str) -> str:
    """The building at or above a node; an empty string if there is none."""
    path = (node, *ancestors(graph, node))
    return next((name for name in path if graph.nodes[name]["kind"] == "building"), "")


def buildings(graph: nx.DiGraph) -> tuple[str, ...]:
    """All buildings, sorted."""
    return tuple(sorted(name for name, kind in graph.nodes(data="kind") if kind == "building"))


def units_of(graph: nx.DiGraph, building: str) -> tuple[str, ...]:
    """The units of a building, sorted."""
    return tuple(sorted(graph.successors(building)))


def path_to_zone(graph: nx.DiGraph, node: str) -> tuple[str, ...]:
    """A node and its ancestors up to, not including, its zone."""
    path = []
    for name in (node, *ancestors(graph, node)):
        if name in graph.graph["zones"]:
            break
        path.append(name)
    return tuple(path)


def feeders_of(graph: nx.DiGraph, building: str) -> tuple[str, ...]:
    """The nodes between a building and its zone, nearest first, limited or not."""
    return path_to_zone(graph, building)[1:]


def drawing(graph: nx.DiGraph, most: int = 60) -> str:
    """The tree as text, one node a line.

    A tree of more than ``most`` nodes shows units as a number beside their building; what is still beyond is a count.
    """
    lines: list[str] = []
    graph = _folded(graph, most)
    for root in sorted(name for name in graph if not list(graph.predecessors(name))):
        _draw(graph, root, lines)
    if len(lines) > most:
        return "\n".join([*lines[:most], f"… and {len(lines) - most} more nodes"])
    return "\n".join(lines)


def _draw(graph: nx.DiGraph, root: str, lines: list[str]) -> None:
    """Depth first without recursion, since a tree may be as deep as it likes."""
    stack = [(root, "", "")]
    while stack:
        node, lead, indent = stack.pop()
        lines.append(lead + _words(graph, node))
        children = sorted(graph.successors(node))
        for i, child in reversed(list(enumerate(children))):
            last = i == len(children) - 1
            stack.append((child, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  ")))


def _folded(graph: nx.DiGraph, most: int) -> nx.DiGraph:
    """The tree without its units where it has more than ``most`` nodes, their number kept at each parent."""
    if len(graph) <= most:
        return graph
    units = [node for node, kind in graph.nodes(data="kind") if kind == "unit" and not graph.out_degree(node)]
    small = graph.copy()
    for unit in units:
        for parent in graph.predecessors(unit):
            small.nodes[parent]["units"] = small.nodes[parent].get("units", 0) + 1
    small.remove_nodes_from(units)
    return small


def _units(about: Mapping[str, Any]) -> list[str]:
    """The units that a folded tree leaves out below a node, in words."""
    count = about.get("units", 0)
    return [f"{count} unit{'s' if count > 1 else ''}"] if count else []


def _words(graph: nx.DiGraph, node: str) -> str:
    about = graph.nodes[node]
    words = [node, about["kind"]]
    words += [f"({about['use']})"] if about["use"] else []
    words += ["zone"] if node in graph.graph["zones"] else []
    for _, _, edge in graph.in_edges(node, data=True):
        words += [f"import ≤ {edge['import_limit_kw']:g} kW"] if math.isfinite(edge["import_limit_kw"]) else []
        words += [f"export ≤ {edge['export_limit_kw']:g} kW"] if math.isfinite(edge["export_limit_kw"]) else []
        words += [f"loss {edge['loss_ratio']:.2%}"] if edge["loss_ratio"] else []
    return " ".join([*words, *_units(about)])


def plot(graph: nx.DiGraph, ax: Any = None, most: int = 60) -> Any:
    """Draw the tree, root on the left, leaves evenly spread; returns the matplotlib axes.

    A tree of more than ``most`` nodes shows units as a number in their building.
    """
    import matplotlib.pyplot as plt

    graph = _folded(graph, most)
    ax = plt.subplots(figsize=(8, max(2.0, 0.25 * _leaves(graph))))[1] if ax is None else ax
    at = _layout(graph)
    for parent, child in graph.edges:
        (x0, y0), (x1, y1) = at[parent], at[child]
        ax.plot([x0, x1], [y0, y1], color="0.7", linewidth=1, zorder=1)
    for node, (x, y) in at.items():
        label = ", ".join([node, *_units(graph.nodes[node])])
        ax.annotate(label, (x, y), va="center", fontsize=8, bbox={"boxstyle": "round", "fc": "w", "ec": "0.5"})
    ax.set_axis_off()
    ax.margins(0.1, 0.5 / max(len(at), 5))
    return ax


def _leaves(graph: nx.DiGraph) -> int:
    return min(sum(1 for node in graph if not graph.out_degree(node)), 200)


def _layout(graph: nx.DiGraph) -> dict[str, tuple[float, float]]:
    """Depth to the right, leaves downwards in sorted order, a parent in the middle of its children."""
    import networkx as nx

    at: dict[str, tuple[float, float]] = {}
    row = 0.0
    for root in sorted(name for name in graph if not graph.in_degree(name)):
        depth = nx.shortest_path_length(graph, root)
        for node in nx.dfs_postorder_nodes(graph, root, sort_neighbors=sorted):
            children = [at[child][1] for child in graph.successors(node)]
            if not children:
                row -= 1.0
            at[node] = (float(depth[node]), sum(children) / len(children) if children else row)
    return at
