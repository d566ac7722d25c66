"""A bridge to systems that know nothing of envelopes: verified messages become plain files, plain answers envelopes.

The bridge is a node of the roster like any other.  It hands over only what it was told to allow; drills are not
handed over unless asked for, since an old system may not look at a column called drill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.security import strict
from planner.security.acks import Answers
from planner.security.alerts import Answer, alert_types
from planner.security.messages import MAX_INTERVALS, MAX_LIFE_S, MessageType
from planner.security.node import Node
from planner.security.opening import Opened
from planner.security.refusal import Reason, require

_DAY_S = 86400
_POINT = frozenset({"asset", "begin", "seconds", "power_w"})


def bridge_types() -> Mapping[str, MessageType]:
    """What can be handed over: alerts, and setpoints (one asset, power in W per interval from ``begin``)."""
    alerts = {name: kind for name, kind in alert_types().items() if name != "ack"}
    return alerts | {"setpoint": MessageType("setpoint", {"points": _are_points}, MAX_LIFE_S)}


@dataclass(frozen=True)
class Sheet:
    """A plain table: a name that is the same for the same message, columns, and rows of text."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def csv(self) -> bytes:
        """UTF-8 with a header; no value holds a comma, a quote or a line break, since all are ids or integers."""
        return "".join(",".join(row) + "\n" for row in (self.columns, *self.rows)).encode()


class Bridge:
    """One node that hands over the ``allowed`` types, with or without drills."""

    def __init__(self, node: Node, allowed: Sequence[str], drills: bool = False) -> None:
        known = bridge_types()
        require(len(allowed) > 0 and set(allowed) <= known.keys(), Reason.UNAUTHORISED)
        self.node, self.drills, self.answers = node, drills, Answers(node)
        self.types = {name: known[name] for name in allowed}

    def hand_over(self, data: bytes, at: int, write: Callable[[Sheet], None]) -> Sheet | None:
        """Open an envelope and ``write`` its sheet inside the same transaction; None if there is nothing to hand over.

        A crash between the file and the transaction hands the same sheet over again, under the same name.
        Raises Refused, and whatever ``write`` raises.
        """

        def act(opened: Opened, _: Any) -> Sheet | None:
            self.answers.remember(opened.message_hash, opened.header)
            sheet = self._sheet(opened, at)
            if sheet is not None:
                write(sheet)
            return sheet

        return self.node.receive(data, self.types, at, act)[1]

    def answer(self, message: str, state: str, at: int) -> bytes:
        """The signed and sealed answer to the sender of ``message``; raises Refused."""
        require(state in set(Answer), Reason.SCHEMA)
        return self.answers.acknowledge(message, Answer(state), at)

    def _sheet(self, opened: Opened, at: int) -> Sheet | None:
        header = opened.header
        if header.drill and not self.drills:
            return None
        name = f"{header.type}-{header.sequence}-{opened.message_hash[:16]}.csv"
        if header.type == "setpoint":
            return Sheet(name, SETPOINT_COLUMNS, tuple(_setpoint_rows(opened)))
        body = opened.body
        if body["event"] == 0:
            return None
        told = (opened.message_hash, header.sender, header.stream, header.type, body["state"])
        numbers = (body["event"], body["trip"], int(header.drill), int(opened.time_suspect), at)
        return Sheet(name, ALERT_COLUMNS, ((*told, *map(str, numbers)),))


ALERT_COLUMNS = ("message", "sender", "zone", "alert", "state", "event", "trip", "drill", "time_suspect", "received")
SETPOINT_COLUMNS = ("message", "sender", "zone", "asset", "begin", "seconds", "power_w")


def _setpoint_rows(opened: Opened) -> list[tuple[str, ...]]:
    head = (opened.message_hash, opened.header.sender, opened.header.stream)
    return [
        (*head, point["asset"], str(point["begin"] + i * point["seconds"]), str(point["seconds"]), str(power))
        for point in opened.body["points"]
        for i, power in enumerate(point["power_w"])
    ]


def _are_points(value: Any) -> bool:
    return type(value) is list and 1 <= len(value) <= MAX_INTERVALS and all(map(_is_point, value))


def _is_point(value: Any) -> bool:
    if type(value) is not dict or value.keys() != _POINT or not strict.is_id(value["asset"]):
        return False
    times = strict.is_integer(value["begin"], low=0) and strict.is_integer(value["seconds"], low=1, high=_DAY_S)
    powers = value["power_w"]
    listed = type(powers) is list and 1 <= len(powers) <= MAX_INTERVALS
    return times and listed and all(map(strict.is_integer, powers))
