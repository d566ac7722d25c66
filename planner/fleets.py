"""``--fleet``: where the gateways of a clear are to run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import partial

from planner.beside import LARGE, cores
from planner.cluster import RayPlace, join
from planner.fitting import EVER, most_at_once
from planner.pool import ProcessPlace, Standby
from planner.problems import InvalidInput, Problem
from planner.spread import MakePlace

MOST_PROCESSES = 256
HINT = "auto, local, processes:N (as processes:2), ray, ray:ADDRESS"
APART = (
    "gateways behind sockets have folders and keys of their own: planner split CASE, then planner marketplace serve "
    "and planner gateway run --marketplace URL; planner marketplace demo shows all of it"
)


@dataclass(frozen=True)
class Where:
    """The places of a fleet: how many, and how one is made; none where gateways run in this process.

    ``fits`` itself to the city where nobody named a fleet: words do not depend on it.  ``memory_gib`` is what the
    models of all places may take (of each machine of a cluster: all there is, if nobody says); ``most`` groups of a
    place have theirs at once.  ``standby`` are processes that were begun early.
    """

    places: int = 0
    cluster: bool = False
    fits: bool = False
    memory_gib: float | None = None
    most: int = EVER
    standby: Standby | None = None

    def for_city(self, unit_intervals: int, groups: int) -> Where:
        """As named; else one process a core for a large city."""
        places = self._places(unit_intervals)
        if not places or (self.cluster and self.memory_gib is None):
            return self
        most = most_at_once(unit_intervals, groups, places, self.memory_gib)
        return replace(self, places=places, fits=False, most=most)

    def _places(self, unit_intervals: int) -> int:
        fits = self.fits and unit_intervals >= LARGE and (cores() > 1 or self.memory_gib is not None)
        return cores() if fits else self.places

    def begun(self, unit_intervals: int) -> Where:
        """The same with processes begun, for a city of about that size: as many as can import at once."""
        places = 0 if self.cluster else min(self._places(unit_intervals), cores())
        return replace(self, standby=Standby(places)) if places else self

    def maker(self, gated: bool) -> MakePlace:
        """How a place is made; ``gated`` gateways also tell the units' positions to their gate."""
        if self.cluster:
            return partial(RayPlace, gated=gated, most=self.most)
        return partial(ProcessPlace, gated=gated, most=self.most, standby=self.standby)


LOCAL = Where()
FITTING = Where(fits=True)


PLAIN = {"auto": FITTING, "local": LOCAL}


def fleet_of(text: str, memory_gib: float | None = None) -> Where:
    """The place that ``text`` names, with memory for models; raises InvalidInput."""
    if memory_gib is not None and not 0 < memory_gib < math.inf:
        raise InvalidInput([Problem("command line", 0, "--memory is GiB, more than 0", str(memory_gib))])
    return replace(_named(text), memory_gib=memory_gib)


def _named(text: str) -> Where:
    if text in PLAIN:
        return PLAIN[text]
    found = re.fullmatch(r"processes:(\d{1,4})", text)
    if found and 1 <= int(found[1]) <= MOST_PROCESSES:
        return Where(int(found[1]))
    if text == "ray" or text.startswith("ray:"):
        return Where(join(text[len("ray:") :]), cluster=True)
    hint = APART if "://" in text else HINT
    raise InvalidInput([Problem("command line", 0, "is no fleet", text, hint=hint)])
