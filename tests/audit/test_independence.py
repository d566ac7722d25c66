"""The audit is a witness of its own: no solver, no model builder, nothing of the clear or the settlement."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from planner.audit import rules

FOLDER = Path(rules.__file__).parent
ALLOWED = {
    "planner.audit",
    "planner.beside",
    "planner.money",
    "planner.timegrid",
    "planner.security",
    "planner_models.words",
}
FOREIGN = ("pyomo", "highspy", "planner.clearing", "planner.settlement.", "planner.coordination", "planner_models.city")


def imported(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name for name in names if name.startswith("planner")}


def test_imports_are_few() -> None:
    found = set().union(*(imported(path) for path in FOLDER.glob("*.py")))
    assert not {name for name in found if not any(name == a or name.startswith(f"{a}.") for a in ALLOWED)}


def test_neither_solver_nor_models_are_loaded() -> None:
    code = f"import planner.audit, sys; print([m for m in sys.modules if m.startswith({FOREIGN})])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_modules_are_small() -> None:
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in FOLDER.glob("*.py")) <= 240
