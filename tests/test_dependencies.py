"""Which way dependencies point: the contracts of pyproject.toml, and three rules that only names can tell."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WRITERS = {"write_run", "open_partial", "publish"}


def imports(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(file, module, name) of every ``from module import name`` and ``import module`` (name empty) below a folder."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = path.relative_to(ROOT).as_posix()
            if isinstance(node, ast.ImportFrom):
                yield from ((where, node.module or "", alias.name) for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from ((where, alias.name, "") for alias in node.names)


def test_contracts_are_kept(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("lint-imports")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "models")])
    done = subprocess.run(
        [str(program), "--config", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "0 broken" in done.stdout


def test_security_imports_nothing_of_the_planner() -> None:
    found = [
        row for row in imports(ROOT / "planner" / "security") if row[1].split(".")[0] in ("planner", "planner_models")
    ]
    assert found, "security is a package of several modules"
    assert [row for row in found if not row[1].startswith("planner.security")] == []


def test_only_the_ledger_writes_run_folders() -> None:
    users = {file for file, module, name in imports(ROOT / "planner") if name in WRITERS and "ledger" in module}
    assert {file for file in users if not file.startswith("planner/ledger/")} == {"planner/clearing.py"}
    inner = {f for f, module, _ in imports(ROOT / "planner") if module.startswith("planner.ledger.")}
    assert {file for file in inner if not file.startswith("planner/ledger/")} == set()


def test_only_the_entry_point_sees_argv() -> None:
    files = [*(ROOT / "planner").rglob("*.py"), *(ROOT / "models").rglob("*.py")]
    users = {path.relative_to(ROOT).as_posix() for path in files if "sys.argv" in path.read_text(encoding="utf-8")}
    assert users <= {"planner/cli.py", "planner/generate/riverside.py"}
