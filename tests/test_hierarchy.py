"""The tree: limits and losses on edges, paths, zones, and its drawing."""

from __future__ import annotations

import math
from typing import Any

import pytest

from planner import hierarchy


def test_edges_carry_limits_and_losses(case_folder: Any) -> None:
    graph = case_folder.read().graph
    assert graph.number_of_nodes() == 7
    assert graph.edges["city", "north"] == {"import_limit_kw": 100.0, "export_limit_kw": 100.0, "loss_ratio": 0.01}
    assert graph.edges["city", "tower"]["import_limit_kw"] == math.inf
    assert graph.nodes["flat1"]["use"] == "apartment"
    assert graph.graph["root"] == "city"


def test_paths_zones_and_losses(case_folder: Any) -> None:
    graph = case_folder.read().graph
    assert hierarchy.ancestors(graph, "flat1") == ("house", "north", "city")
    assert hierarchy.building_of(graph, "flat1") == "house"
    assert hierarchy.zone_of(graph, "flat1") == "city"
    assert hierarchy.feeders_of(graph, "house") == ("north",)
    assert hierarchy.units_of(graph, "house") == ("flat1", "flat2")
    assert hierarchy.buildings(graph) == ("house", "tower")


def test_a_zone_ends_the_path(case_folder: Any) -> None:
    case_folder.write("grid.csv", case_folder.text("grid.csv").replace("city,", "north,"))
    case_folder.write("supply.csv", case_folder.text("supply.csv").replace("city,", "north,"))
    case = case_folder.read()
    assert case.zones == ("north",)
    assert hierarchy.feeders_of(case.graph, "house") == ()
    assert hierarchy.zone_of(case.graph, "office") == ""


def test_without_markets_the_city_is_the_zone(case_folder: Any) -> None:
    for name in ("grid.csv", "supply.csv"):
        case_folder.remove(name)
    assert case_folder.read().zones == ("city",)


def test_a_deep_tree_is_drawn_without_recursion(case_folder: Any) -> None:
    rows = ["city,,city", *(f"d{i},{'city' if i == 0 else f'd{i - 1}'},district" for i in range(2000))]
    for path in case_folder.path.glob("*.csv"):
        path.unlink()
    case_folder.write("nodes.csv", "node,parent,kind\n" + "\n".join(rows) + "\n")
    graph = case_folder.read().graph
    assert len(hierarchy.ancestors(graph, "d1999")) == 2000
    assert hierarchy.drawing(graph).splitlines()[-1] == "… and 1941 more nodes"


def test_the_drawing_says_what_matters(case_folder: Any) -> None:
    lines = hierarchy.drawing(case_folder.read().graph).splitlines()
    assert lines[0] == "city city zone"
    assert lines[1] == "├─ north feeder import ≤ 100 kW export ≤ 100 kW loss 1.00%"
    assert lines[-1] == "   └─ office unit (office)"


def test_a_large_tree_shows_units_as_a_number(case_folder: Any) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    case_folder.add("nodes.csv", *(f"u{i:02},tower,unit,office,,," for i in range(60)))
    graph = case_folder.read().graph
    lines = hierarchy.drawing(graph).splitlines()
    assert len(lines) == 4
    assert any(line.endswith("house building import ≤ 40 kW export ≤ 40 kW loss 2.00% 2 units") for line in lines)
    assert any(line.endswith("tower building 61 units") for line in lines)
    assert {text.get_text() for text in hierarchy.plot(graph).texts} == {
        "city",
        "north",
        "house, 2 units",
        "tower, 61 units",
    }
    assert len(graph) == 67, "the graph itself is left as it was"
