"""What a group may claim for its buildings: no less than cost and position say, no more than all lost together."""

from __future__ import annotations

import pytest

from planner.groups import Group, GroupKind
from planner.marketplace.conductor import CLAIM_NANO, _believed
from planner.settlement import Claim

BUILDING, COHORT = (Group("g", kind, ("b",), "town") for kind in (GroupKind.BUILDING, GroupKind.COHORT))
LEAST, MOST = Claim(1_000_000, 500), 2_000_000.0


@pytest.mark.parametrize(
    ("group", "value", "believed"),
    [
        (BUILDING, [1_000_000 + CLAIM_NANO, 900], Claim(1_000_000 + CLAIM_NANO)),
        (BUILDING, [1_000_001 + CLAIM_NANO, 900], Claim(1_000_000)),
        (BUILDING, [], Claim(1_000_000)),
        (COHORT, [1_500_000, 900], Claim(1_500_000, 900)),
        (COHORT, [2_000_001, 900], Claim(1_000_000, 900)),
        (COHORT, [0, 900], Claim(1_000_000, 900)),
        (COHORT, [1_500_000, 400], Claim(1_500_000, 500)),
        (COHORT, [], Claim(1_000_000, 500)),
        (COHORT, [1_500_000], Claim(1_000_000, 500)),
        (COHORT, [1_500_000, 900, 1], Claim(1_000_000, 500)),
    ],
)
def test_a_claim_is_believed_as_far_as_it_can_be_true(group: Group, value: list[int], believed: Claim) -> None:
    assert _believed(group, value, LEAST, MOST) == believed
