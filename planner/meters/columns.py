"""Typed columns out of cells: numbers, words and stamps, each with the rows it could not read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from planner.meters.cells import Cells
from planner.meters.reader import Options, several
from planner.meters.stamps import Stamps, to_instants
from planner.meters.table import coded
from planner.problems import Problem


def placed(cells: Cells, series: np.ndarray, minutes: np.ndarray, options: Options) -> Stamps:
    """Starts of the rows in epoch seconds from column start, else from end."""
    name = "start" if "start" in cells.columns else "end"
    stamps = to_instants(cells.columns[name], cells.line, series, options, cells.report.file)
    return stamps if name == "start" else replace(stamps, seconds=stamps.seconds - 60 * minutes)


def number(cells: Cells, name: str, what: str) -> tuple[np.ndarray, np.ndarray, list[Problem]]:
    """A column as floats, a mask of the rows that are neither number nor empty, and their problems."""
    column = cells.columns[name]
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype="float64", na_value=np.nan), np.zeros(len(column), dtype=bool), []
    text = column.astype("string").str.strip()
    if cells.report.decimal == ",":
        text = text.str.replace(",", ".", regex=False)
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    bad = np.isnan(values) & ~text.str.lower().isin(["", "nan", "na", "null"]).fillna(True).to_numpy(dtype=bool)
    return values, bad, several(cells.report.file, cells.line[bad], what, column[bad], "write a plain number")


def word(
    cells: Cells, name: str, known: tuple[str, ...] | None, default: str
) -> tuple[pd.Categorical, np.ndarray, list[Problem]]:
    """A column of words as categories, a mask of the rows without a valid one, and their problems."""
    size = len(cells.line)
    if name not in cells.columns:
        words = list(known) if known else [default]
        return coded(np.full(size, words.index(default)), words), np.zeros(size, dtype=bool), []
    column = cells.columns[name].astype("category")
    clean = {word: str(word).strip() for word in column.cat.categories}
    words = sorted(set(clean.values()) - {""}) if known is None else list(known)
    position = {word: code for code, word in enumerate(words)}
    places = [position.get(clean[w], -1) for w in column.cat.categories] + [-1]
    if known is not None and default:
        blank = [clean[w] == "" for w in column.cat.categories] + [True]
        places = [position[default] if empty else place for place, empty in zip(places, blank, strict=True)]
    codes = np.array(places, dtype="int32")[column.cat.codes]
    bad = codes < 0
    hint = f"one of {', '.join(known)}" if known else "every row names its meter"
    what = f"{name} is not known" if known else f"{name} is empty"
    problems = several(cells.report.file, cells.line[bad], what, column[bad].astype(object).fillna(""), hint)
    return coded(np.where(bad, 0, codes) if words and bad.any() else codes, words), bad, problems
