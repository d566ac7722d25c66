"""A holder's own folder is audited by itself, in the run or copied elsewhere under any name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from factory import town

from planner.audit import RULES, audit
from planner.audit.holder import part_of

OF_BUILDING = {f"C{i}" for i in range(1, 14)} | {"S1", "S2"}
OF_MARKET = {"C1", "C16", "C17", "C18"}
ASSETS = {"C3", "C4", "C5", "C6", "C7", "C8", "C9"}
PARTS = [
    ("buildings/b1", OF_BUILDING - ASSETS | {"C3"}),
    ("buildings/b2", OF_BUILDING - {"C3"}),
    ("market", OF_MARKET),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town(tmp_path_factory.mktemp("run") / "town", look_ahead=2)


@pytest.mark.parametrize(("part", "rules"), PARTS)
def test_a_holders_folder_is_audited(run: Path, tmp_path: Path, part: str, rules: set[str]) -> None:
    copied = Path(shutil.copytree(run / part, tmp_path / "mine"))
    for folder in (run / part, copied):
        assert part_of(folder) == part
        result = audit(folder)
        assert not result.violations, str(result)
        assert rules <= set(result.rules_checked), result.rules_not_checkable
        told = (*result.rules_checked, *result.rules_not_checkable, *result.rules_without_subject)
        assert sorted(told) == sorted(RULES)
        assert {"C15", "C20", "C21", "C22", "R1", "R6"} <= set(result.rules_not_checkable)
    assert result.to_json() == audit(run / part).to_json(), "the copy is audited as the original"


@pytest.mark.parametrize(
    ("part", "file", "old", "new", "rule"),
    [
        ("buildings/b1", "units.csv", ",3,2,0,1,0", ",3,2,0,2,0", "C11"),
        ("buildings/b2", "trades.csv", ",0.047,", ",0.048,", "S1"),
        ("market", "exchange.csv", ",100,40,", ",101,40,", "C16"),
    ],
)
def test_what_is_wrong_is_found_and_named_as_in_the_run(
    run: Path, tmp_path: Path, part: str, file: str, old: str, new: str, rule: str
) -> None:
    copied = Path(shutil.copytree(run / part, tmp_path / "mine"))
    text = (copied / file).read_text()
    assert old in text
    (copied / file).write_text(text.replace(old, new, 1))
    found = audit(copied).violations
    assert {v.rule for v in found} >= {rule}
    assert all(v.where.file.startswith(f"{part}/") for v in found)


def test_a_run_and_a_case_are_no_holders_folder(run: Path, tmp_path: Path) -> None:
    assert part_of(run) == part_of(run / "market/case") == part_of(tmp_path) == ""


def test_the_command_audits_a_holders_folder(run: Path) -> None:
    from planner.cli import run as command

    for part, _ in PARTS:
        assert command(["audit", str(run / part)]) == 0
    assert command(["audit", str(run / "buildings")]) != 0
