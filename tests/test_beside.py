"""Work in parts: order, failures, and what is left when somebody stops listening."""

from __future__ import annotations

import os
import time
from functools import partial
from operator import mul

import pytest

from planner.audit.table import DamagedFileError
from planner.beside import LostProcessError, in_order, kept, part_size


def test_results_keep_the_order_of_their_parts() -> None:
    assert list(in_order(partial(mul, 3), range(40), 3)) == [3 * i for i in range(40)]


def _refuse(here: int, part: int) -> int:
    if os.getpid() != here:
        raise DamagedFileError("units.csv", "column use_kwh is missing")
    return part


def test_what_is_raised_beside_is_raised_here() -> None:
    """Even what takes more than a message to make."""
    with pytest.raises(DamagedFileError) as raised:
        list(in_order(partial(_refuse, os.getpid()), range(4), 2))
    assert (raised.value.file, raised.value.why) == ("units.csv", "column use_kwh is missing")


def _end(here: int, part: int) -> int:
    if os.getpid() != here:
        os._exit(3)
    return part


def test_a_process_that_ends_is_missed() -> None:
    with pytest.raises(LostProcessError):
        list(in_order(partial(_end, os.getpid()), range(4), 2))


def _who(part: int) -> int:
    time.sleep(0.1)
    return os.getpid()


def test_processes_end_with_whoever_asked() -> None:
    results = in_order(_who, range(60), 2)
    first = next(results)
    assert first != os.getpid()
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_kept_process_does_one_work_after_another_and_ends_with_whoever_kept_it() -> None:
    with kept():
        first, second = (set(in_order(work, range(8), 2)) - {os.getpid()} for work in (_who, partial(_who)))
        assert first == second
        assert len(first) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(*first, 0)


@pytest.mark.parametrize(("things", "processes", "size"), [(200, 1, 64), (200, 2, 25), (3, 4, 1), (10_000, 4, 64)])
def test_every_process_has_a_part(things: int, processes: int, size: int) -> None:
    assert part_size(things, processes, 64) == size
