"""Validate a case: one module per concern, each a list of small checks ``Case -> Iterator[Problem]``.

A check proves that the case means something, never that it is clever.  Checks are independent of one another
and of the order of rows; each survives whatever another one refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from planner.problems import Problem

if TYPE_CHECKING:
    from planner.case import Case

Check = Callable[["Case"], Iterator[Problem]]


def checks() -> tuple[Check, ...]:
    """Every check, in the order of the files."""
    from planner.validation import (
        allocations,
        assets,
        ids,
        lines,
        listings,
        meters,
        nodes,
        orders,
        prices,
        references,
        series,
        settings,
    )

    modules = (settings, ids, nodes, references, meters, assets, prices, series, allocations, orders, lines, listings)
    return tuple(check for module in modules for check in module.CHECKS)


def validate(case: Case) -> tuple[Problem, ...]:
    """All problems of a case whose cells are already typed."""
    return tuple(problem for check in checks() for problem in check(case))
