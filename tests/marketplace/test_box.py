"""What a gateway loads: nothing that draws, and a dark building needs no marketplace at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from case_folders import ROOT, Folder

from planner.audit import audit
from planner.holders import split

CODE = """
import sys
from planner import cli
code = cli.run(["gateway", "run", sys.argv[1]])
drawing = sorted({name.split(".")[0] for name in sys.modules} & {"matplotlib", "jinja2", "PIL", "IPython"})
print(code, drawing)
"""


def test_a_gateway_loads_nothing_that_draws(case_folder: Folder, tmp_path: Path) -> None:
    case = case_folder.swap("case.toml", '"lab"', '"exchange"').read()
    groups = split(case, tmp_path / "parts")
    assert {str(group.kind) for group in groups} == {"dark"}, "two small houses are too few for a cohort"
    folder = tmp_path / "parts/buildings/house"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "models")])
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stdout + done.stderr
    found = audit(folder / "runs" / "2026-06-10")
    assert not found.violations, str(found)
