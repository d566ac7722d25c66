"""Room below limited nodes: allocations and neighbours count, and shares never add up to more than there is."""

from __future__ import annotations

import numpy as np

from planner.rooms import Rooms
from planner_models.words import Feeder

FEEDER = Feeder("f", "z", (5.0,), (3.0,), (1.0,))
SITES = [("z", ("f",)), ("z", ("f",)), ("z", ())]


def rooms(*positions: float) -> Rooms:
    return Rooms.under([FEEDER], SITES, np.array(positions)[:, None])


def test_room_below_a_feeder_counts_allocations_and_the_others() -> None:
    here = rooms(1.0, 0.5, 9.0)
    assert (here.down.tolist(), here.up.tolist()) == ([[5.5]], [[2.5]])
    assert np.isinf(here.share(2, 0.0)).all()
    assert here.overstepping(1e-9) == set()


def test_all_who_move_within_their_shares_stay_within_the_room() -> None:
    here = rooms(1.0, 0.5, 9.0)
    shares = [here.share(g, 0.1) for g in (0, 1)]
    assert sum(up[0] for _, up in shares) == np.float64(2.4)
    assert sum(down[0] for down, _ in shares) == np.float64(5.4)


def test_who_oversteps_is_named_and_must_move_back() -> None:
    here = rooms(3.0, 2.0, 0.0)
    assert here.overstepping(1e-9) == {0, 1}
    assert here.least(0) == -1.0
    assert here.least(2) == 0.0
    assert here.share(0, 0.0)[1].tolist() == [-0.5]
