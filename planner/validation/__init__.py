"""Validate a case: one module per concern, each a list of small checks ``Case -> Iterator[Problem]``.

A check proves that the case means something, never that it is clever.  Checks are independent of one another
and of the order of rows; each survives whatever another one refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
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
    """All problems of a case whose cells are already typed.

    Where only the solver is set otherwise than in a case that had none, nothing but the settings is looked at again.
    """
    known = case.validated
    same = known is not None and replace(known, solver=case.settings.solver) == case.settings
    return tuple(problem for check in (_of_settings() if same else checks()) for problem in check(case))


def _of_settings() -> tuple[Check, ...]:
    from planner.validation.settings import CHECKS

    return CHECKS
