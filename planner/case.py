"""A case folder <-> :class:`Case`, a frozen value; all errors at once, each with file, line and a hint."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from planner import hierarchy
from planner.fingerprint import case_sha256
from planner.folder import Source, conform_frame, empty, plain_rows, read_tables
from planner.problems import InvalidInput, Problem, shown, suggest
from planner.settings import FILE, SECTIONS, Settings, changed, read_settings
from planner.tables import BY_NAME, BY_STEM, TABLES
from planner.timegrid import day_grid
from planner_models.words import IntervalGrid

if TYPE_CHECKING:
    import networkx as nx

Frame = pd.DataFrame


@dataclass(frozen=True)
class Case:
    """Everything one clear starts from.

    ``tables`` holds every table of the contract under its attribute name (``case.solar``, ``case.grid_prices``,
    …): always present, all columns, typed, defaults filled, rows in canonical order.  An attribute gives a copy
    that may be changed freely.  ``broken`` and ``doubtful`` name tables that could not be read in whole or in
    part; they are empty in every case that was read without an error.
    """

    folder: Path | None
    settings: Settings
    tables: Mapping[str, Frame] = field(repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    sources: Mapping[str, Source] = field(default_factory=dict, repr=False, compare=False)
    broken: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    doubtful: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    validated: Settings | None = field(default=None, repr=False, compare=False)
    """The settings under which these tables were found without a problem."""

    def __getattr__(self, name: str) -> Frame:
        tables = self.__dict__.get("tables", {})
        if name not in tables:
            raise AttributeError(f"a case has no '{name}'; {suggest(name, tables)}")
        return tables[name].copy(deep=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Case) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    @cached_property
    def grid(self) -> IntervalGrid:
        """The intervals of the delivery day and its look-ahead; InvalidInput if no day is set."""
        grid = self.grid_or_none
        if grid is None:
            raise InvalidInput([Problem(FILE, 0, "no delivery_date", hint="set it, or give --date")])
        return grid

    @property
    def grid_or_none(self) -> IntervalGrid | None:
        """The grid, or None where the settings do not make one."""
        settings = self.settings
        if settings.delivery_date is None:
            return None
        hours = settings.horizon.look_ahead_hours
        try:
            return day_grid(settings.delivery_date, settings.timezone, settings.interval_minutes, hours)
        except (ValueError, OverflowError):
            return None

    @cached_property
    def graph(self) -> nx.DiGraph:
        """The tree of nodes, parent to child; hierarchy.py says what stands on nodes and edges."""
        return hierarchy.tree(self.tables)

    @cached_property
    def sha256(self) -> str:
        """Content hash: independent of row order, column order and file format."""
        return case_sha256(self.settings, self.tables, self.folder)

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones in which energy is balanced, sorted."""
        return hierarchy.zones(self.tables)

    def for_date(self, date: dt.date | str) -> Case:
        """The same case for another delivery day."""
        return replace(self, settings=replace(self.settings, delivery_date=as_date(date)))

    def with_(self, **changes: Any) -> Case:
        """A case with tables (frames, or functions of the case) or settings (a dict per section) replaced.

        Cells are checked here (InvalidInput); the whole is validated when it is cleared.
        """
        problems: list[Problem] = []
        settings, tables, sources = self.settings, dict(self.tables), dict(self.sources)
        for name in sorted(changes, key=lambda name: name in BY_NAME):
            value = changes[name]
            if name in BY_NAME:
                frame = value(self) if callable(value) else value
                if not isinstance(frame, Frame):
                    problems.append(Problem(BY_NAME[name].file, 0, "needs a DataFrame", type(frame).__name__))
                    continue
                tables[name], found = conform_frame(frame, BY_NAME[name], settings)
                sources.pop(name, None)
                problems += found
            elif name in (f.name for f in _fields(settings)):
                if name == "delivery_date" and isinstance(value, str):
                    value = as_date(value)
                settings, found = changed(settings, {name: value})
                problems += found
            else:
                hint = suggest(name, [*BY_NAME, *SECTIONS])
                problems.append(Problem("with_", 0, "neither a table nor a setting", name, hint))
        if problems:
            raise InvalidInput(problems)
        validated = self.validated if changes.keys().isdisjoint(BY_NAME) else None
        return replace(self, settings=settings, tables=tables, sources=sources, validated=validated)

    def problem(self, table: str, row: int, what: str, value: object = "", hint: str = "") -> Problem:
        """A problem with a row (from 0) of a table's frame; row -1 means the header, -2 the file as a whole."""
        source = self.sources.get(table)
        file = source.file if source else BY_NAME[table].file
        line = {-1: 1, -2: 0}.get(row) if row < 0 else source.line(row) if source else row + 1
        return Problem(file, line or 0, what, shown(value), hint)

    def plot(self, ax: Any = None) -> Any:
        """Draw the tree of nodes; returns the matplotlib axes."""
        return hierarchy.plot(self.graph, ax)

    def _repr_html_(self) -> str:
        """Counts, and no name of anybody: notebooks are handed on."""
        from html import escape

        rows = "".join(f"<tr><td>{name}</td><td>{n}</td></tr>" for name, n in plain_rows(self.tables).items())
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        day = self.settings.delivery_date or "no delivery date"
        head = f"{escape(self.settings.name)} · {day} · {escape(self.settings.timezone)}"
        table = f"<table><tr><th>table</th><th>rows</th></tr>{rows}</table>"
        nodes = ", ".join(
            f"{n} of kind {kind}" for kind, n in self.tables["nodes"]["kind"].value_counts(sort=False).items() if n
        )
        return f"<b>{head}</b><p>{nodes}</p>{table}<ul>{notes}</ul>"


