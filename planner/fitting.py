"""How many groups' models fit into memory at once; where not all do, they come and go with their basis."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

EVER = 10**9
"""As many groups at once as there are."""
BYTES_EACH = 2200
"""What models and their copies in HiGHS take a unit and interval: 2,100 at 24 intervals, 1,700 at 96."""
SHARE = 0.5
"""Of the memory that is free: schedules, tables and everybody else need some as well."""
MEMINFO = Path("/proc/meminfo")
GROUP_LIMIT, GROUP_USE = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def most_at_once(unit_intervals: int, groups: int, places: int, memory_gib: float | None) -> int:
    """How many groups of a place have their models at once, if all may take ``memory_gib`` (default: half the free)."""
    allowed = free_bytes() * SHARE if memory_gib is None else memory_gib * 2**30
    if BYTES_EACH * unit_intervals <= allowed:
        return EVER
    each = BYTES_EACH * unit_intervals / max(1, groups)
    return max(1, int(allowed / max(1, places) / each))


def free_bytes() -> float:
    """What this process may still take, by machine and by control group; infinite where neither says."""
    free = float("inf")
    with suppress(OSError):
        found = re.search(r"^MemAvailable:\s*(\d+) kB", MEMINFO.read_text("ascii"), re.MULTILINE)
        free = int(found[1]) * 1024.0 if found else free
    with suppress(OSError, ValueError):  # "max": no limit
        free = min(free, float(int(GROUP_LIMIT.read_text("ascii")) - int(GROUP_USE.read_text("ascii"))))
    return free
