"""One rule, four places: the document, the audit, the builders' docstrings, and the tests."""

from __future__ import annotations

import re
from pathlib import Path

from planner.audit.rules import RULES

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "models" / "FORMULATION.md").read_text()
WRITTEN_BY_BUILDERS = {f"C{i}" for i in (*range(2, 19), *range(25, 29))}


def numbered(letter: str, last: int) -> list[str]:
    return [f"{letter}{i}" for i in range(1, last + 1)]


def headings() -> list[str]:
    return re.findall(r"^\*\*\(([CSR]\d+)\)", DOCUMENT, flags=re.MULTILINE)


def test_the_document_numbers_every_rule_once_and_in_order() -> None:
    assert headings() == numbered("C", 29) + numbered("S", 6) + numbered("R", 10)


def test_the_audit_has_the_documents_rules() -> None:
    assert sorted(RULES) == sorted(headings())


def builders() -> str:
    return "".join(path.read_text() for path in sorted((ROOT / "models" / "planner_models").rglob("*.py")))


def cells(section: str, column: int) -> str:
    """One column of the tables of a section."""
    return "\n".join(row.split("|")[column] for row in section.splitlines() if row.startswith("|"))


def test_builders_name_the_model_rules() -> None:
    assert set(re.findall(r"\bC\d+\b", builders())) >= WRITTEN_BY_BUILDERS


def test_the_document_names_words_that_exist() -> None:
    """Every Python name of the tables of sets and parameters is a class or field of the words."""
    words = (ROOT / "models" / "planner_models" / "words.py").read_text()
    names = set(re.findall(r"`(?:\w+\.|\.)?(\w+)`", cells(DOCUMENT.split("## 3. Variables")[0], 3)))
    assert {name for name in names if not re.search(rf"\b{name}\b", words)} <= {"words"}
    assert len(names) > 60


def test_the_document_names_variables_of_the_model() -> None:
    names = set(re.findall(r"`(\w+)`", cells(DOCUMENT.split("## 3. Variables")[1].split("## 4.")[0], 3)))
    assert {name for name in names if not re.search(rf"\b[bm]\.{name}\b", builders())} == set()
    assert len(names) >= 40
