"""riverside both ways: what the rounds prove must enclose what one model of the whole city finds."""

from __future__ import annotations

import pytest
from case_folders import ROOT

import planner


@pytest.mark.slow
def test_rounds_and_monolith_agree_on_riverside():
    """LB of the rounds <= the monolith's answer; the monolith's bound <= UB of the rounds; gap within 1 %."""
    case = planner.read_case(ROOT / "data" / "riverside")
    exchange = planner.clear(case)
    internal = case.with_(privacy={"preset": "internal"})
    rounds = planner.clear(internal)
    whole = planner.clear(internal, mode="monolith", time_limit=180)
    for run in (exchange, rounds):
        assert run.certificate["groups_dark"] == 0
        assert run.certificate["bound"] <= whole.certificate["objective"] + 1e-6
        assert whole.certificate["bound"] <= run.certificate["objective"] + 1e-6
        assert run.certificate["gap_relative"] <= 0.001
        assert run.certificate["silent"] == []
    for run in (exchange, rounds, whole):
        assert run.audit["violations"] == []
