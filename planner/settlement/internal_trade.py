"""Trade between the units of one building (S1): neighbours first, then the marketplace, to the Wh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.cleared import Wh
from planner.settlement.apportion import apportion


@dataclass(frozen=True)
class InternalTrade:
    """What each participant trades, int64 Wh (N, T), all >= 0; participants are rows in the caller's order.

    ``bought`` and ``sold`` are internal; ``market_buy`` and ``market_sell`` are what is left of the positions.
    In no interval do both market parts occur.
    """

    bought: Wh
    sold: Wh
    market_buy: Wh
    market_sell: Wh


@dataclass(frozen=True)
class Pairs:
    """Who sold to whom: row numbers of seller and buyer, the interval (from 0) and Wh > 0; sorted by interval."""

    seller: npt.NDArray[np.int64]
    buyer: npt.NDArray[np.int64]
    interval: npt.NDArray[np.int64]
    energy_wh: Wh


def trade_inside(position_wh: Wh) -> InternalTrade:
    """Match the positions (N, T) of a building's participants: v = min(sum d+, sum d-), pro rata on both sides.

    Equal remainders go to the earlier row: sort participants by id.
    """
    wanted, spare = np.maximum(position_wh, 0), np.maximum(-position_wh, 0)
    volume = np.minimum(wanted.sum(axis=0), spare.sum(axis=0))
    bought, sold = apportion(volume, wanted), apportion(volume, spare)
    return InternalTrade(bought, sold, wanted - bought, spare - sold)


def pair_up(trade: InternalTrade) -> Pairs:
    """Pair sellers with buyers so that every row and column sum is met exactly, with few pairs.

    All sales of the day laid end to end (interval by interval, participant by participant) are cut where either
    side changes: the north-west corner rule for every interval at once, since each interval's sales and
    purchases are equally long.
    """
    sellers, sell_ends = _line_up(trade.sold)
    buyers, buy_ends = _line_up(trade.bought)
    ends = np.union1d(sell_ends, buy_ends)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])[: len(ends)]
    sales = sellers[np.searchsorted(sell_ends, starts, side="right")]
    purchases = buyers[np.searchsorted(buy_ends, starts, side="right")]
    count = len(trade.sold)
    return Pairs(sales % count, purchases % count, sales // count, ends - starts)


def _line_up(energy_wh: Wh) -> tuple[npt.NDArray[np.int64], Wh]:
    """Cells (interval x participant, interval first) that hold energy, and where each ends when laid end to end."""
    flat = np.ascontiguousarray(energy_wh.T).ravel()
    cells = np.flatnonzero(flat)
    return cells, np.cumsum(flat[cells])
