"""allotment: who may use how much electricity in a city, when and at what price.

The public names are loaded when they are first asked for, so that ``import planner`` stays quick.
``planner.audit`` and ``planner.generate`` are functions; the modules of those names are reached with
``from planner.audit import …``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.audit import audit as audit
    from planner.case import Case as Case
    from planner.case import read_case as read_case
    from planner.clearing import clear as clear
    from planner.generate import generate as generate
    from planner.orderbook.market import market as market
    from planner.problems import InvalidInput as InvalidInput
    from planner.scenario import Scenario as Scenario
    from planner.scenario import compare as compare

__version__ = "0.1.0"

_HOME = {
    "read_case": "planner.case",
    "Case": "planner.case",
    "InvalidInput": "planner.problems",
    "clear": "planner.clearing",
    "audit": "planner.audit",
    "compare": "planner.scenario",
    "Scenario": "planner.scenario",
    "generate": "planner.generate",
    "market": "planner.orderbook",
}
__all__ = ["Case", "InvalidInput", "Scenario", "audit", "clear", "compare", "generate", "market", "read_case"]


def __getattr__(name: str) -> Any:
    """The public name, from the module it lives in (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'planner' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _Package(ModuleType):
    """The import system sets every loaded submodule on its package; a public function of that name wins."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and _HOME.get(name) == value.__name__:
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
