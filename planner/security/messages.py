"""What may be said: for each message type an allow-list of fields and how long the message lives.

Bodies hold integers and registry ids, nothing else; energy of an answer is in lots of 100 Wh, of a commit in Wh,
money is in micro-currency.  Positive requests, negative offers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from planner.security import strict
from planner.security.refusal import Reason, require

LOT_WH = 100
MAX_INTERVALS = 1000
MAX_LIFE_S = 36 * 3600
"""The longest that any message lives: a day ahead and the hours before it."""

Check = Callable[[Any], bool]


@dataclass(frozen=True)
class MessageType:
    """The fields of a body and the check of each; ``max_life_s`` bounds expiry minus issue.

    An ``urgent`` message is delivered with its doubts where clock or roster version do not fit, and may be a drill.
    """

    name: str
    fields: Mapping[str, Check]
    max_life_s: int
    urgent: bool = False

    def check(self, body: Any) -> None:
        """Raises Refused unless ``body`` has exactly the allowed fields, each in its domain."""
        require(type(body) is dict and body.keys() == self.fields.keys(), Reason.SCHEMA)
        require(all(check(body[name]) for name, check in self.fields.items()), Reason.SCHEMA)


def _is_count(value: Any) -> bool:
    return strict.is_integer(value, low=0)


def _series(intervals: int | None) -> Check:
    """One integer per interval; ``intervals`` None accepts any horizon."""

    def check(value: Any) -> bool:
        if type(value) is not list or not 1 <= len(value) <= MAX_INTERVALS:
            return False
        return (intervals is None or len(value) == intervals) and all(map(strict.is_integer, value))

    return check


def release_types(intervals: int | None = None) -> Mapping[str, MessageType]:
    """The types that leave a building, all of them through the gate: answer and commit."""
    common: dict[str, Check] = {"group": strict.is_id, "clear": strict.is_id, "cost": strict.is_integer}
    answer = common | {"round": _is_count, "lots": _series(intervals)}
    commit = common | {"position_wh": _series(intervals)}
    kinds = (MessageType("answer", answer, MAX_LIFE_S), MessageType("commit", commit, MAX_LIFE_S))
    return MappingProxyType({kind.name: kind for kind in kinds})


RELEASE_TYPES = frozenset(release_types())
