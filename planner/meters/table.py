"""The canonical meter table: what every reader produces and everything else consumes.

One row is the energy that one channel of one meter counted in one interval:

========== ==================== ==========================================================
column     type                 meaning
========== ==================== ==========================================================
meter      category             id of the meter
channel    category             ``import``, ``export``, ``production`` or ``net``
start      datetime64[ns, UTC]  instant at which the interval begins
minutes    int32                length of the interval
energy_kwh float64              >= 0 except in ``net`` (import minus export); NaN if missing
quality    category             ``actual``, ``estimated``, ``substituted`` or ``missing``
========== ==================== ==========================================================

Readers add ``line``, the line of the file a row came from; it is gone from finished tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

CHANNELS = ("import", "export", "production", "net")
QUALITIES = ("actual", "estimated", "substituted", "missing")
COLUMNS = ("meter", "channel", "start", "minutes", "energy_kwh", "quality")
START = "datetime64[ns, UTC]"
SECOND = 1_000_000_000
KEY_SPAN = 1 << 35


@dataclass(frozen=True, slots=True)
class Keyed:
    """A frame in the order of its keys: codes of the series, starts and ends in epoch seconds."""

    frame: pd.DataFrame
    series: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray

    def owner(self, row: int) -> tuple[str, str]:
        """Meter and channel of a row."""
        return str(self.frame["meter"].array[row]), str(self.frame["channel"].array[row])


def build(
    meter: Any, channel: Any, start_s: Any, minutes: Any, energy_kwh: Any, quality: Any, line: Any
) -> pd.DataFrame:
    """Reader rows from arrays or scalars; ``start_s`` are epoch seconds (UTC)."""
    starts = np.asarray(start_s, dtype="int64")
    frame = pd.DataFrame({"start": pd.DatetimeIndex(starts.astype("datetime64[s]").astype("datetime64[ns]"), tz="UTC")})
    frame["meter"] = category(meter, len(frame), None)
    frame["channel"] = category(channel, len(frame), CHANNELS)
    frame["minutes"] = np.broadcast_to(np.asarray(minutes, dtype="int32"), len(frame))
    frame["energy_kwh"] = np.broadcast_to(np.asarray(energy_kwh, dtype="float64"), len(frame))
    frame["quality"] = category(quality, len(frame), QUALITIES)
    frame["line"] = np.broadcast_to(np.asarray(line, dtype="int64"), len(frame))
    return frame[[*COLUMNS, "line"]]


def empty() -> pd.DataFrame:
    """A reader frame without rows."""
    return build([], [], [], [], [], [], [])


def seconds(start: pd.Series) -> np.ndarray:
    """Epoch seconds of a column of instants, int64."""
    return np.asarray(start.to_numpy(dtype="datetime64[ns]").astype("int64") // SECOND)


def coded(codes: Any, words: Sequence[str]) -> pd.Categorical:
    """Positions in ``words`` as a categorical."""
    positions: Any = np.asarray(codes)
    return pd.Categorical.from_codes(positions, categories=pd.Index(list(words), dtype=object))


def concat(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Frames one below the other, categories united."""
    parts = [frame for frame in frames if len(frame)]
    if not parts:
        return empty()
    if len(parts) == 1:
        return parts[0].reset_index(drop=True)
    owners: list[Any] = [part["meter"].array for part in parts]
    meters = sorted({str(meter) for owner in owners for meter in owner.categories})
    code = {meter: number for number, meter in enumerate(meters)}
    codes = [np.array([code[str(meter)] for meter in owner.categories])[owner.codes] for owner in owners]
    whole = pd.concat([part.drop(columns="meter") for part in parts], ignore_index=True)
    return whole.assign(meter=coded(np.concatenate(codes), meters))[list(parts[0].columns)]


def ordered(frame: pd.DataFrame) -> Keyed:
    """Rows by meter id, channel and start; ties by energy, so that file order never matters."""
    meters = frame["meter"].cat
    rank = np.argsort(np.argsort(np.asarray(meters.categories.astype(str)), kind="stable"), kind="stable")
    series = rank[meters.codes.to_numpy()].astype("int64") * len(CHANNELS) + frame["channel"].cat.codes.to_numpy()
    start = seconds(frame["start"])
    order = _order(series, start, frame)
    if order is not None:
        frame, series, start = frame.iloc[order].reset_index(drop=True), series[order], start[order]
    return Keyed(frame, series, start, start + 60 * frame["minutes"].to_numpy().astype("int64"))


def finished(frame: pd.DataFrame) -> pd.DataFrame:
    """The public table: canonical columns and order, unused meters forgotten."""
    return published(ordered(frame))


def published(keyed: Keyed) -> pd.DataFrame:
    """The public table of rows that are in order."""
    table = keyed.frame[list(COLUMNS)].reset_index(drop=True)
    names, codes = used(table["meter"]), table["meter"].cat.codes.to_numpy()
    if len(names) == len(table["meter"].cat.categories):
        return table
    place = pd.Index(names).get_indexer(table["meter"].cat.categories)
    return table.assign(meter=coded(place[codes], names))


def used(words: pd.Series) -> list[str]:
    """The categories that occur, in their order; counted, since sorting millions of codes takes far longer."""
    codes, known = words.cat.codes.to_numpy(), words.cat.categories
    return [str(word) for word in known[np.bincount(codes[codes >= 0], minlength=len(known)) > 0]]


def write(table: pd.DataFrame, path: Path) -> None:
    """Write the table as parquet or CSV (``.csv``, ``.csv.gz``), by the name of the file."""
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
        return
    stamps = table["start"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    table.assign(start=stamps).to_csv(path, index=False)


def category(values: Any, size: int, categories: Sequence[str] | None = None) -> pd.Categorical:
    """Words, or one word for all rows, as a categorical of ``size``."""
    if isinstance(values, str):
        known = list(categories) if categories is not None else [values]
        return coded(np.full(size, known.index(values)), known)
    if isinstance(values, pd.Categorical) and (categories is None or list(values.categories) == list(categories)):
        return values
    known_index = None if categories is None else pd.Index(list(categories), dtype=object)
    return pd.Categorical(np.asarray(values, dtype=object), categories=known_index)


def _order(series: np.ndarray, start: np.ndarray, frame: pd.DataFrame) -> np.ndarray | None:
    """The permutation that sorts by series, start, minutes and energy; None where the rows are so already.

    Only rows of one key need the last two, and most files are sorted but for a few of those.
    """
    key = series * KEY_SPAN + start  # starts are far below the span, on either side of 1970
    step = np.diff(key)
    if (step > 0).all():
        return None
    order = np.arange(len(key)) if (step >= 0).all() else np.argsort(key, kind="stable")
    same = np.diff(key[order]) == 0
    tied = np.flatnonzero(np.concatenate([[False], same]) | np.concatenate([same, [False]]))
    rows = order[tied]
    minutes, energy = frame["minutes"].to_numpy()[rows], frame["energy_kwh"].to_numpy()[rows]
    order[tied] = rows[np.lexsort((energy, minutes, key[rows]))]
    return order
