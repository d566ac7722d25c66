"""What a release speaks of: a delivery day, the instants from its begin to the end of its look-ahead, a product."""

from __future__ import annotations

from dataclasses import dataclass

ELECTRICITY = "electricity"


@dataclass(frozen=True)
class Slot:
    """``day`` is the local date, 2026-10-25; instants are epoch seconds, [begin, settled_until) the day itself,
    [begin, until) all that is said of it, in steps of ``step_s``."""

    day: str
    begin: int
    settled_until: int
    until: int
    product: str = ELECTRICITY
    step_s: int = 3600

    @property
    def epoch(self) -> str:
        """The month in which rosters stand still, 2026-10."""
        return self.day[:7]
