"""Local clock times to instants, across the hour that is skipped and the hour that comes twice.

A label alone never says which pass of a repeated hour it belongs to.  The signals, strongest first:

1. an explicit offset (such stamps never come here),
2. a start later than its end (``02:45 -> 02:00``): that row ends the first pass,
3. the direction of the file and where its labels jump back: what stands before the jump in time order
   is the first pass (a newest-first file meets the later pass first),
4. pairs that are interleaved (``02:00, 02:00, 02:15, 02:15``): each pair in the order of time.

Where none applies the rows stay unplaced and the user is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

BY_END = "a start later than its end closes the first pass"
BY_JUMP = "the labels jump back once, in the direction of the file"
BY_PAIRS = "interleaved pairs, in the direction of the file"
UNPLACED = "not to be told from the file"
STEADY = 0.95  # share of steps in one direction that makes a file ascending or descending


@dataclass(frozen=True, slots=True)
class Resolved:
    """``seconds`` since the epoch where known; masks of rows in the skipped hour and rows left unplaced.

    ``rules`` holds for each local date of a repeated hour the rule that placed its rows.
    """

    seconds: np.ndarray
    skipped: np.ndarray
    unplaced: np.ndarray
    rules: Mapping[str, str]


def zone(name: str) -> ZoneInfo | None:
    """The zone of that name, or nothing if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def resolve(
    local_s: np.ndarray,
    zone_name: str,
    series: np.ndarray,
    *,
    ends: bool = False,
    end_local_s: np.ndarray | None = None,
) -> Resolved:
    """Instants of naive local seconds given in file order.

    ``series`` numbers the meter, channel and register of each row; ``ends`` says that stamps close their
    interval, which makes the very moment of the spring change a valid label; ``end_local_s`` are the local
    ends where the file has both.
    """
    first, second, skipped = _candidates(local_s, zone_name, ends)
    repeated = (first != second) & ~skipped
    seconds, unplaced = first.copy(), np.zeros(len(first), dtype=bool)
    rules: dict[str, str] = {}
    for rows, direction in _groups(local_s, series, repeated):
        labels = local_s[rows]
        closing = None if end_local_s is None else end_local_s[rows] <= labels
        passes, rule = _passes(labels, direction, closing)
        seconds[rows] = np.where(passes == 1, second[rows], first[rows])
        unplaced[rows] = passes < 0
        date = str(labels[0].astype("datetime64[s]").astype("datetime64[D]"))
        rules[date] = rule if rules.get(date, rule) == rule else f"{rules[date]}; {rule}"
    return Resolved(seconds, skipped, unplaced, rules)


def ending(start_s: np.ndarray, end_local_s: np.ndarray, zone_name: str) -> np.ndarray:
    """The earliest instant after each start whose local clock shows ``end_local_s``."""
    first, second, _ = _candidates(end_local_s, zone_name, ends=True)
    return np.where(first > start_s, first, second)


def _candidates(local_s: np.ndarray, zone_name: str, ends: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both instants a label may mean (equal outside the repeated hour) and a mask of the skipped hour."""
    stamps = pd.DatetimeIndex(local_s.astype("datetime64[s]"))
    early = stamps.tz_localize(zone_name, ambiguous=np.ones(len(stamps), dtype=bool), nonexistent="shift_forward")
    late = stamps.tz_localize(zone_name, ambiguous=np.zeros(len(stamps), dtype=bool), nonexistent="shift_forward")
    first, second = _epoch(early), _epoch(late)
    shown = early.tz_localize(None).to_numpy().astype("datetime64[s]").astype("int64")
    skipped = shown != local_s
    if ends and skipped.any():
        before = _candidates(local_s[skipped] - 1, zone_name, ends=False)[2]
        skipped[skipped] = before
    return np.minimum(first, second), np.maximum(first, second), skipped


def _epoch(stamps: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray(stamps.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]").astype("int64"))


def _groups(local_s: np.ndarray, series: np.ndarray, repeated: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Rows of each series and repeated hour in file order, with the direction of the series."""
    groups = []
    for code in np.unique(series[repeated]):
        rows = np.flatnonzero(series == code)
        direction = _direction(local_s[rows])
        inside = rows[repeated[rows]]
        days = local_s[inside] // 86400
        groups += [(inside[days == day], direction) for day in np.unique(days)]
    return groups


def _direction(labels: np.ndarray) -> int:
    """+1 ascending, -1 descending, 0 neither."""
    steps = np.sign(np.diff(labels))
    steps = steps[steps != 0]
    if not len(steps):
        return 1
    up = float((steps > 0).mean())
    if len(steps) < 20:  # the jump back of a short excerpt weighs more than one row in twenty
        up = round(up)
    return 1 if up >= STEADY else -1 if up <= 1 - STEADY else 0


def _passes(labels: np.ndarray, direction: int, closing: np.ndarray | None) -> tuple[np.ndarray, str]:
    """0 for the first pass, 1 for the second, -1 where unknown."""
    passes, rule = np.full(len(labels), -1), UNPLACED
    if direction:
        passes, rule = _by_order(labels[::direction])
        passes = passes[::direction]
    if closing is None or not closing.any():
        return passes, rule
    if (passes[closing] == 1).all() and (passes >= 0).all():
        return 1 - passes, BY_END
    if (passes[closing] == 0).all():
        return passes, rule
    return np.where(closing, 0, -1), BY_END


def _by_order(labels: np.ndarray) -> tuple[np.ndarray, str]:
    """Passes of labels given in the order of time."""
    steps = np.diff(labels)
    jumps = np.flatnonzero(steps < 0)
    if len(jumps) == 1 and (np.delete(steps, jumps) > 0).all():
        return (np.arange(len(labels)) > jumps[0]).astype(int), BY_JUMP
    if len(jumps) == 0 and (steps == 0).any():
        _, index, counts = np.unique(labels, return_index=True, return_counts=True)
        if counts.max() == 2:
            passes = np.full(len(labels), -1)
            pairs = index[counts == 2]
            passes[pairs], passes[pairs + 1] = 0, 1
            return passes, BY_PAIRS
    return np.full(len(labels), -1), UNPLACED
