"""Who may say what, and who may read it: a table in the signed roster, and one pure question to it.

Whatever no rule grants is denied; there is no rule that forbids, so adding one never takes a right away and removing
one never gives any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from planner.security import strict

OWN = "@own"
"""A stream that is one of the entity's own zones: its release groups, or the places it watches over."""
ANY = "*"


class Action(StrEnum):
    """What a right is about; to read is also to be addressed."""

    SEND = "send"
    READ = "read"


@dataclass(frozen=True, order=True)
class Rule:
    """One line of the table: ``role`` may do ``action`` with messages of ``type`` on streams like ``stream``.

    ``stream`` is a name, a beginning followed by ``*``, or ``@own``; it counts in [valid_from, valid_until), epoch
    seconds.
    """

    role: str
    action: Action
    type: str
    stream: str
    valid_from: int = 0
    valid_until: int = strict.MAX_INTEGER

    def grants(self, role: str, zones: frozenset[str], action: Action, type: str, stream: str, at: int) -> bool:
        """True if this line alone allows it."""
        asked = (self.role, self.action, self.type) == (role, action, type)
        return asked and self.valid_from <= at < self.valid_until and self._covers(stream, zones)

    def _covers(self, stream: str, zones: frozenset[str]) -> bool:
        if self.stream == OWN:
            return stream in zones
        if self.stream.endswith(ANY):
            return stream.startswith(self.stream[:-1])
        return stream == self.stream

    @property
    def is_sound(self) -> bool:
        """True if every part is of its form."""
        pattern = self.stream in (OWN, ANY) or strict.is_id(self.stream.removesuffix(ANY))
        times = strict.is_integer(self.valid_from, low=0) and strict.is_integer(self.valid_until, low=0)
        return strict.is_id(self.role) and strict.is_id(self.type) and pattern and times


def may(
    rules: Iterable[Rule], role: str, zones: frozenset[str], action: Action, type: str, stream: str, at: int
) -> bool:
    """True if some rule grants it; unknown is denied."""
    return any(rule.grants(role, zones, action, type, stream, at) for rule in rules)


ALERTS = ("alert.fire", "alert.water")
DETECTORS = {"fire-detector": "alert.fire", "water-detector": "alert.water"}
"""Roles that exist to be heard: one that keeps silent is missed."""
_WATCHED = {"fire-service": ("alert.fire",), "water-service": ("alert.water",), "gateway": ALERTS, "bridge": ALERTS}


def standard() -> tuple[Rule, ...]:
    """The table of a city: what each role needs for its work and nothing beyond.

    The marketplace reads what gateways say of their groups and no alert; a service reads the alerts of its own kind
    in its own zones.
    """
    send, read = Action.SEND, Action.READ
    rules = [Rule("gateway", send, kind, OWN) for kind in ("answer", "commit", *ALERTS, "setpoint")]
    rules += [Rule("marketplace", read, kind, ANY) for kind in ("answer", "commit")]
    rules += [Rule(role, send, kind, OWN) for role, kind in DETECTORS.items()]
    rules += [Rule(role, read, kind, OWN) for role, kinds in _WATCHED.items() for kind in kinds]
    rules += [Rule(role, send, "ack", OWN) for role in _WATCHED]
    rules += [Rule(role, read, "ack", OWN) for role in ("gateway", *DETECTORS)]
    rules += [Rule("bridge", read, "setpoint", OWN)]
    rules += [Rule(role, send, "fetch", "post") for role in (*_WATCHED, *DETECTORS)]
    rules += [Rule("marketplace", read, "fetch", "post")]
    rules += _of_the_rounds()
    return tuple(sorted(rules))


def _of_the_rounds() -> list[Rule]:
    """Questions to a group, slots that answer them, a cohort's own talk, the marketplace's notes to itself."""
    send, read = Action.SEND, Action.READ
    rules = [Rule("marketplace", send, "question", ANY), Rule("gateway", read, "question", OWN)]
    rules += [Rule("gateway", send, "slot", "slots"), Rule("marketplace", read, "slot", "slots")]
    rules += [Rule("gateway", action, kind, OWN) for action in (send, read) for kind in ("inquiry", "part")]
    rules += [Rule("marketplace", action, "decision", "decision.*") for action in (send, read)]
    rules += [Rule("marketplace", action, "tail", "tail") for action in (send, read)]
    return rules


STANDARD = standard()
