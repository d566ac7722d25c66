"""What a clear says of itself: how good the answer provably is, and what it took (contract 4)."""

from __future__ import annotations

import platform
import resource
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from planner.answered import Answered
from planner.case import Case
from planner.cleared import Cleared
from planner.closing import market_cost
from planner.desk import Clock
from planner.settlement.opportunity import lost_opportunity
from planner_models.words import City


def certify(case: Case, city: City, cleared: Cleared, answered: Answered, clock: Clock) -> dict[str, Any]:
    """What was decided and how good it provably is (contract 4)."""
    trading = [b for b in cleared.buildings if not b.dark]
    objective = sum(b.cost for b in trading) + market_cost(cleared, city)
    bound = min(answered.bound, objective)
    savings = answered.no_trade - objective
    absolute = objective - bound
    gap = absolute / max(abs(objective), 1e-9)
    status = _status(answered.status, gap, case.settings.solver.gap_relative)
    return {
        "status": status,
        "mode": case.settings.solver.mode,
        "information": answered.information,
        "answer_from": answered.answer_from,
        "objective": objective,
        "bound": bound,
        "gap_absolute": absolute,
        "gap_relative": gap,
        "savings": savings,
        "gap_of_savings": absolute / savings if savings > 0 else None,
        "dark_cost": sum(b.cost for b in cleared.buildings if b.dark),
        "pricing": case.settings.market.pricing,
        "converged": answered.prices.converged,
        "rounds": int(answered.rounds["round"].nunique()) if len(answered.rounds) else 0,
        "pieces": list(answered.pieces) or [_one_piece(cleared, status, gap)],
        "lost_opportunity_cost": lost_opportunity(
            cleared, city, case.orders, {f.id: answered.prices.feeder[i] for i, f in enumerate(city.feeders)}
        ),
        "silent": list(answered.refrained),
        "faults": dict(sorted(answered.faults.items())),
        "wall_s": round(clock.spent(), 3),
        "build_s": round(answered.build_s, 3),
        "solver_s": round(answered.solver_s, 3),
        "closed_form_s": round(answered.closed_form_s, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "seed": case.settings.solver.seed,
        "versions": versions(),
    }


def _one_piece(cleared: Cleared, status: str, gap: float) -> Mapping[str, Any]:
    return {"first_interval": 1, "last_interval": len(cleared.starts), "status": status, "gap": gap}


def versions() -> dict[str, str]:
    names = ("allotment", "pyomo", "highspy", "pandas", "numpy", "clarabel", "cryptography")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _status(status: str, gap: float, asked: float) -> str:
    """Rounds end with an answer; whether it is as good as asked is for the proof to say."""
    if status != "answered":
        return status
    return "optimal" if gap <= asked else "stopped"
