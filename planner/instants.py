"""ISO 8601 text -> UTC instants; a time without an offset is named, not guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

WITH_OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?")


def instant_of(word: str) -> np.datetime64:
    """One ISO 8601 instant as UTC; NaT for anything else."""
    if not ISO.fullmatch(word) or not WITH_OFFSET.search(word):
        return np.datetime64("NaT", "ns")
    try:
        utc = pd.Timestamp(word.replace(",", ".")).tz_convert("UTC").tz_localize(None)
    except (ValueError, OverflowError):
        return np.datetime64("NaT", "ns")
    return utc.to_datetime64() if 1900 <= utc.year <= 2200 else np.datetime64("NaT", "ns")


def wrong_times(words: list[str], parsed: npt.NDArray[Any]) -> Iterator[tuple[list[int], str, str]]:
    bad = [i for i, word in enumerate(words) if word and np.isnat(parsed[i])]
    naive = [i for i in bad if ISO.fullmatch(words[i]) and not WITH_OFFSET.search(words[i])]
    yield naive, "has no offset", "write 2026-10-25T00:00:00+02:00, or use the column interval"
    rest = [i for i in bad if i not in set(naive)]
    yield rest, "is not a time", "write ISO 8601 with an offset, as 2026-10-25T00:00:00+02:00"
