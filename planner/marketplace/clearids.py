"""The name of a clear between machines: the day; for a clear anew of it, about the same people, a word more.

Marketplace and gateways must say the same name; numbers, stores and papers of two clears never meet.  The release
ledger holds the second against the first like any two clears of one day.
"""

from __future__ import annotations

from planner.problems import InvalidInput, Problem
from planner.security import strict


def clear_id_for(day: str, asked: str | None) -> str:
    """``day`` itself, or ``asked`` if it is the day, a dot and a word; raises InvalidInput."""
    if asked is None or asked == day:
        return day
    if not asked.startswith(f"{day}.") or len(asked) == len(day) + 1 or not strict.is_id(asked):
        hint = f"write it as {day}.2, the same for the marketplace and all gateways"
        raise InvalidInput([Problem("--clear-id", 0, "is no name of a clear of this day", asked, hint)])
    return asked