def _fields(settings: Settings) -> tuple[Any, ...]:
    from dataclasses import fields

    return fields(settings)


def as_date(date: dt.date | str) -> dt.date:
    """A date from ``2026-10-25``; InvalidInput for anything else."""
    if isinstance(date, dt.datetime):
        return date.date()
    if isinstance(date, dt.date):
        return date
    try:
        return dt.date.fromisoformat(date)
    except (TypeError, ValueError):
        raise InvalidInput([Problem("date", 0, "is not a date", shown(date), "write 2026-10-25")]) from None


def read_case(path: str | Path, date: dt.date | str | None = None) -> Case:
    """The case in a folder, read and validated; ``date`` wins over its delivery_date.

    Raises InvalidInput with every problem found.
    """
    case, problems = validate_folder(path, date)
    if case is None or problems:
        raise InvalidInput(problems)
    return case


def validate_folder(path: str | Path, date: dt.date | str | None = None) -> tuple[Case | None, tuple[Problem, ...]]:
    """(case, problems) of a folder; the case is None when there are any."""
    from planner.validation import validate

    folder = Path(path)
    text, problems = _case_toml(folder)
    if text is None:
        return None, tuple(problems)
    settings, found, notes = read_settings(text)
    problems += found
    if date is not None:
        try:
            settings = replace(settings, delivery_date=as_date(date))
        except InvalidInput as error:
            problems += error.errors
    read = read_tables(folder, settings)
    problems += read.problems
    notes = notes if len(read.frames["nodes"]) else []  # an order book knows neither fees nor a default tariff
    bad = frozenset(read.broken), frozenset(read.broken | read.doubtful)
    case = Case(folder, settings, read.frames, (*notes, *read.notes), read.sources, *bad)
    problems += _not_yet_said(validate(case), problems)
    if problems:
        return None, tuple(sorted(set(problems), key=_in_reading_order))
    return replace(case, notes=(*case.notes, *_repetitions(case)), validated=settings), ()


def _not_yet_said(found: Iterable[Problem], cells: Iterable[Problem]) -> list[Problem]:
    """Problems of the case as a whole, without those about a cell that could not be read in the first place."""
    unread = {(cell.file, cell.line, name) for cell in cells for name in _columns_in(cell)}
    return [p for p in found if not any((p.file, p.line, name) in unread for name in _columns_in(p))]


def _columns_in(problem: Problem) -> set[str]:
    """The columns of its table that a problem speaks of; a row's time is one thing, whichever column says it."""
    table = BY_STEM.get(problem.file.split(".")[0])
    words = set(re.findall(r"[a-z_]+", problem.what)) if table else set()
    named = words & {column.name for column in table.columns} if table else set()
    return named | {"start", "interval"} if named & {"start", "interval"} else named


def _in_reading_order(problem: Problem) -> tuple[int, Problem]:
    files = [FILE, *(table.stem for table in TABLES)]
    stem = problem.file if problem.file == FILE else problem.file.split(".")[0]
    return (files.index(stem) if stem in files else len(files)), problem


def _case_toml(folder: Path) -> tuple[str | None, list[Problem]]:
    path = folder / FILE
    try:
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            return None, [Problem(folder.name or str(folder), 0, what, hint="a case is a folder with a case.toml")]
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"), []
    except FileNotFoundError:
        return None, [Problem(FILE, 0, "is missing", hint="a case is a folder with a case.toml")]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return None, [Problem(FILE, line, "is not UTF-8 text", hint="save it as UTF-8")]
    except (OSError, ValueError) as error:
        return None, [Problem(FILE, 0, "cannot be read", shown(getattr(error, "strerror", None) or error))]


def _repetitions(case: Case) -> list[str]:
    """Notes on look-ahead that the files do not cover."""
    from planner.validation.series import look_ahead_notes

    return list(look_ahead_notes(case)) if len(case.nodes) else []


def new_case(settings: Settings, **tables: Frame) -> Case:
    """A case made in Python: no folder, tables given as frames, the rest empty."""
    base = Case(None, settings, {table.name: empty(table) for table in TABLES})
    return base.with_(**tables)
