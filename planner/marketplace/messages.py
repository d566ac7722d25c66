"""What is said around the releases: questions, what a slot carries, a cohort's own talk, and the marketplace's notes.

| type | from, to | says |
|---|---|---|
| ``question`` | marketplace, the gateway that speaks for a group | one question of the rounds, or how it ended |
| ``slot`` | gateway, marketplace | which question it answers and how, or nothing; what it has seen |
| ``inquiry`` | a cohort's named gateway, a member | the same question, for one building |
| ``part`` | member, its cohort's named gateway | the building's part: position, cost, bound, positions of its units |
| ``decision`` | marketplace, itself | what it decided by the clock, so that nobody has to ask the clock again |
| ``tail`` | standby, marketplace | from where on to copy the store |
| ``fetch`` | who sends or hears alerts, marketplace | from where on to give what the relay holds for it |

None is a release: the numbers of a group leave in ``answer`` and ``commit`` alone (planner/security/messages.py).  A
``part`` tells the cohort's named gateway what its members agreed that it sees; nobody else can open it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from planner.marketplace.numbers import is_packed
from planner.security import strict
from planner.security.messages import MessageType

DAY_S = 86_400
SLOT_LIFE_S = 300
WORDS = ("nothing", "said", "held", "bound", "silent", "settled", "closed")
SETTLE, CLOSE, ENROL = "settle", "close", "enrol"
MAX_LIST = 200_000


def _is_number(value: Any) -> bool:
    return strict.is_integer(value, low=0)


def _is_ids(value: Any) -> bool:
    return type(value) is list and len(value) <= MAX_LIST and all(map(strict.is_id, value))


def _is_integers(value: Any) -> bool:
    return type(value) is list and len(value) <= MAX_LIST and all(map(strict.is_integer, value))


def _is_reason(value: Any) -> bool:
    """One of our own fixed sentences; the strict reader has looked at its characters."""
    return type(value) is str and 0 < len(value) <= 128


def _is_word(value: Any) -> bool:
    return value in WORDS


_ASKED = {"number": _is_number, "group": strict.is_id, "ask": strict.is_id, "whole": _is_integers, "exact": is_packed}

TYPES: Mapping[str, MessageType] = MappingProxyType(
    {
        "question": MessageType("question", {**_ASKED, "bounds": _is_ids}, DAY_S),
        "inquiry": MessageType("inquiry", _ASKED, DAY_S),
        "part": MessageType(
            "part", {"number": _is_number, "group": strict.is_id, "whole": _is_integers, "exact": is_packed}, DAY_S
        ),
        "slot": MessageType(
            "slot",
            {
                "number": _is_number,
                "group": strict.is_id,
                "word": _is_word,
                "about": strict.is_id,
                "reason": _is_reason,
                "value": _is_integers,
                "seen": _is_number,
            },
            SLOT_LIFE_S,
        ),
        "decision": MessageType(
            "decision", {"number": _is_number, "what": strict.is_id, "value": strict.is_integer}, DAY_S
        ),
        "tail": MessageType("tail", {"after": _is_number}, SLOT_LIFE_S),
        # Like an alert it is taken with a doubt of clock or roster: who is not let in cannot hand one over.
        "fetch": MessageType("fetch", {"after": _is_number}, SLOT_LIFE_S, urgent=True),
    }
)
