"""Missing files are not checkable, damaged ones are violations, nothing is a traceback."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from factory import town

from planner.audit import RULES, audit


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town(tmp_path_factory.mktemp("run") / "town", look_ahead=2)


@pytest.fixture
def run(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "run"))


def every_file(run: Path) -> list[Path]:
    return sorted(path for path in run.rglob("*") if path.is_file())


OPTIONAL = {"case"}  # a case folder need not have every table, so a missing one may show as a contradiction


def test_missing_file_is_not_checkable(run: Path) -> None:
    for path in every_file(run):
        if OPTIONAL & set(path.relative_to(run).parts):
            continue
        content = path.read_bytes()
        path.unlink()
        result = audit(run)
        path.write_bytes(content)
        assert result.rules_not_checkable.keys() - {"R1", "R2", "R3", "R4", "R5"}, path
        assert not result.violations, f"{path}\n{result}"


def damaged(content: bytes) -> list[bytes]:
    """Four ways in which a file comes to harm."""
    chance = random.Random(7)
    noise = bytes(chance.randrange(256) for _ in range(400))
    return [content[: len(content) * 2 // 3], noise, b"", content.replace(b"0", b"x").replace(b"1", b"x")]


@pytest.mark.parametrize("how", range(4), ids=["truncated", "garbage", "empty", "words"])
def test_damaged_file_is_a_violation(run: Path, how: int) -> None:
    """Every file in one of the four ways, every way on a quarter of the files."""
    for i, path in enumerate(every_file(run)):
        if i % 4 != how:
            continue
        content = path.read_bytes()
        path.write_bytes(damaged(content)[how])
        result = audit(run)
        path.write_bytes(content)
        assert result.violations, path


def test_no_folder_and_empty_folder(tmp_path: Path) -> None:
    assert audit(tmp_path / "nowhere").rules_violated == ("C1",)
    result = audit(tmp_path)
    assert not result.violations
    assert set(result.rules_not_checkable) == set(RULES)


def test_building_alone_is_audited(run: Path) -> None:
    shutil.rmtree(run / "market")
    shutil.rmtree(run / "buildings/b2")
    (run / "certificate.json").unlink()
    result = audit(run)
    assert not result.violations, str(result)
    own = {"C1", "C2", "C3", "C10", "C11", "C12", "C13", "S1", "S2"}
    assert own <= set(result.rules_checked), result.rules_not_checkable
    # those assets stand in b2, and the terms are not those of no_pab
    assert set(result.rules_without_subject) == {"C4", "C5", "C6", "C7", "C8", "C9", "C28"}
    assert {"C14", "C15", "C16", "C18", "C20", "C21", "C22"} <= set(result.rules_not_checkable)


def test_market_alone_is_audited(run: Path) -> None:
    shutil.rmtree(run / "buildings")
    result = audit(run)
    assert not result.violations, str(result)
    assert {"C1", "C16", "C17", "C18", "C21"} <= set(result.rules_checked), result.rules_not_checkable
    assert {"C2", "C10", "C20", "C22", "S1"} <= set(result.rules_not_checkable)


def test_result_is_json_and_a_table(run: Path) -> None:
    (run / "market/prices.csv").write_text("zone\n")
    result = audit(run)
    content = json.loads(result.to_json())
    rules = {"rules_checked", "rules_not_checkable", "rules_without_subject"}
    assert set(content) == {"violations", "violations_not_listed", *rules}
    assert content["violations"][0]["where"]["file"] == "market/prices.csv"
    assert all(rule in str(result) for rule in RULES)


def test_long_lists_are_cut(run: Path) -> None:
    path = run / "buildings/b1/units.csv"
    path.write_text(path.read_text().replace(",3,2,0,", ",3.001,2,0,").replace(",1,2,0,", ",1.001,2,0,"))
    result = audit(run)
    assert len([v for v in result.violations if v.rule == "C10"]) == 25
    assert result.more["C10"] >= 1
