"""A commitment that is taken back is said again as it was: the last envelope is what is cleared."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from services_world import Reference

from planner.desk import Clock, Desk
from planner.groups import release_groups
from planner.history import History
from planner.preparation import prepare
from planner.questions import Alone, Commit, Commitment, Revert, Slice
from planner.security.opening import open_envelope
from planner.security.policy import PRESETS
from planner.security.releases import ReleaseLedger
from planner_models.answer import Ladder


def test_a_commitment_taken_back_is_said_again(houses: Reference, tmp_path: Path) -> None:
    case = houses.world.case
    city, policy = prepare(case, {}), PRESETS[case.settings.privacy.preset]
    history = History.of(city, str(case.settings.delivery_date), policy, ReleaseLedger(tmp_path / "ledger"))
    groups = release_groups(city, policy, history.standing)
    desk = Desk(case, city, policy, groups, Clock(time.perf_counter(), 60.0), history)
    assert desk.hearing is not None
    assert desk.exchange is not None
    n = len(city.grid)
    cheap, dear = Ladder.flat(np.full(n, 20.0)), Ladder.flat(np.full(n, 400.0))
    slices = Ladder.tariff(np.full(n, 120.0), np.full(n, 60.0))
    questions = [Alone(0), Slice(1, slices), Commit(cheap, np.inf, {1: 1.0}), Commit(replace(dear), np.inf), Revert()]
    words = [desk.hearing.ask({0: question})[0] for question in questions]
    first, second, back = words[-3:]
    assert all(isinstance(word, Commitment) for word in (first, second, back))
    assert not np.array_equal(first.position_wh, second.position_wh), "there is something to take back"
    assert np.array_equal(back.position_wh, first.position_wh)
    last = open_envelope(
        desk.envelopes[desk.bright[0].id][-1], desk.exchange.reader, desk.exchange.now(), lambda *_: -1
    )
    assert np.array_equal(last.body["position_wh"], first.position_wh)
