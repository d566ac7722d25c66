"""What-if: change a case, clear again, compare.

    compare({"today": case, "twice the solar": more_solar})

What was metered was metered on the city as it is: ``assumed.py`` says what that means for a changed one.
"""

from __future__ import annotations

from planner.scenario.comparing import Scenario, compare, dates_between
from planner.scenario.comparison import Comparison
from planner.scenario.file import read_scenarios

__all__ = ["Comparison", "Scenario", "compare", "dates_between", "read_scenarios"]
