"""README.md does what it says: its commands parse, its paths exist, its snippets run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from case_folders import ROOT

from planner import cli

README = (ROOT / "README.md").read_text(encoding="utf-8")
RIVERSIDE = ROOT / "data" / "riverside"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every call of planner in a shell block, without what stands before it on the line."""
    lines = [part.strip() for block in blocks("sh") for line in block.splitlines() for part in line.split("&&")]
    return [re.sub(r"^\S*planner ", "", line) for line in lines if re.match(r"(\.venv/bin/)?planner ", line)]


def test_there_is_one_command_to_run_and_one_to_test() -> None:
    run, test, *_ = blocks("sh")
    assert re.fullmatch(r"python3 -m venv (\S+) && \1/bin/pip install .+ && \1/bin/planner clear .+\n", run)
    assert re.fullmatch(r"python3 -m venv (\S+) && \1/bin/pip install .+ && \1/bin/python -m pytest\n", test)


def test_installation_names_what_pyproject_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"planner": "planner.cli:main"}
    assert "test" in project["optional-dependencies"]
    minimum = project["requires-python"].removeprefix(">=")
    assert f"Python {minimum} or newer" in README


@pytest.mark.parametrize("line", commands())
def test_commands_parse(line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each is a valid command line, stopped before it begins; what it reads is in the repository or was made before."""
    monkeypatch.setattr("planner.commands.common.ending", lambda console, command: 0)
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(line, comments=True)
    assert cli.run(arguments) == 0
    for argument in arguments:
        assert not argument.startswith("data/") or (ROOT / argument).exists()


def test_all_commands_are_named() -> None:
    named = {line.split()[0] for line in commands()}
    assert named == {name for module in cli.MODULES for name in module.COMMANDS}


def test_the_main_jobs_case_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["validate", str(RIVERSIDE), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    sizes = re.search(r"city\s+of (\d+) buildings and (\d+) units", README)
    assert sizes is not None
    import planner

    kinds = planner.read_case(RIVERSIDE).nodes["kind"].value_counts()
    assert (int(sizes[1]), int(sizes[2])) == (kinds["building"], kinds["unit"])
    assert told["delivery_date"] == "2026-10-25"


@pytest.mark.parametrize("snippet", blocks("python"))
def test_snippets_run(snippet: str) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "models")])
    done = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_certificate_has_what_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = README.split("## How to read the certificate")[1].split("\n## ")[0]
    keys = set(re.findall(r"`([a-z0-9_]+)`", part)) - {"rounds", "monolith", "no_trade", "aggregates", "central"}
    folder = tmp_path / "run"
    assert cli.run(["clear", str(ROOT / "data" / "cases" / "k16-joint"), "-o", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["certificate"]
    assert keys <= set(told)
    table = README.split("## What you get")[1].split("\n## ")[0]
    for name in re.findall(r"^\| `([^`<]+)", table, flags=re.MULTILINE):
        assert (folder / name).exists(), name


def test_it_claims_no_more_than_aggregates() -> None:
    assert "anonym" not in README.lower()
