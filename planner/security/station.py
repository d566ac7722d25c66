"""A node at its post: it says what it has to say, hears what came, acknowledges it, and notices who fell silent."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from planner.security.alertdesk import Acknowledged, AlertDesk
from planner.security.alerts import PERIOD_S, Answer, Notice, NoticeKind
from planner.security.files import PRIVATE
from planner.security.post import Box, Post
from planner.security.refusal import Reason, Refused

OUTGOING = "outgoing"
"""A box in a node's folder: what other commands leave there goes out in the next slot of the node's station."""


@dataclass
class Station:
    """``answers`` is where acknowledgements go, None where nothing carries them; ``beats`` says the state each minute.

    ``refused`` is told the name of a letter and why it was not taken.
    """

    desk: AlertDesk
    post: Post
    answers: Post | None = None
    beats: bool = False
    refused: Callable[[str, Reason], None] = lambda name, reason: None
    _next_beat: int = 0

    def turn(self, at: int) -> list[Notice | Acknowledged]:
        """One slot at epoch second ``at``; what there is to tell."""
        self._say(at)
        told: list[Notice | Acknowledged] = []
        for letter in self.post.letters():
            try:
                told.extend(self.desk.hear(letter.data, at)[1])
            except Refused as refused:
                self.refused(letter.name, refused.reason)
                letter.settle(False)
            else:
                letter.settle(True)
        for one in told:
            if self.answers is not None and isinstance(one, Notice) and one.kind is NoticeKind.ALERT:
                self.answers.send(self.desk.answers.acknowledge(one.message, Answer.RECEIVED, at))
        return [*told, *self.desk.watch(at)]

    def _say(self, at: int) -> None:
        """Hand over what was left for this slot, and once a minute the state of everything this node watches."""
        if self.answers is None:
            return
        outgoing = self.desk.node.folder / OUTGOING
        for letter in Box(outgoing).letters():
            self.answers.send(letter.data)
            (outgoing / letter.name).unlink()
        if self.beats and at >= self._next_beat:
            self._next_beat = at + PERIOD_S
            for kind, zone in self.desk.own_streams(at):
                self.answers.send(self.desk.heartbeat(kind, zone, at))


class Manned:
    """Whether a station is at work on a node, held as a lock on its folder."""

    def __init__(self, node: Path) -> None:
        self._file = os.open(node / "station.lock", os.O_WRONLY | os.O_CREAT, PRIVATE)

    def take(self) -> bool:
        """True if no other station is there, and this one now is."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """Let go."""
        os.close(self._file)
