"""Ids: unique, also when case is ignored, within their table; assets also within their unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from planner.problems import Problem
from planner.tables import ASSETS, TABLES, Type
from planner.validation.common import MOST, distinct, in_file_order, rows_where

if TYPE_CHECKING:
    from planner.case import Case


def unique_keys(case: Case) -> Iterator[Problem]:
    """A key that stands for one row stands in one row."""
    for table in TABLES:
        if table.series or not table.unique or not table.key:
            continue
        frame = case.tables[table.name]
        if not len(frame):
            continue
        folded = pd.DataFrame({name: frame[name].str.casefold() for name in table.key})
        rows = rows_where(folded.duplicated(keep=False) & (folded[table.key[0]] != ""))
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for row in rows:
            groups[tuple(folded.iloc[row])].append(row)
        for group in list(groups.values())[:MOST]:
            first, *others = in_file_order(case, table.name, group)
            for row in others:
                yield _twice(case, table.name, table.key[0], first, row)


def _twice(case: Case, table: str, key: str, first: int, row: int) -> Problem:
    name, other = case.tables[table][key].iloc[row], case.tables[table][key].iloc[first]
    what = f"{key} stands here twice" if name == other else f"{key} differs from '{other}' only in case"
    return case.problem(table, row, what, name, f"it is already in line {case.problem(table, first, '').line}")


def one_spelling(case: Case) -> Iterator[Problem]:
    """An id that stands in many rows is spelt the same in all of them."""
    for table in TABLES:
        if not table.key or (table.unique and not table.series and len(table.key) == 1):
            continue
        key = table.key[0]
        frame = case.tables[table.name]
        if table.column(key).type is not Type.ID or not len(frame):
            continue
        names = distinct(frame[key])
        if len({name.casefold() for name in names}) == len(names):
            continue
        spellings: dict[str, str] = {}
        for name in names:
            seen = spellings.setdefault(name.casefold(), name)
            if seen != name:
                row = rows_where(frame[key] == name)[0]
                yield case.problem(table.name, row, f"{key} differs from '{seen}' only in case", name, "spell it alike")


def unique_in_unit(case: Case) -> Iterator[Problem]:
    """Assets of one node have different ids, plants of a case too, since files name them by these ids."""
    seen: dict[tuple[str, str], str] = {}
    for table, key in ASSETS.items():
        frame = case.tables[table]
        pairs = zip(frame["node"].to_numpy(dtype=object), frame[key].to_numpy(dtype=object), strict=True)
        for (node, name), row in {pair: row for row, pair in enumerate(pairs)}.items():
            place = "" if key == "plant" else node
            other = seen.setdefault((place, name.casefold()), table)
            if other != table:
                what = f"{key} has the id of one in {other}"
                yield case.problem(table, row, what, name, "assets of one unit have different ids")


CHECKS = (unique_keys, one_spelling, unique_in_unit)
