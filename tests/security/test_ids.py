"""Every id of the rule book has its test, or its reason in README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LAST = {"E": 28, "K": 25, "P": 33, "A": 10}
LEFT_OUT = frozenset(re.findall(r"\| (T-[EKPA]\d\d) \|", (HERE / "README.md").read_text().split("Left out:")[1]))


def carried() -> set[str]:
    """Ids in names of tests and in texts that name parameters; a mention in a docstring counts for nothing."""
    found: set[str] = set()
    for path in [
        *HERE.glob("test_*.py"),
        *(HERE.parent / "real").glob("test_*.py"),
        *(HERE.parent / "privacy").glob("test_*.py"),
    ]:
        text = path.read_text()
        names = re.findall(r"def (test_\w+)", text)
        found |= {f"T-{one}" for name in names for one in re.findall(r"T_([EKPA]\d\d)", name)}
        found |= set(re.findall(r'"(T-[EKPA]\d\d) ', text))
    return found


@pytest.mark.parametrize("family", LAST)
def test_every_id_is_carried_by_a_test(family: str) -> None:
    every = {f"T-{family}{number:02d}" for number in range(1, LAST[family] + 1)}
    assert every - carried() == {one for one in LEFT_OUT if one[2] == family}


def test_few_are_left_out() -> None:
    assert len(LEFT_OUT) <= 10
