"""Candidate rules of disclosure side by side: how often each would fail, and what it would cost.

``n/s`` is the family of utility rules: at least n active contributors, none with more than s percent (15/15, 6/40,
4/80).  ``k/p`` is the gate's: at least k active, and the p percent rule.  To choose thresholds from measured failure
rates is the way of the New York Public Service Commission (2018).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planner.quantise import Ints
from planner.security.policy import EXCHANGE, STRICT, Policy


@dataclass(frozen=True)
class Rule:
    """``policy`` forms the groups; ``share_percent`` caps the largest in an interval, or None for the p% rule."""

    name: str
    policy: Policy
    active: int
    share_percent: int | None = None
    p_percent: int = 0

    def failing(self, contributions_wh: Ints) -> tuple[int, int]:
        """(cells that fail, cells in which anything happens) of a group's |position| (occupants x intervals)."""
        totals = contributions_wh.sum(axis=0)
        busy = totals > 0
        if not busy.any():
            return 0, 0
        ordered = np.sort(contributions_wh, axis=0)[::-1]
        second = ordered[1] if len(ordered) > 1 else np.zeros_like(totals)
        fails = np.count_nonzero(contributions_wh, axis=0) < self.active
        if self.share_percent is None:
            fails |= 100 * (totals - ordered[0] - second) < self.p_percent * ordered[0]
        else:
            fails |= 100 * ordered[0] > self.share_percent * totals
        return int((fails & busy).sum()), int(busy.sum())

    def fails_on_the_day(self, contributions_wh: Ints) -> bool:
        """The same rule, for the sum over the day."""
        return self.failing(contributions_wh.sum(axis=1, keepdims=True))[0] > 0


def _utility(contributors: int, share: int) -> Rule:
    enrolled = replace(EXCHANGE, min_occupants=contributors, max_contracted_share_percent=share)
    return Rule(f"{contributors}/{share}", enrolled, contributors, share)


RULES = (
    _utility(15, 15),
    _utility(6, 40),
    _utility(4, 80),
    Rule("k5/p10", EXCHANGE, EXCHANGE.k_active, None, EXCHANGE.p_percent),
    Rule("k15/p25", STRICT, STRICT.k_active, None, STRICT.p_percent),
)
WHOLE_GATE = (EXCHANGE, STRICT)
