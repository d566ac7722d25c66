"""A Ray cluster: a place is an actor on one of its machines (extra ``allotment[ray]``).

An actor that goes with its machine is not restarted by Ray: a place is made anew by the fleet, which knows what the
gateways in it have heard.  Numbers travel through Ray's own memory, where sums of floats may round otherwise in the
last digit: answers are as good as those of other fleets, and not always the same to the byte.
"""

from __future__ import annotations

import math
import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from planner.fitting import EVER
from planner.fleet import Kept
from planner.problems import InvalidInput, Problem
from planner.spread import Bench, GoneError, LateError, Order, Recipe, Repeat, Told

PLACING_S = 60.0
"""How long the cluster may take to find room for a place."""
ATTEMPTS = 5


def join(address: str) -> int:
    """Join the cluster at ``address`` (start one on this machine if empty); the number of its processors."""
    ray = _ray()
    if not ray.is_initialized():
        paths = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}}
        try:
            ray.init(address=address or None, log_to_driver=False, runtime_env=paths)
        except ConnectionError:
            problem = Problem("command line", 0, "no Ray cluster answers there", address, "start one with: ray start")
            raise InvalidInput([problem]) from None
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        hint = "pip install 'allotment[ray]'"
        raise InvalidInput([Problem("command line", 0, "--fleet ray needs Ray", hint=hint)]) from None
    return ray


class RayPlace:
    """An actor; what it is told is worked off in order."""

    def __init__(self, recipes: Mapping[int, Recipe], gated: bool, most: int = EVER) -> None:
        self.ray = _ray()
        # No processor of its own: where a machine is lost the others take what was on it.
        actor = self.ray.remote(num_cpus=0, scheduling_strategy="SPREAD", max_restarts=0, max_task_retries=0)(Bench)
        self.waiting: deque[Any] = deque()
        for left in reversed(range(ATTEMPTS)):
            self.actor = actor.remote(dict(recipes), gated, most)
            try:
                self._get(self.actor.kept.remote(), 0.0)
                return
            except (GoneError, LateError):  # a cluster may not know yet that it lost a machine
                self.close()
                if not left:
                    raise GoneError from None

    def tell(self, orders: Sequence[tuple[int, Order]]) -> None:
        self.actor.expect.remote(list(orders))
        for g, order in orders:
            reference = self.actor.work.remote(g, order)
            if not isinstance(order, Repeat):
                self.waiting.append(reference)

    def hear(self, timeout_s: float) -> Told:
        told = self._get(self.waiting[0], timeout_s)
        self.waiting.popleft()
        if not isinstance(told, Told):
            raise GoneError
        return told

    def kept(self) -> Mapping[str, Kept]:
        return dict(self._get(self.actor.kept.remote(), math.inf))

    def close(self) -> None:
        self.ray.kill(self.actor)

    def _get(self, reference: Any, timeout_s: float) -> Any:
        limit = None if math.isinf(timeout_s) else timeout_s + PLACING_S
        try:
            return self.ray.get(reference, timeout=limit)
        except self.ray.exceptions.GetTimeoutError:
            raise LateError from None
        except self.ray.exceptions.RayError as lost:
            raise GoneError from lost
