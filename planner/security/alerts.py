"""Alerts: what is said, and what a subscriber makes of what it hears.

A source says one of three things of its zone at least once a minute: quiet, raised, cleared.  Alert and heartbeat are
one message type of one size on one stream, so that an observer cannot tell them apart and nobody can hold back the
one without the other.  Bodies hold integers and fixed words: no name, no place but the zone of the stream, no text.

``heard`` and ``missed`` are the transitions of a subscriber's memory of one source; they touch no clock and no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from planner.security import strict
from planner.security.messages import MessageType
from planner.security.opening import Opened
from planner.security.rights import ALERTS

PERIOD_S = 60
SILENT_AFTER = 3
"""Periods without a word after which a source is reported silent: silence is never an all-clear."""
LIFE_S = 15 * 60
WINDOW_S = 60
MOST_IN_WINDOW = 6
"""New events of one source told within a minute; the others are counted."""


class State(StrEnum):
    """What a source says of its zone."""

    QUIET = "quiet"
    RAISED = "raised"
    CLEARED = "cleared"


class Answer(StrEnum):
    """What a subscriber says to an alert, or a legacy system to what it was handed."""

    RECEIVED = "received"
    ACTING = "acting"
    DONE = "done"
    CANNOT = "cannot"


def alert_types() -> Mapping[str, MessageType]:
    """alert.fire, alert.water, and the acknowledgement."""
    body = {"state": _one_of(State), "event": _is_count, "trip": _is_flag}
    kinds = [MessageType(name, body, LIFE_S, urgent=True) for name in ALERTS]
    kinds.append(MessageType("ack", {"message": _is_hash, "state": _one_of(Answer)}, LIFE_S, urgent=True))
    return MappingProxyType({kind.name: kind for kind in kinds})


def round_of(kind: str, drill: bool) -> str:
    """The round of messages of one kind: the same for ever, so that yesterday's is a replay; a drill hides nothing."""
    return f"{kind}.drill" if drill else kind


@dataclass(frozen=True)
class Word:
    """The body of an alert: state, event, and whether it trips the building of the zone.

    An event is named by the epoch second of its beginning (0 before the first), so that events rise even for a source
    that lost its memory; a building that is tripped is without electricity.
    """

    state: State
    event: int
    trip: bool = False

    @property
    def body(self) -> dict[str, Any]:
        return {"state": self.state.value, "event": self.event, "trip": int(self.trip)}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Word:
        """From a checked body."""
        return cls(State(body["state"]), body["event"], bool(body["trip"]))


class NoticeKind(StrEnum):
    """What a subscriber is told."""

    ALERT = "alert"
    CLEARED = "cleared"
    SILENT = "silent"
    HEARD_AGAIN = "heard again"
    STORM = "storm"


@dataclass(frozen=True)
class Source:
    """What is remembered of one source in one zone; drills are another source than the real thing."""

    sender: str
    type: str
    zone: str
    drill: bool
    heard_at: int
    state: State = State.QUIET
    event: int = -1
    silent: bool = False
    window_from: int = 0
    in_window: int = 0
    trip: bool = False

    @property
    def tripped(self) -> bool:
        """Whether, as far as is known, the building of the zone is without electricity."""
        return self.trip and not self.drill and self.state is State.RAISED


@dataclass(frozen=True)
class Notice:
    """One thing to tell people, of ``source`` as it is now; ``suspect`` if the clocks disagree."""

    kind: NoticeKind
    source: Source
    at: int
    word: Word | None = None
    suspect: bool = False
    message: str = ""


def heard(source: Source, word: Word, opened: Opened, at: int) -> tuple[Source, tuple[Notice, ...]]:
    """The source after ``word``, and what is to be told: each event once, the first of a window always."""
    notices: list[Notice] = []
    now = replace(source, heard_at=max(at, source.heard_at), silent=False)
    if source.silent:
        notices.append(Notice(NoticeKind.HEARD_AGAIN, now, at))
    if word.state is State.RAISED and word.event > source.event:
        now, kind = _counted(replace(now, state=State.RAISED, event=word.event, trip=word.trip), at)
        if kind is not None:
            notices.append(Notice(kind, now, at, word, opened.time_suspect, opened.message_hash))
    elif word.state is State.CLEARED and word.event == source.event and source.state is State.RAISED:
        now = replace(now, state=State.CLEARED)
        notices.append(Notice(NoticeKind.CLEARED, now, at, word, opened.time_suspect, opened.message_hash))
    return now, tuple(notices)


def missed(source: Source, at: int) -> tuple[Source, tuple[Notice, ...]]:
    """The source at ``at`` if nothing came from it: silent after three periods, told once."""
    if source.drill or source.silent or at <= source.heard_at + SILENT_AFTER * PERIOD_S:
        return source, ()
    now = replace(source, silent=True)
    return now, (Notice(NoticeKind.SILENT, now, at),)


def _counted(source: Source, at: int) -> tuple[Source, NoticeKind | None]:
    """Count a new event: told, told as a storm when the limit is passed, or only counted."""
    fresh = not source.window_from <= at < source.window_from + WINDOW_S
    count = 1 if fresh else source.in_window + 1
    now = replace(source, window_from=at if fresh else source.window_from, in_window=count)
    if count <= MOST_IN_WINDOW:
        return now, NoticeKind.ALERT
    return now, NoticeKind.STORM if count == MOST_IN_WINDOW + 1 else None


def _one_of(words: type[StrEnum]) -> Any:
    known = {word.value for word in words}
    return lambda value: type(value) is str and value in known


def _is_count(value: Any) -> bool:
    return strict.is_integer(value, low=0)


def _is_flag(value: Any) -> bool:
    return strict.is_integer(value, low=0, high=1)


def _is_hash(value: Any) -> bool:
    return type(value) is str and len(value) == 64 and set(value) <= set("0123456789abcdef")
