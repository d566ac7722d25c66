"""The tree: one root, every parent known, no cycle, kinds in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.hierarchy import parents, upwards
from planner.problems import Problem, suggest
from planner.validation.common import each, in_file_order, of, rows_where

if TYPE_CHECKING:
    from planner.case import Case


@of("nodes")
def known_parents(case: Case) -> Iterator[Problem]:
    nodes = case.nodes
    known, above = set(nodes["node"]), nodes.loc[nodes["kind"] != "unit", "node"]
    for row in rows_where((nodes["parent"] != "") & ~nodes["parent"].isin(known)):
        parent = nodes["parent"].iloc[row]
        yield case.problem("nodes", row, "unknown parent", parent, suggest(parent, above))


@of("nodes")
def one_root(case: Case) -> Iterator[Problem]:
    nodes = case.nodes
    roots = in_file_order(case, "nodes", rows_where((nodes["parent"] == "") & (nodes["node"] != "")))
    for row in roots[1:]:
        first = nodes["node"].iloc[roots[0]]
        what = f"has no parent, and neither has '{first}'; a case has one root"
        yield case.problem("nodes", row, what, nodes["node"].iloc[row], "name its parent")
    for row in roots[:1]:
        if nodes["kind"].iloc[row] in ("building", "unit"):
            what = f"a {nodes['kind'].iloc[row]} cannot be the root"
            yield case.problem("nodes", row, what, nodes["node"].iloc[row], "name its parent")
    if len(nodes) and not roots and not any(cycles(case)):
        yield case.problem("nodes", -2, "has no root", hint="leave the parent of the city empty")


def cycles(case: Case) -> Iterator[Problem]:
    """Each cycle once, at its node that sorts first."""
    nodes = case.nodes
    parent = parents(nodes)
    safe: set[str] = set()
    for row, node in enumerate(nodes["node"]):
        path: list[str] = []
        for name in upwards(node, parent):
            if name in safe:
                break
            path.append(name)
        else:
            above = parent.get(path[-1], "") if path else ""
            if above:
                cycle = path[path.index(above) :]
                if node == min(cycle):
                    yield case.problem("nodes", row, "is its own ancestor", " > ".join([*cycle, cycle[0]]))
                continue
        safe.update(path)


@of("nodes")
def kinds_nest(case: Case) -> Iterator[Problem]:
    """A unit stands in a building, a building in neither of the two, and nothing stands in a unit."""
    nodes = case.nodes
    kind = dict(zip(nodes["node"], nodes["kind"], strict=True))
    above = nodes["parent"].map(kind).fillna("")
    there = (nodes["parent"] != "") & (above != "")
    is_unit, is_building = nodes["kind"] == "unit", nodes["kind"] == "building"
    hint = "give it a building as its parent"
    wrong = there & is_unit & (above != "building")
    yield from each(case, "nodes", wrong, "a unit outside a building", nodes["parent"], hint)
    wrong = there & is_building & above.isin(["building", "unit"])
    yield from each(case, "nodes", wrong, "a building inside another building or unit", nodes["parent"])
    wrong = there & ~is_unit & ~is_building & above.isin(["building", "unit"])
    yield from each(case, "nodes", wrong, "only units stand in a building, and nothing in a unit", nodes["parent"])


@of("nodes")
def no_loss_on_units(case: Case) -> Iterator[Problem]:
    nodes = case.nodes
    wrong = (nodes["kind"] == "unit") & (nodes["loss_ratio"] > 0)
    yield from each(case, "nodes", wrong, "loss_ratio on a unit", nodes["loss_ratio"], "put it on the building")


CHECKS = (known_parents, one_root, cycles, kinds_nest, no_loss_on_units)
