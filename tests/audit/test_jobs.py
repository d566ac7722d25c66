"""What an audit says does not depend on the processes that looked at the buildings."""

from __future__ import annotations

from pathlib import Path

import pytest
from factory import town

from planner.audit import audit, jobs


def harm(run: Path) -> None:
    """A file that cannot be read, one that is missing, one that contradicts, and one that says too much."""
    (run / "buildings/b1/position.csv").write_text("interval,start\n1,when\n", "utf-8")
    (run / "buildings/b2/trades.csv").unlink()
    answer = run / "buildings/b2/answer.json"
    answer.write_text(answer.read_text("utf-8").replace('"cost"', '"price"'), "utf-8")
    units = run / "buildings/b2/units.csv"
    units.write_text(units.read_text("utf-8").replace("8.000", "8.500"), "utf-8")


@pytest.mark.parametrize("harmed", [False, True])
def test_processes_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harmed: bool) -> None:
    run = town(tmp_path / "run", look_ahead=2)
    if harmed:
        harm(run)
    alone = audit(run)
    assert alone.clean != harmed
    monkeypatch.setattr(jobs, "MANY", 1)
    monkeypatch.setattr(jobs, "cores", lambda: 2)
    assert audit(run).to_json() == alone.to_json()
