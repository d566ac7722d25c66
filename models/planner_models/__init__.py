"""Optimisation models of a city, and the words they are written in.

Pyomo imports statistics, integration and geometry of SciPy for whoever uses both, half a second that no model here
needs: these three wait until somebody asks them for something.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Waiting(ModuleType):
    """Stands where a module will be; whatever it is asked for first brings the module itself."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


for _name in ("scipy.stats", "scipy.integrate", "scipy.spatial"):
    if _name not in sys.modules and (_spec := find_spec(_name)) is not None:
        sys.modules[_name] = _Waiting(_name)
        sys.modules[_name].__spec__, sys.modules[_name].__file__ = _spec, _spec.origin
