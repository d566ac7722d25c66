"""What either mode of the clear hands on: schedules, prices, the market's dispatch, and what was proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.quantise import Floats
from planner.questions import Commitment
from planner.schedule import Schedule


@dataclass(frozen=True)
class Prices:
    """Zone prices (zones, n) and feeder surcharges (feeders, n), currency per MWh, as published: on the tick.

    ``low`` and ``high`` are the range of each zone price; ``indicative`` marks ends that no decision set.
    ``converged``: what the answers promise exceeds what these prices prove by no more than the gap asked.  That is the
    sum over all buildings of how far each one's best at the price lies below its answers (its reduced cost, never
    positive), so no building's is larger; of each alone the marketplace may not know.
    """

    zone: Floats
    low: Floats
    high: Floats
    indicative: npt.NDArray[np.bool_]
    feeder: Floats
    converged: bool


@dataclass(frozen=True)
class Answered:
    """The outcome of a mode.  Costs in currency over the horizon.

    ``without_trade`` is every building's cost without trade; ``bound`` is proven for the objective; ``proven`` is v_b
    of every building at its published node price;
    ``refrained`` groups fell back on no trade for the network's sake; ``mute`` ones (with the reason) said too little
    to take part and trade at the default tariff, ``faults`` being those of them that failed.  ``market_x`` are the
    values of the marketplace's columns for the schedules' positions; ``rounds`` are the rows of market/rounds.csv.
    What the rounds themselves know of a group is its ``commitments`` and its cost without trade (``alone_micro``), and
    of all groups ``proven_sum``, the sum of v_b at the published prices, -inf where too few speak for it to be said.
    """

    schedules: Mapping[str, Schedule]
    without_trade: Mapping[str, float]
    market_x: Floats
    prices: Prices
    bound: float
    no_trade: float
    proven: Mapping[str, float]
    status: str
    answer_from: str
    information: str
    pieces: tuple[Mapping[str, Any], ...] = ()
    rounds: pd.DataFrame = field(default_factory=pd.DataFrame)
    refrained: tuple[str, ...] = ()
    mute: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    solver_s: float = 0.0
    closed_form_s: float = 0.0
    build_s: float = 0.0
    notes: tuple[str, ...] = field(default=())
    commitments: Mapping[str, Commitment] = field(default_factory=dict)
    alone_micro: Mapping[str, int] = field(default_factory=dict)
    proven_sum: float = -np.inf
