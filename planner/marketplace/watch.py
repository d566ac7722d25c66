"""Alerts beside a clear: a gateway hears those of its building on a line of its own, and writes them down."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from planner.marketplace.client import Link
from planner.marketplace.line import Line, blocks_of, relays_of
from planner.marketplace.mail import now
from planner.security.alertdesk import Acknowledged, AlertDesk
from planner.security.alerts import Notice
from planner.security.files import PRIVATE
from planner.security.node import Node
from planner.security.station import Manned, Station

FILE = "alerts.csv"
COLUMNS = ("told", "what", "alert", "zone", "sender", "drill", "trip", "time_suspect", "message")
Told = Notice | Acknowledged
LOOK_S = 10.0


class Watch:
    """A thread that stands at the node's post while a clear runs.

    ``node`` opens the node, in that thread; ``building`` is the zone whose trip counts; ``file`` gets a row a notice;
    ``tell`` and ``fault`` are told of alerts, and of why none are heard.
    """

    def __init__(
        self,
        node: Callable[[], Node],
        link: Link,
        slot_s: float,
        building: str,
        file: Path,
        tell: Callable[[Told], None],
        fault: Callable[[str], None],
    ) -> None:
        self._node, self._link, self._slot_s, self._building = node, link, slot_s, building
        self._file, self._tell, self._fault = file, tell, fault
        self._tripped, self._stop, self._looked = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    @property
    def tripped(self) -> bool:
        """Whether the building was without electricity at any time since the watch began."""
        return self._tripped.is_set()

    def __enter__(self) -> Watch:
        """What this node was told before it was stopped is known from the first question on."""
        self._thread.start()
        self._looked.wait(LOOK_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(2 * self._slot_s + 5)

    def _run(self) -> None:
        try:
            node = self._node()
        except Exception as error:
            self._fault(f"alerts are not heard: {error}")
            self._looked.set()
            return
        manned = Manned(node.folder)
        try:
            if not relays_of(node.roster, now()):
                self._fault("alerts are not heard: the roster knows no relay; planner roster renew adds it")
            elif manned.take():
                self._stand(node)
            else:
                self._fault("alerts are heard by another station of this node, not here")
        except Exception as error:  # a clear goes on without it; that nobody listens is said
            self._fault(f"alerts are not heard any more: {type(error).__name__}")
        finally:
            self._looked.set()
            manned.leave()
            node.close()

    def _stand(self, node: Node) -> None:
        desk, at = AlertDesk(node), now()
        line = Line(
            node.identity, node.roster, self._link, blocks_of(node.roster, node.identity.name, at, self._slot_s)
        )
        station, trouble = Station(desk, line, line), ""
        self._look(desk)
        while True:
            for one in station.turn(now()):
                _write(self._file, one)
                self._tell(one)
            self._look(desk)
            if line.trouble != trouble:
                trouble = line.trouble
                if trouble:
                    self._fault(f"alerts are not heard: {trouble}")
            if self._stop.wait(self._slot_s):
                break
        if line.pending:
            line.flush()

    def _look(self, desk: AlertDesk) -> None:
        if any(source.tripped and source.zone == self._building for source in desk.sources()):
            self._tripped.set()
        self._looked.set()


def _write(file: Path, one: Told) -> None:
    """A row for what was told; the file is its owner's alone."""
    new = not file.exists()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE), "a", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow(_row(one))


def _row(one: Told) -> tuple[object, ...]:
    at = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(one, Acknowledged):
        return at, f"answer: {one.answer}", "", one.zone, one.sender, int(one.drill), 0, 0, one.message
    source, trip = one.source, one.word is not None and one.word.trip
    flags = (int(source.drill), int(trip), int(one.suspect))
    return at, str(one.kind), source.type, source.zone, source.sender, *flags, one.message
